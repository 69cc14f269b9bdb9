"""No workflow uses a connection, and no other connection extends it.

It names secrets that somebody has to rotate, and reviewers read it for nothing. In a project without any workflow
nothing is reported: it is being set up.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
# connections.d/old-tickets.yaml
type: none
base_url: https://old-tickets.example.com
# workflows.d/report.yaml
actions:
  - id: search
    connection: tickets
    request: {path: /search}
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
# workflows.d/report.yaml
actions:
  - id: search
    connection: tickets
    request: {path: /search}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.project import Project

SEVERITY = Severity.WARNING
SUMMARY = "no workflow uses a connection, and no other connection extends it"


def check(project: Project) -> Iterator[Diagnostic]:
    """Compare the connections with those that workflows and other connections name."""
    workflows = project.workflows.values()
    # Of what cannot be read nobody knows which connections it uses.
    if (
        not workflows
        or len(workflows) < len(project.workflow_names)
        or any(each.unread for each in workflows)
    ):
        return
    if len(project.connections) < len(project.connection_names):
        return
    named = {name for workflow in workflows for name in workflow.connections}
    if not named <= project.connection_names:
        return  # a misspelt name: any of them may be meant
    named |= {connection.extends for connection in project.connections.values() if connection.extends}
    for name, connection in project.connections.items():
        if name not in named:
            yield warning(
                "unused-connection",
                f"no workflow uses the connection '{name}'",
                connection.locate(()),
                help="use it in an action, or remove its file",
            )
