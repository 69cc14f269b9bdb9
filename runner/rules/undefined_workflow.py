"""An action calls a workflow that does not exist.

The name of a workflow is the path of its file below `workflows.d/` without `.yaml`: `eu/sync` is
`workflows.d/eu/sync.yaml`.

```bad
# workflows.d/night.yaml
actions:
  - id: sync
    workflow: snyc
# workflows.d/sync.yaml
actions:
  - id: read
    request: {url: https://example.com/tickets}
```
```good
# workflows.d/night.yaml
actions:
  - id: sync
    workflow: sync
# workflows.d/sync.yaml
actions:
  - id: read
    request: {url: https://example.com/tickets}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error, names_hint
from runner.document import Pointer
from runner.model import Workflow
from runner.project import Project

SEVERITY = Severity.ERROR
SUMMARY = "an action calls a workflow that does not exist"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the name in every call."""
    for workflow in project.workflows.values():
        for pointer, name in _named(workflow):
            if name not in project.workflow_names:
                others = project.workflow_names - {workflow.name}
                yield error(
                    "undefined-workflow",
                    f"no workflow '{name}'",
                    workflow.document.span((*pointer, "workflow")),
                    help=names_hint(name, others, what="workflows"),
                )


def _named(workflow: Workflow) -> Iterator[tuple[Pointer, str]]:
    """Give what calls name, in actions with other errors too."""
    for action in workflow.every_action:
        if action.kind == "workflow":
            yield action.pointer, action.config
    for broken in workflow.broken:
        name = workflow.document.get(broken.pointer).get("workflow")
        if isinstance(name, str):
            yield broken.pointer, name
