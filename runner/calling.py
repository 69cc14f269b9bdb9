"""What crosses between a workflow and one that it calls: inputs of their types going in, outputs and a failure coming out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from runner import template
from runner.document import Document
from runner.errors import Failure, FailureError, FailureKind, JsonObject
from runner.model import Action, Input, Workflow
from runner.plan import secret_label
from runner.schema import problems_of, written


def inputs(
    callee: Workflow, action: Action, context: Mapping[str, Any], document: Document, *, limit: int
) -> tuple[JsonObject, bool]:
    """Render the inputs of a call and check their types; says also whether secret ones go along.

    Secret inputs are left out: they are rendered where they are sent. None gives more text than `limit`. Raises FailureError; its
    message holds no value.
    """
    given: JsonObject = {}
    secret = False
    for name, declared in callee.inputs.items():
        if declared.secret:
            secret = secret or name in action.inputs
        elif name not in action.inputs:
            given[name] = declared.default
        else:
            given[name] = template.render(action.inputs[name], context, limit=limit)
            check_input(declared, given[name], callee, action, document)
    return given, secret


def check_input(declared: Input, value: Any, callee: Workflow, action: Action, document: Document) -> None:
    """Raise FailureError where a value is not what the called workflow declares."""
    for pointer, sentence in problems_of(declared.schema, value):
        part = f" at '{written(pointer)}'" if pointer else ""
        wanted = sentence.removeprefix("must be ")
        raise FailureError(
            Failure(
                kind=FailureKind.RENDER,
                message=f"the input '{declared.name}' of the workflow '{callee.name}' must be {wanted}{part}",
                help=declared.description,
                span=document.span((*action.pointer, "with", declared.name)),
            )
        )


def check_outputs(callee: Workflow, action: Action, document: Document) -> None:
    """Raise FailureError where an output is made of a secret and the call is not marked `sensitive`."""
    for name, tree in callee.outputs.items():
        for each in template.templates(tree):
            if any(secret_label(callee, reference) for reference in each.references):
                raise FailureError(
                    Failure(
                        kind=FailureKind.SECRET_IN_OUTPUT,
                        message=f"the output '{name}' of the workflow '{callee.name}' is made of a secret",
                        help="mark this action `sensitive: true`: then its output is masked and kept nowhere",
                        span=document.span((*action.pointer, "workflow")),
                    )
                )


def failure(callee: Workflow, inner: Failure) -> Failure:
    """Say that a called workflow failed, and with what; the place is where that happened."""
    return replace(inner, message=f"the workflow '{callee.name}' failed: {inner.message}")


def timed_out(callee: Workflow) -> Failure:
    """Say that the own time of a called workflow was up."""
    return Failure(
        kind=FailureKind.TIMEOUT,
        message="it took longer than its timeout",
        help=f"raise `timeout` in {callee.document.path}",
        span=callee.document.span(("timeout",)),
    )
