"""Workflows call each other in a circle: such a run would never end.

A workflow may call others, and those others again, but none may come back to one that is still going on. To do something
until a condition holds, use `repeat`; to do it for many things, `for_each`.

```bad
# workflows.d/read.yaml
actions:
  - id: next
    workflow: write
# workflows.d/write.yaml
actions:
  - id: next
    workflow: read
```
```good
# workflows.d/read.yaml
actions:
  - id: next
    workflow: write
# workflows.d/write.yaml
actions:
  - id: send
    request: {method: POST, url: https://example.com/tickets}
```
"""

from collections.abc import Iterator

from runner import calls
from runner.diagnostics import Diagnostic, Label, Severity
from runner.project import Project

SEVERITY = Severity.ERROR
SUMMARY = "workflows call each other in a circle"


def check(project: Project) -> Iterator[Diagnostic]:
    """Follow the calls of every workflow."""
    for cycle in calls.cycles(project):
        places = [
            Label(
                workflow.document.span((*action.pointer, "workflow")),
                f"'{workflow.name}' calls '{action.config}'",
            )
            for workflow, action in cycle
        ]
        names = [workflow.name for workflow, _ in cycle]
        message = f"these workflows call each other: {' -> '.join([*names, names[0]])}"
        if len(cycle) == 1:
            message = f"the workflow '{names[0]}' calls itself"
        yield Diagnostic(
            rule="workflow-cycle",
            severity=SEVERITY,
            message=message,
            primary=Label(places[0].span),
            related=tuple(places[1:]),
            help="take one of the calls out; `repeat` does something until a condition holds",
        )
