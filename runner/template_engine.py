"""Jinja, bounded: parsing with exact columns, compiling, rendering.

Only this module and its neighbours `template_bounds`, `template_trees` and `template_references` import jinja2.
Jinja's nodes know lines only. Here the lexer's tokens carry character offsets in place of line numbers, so each node,
and each syntax error, says exactly where it stands.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.exceptions import UndefinedError as UndefinedError  # noqa: PLC0414 - for those who call `run`
from jinja2.lexer import TokenStream
from jinja2.sandbox import ImmutableSandboxedEnvironment

from runner import filters, template_parser
from runner.frozen import dataclass
from runner.reference import Reference
from runner.template_bounds import (
    Budget,
    bounded,
    budget,
    check_join,
    check_operation,
    check_sizes,
    steps,
)
from runner.template_bounds import TemplateFault as TemplateFault  # noqa: PLC0414 - likewise
from runner.template_trees import CONCAT, DEEPEST_TREE, METHODS, STEPS, Bounding, is_deep
from runner.template_trees import hide_outputs as hide_outputs  # noqa: PLC0414 - likewise
from runner.template_values import Raw as Raw  # noqa: PLC0414 - likewise
from runner.template_values import concat, default, join, joined, of_defined, to_data, to_json
from runner.template_values import text_of as text_of  # noqa: PLC0414 - likewise


@dataclass(slots=True)
class Parsed:
    """A template that has been read: its tree, its references, the faults that a check can know."""

    tree: nodes.Template
    exact: bool
    references: tuple[Reference, ...]
    faults: list[TemplateFault] = field(default_factory=list)


class Missing(StrictUndefined):
    """An undefined value: any use is an error, but `.more` of it is undefined too, so that `default` can catch it."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: Any) -> Any:
        return self


class Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with data keys before methods, bounds on what an operation builds, and offsets for lines."""

    concat = staticmethod(joined)  # what macros, `set` blocks and `filter` blocks build
    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(self, finalize: Callable[[Any], Any]) -> None:
        super().__init__(undefined=Missing, finalize=finalize, keep_trailing_newline=True)
        self.filters.update({name: of_defined(function) for name, function in filters.FILTERS.items()})
        self.filters["default"] = self.filters["d"] = default
        self.filters["raw"] = Raw
        self.filters["string"] = text_of
        self.filters["join"] = join
        self.filters["to_json"] = self.filters["tojson"] = to_json
        for name in ("center", "indent", "slice", "batch", "wordwrap", "replace", "format", "truncate"):
            self.filters[name] = bounded(self.filters[name])
        self.filters[STEPS] = steps
        for name in (
            "xmlattr",
            "pprint",
            "random",
            "urlize",
            "safe",
            "escape",
            "e",
            "forceescape",
            "striptags",
        ):
            self.filters.pop(name, None)
        del self.globals["lipsum"]
        self.globals["null"] = None
        self.globals[CONCAT] = concat

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        lexer = self.lexer
        return TokenStream(lexer.wrap(_with_offsets(lexer, source, state), name, filename), name, filename)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look a name up: the key of a mapping first (`body.items` is data), then a safe attribute."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, dict):
            if attribute in obj:
                return obj[attribute]
            if attribute not in METHODS:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look a key or an index up."""
        if isinstance(obj, Undefined):
            return obj
        if isinstance(obj, dict):
            try:
                return obj[argument]
            except (KeyError, TypeError):
                return self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Allow methods of text, lists, mappings and times, never an attribute that starts with an underscore."""
        return super().is_safe_attribute(obj, attr, value) and not attr.startswith("_")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse an operation that would build something huge."""
        check_operation(operator, left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063
        """Call a method or macro, within the budget."""
        spent = budget.get()
        spent.spend()
        subject = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        check_sizes(subject, args, kwargs)
        if isinstance(subject, str) and args and getattr(__obj, "__name__", "") == "join":
            args = (check_join(subject, args[0]), *args[1:])
        made = super().call(__context, __obj, *args, **kwargs)
        spent.build(made)
        return made


def parse(environment: Environment, text: str) -> Parsed:
    """Read a template; raises TemplateFault for a syntax error."""
    exact_text = text.rstrip("\n") if text.startswith("{{") else text
    try:
        tree = _tree(environment, exact_text)
    except TemplateSyntaxError as problem:
        raise _syntax_fault(problem, exact_text) from None
    body = tree.body
    exact = (
        text.startswith("{{")
        and exact_text.endswith("}}")
        and len(body) == 1
        and isinstance(body[0], nodes.Output)
        and len(body[0].nodes) == 1
        and not isinstance(body[0].nodes[0], nodes.TemplateData)
    )
    if not exact and exact_text != text:
        return parse_text(environment, text)
    return _inspect(environment, tree, exact_text, exact=exact)


def parse_text(environment: Environment, text: str) -> Parsed:
    """Read a template that is text, whatever it looks like."""
    try:
        tree = _tree(environment, text)
    except TemplateSyntaxError as problem:
        raise _syntax_fault(problem, text) from None
    return _inspect(environment, tree, text, exact=False)


def _tree(environment: Environment, text: str) -> nodes.Template:
    tree = template_parser.read(text)
    try:
        if tree is None:
            tree = environment._parse(text, None, None)  # noqa: SLF001 - parse() would rewrite the error
        deep = len(text) > DEEPEST_TREE and is_deep(tree)
    except RecursionError:
        deep = True
    if deep or tree is None:
        raise TemplateFault("the template is nested too deeply", help="compute less in one template")
    return tree


def compile_tree(environment: Environment, tree: nodes.Template, *, exact: bool) -> Template:
    """Compile a tree; an exact expression becomes the assignment of its value to `result`."""
    if exact:
        output = tree.body[0]
        assert isinstance(output, nodes.Output)
        tree = nodes.Template(
            [nodes.Assign(nodes.Name("result", "store"), output.nodes[0], lineno=1)], lineno=1
        )
    tree = Bounding().visit(tree)
    tree.set_environment(environment)
    code = environment.compile(tree)
    return Template.from_code(environment, code, environment.globals)


def run(template: Template, context: dict[str, Any], *, exact: bool, limit: int) -> Any:
    """Render within bounds: data for an exact expression, else text of at most `limit` characters.

    Raises TemplateFault, jinja2's UndefinedError (the caller knows the names), and nothing else.
    """
    token = budget.set(Budget())
    try:
        inner = template.new_context(context)
        if exact:
            for _ in template.root_render_func(inner):
                pass
            return to_data(inner.vars["result"])
        pieces: list[str] = []
        size = 0
        for piece in template.root_render_func(inner):
            size += len(piece)
            if size > limit:
                raise TemplateFault(
                    f"the template gives more than {limit:,} characters",
                    help="raise `limits.template_output` in the workflow, or give less",
                )
            pieces.append(piece)
        return "".join(pieces)
    except (TemplateFault, UndefinedError):
        raise
    except Exception as problem:
        raise TemplateFault(_reason(problem), help=None) from None
    finally:
        budget.reset(token)


_KNOWN_GLOBALS = frozenset({"range", "dict", "namespace", "cycler", "joiner", "null"})
_SAFE_TYPE_ERROR = re.compile(
    r"(unsupported operand type|can only concatenate|can't multiply|bad operand|'[<>=!]+' not supported"
    r"|.{0,60} takes |.{0,60}got an unexpected keyword|.{0,60}missing \d+ required|'\w+' object is not)"
)


def _inspect(environment: Environment, tree: nodes.Template, text: str, *, exact: bool) -> Parsed:
    from runner.template_references import find

    references, faults = find(environment, tree, text, _KNOWN_GLOBALS)
    return Parsed(tree, exact, references, faults)


def _with_offsets(lexer: Any, source: str, state: str | None) -> Iterator[tuple[int, str, str]]:
    """Give the lexer's tokens with offsets for line numbers. `{{-` strips white space that no token then covers."""
    at = 0
    try:
        for _, kind, value in lexer.tokeniter(source, None, None, state):
            while at < len(source) and not source.startswith(value, at):
                at += 1
            yield at, kind, value
            at += len(value)
    except TemplateSyntaxError as problem:
        raise TemplateFault(_sentence(problem.message), start=at, end=at + 1, help=_SYNTAX_HELP) from None


def _syntax_fault(problem: TemplateSyntaxError, text: str) -> TemplateFault:
    start = min(problem.lineno, max(len(text) - 1, 0))
    word = re.compile(r"\w+|.", re.DOTALL).match(text, start)
    return TemplateFault(
        _sentence(problem.message), start=start, end=word.end() if word else start + 1, help=_SYNTAX_HELP
    )


def _sentence(message: str | None) -> str:
    """Put Jinja's message into words for people who do not know its parser."""
    text = (message or "not a template").rstrip(".")
    for pattern, words in _WORDS:
        match = re.match(pattern, text)
        if match:
            return words.format(*match.groups())
    return text[:1].lower() + text[1:]


_SYNTAX_HELP = "templates are Jinja: {{ expression }}, {{ value | filter }}, {% if ... %}...{% endif %}"
_WORDS = (
    (
        r"unexpected end of template, expected 'end of print statement'",
        "the '{{{{' is not closed: '}}}}' is missing",
    ),
    (
        r"unexpected end of template, expected 'end of statement block'",
        "the '{{%' is not closed: '%}}' is missing",
    ),
    (
        r"Unexpected end of template\. Jinja was looking for the following tags: (.*?)\..*",
        "a block is not closed: {0} is missing",
    ),
    (
        r"expected token 'end of print statement', got '(.*)'",
        "'{0}' may not stand here; an operator, a '|' or '}}}}' is missing before it",
    ),
    (
        r"expected token 'end of statement block', got '(.*)'",
        "'{0}' may not stand here; '%}}' is missing before it",
    ),
    (r"expected token '(.*)', got 'end of print statement'", "a {0} is missing before '}}}}'"),
    (r"expected token '(.*)', got '(.*)'", "'{0}' is missing before '{1}'"),
    (r"expected an expression, got 'end of print statement'", "an expression is missing before '}}}}'"),
    (r"expected an expression, got 'end of statement block'", "an expression is missing before '%}}'"),
    (r"unexpected '(.)', expected '(.)'", "'{1}' is missing before '{0}'"),
    (r"expected name or number", "a name is missing after the dot"),
    (r"unexpected 'end of print statement'", "an expression is missing before '}}}}'"),
    (r"Encountered unknown tag '(.*?)'.*", "there is no tag '{0}'"),
    (r"unexpected char (.*) at \d+", "{0} may not stand in an expression"),
    (r"Unexpected end of comment.*|Missing end of comment tag", "the '{{#' is not closed: '#}}' is missing"),
)


def _reason(problem: Exception) -> str:
    """Say why an expression failed without showing a value: only messages known to hold none are passed on."""
    if isinstance(problem, filters.FilterError):
        return str(problem)
    if isinstance(problem, ZeroDivisionError):
        return "division by zero"
    if isinstance(problem, SecurityError):
        return "the template uses what templates may not: an attribute or call outside the sandbox"
    if isinstance(problem, RecursionError):
        return "the template calls itself too deeply"
    if isinstance(problem, OverflowError):
        return "a number or range in the template is too large"
    if isinstance(problem, TypeError) and _SAFE_TYPE_ERROR.match(str(problem)):
        return str(problem).replace("NoneType", "null")
    if isinstance(problem, TemplateError):
        return "the template cannot be rendered"
    return f"the expression cannot be evaluated ({type(problem).__name__})"
