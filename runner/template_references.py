"""What a template refers to: a walk over Jinja's tree that finds names, filters and what is not allowed."""

import re
from typing import Any

from jinja2 import nodes

from runner.diagnostics import names_hint
from runner.reference import Reference
from runner.template_engine import Environment, TemplateFault

_GUARDS = {"default", "d"}
_SPACE = re.compile(r"\s*")
_SUBSCRIPT = re.compile(r"\[\s*(?:'[^']*'|\"[^\"]*\"|-?\d+)\s*\]|\.\s*\d+")
_FORBIDDEN = {
    nodes.Import: "import",
    nodes.FromImport: "from",
    nodes.Include: "include",
    nodes.Extends: "extends",
    nodes.Block: "block",
}


def find(
    environment: Environment, tree: nodes.Template, text: str, known: frozenset[str]
) -> tuple[tuple[Reference, ...], list[TemplateFault]]:
    """List the references of a tree in the order of the text, and the faults that need no data to be known."""
    walk = _Walk(environment, text, known, _stored(tree) if "{%" in text else frozenset())
    walk.visit(tree, guarded=False, visible=False)
    references = sorted(walk.references, key=lambda reference: reference.start)
    return tuple(references), walk.faults


def _stored(tree: nodes.Template) -> frozenset[str]:
    """Names that the template itself defines, by `set`, `for`, `with` or `macro`."""
    names = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    names |= {macro.name for macro in tree.find_all(nodes.Macro)}
    if names or any(True for _ in tree.find_all(nodes.For)):
        names |= {"loop", "caller", "varargs", "kwargs"}
    return frozenset(names)


class _Walk:
    def __init__(
        self, environment: Environment, text: str, known: frozenset[str], local: frozenset[str]
    ) -> None:
        self.environment = environment
        self.text = text
        self.known = known
        self.local = local
        self.references: list[Reference] = []
        self.faults: list[TemplateFault] = []

    def visit(self, node: nodes.Node, *, guarded: bool, visible: bool) -> None:
        kind = type(node)
        if kind in _FORBIDDEN:
            self._fault(node.lineno, f"'{_FORBIDDEN[kind]}' is not available: a template reads no other file")
            return
        if isinstance(node, nodes.Name):
            self._reference(node, (), node.lineno + len(node.name), guarded=guarded, visible=visible)
            return
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            self._chain(node, guarded=guarded, visible=visible)
            return
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
            # The last attribute of a call is a method, not a part of the data.
            self._underscore(node.node)
            self.visit(node.node.node, guarded=guarded, visible=visible)
            for child in node.iter_child_nodes(exclude=("node",)):
                self.visit(child, guarded=guarded, visible=visible)
            return
        if isinstance(node, nodes.Filter):
            self._known_name(node, node.name, self.environment.filters, "filter")
            guards = node.name in _GUARDS
            if node.node is not None:
                self.visit(node.node, guarded=guarded or guards, visible=visible)
            for child in node.iter_child_nodes(exclude=("node",)):
                self.visit(child, guarded=guarded, visible=visible)
            return
        if isinstance(node, nodes.Test):
            self._known_name(node, node.name, self.environment.tests, "test")
            guarded = guarded or node.name in ("defined", "undefined")
        inside = visible or isinstance(node, nodes.Output)
        for child in node.iter_child_nodes():
            self.visit(child, guarded=guarded, visible=inside)

    def _chain(self, node: nodes.Getattr | nodes.Getitem, *, guarded: bool, visible: bool) -> None:
        """Follow `a.b['c'][0]` down to its name."""
        path: list[str | int] = []
        ends: list[int] = []
        dynamic = False
        current: Any = node
        while isinstance(current, nodes.Getattr | nodes.Getitem):
            if isinstance(current, nodes.Getattr):
                self._underscore(current)
                path.append(current.attr)
                ends.append(self._attribute_end(current))
            elif isinstance(current.arg, nodes.Const) and isinstance(current.arg.value, str | int):
                path.append(current.arg.value)
                ends.append(self._subscript_end(current))
            else:
                dynamic = True
                path.clear()
                ends.clear()
                self.visit(current.arg, guarded=False, visible=visible)
            current = current.node
        if isinstance(current, nodes.Name):
            end = max([current.lineno + len(current.name), *ends])
            path.reverse()
            self._reference(current, tuple(path), end, guarded=guarded, visible=visible, dynamic=dynamic)
        else:
            self.visit(current, guarded=guarded, visible=visible)

    def _reference(
        self,
        node: nodes.Name,
        path: tuple[str | int, ...],
        end: int,
        *,
        guarded: bool,
        visible: bool,
        dynamic: bool = False,
    ) -> None:
        if node.ctx != "load" or node.name in self.local or node.name in self.known:
            return
        self.references.append(
            Reference(node.name, path, node.lineno, end, dynamic=dynamic, guarded=guarded, visible=visible)
        )

    def _known_name(self, node: nodes.Node, name: str, known: dict[str, Any], what: str) -> None:
        if name in known and not name.startswith("_"):
            return
        match = re.compile(re.escape(name)).search(self.text, node.lineno)
        start = match.start() if match else node.lineno
        listed = [item for item in known if not item.startswith("_")]
        remedy = names_hint(name, listed, what=f"{what}s")
        self.faults.append(
            TemplateFault(
                f"no {what} '{name}'", start=start, end=start + len(name), help=remedy, rule="unknown-filter"
            )
        )

    def _underscore(self, node: nodes.Getattr) -> None:
        if node.attr.startswith("__"):
            start = self._attribute_end(node) - len(node.attr)
            self._fault(
                start, f"'{node.attr}' is not available: no attribute that starts with '__'", len(node.attr)
            )

    def _attribute_end(self, node: nodes.Getattr) -> int:
        """Find where the attribute ends: the node's offset is that of its dot."""
        after = node.lineno + 1
        if not self.text.startswith(node.attr, after):  # white space stands between
            match = _SPACE.match(self.text, after)
            after = match.end() if match and self.text.startswith(node.attr, match.end()) else after
        return after + len(node.attr)

    def _subscript_end(self, node: nodes.Getitem) -> int:
        """Find where the subscript ends: the node's offset is that of its bracket, or of the dot before a number."""
        match = _SUBSCRIPT.match(self.text, node.lineno)
        return match.end() if match else node.lineno + 1

    def _fault(self, start: int, message: str, length: int = 1) -> None:
        self.faults.append(TemplateFault(message, start=start, end=start + length))
