"""An action never runs.

It runs after a `fail` without a condition, which ends its list, or its own `if` is `false`.

```bad
# workflows.d/report.yaml
actions:
  - id: stop
    fail: this workflow is not finished
  - id: read
    request: {url: https://example.com/reports}
```
```good
# workflows.d/report.yaml
actions:
  - id: read
    request: {url: https://example.com/reports}
  - id: stop
    if: "{{ actions.read.output.count == 0 }}"
    fail: there are no reports
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Label, Severity, warning
from runner.model import Action, Workflow
from runner.order import Order
from runner.project import Project
from runner.rules import asks

SEVERITY = Severity.WARNING
SUMMARY = "an action never runs"


def check(project: Project) -> Iterator[Diagnostic]:
    """Walk through each list of actions."""
    for workflow in project.workflows.values():
        ends = {action.id: action for action in workflow.every_action if _ends(action)}
        order = Order(workflow) if ends else None
        for action in workflow.every_action:
            if action.condition is False:
                span = workflow.document.span((*action.pointer, "if"))
                yield warning(
                    "unreachable-action",
                    f"'{action.id}' never runs: its `if` is false",
                    span,
                    help="remove the action, or give it a condition",
                )
            elif order is not None:
                mine = (end for end in ends.values() if end.section == action.section)
                end = next((end for end in mine if order.is_before(end.id, action)), None)
                if end is not None:
                    yield _finding(workflow, action, end)


def _ends(action: Action) -> bool:
    """Tell whether an action fails in every run that reaches it."""
    once = action.for_each is None or (isinstance(action.for_each, list | dict) and bool(action.for_each))
    return action.kind == "fail" and action.on_error == "fail" and once and not asks(action)


def _finding(workflow: Workflow, action: Action, end: Action) -> Diagnostic:
    there = workflow.document.span((*end.pointer, "fail"), key=True)
    return Diagnostic(
        rule="unreachable-action",
        severity=SEVERITY,
        message=f"'{action.id}' never runs: '{end.id}' before it ends the run",
        primary=Label(workflow.document.span((*action.pointer, "id"))),
        related=(Label(there, "it fails in every run"),),
        help=f"give '{end.id}' an `if`, or remove what runs after it",
    )
