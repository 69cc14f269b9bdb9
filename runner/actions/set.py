"""`set`: computed values. The mapping is the output."""

from typing import Any

from runner.bind import SEND_ROOTS, Binder
from runner.document import Pointer
from runner.model import Action
from runner.perform import Performance
from runner.plan import View
from runner.template import Tree

SUMMARY = "a mapping of computed values"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Computed values; the mapping is the output of the action.",
    "minProperties": 1,
    "examples": [{"idle": "{{ actions.search.output | length }}"}],
}
MODIFIERS = frozenset({"sensitive"})


def bind(value: dict[str, Any], pointer: Pointer, binder: Binder) -> Tree:
    """Bind the mapping."""
    return binder.tree(value, pointer, SEND_ROOTS)


def describe(action: Action, view: View) -> dict[str, Any]:
    """Show the values that are known before the run."""
    return {"set": view.show(action.config)}


async def perform(action: Action, performance: Performance) -> Any:
    """Compute the values."""
    return performance.render(action.config).wire
