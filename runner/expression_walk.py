"""Walks Jinja's tree for `runner.expression`: a node's `lineno` is its offset in the text (see `template_engine`)."""

import re
from collections.abc import Iterable
from dataclasses import replace

from jinja2 import nodes

from runner.expression import Facts, Operand, Operation, Place, Use
from runner.frozen import dataclass
from runner.reference import Reference

_OPERATORS = {"eq": "==", "ne": "!=", "lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
_LITERAL = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|[\w.]+(?:[eE][+-]\d+)?")


def read(tree: nodes.Template, text: str, references: Iterable[Reference]) -> Facts:
    """Give what a tree is made of."""
    walk = _Walk(text, {reference.start: reference for reference in references})
    walk.visit(tree, _Around())
    pieces = [piece for output in tree.body if isinstance(output, nodes.Output) for piece in output.nodes]
    around = any(isinstance(piece, nodes.TemplateData) and piece.data.strip() for piece in pieces)
    expressions = [piece for piece in pieces if not isinstance(piece, nodes.TemplateData)]
    alone = None
    if len(expressions) == 1 and not around and all(isinstance(part, nodes.Output) for part in tree.body):
        alone = expressions[0]
    return Facts(
        uses=tuple(sorted(walk.uses, key=lambda use: use.reference.start)),
        operations=tuple(walk.operations),
        raw=tuple(walk.raw),
        conjuncts=walk.conjuncts(alone) if alone is not None else frozenset(),
        verdict=_verdict(alone) if alone is not None else None,
        text_around=around,
    )


@dataclass(frozen=True, slots=True)
class _Around:
    """What stands around a node: as in `Use`."""

    filters: tuple[str, ...] = ()
    judged: bool = False
    conditions: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()


class _Walk:
    def __init__(self, text: str, references: dict[int, Reference]) -> None:
        self.text = text
        self.references = references
        self.uses: list[Use] = []
        self.operations: list[Operation] = []
        self.raw: list[Place] = []

    def visit(self, node: nodes.Node | None, around: _Around) -> None:
        """Record what a node uses."""
        if node is None:
            return
        if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem):
            self._name(node, around)
        elif isinstance(node, nodes.Filter):
            self._filter(node, around)
        elif isinstance(node, nodes.FilterBlock):
            inner = replace(around, filters=(node.filter.name, *around.filters))
            self._all(node.body, inner)
            self._all(node.filter.args, around)
        elif isinstance(node, nodes.Test):
            self._children(node, replace(around, judged=True))
        elif isinstance(node, nodes.Not):
            self.visit(node.node, replace(around, judged=True))
        elif isinstance(node, nodes.Compare):
            self._operation(node.expr, [(item.op, item.expr) for item in node.ops])
            self._children(node, replace(around, judged=True))
        elif isinstance(node, nodes.And | nodes.Or):
            self.visit(node.left, around)
            self.visit(node.right, self._after(around, node.left, holds=isinstance(node, nodes.And)))
        elif isinstance(node, nodes.CondExpr):
            self._choice(node.test, [node.expr1], [node.expr2], around)
        elif isinstance(node, nodes.If):
            self._choice(node.test, node.body, [*node.elif_, *node.else_], around)
        elif isinstance(node, nodes.BinExpr):
            self._operation(node.left, [(node.operator, node.right)])
            self._children(node, around)
        elif isinstance(node, nodes.For):
            self.operations.append(Operation("for", self._operand(node.iter)))
            self._children(node, around)
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
            self.visit(node.node.node, around)  # the last attribute of a call is a method
            self._children(node, around, but=("node",))
        else:
            self._children(node, around)

    def conjuncts(self, node: nodes.Node) -> frozenset[str]:
        """List the parts of a condition that must all hold, in a form that is equal where they are."""
        if isinstance(node, nodes.And):
            return self.conjuncts(node.left) | self.conjuncts(node.right)
        reference = self._reference(node)
        return frozenset({reference.text if reference and not reference.dynamic else repr(node)})

    def _all(self, listed: Iterable[nodes.Node | None], around: _Around) -> None:
        for node in listed:
            self.visit(node, around)

    def _children(self, node: nodes.Node, around: _Around, but: tuple[str, ...] = ()) -> None:
        self._all(node.iter_child_nodes(exclude=but), around)

    def _choice(
        self,
        test: nodes.Node,
        chosen: Iterable[nodes.Node | None],
        other: Iterable[nodes.Node | None],
        around: _Around,
    ) -> None:
        self.visit(test, replace(around, judged=True))
        self._all(chosen, self._after(around, test, holds=True))
        self._all(other, self._after(around, test, holds=False))

    def _after(self, around: _Around, test: nodes.Node, *, holds: bool) -> _Around:
        asked = {
            str(found.path[0])
            for name in [*test.find_all(nodes.Name), *([test] if isinstance(test, nodes.Name) else [])]
            if (found := self.references.get(name.lineno)) and found.root == "actions" and found.path
        }
        conditions = self.conjuncts(test) if holds else frozenset()
        return replace(around, conditions=around.conditions | conditions, beside=around.beside | asked)

    def _reference(self, node: nodes.Node) -> Reference | None:
        """Give the reference that a node is, and nothing more than it."""
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            node = node.node
        return self.references.get(node.lineno) if isinstance(node, nodes.Name) else None

    def _name(self, node: nodes.Node, around: _Around) -> None:
        while isinstance(node, nodes.Getattr | nodes.Getitem):
            if isinstance(node, nodes.Getitem) and not isinstance(node.arg, nodes.Const):
                self.visit(node.arg, replace(around, filters=()))
            node = node.node
        if not isinstance(node, nodes.Name):
            self.visit(node, around)
            return
        reference = self.references.get(node.lineno)
        if reference is not None and node.ctx == "load":
            self.uses.append(Use(reference, around.filters, around.judged, around.conditions, around.beside))

    def _filter(self, node: nodes.Filter, around: _Around) -> None:
        if node.name == "raw":
            match = re.compile(r"\braw\b").search(self.text, node.lineno)
            self.raw.append(match.span() if match else (node.lineno, node.lineno + 1))
        if node.node is not None:
            self.operations.append(Operation(node.name, self._operand(node.node)))
        inner = replace(around, filters=(node.name, *around.filters))
        self._children(node, inner)

    def _operation(self, left: nodes.Expr, pairs: list[tuple[str, nodes.Expr]]) -> None:
        for operator, right in pairs:
            name = _OPERATORS.get(operator, operator)
            self.operations.append(Operation(name, self._operand(left), self._operand(right)))
            left = right

    def _operand(self, node: nodes.Node) -> Operand:
        reference = self._reference(node)
        if reference is not None and not reference.dynamic:
            return Operand((reference.start, reference.end), reference=reference)
        inner = node.node if isinstance(node, nodes.Neg) else node
        match = _LITERAL.match(self.text, inner.lineno)
        place = (node.lineno, match.end() if match else node.lineno + 1)
        if isinstance(node, nodes.Name) and node.name == "null":
            return Operand(place, literal=None, is_literal=True)
        if isinstance(inner, nodes.Const):
            numeric = isinstance(inner.value, int | float) and not isinstance(inner.value, bool)
            if inner is node or numeric:
                value = inner.value if inner is node else -inner.value
                return Operand(place, literal=value, is_literal=True)
        return Operand(place)


def _verdict(node: nodes.Node) -> bool | None:
    """Say what a condition comes to whatever its names are: `a or 'text'` is always true."""
    if isinstance(node, nodes.Const):
        return bool(node.value) and str(node.value).strip().lower() != "false"
    if isinstance(node, nodes.Not):
        inner = _verdict(node.node)
        return None if inner is None else not inner
    if isinstance(node, nodes.And | nodes.Or):
        decisive = isinstance(node, nodes.Or)
        sides = {_verdict(node.left), _verdict(node.right)}
        if decisive in sides:
            return decisive
        return (not decisive) if sides == {not decisive} else None
    return None
