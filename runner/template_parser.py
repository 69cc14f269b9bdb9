"""Reads templates of the common shape, text and `{{ expression }}`, into Jinja's own tree, many times as fast as Jinja.

A project is checked by reading thousands of templates, and Jinja's lexer and parser take most of that time. The grammar
here is a part of Jinja's: names, literals, operators, calls, filters and tests; no tags, no comments, no escapes. It
gives the tree that Jinja gives, offsets included, or nothing: then Jinja reads the template, and says what is wrong.
"""

import re
from collections.abc import Iterator

from jinja2 import nodes

_TOKEN = re.compile(
    r"\s*(?:(?P<end>\}\})"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<number>(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?![\w.]))"
    r"|(?P<text>'[^'\\]*'|\"[^\"\\]*\")"
    r"|(?P<operator>//|==|!=|<=|>=|[-+*/%~<>=|.,()\[\]])"
    r"|(?P<other>.|\Z))",
    re.DOTALL,
)
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "if", "else"})
_COMPARISONS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "lteq", ">": "gt", ">=": "gteq"}
_SUMS: dict[str, type[nodes.BinExpr]] = {"+": nodes.Add, "-": nodes.Sub}
_PRODUCTS: dict[str, type[nodes.BinExpr]] = {
    "*": nodes.Mul,
    "/": nodes.Div,
    "//": nodes.FloorDiv,
    "%": nodes.Mod,
}
_CONSTANTS = {"true": True, "True": True, "false": False, "False": False, "none": None, "None": None}
_DEEPEST = 20

Token = tuple[str, str, int]
"""What it is (`name`, `number`, `text`, `end`, or the operator or keyword itself), as written, and its offset."""


class _OtherError(Exception):
    """This is for Jinja to read."""


def read(text: str) -> nodes.Template | None:
    """Give the tree of a template, or None where it is not of the common shape."""
    if "{%" in text or "{#" in text or "\r" in text:
        return None
    pieces: list[nodes.Expr] = []
    at = 0
    try:
        while (start := text.find("{{", at)) >= 0:
            if start > at:
                pieces.append(nodes.TemplateData(text[at:start], lineno=at))
            if text[start + 2 : start + 3] in ("-", "+"):
                return None
            reader = _Reader(_tokens(text, start + 2))
            pieces.append(reader.whole())
            at = reader.offset + 2
    except _OtherError:
        return None
    if at < len(text):
        pieces.append(nodes.TemplateData(text[at:], lineno=at))
    body: list[nodes.Node] = [nodes.Output(pieces, lineno=pieces[0].lineno)] if pieces else []
    return nodes.Template(body, lineno=1)


def _tokens(text: str, at: int) -> Iterator[Token]:
    """Give the tokens of one expression, the `}}` last."""
    for match in _TOKEN.finditer(text, at):
        kind = match.lastgroup or ""
        value = match[kind]
        if kind == "operator" or (kind == "name" and value in _KEYWORDS):
            kind = value
        elif kind == "other" or (kind == "name" and not value.isascii()):
            raise _OtherError
        yield kind, value, match.end() - len(value)
        if kind == "end":
            return


