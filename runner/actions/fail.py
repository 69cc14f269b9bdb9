"""`fail`: ends the run as failed, with a message."""

from typing import Any

from runner.bind import SEND_ROOTS, Binder
from runner.document import Pointer
from runner.errors import Failure, FailureError, FailureKind
from runner.model import Action
from runner.perform import Performance
from runner.plan import View
from runner.template import Mode, Template

SUMMARY = "end the run as failed"
SCHEMA: dict[str, Any] = {
    "type": "string",
    "description": "Why: a message, templates included.",
    "minLength": 1,
    "examples": ["no ticket system answers"],
}
MODIFIERS: frozenset[str] = frozenset()


def bind(value: str, pointer: Pointer, binder: Binder) -> Template:
    """Bind the message."""
    return binder.template(value, pointer, SEND_ROOTS - {"secrets"}, mode=Mode.TEXT)


def describe(action: Action, view: View) -> dict[str, Any]:
    """Show the message."""
    return {"fail": view.show(action.config)}


async def perform(action: Action, performance: Performance) -> Any:
    """Fail."""
    message = str(performance.render(action.config).shown)
    raise FailureError(Failure(kind=FailureKind.FAILED, message=message, span=action.config.span))
