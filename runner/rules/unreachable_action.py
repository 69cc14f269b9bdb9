"""An action never runs.

It stands after a `fail` without a condition, which ends its list, or its own `if` is `false`.

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
from runner.project import Project
from runner.rules import asks

SEVERITY = Severity.WARNING
SUMMARY = "an action never runs"


def check(project: Project) -> Iterator[Diagnostic]:
    """Walk through each list of actions."""
    for workflow in project.workflows.values():
        for actions in (workflow.actions, workflow.on_failure, workflow.finally_):
            yield from _list(workflow, actions)


def _list(workflow: Workflow, actions: tuple[Action, ...]) -> Iterator[Diagnostic]:
    end: Action | None = None
    for action in actions:
        if action.condition is False:
            span = workflow.document.span((*action.pointer, "if"))
            yield warning(
                "unreachable-action",
                f"'{action.id}' never runs: its `if` is false",
                span,
                help="remove the action, or give it a condition",
            )
        elif end is not None:
            there = workflow.document.span((*end.pointer, "fail"), key=True)
            yield Diagnostic(
                rule="unreachable-action",
                severity=SEVERITY,
                message=f"'{action.id}' never runs: '{end.id}' before it ends the run",
                primary=Label(workflow.document.span((*action.pointer, "id"))),
                related=(Label(there, "it fails in every run"),),
                help=f"give '{end.id}' an `if`, or remove what stands after it",
            )
        if end is None and action.kind == "fail" and action.on_error == "fail" and not asks(action):
            end = action
