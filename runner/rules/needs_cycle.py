"""Actions wait for each other in a circle, so that none of them could ever start.

`needs` names the actions that one waits for. Where following it from an action leads back to that action, there is no
order to run them in. One that has no `needs` waits for the action written before it: `needs: []` lets it start at once.

```bad
# workflows.d/report.yaml
actions:
  - id: read
    needs: [send]
    request: {url: https://example.com/reports}
  - id: send
    needs: [read]
    request: {url: https://example.com/mails, method: POST}
```
```good
# workflows.d/report.yaml
actions:
  - id: read
    request: {url: https://example.com/reports}
  - id: send
    needs: [read]
    request: {url: https://example.com/mails, method: POST}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Label, Severity
from runner.model import Workflow
from runner.order import Order, Step
from runner.project import Project
from runner.rules import doubled
from runner.source import Span

SEVERITY = Severity.ERROR
SUMMARY = "actions wait for each other in a circle"


def check(project: Project) -> Iterator[Diagnostic]:
    """Look for a circle in each list of actions."""
    for workflow in project.workflows.values():
        steps: tuple[Step, ...] = (*workflow.every_action, *workflow.broken)
        if any(step.needs for step in steps) and not doubled(workflow):
            for cycle in Order(workflow).cycles():
                yield _finding(workflow, cycle)


def _finding(workflow: Workflow, cycle: tuple[Step, ...]) -> Diagnostic:
    names = " -> ".join(action.id for action in (*cycle, cycle[0]))
    pairs = list(zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    places = [
        Label(_place(workflow, one, other), f"'{one.id}' waits for '{other.id}'") for one, other in pairs
    ]
    message = f"'{cycle[0].id}' waits for itself"
    if len(cycle) > 1:
        message = f"these actions wait for each other: {names}"
    return Diagnostic(
        rule="needs-cycle",
        severity=SEVERITY,
        message=message,
        primary=Label(places[0].span),
        related=tuple(places[1:]),
        help="take one of them out of `needs`; without `needs` an action waits for the one written before it",
    )


def _place(workflow: Workflow, action: Step, other: Step) -> Span:
    """Find where an action says that it waits for another: its `needs`, or where it stands."""
    if action.needs is None:
        return workflow.document.span((*action.pointer, "id"))
    return workflow.document.span((*action.pointer, "needs", action.needs.index(other.id)))
