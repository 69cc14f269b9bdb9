"""`workflow`: runs another workflow. Typed inputs go in by `with`, its outputs come out, nothing else crosses."""

from typing import Any

from runner.bind import Binder
from runner.calls import callee
from runner.document import Pointer
from runner.language import text
from runner.model import Action
from runner.perform import Performance
from runner.plan import View
from runner.plan import describe_call as describe_callee

SUMMARY = "run another workflow"
SCHEMA: dict[str, Any] = text(
    "Name of the workflow to run: the path of its file below workflows.d/ without suffix. It gets its inputs by `with`; its outputs are the output.",
    minLength=1,
    examples=["escalate", "eu/sync"],
)
MODIFIERS = frozenset({"with", "sensitive", "repeat"})


def bind(value: str, pointer: Pointer, binder: Binder) -> str:
    """Give the name; whether there is such a workflow is known when all are read."""
    del pointer, binder
    return value.removeprefix("workflows.d/").removesuffix(".yaml")


def describe(action: Action, view: View) -> dict[str, Any]:
    """Show what the called workflow would do with its inputs."""
    inner = callee(view.project, action)
    return {
        "workflow": {
            "name": action.config,
            **(describe_callee(action, inner, view) if inner is not None else {}),
        }
    }


async def perform(action: Action, performance: Performance) -> Any:
    """Give the outputs of a sensitive call; the interpreter has run the workflow, and cannot render secrets."""
    output = performance.called_outputs()
    if action.repeat is not None:
        performance.judge_repeat(action.repeat, {"body": output})
    return output