class _Reader:
    """Reads one expression. Each method reads what its name says; `lineno` is an offset, where Jinja would put it."""

    def __init__(self, tokens: Iterator[Token]) -> None:
        self.tokens = tokens
        self.depth = 0
        self.kind, self.value, self.offset = next(tokens)

    def whole(self) -> nodes.Expr:
        found = self.expression()
        if self.kind != "end":
            raise _OtherError
        return found

    def next(self) -> None:
        self.kind, self.value, self.offset = next(self.tokens, ("other", "", 0))

    def take(self, kind: str) -> None:
        if self.kind != kind:
            raise _OtherError
        self.next()

    def expression(self) -> nodes.Expr:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _OtherError
        start = self.offset
        found = self.disjunction()
        while self.kind == "if":
            self.next()
            test = self.disjunction()
            other = None
            if self.kind == "else":
                self.next()
                other = self.expression()
            found = nodes.CondExpr(test, found, other, lineno=start)
            start = self.offset
        self.depth -= 1
        return found

    def disjunction(self) -> nodes.Expr:
        start = self.offset
        left = self.conjunction()
        while self.kind == "or":
            self.next()
            left = nodes.Or(left, self.conjunction(), lineno=start)
            start = self.offset
        return left

    def conjunction(self) -> nodes.Expr:
        start = self.offset
        left = self.negation()
        while self.kind == "and":
            self.next()
            left = nodes.And(left, self.negation(), lineno=start)
            start = self.offset
        return left

    def negation(self) -> nodes.Expr:
        nots = []
        while self.kind == "not":
            nots.append(self.offset)
            self.next()
        found = self.comparison()
        for start in reversed(nots):
            found = nodes.Not(found, lineno=start)
        return found

    def comparison(self) -> nodes.Expr:
        start = self.offset
        left = self.sum()
        operands = []
        while True:
            if self.kind in _COMPARISONS:
                name = _COMPARISONS[self.kind]
                self.next()
            elif self.kind == "in":
                name = "in"
                self.next()
            elif self.kind == "not":
                name = "notin"
                self.next()
                self.take("in")
            else:
                break
            operands.append(nodes.Operand(name, self.sum()))
            start = self.offset
        return nodes.Compare(left, operands, lineno=start) if operands else left

    def sum(self) -> nodes.Expr:
        start = self.offset
        left = self.joined()
        while self.kind in _SUMS:
            made = _SUMS[self.kind]
            self.next()
            left = made(left, self.joined(), lineno=start)
            start = self.offset
        return left

    def joined(self) -> nodes.Expr:
        start = self.offset
        parts = [self.product()]
        while self.kind == "~":
            self.next()
            parts.append(self.product())
        return nodes.Concat(parts, lineno=start) if len(parts) > 1 else parts[0]

    def product(self) -> nodes.Expr:
        start = self.offset
        left = self.operand()
        while self.kind in _PRODUCTS:
            made = _PRODUCTS[self.kind]
            self.next()
            left = made(left, self.operand(), lineno=start)
            start = self.offset
        return left

    def operand(self, *, filtered: bool = True) -> nodes.Expr:
        if self.kind == "-":
            start = self.offset
            self.next()
            if self.kind == "-":  # no use deserves the recursion
                raise _OtherError
            found: nodes.Expr = nodes.Neg(self.operand(filtered=False), lineno=start)
        else:
            found = self.primary()
        while True:
            if self.kind in (".", "["):
                found = self.part(found)
            elif self.kind == "(":
                found = self.call(found)
            elif not filtered:
                return found
            else:
                break
        while True:
            if self.kind == "|":
                self.next()
                found = self.filter(found)
            elif self.kind == "is":
                found = self.test(found)
            elif self.kind == "(":
                found = self.call(found)
            else:
                return found

    def primary(self) -> nodes.Expr:
        kind, value, start = self.kind, self.value, self.offset
        self.next()
        if kind == "name":
            if value in _CONSTANTS:
                return nodes.Const(_CONSTANTS[value], lineno=start)
            return nodes.Name(value, "load", lineno=start)
        if kind == "text" and self.kind != "text":  # texts side by side are one
            return nodes.Const(value[1:-1], lineno=start)
        if kind == "number" and len(value) < 300:
            return nodes.Const(float(value) if "." in value else int(value), lineno=start)
        if kind == "(":
            found = self.expression()
            self.take(")")
            return found
        if kind == "[":
            items: list[nodes.Expr] = []
            while self.kind != "]":
                if items:
                    self.take(",")
                    if self.kind == "]":
                        break
                items.append(self.expression())
            self.next()
            return nodes.List(items, lineno=start)
        raise _OtherError

    def part(self, of: nodes.Expr) -> nodes.Expr:
        kind, start = self.kind, self.offset
        self.next()
        if kind == ".":
            name = self.value
            self.take("name")
            return nodes.Getattr(of, name, "load", lineno=start)
        key = self.expression()
        self.take("]")
        return nodes.Getitem(of, key, "load", lineno=start)

    def call(self, of: nodes.Expr) -> nodes.Expr:
        start = self.offset
        args, named = self.arguments()
        return nodes.Call(of, args, named, None, None, lineno=start)

    def filter(self, of: nodes.Expr) -> nodes.Expr:
        name, start = self.value, self.offset
        self.take("name")
        args, named = self.arguments() if self.kind == "(" else ([], [])
        if self.kind == ".":  # Jinja takes it for a part of the name
            raise _OtherError
        return nodes.Filter(of, name, args, named, None, None, lineno=start)

    def test(self, of: nodes.Expr) -> nodes.Expr:
        start = self.offset
        self.next()
        negated = self.kind == "not"
        if negated:
            self.next()
        name = self.value
        self.take("name")
        if self.kind not in ("and", "or", "else", "end", ")", "]", ","):  # it may have an argument
            raise _OtherError
        found: nodes.Expr = nodes.Test(of, name, [], [], None, None, lineno=start)
        return nodes.Not(found, lineno=start) if negated else found

    def arguments(self) -> tuple[list[nodes.Expr], list[nodes.Keyword]]:
        args: list[nodes.Expr] = []
        named: list[nodes.Keyword] = []
        self.take("(")
        while self.kind != ")":
            if args or named:
                self.take(",")
                if self.kind == ")":
                    break
            found = self.expression()
            if self.kind == "=":
                if type(found) is not nodes.Name:
                    raise _OtherError
                self.next()
                value = self.expression()
                named.append(nodes.Keyword(found.name, value, lineno=value.lineno))
            elif named:
                raise _OtherError
            else:
                args.append(found)
        self.next()
        return args, named
