"""Jinja's trees, rewritten before they are compiled: loops counted, keys told from methods, secrets replaced by their placeholders."""

from typing import Any

from jinja2 import nodes

from runner.reference import Reference

STEPS = "_steps"
"""Name of the filter that counts the rounds of a loop."""

CONCAT = "_concat"
"""Name of the function that `~` becomes."""

DEEPEST_TREE = 100
"""Levels of a tree. Whatever walks one calls itself several times a level, and Python bounds that."""


def is_deep(tree: nodes.Template) -> bool:
    """Tell whether a tree has more levels than may be walked."""
    level: list[nodes.Node] = [tree]
    for _ in range(DEEPEST_TREE):
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return False
    return True


def hide_outputs(tree: nodes.Template, hidden: dict[Reference, str]) -> nodes.Template | str:
    """Give the tree with each `{{ }}` that holds a hidden reference replaced by its placeholder.

    Where a hidden reference stands in a tag (`{% if %}`, `{% set %}`) what it decides cannot be told apart: then the
    whole template is hidden and the placeholder itself is the answer.
    """
    for reference, label in hidden.items():
        if not reference.visible:
            return label
    by_offset = {reference.start: label for reference, label in hidden.items()}
    copied: nodes.Template = _Hiding(by_offset).visit(tree)
    return copied


class _Transformer:
    """Rebuilds a tree from the bottom up without changing the original."""

    def visit(self, node: Any) -> Any:
        method = getattr(self, f"visit_{type(node).__name__}", None)
        return method(node) if method else self.rebuild(node)

    def rebuild(self, node: Any) -> Any:
        values = []
        for name in node.fields:
            value = getattr(node, name)
            if isinstance(value, nodes.Node):
                value = self.visit(value)
            elif isinstance(value, list):
                value = [self.visit(item) if isinstance(item, nodes.Node) else item for item in value]
            values.append(value)
        return type(node)(*values, lineno=node.lineno) if values else type(node)(lineno=node.lineno)


METHODS = frozenset({"items", "keys", "values", "get"})
"""What a mapping can be asked besides its keys."""


class Bounding(_Transformer):
    """Counts the rounds of loops, writes `~` through our own text, takes methods of mappings where they are called only."""

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Expr:  # noqa: N802
        """Take `body.items` for a key: where the answer lacks it, it is missing, and `default` has its say."""
        built: nodes.Getattr = self.rebuild(node)
        if node.attr not in METHODS:
            return built
        return nodes.Getitem(built.node, nodes.Const(node.attr), "load", lineno=node.lineno)

    def visit_Call(self, node: nodes.Call) -> nodes.Call:  # noqa: N802
        """Take `body.items()` for a method, unless the key is there."""
        built: nodes.Call = self.rebuild(node)
        if isinstance(node.node, nodes.Getattr) and isinstance(built.node, nodes.Getitem):
            built.node = nodes.Getattr(built.node.node, node.node.attr, "load", lineno=node.node.lineno)
        return built

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802
        """Count the rounds."""
        built: nodes.For = self.rebuild(node)
        built.iter = nodes.Filter(built.iter, STEPS, [], [], None, None, lineno=node.lineno)
        return built

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:  # noqa: N802
        """Join texts as templates write them."""
        built: nodes.Concat = self.rebuild(node)
        name = nodes.Name(CONCAT, "load", lineno=node.lineno)
        return nodes.Call(name, built.nodes, [], None, None, lineno=node.lineno)


class _Hiding(_Transformer):
    """Replaces each `{{ }}` that uses a hidden reference by the reference's placeholder."""

    def __init__(self, by_offset: dict[int, str]) -> None:
        self._by_offset = by_offset

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802
        children: list[nodes.Expr] = []
        for child in node.nodes:
            names = [child] if isinstance(child, nodes.Name) else []
            names += list(child.find_all(nodes.Name))
            found = (self._by_offset[name.lineno] for name in names if name.lineno in self._by_offset)
            label = next(found, None)
            children.append(child if label is None else nodes.TemplateData(label, lineno=child.lineno))
        return nodes.Output(children, lineno=node.lineno)
