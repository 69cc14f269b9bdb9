"""A request does what its connection does not allow.

`allow` in a connection lists what workflows may do through it, as method and path pattern. A request outside the list
is refused before it is sent; where its method or its literal path shows that already, this rule says so in review.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
allow: ["GET *"]
# workflows.d/close.yaml
actions:
  - id: close
    connection: tickets
    request: {method: DELETE, path: /tickets/17}
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
allow: ["GET *", "DELETE /tickets/*"]
# workflows.d/close.yaml
actions:
  - id: close
    connection: tickets
    request: {method: DELETE, path: /tickets/17}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Label, Severity
from runner.model import AllowRule
from runner.project import Project
from runner.request import allowed

SEVERITY = Severity.ERROR
SUMMARY = "a request does what its connection does not allow"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the method of every request, and its path where it is literal."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            connection = project.connections.get(action.connection or "")
            if connection is None or connection.allow is None or action.config.path is None:
                continue
            method, path = action.config.method, action.config.path
            if path.constant:
                permitted = allowed(connection, method, path.text.partition("?")[0])
                what = f"{method} {path.text}"
            else:
                permitted = any(rule.method in ("*", method) for rule in connection.allow)
                what = method
            if not permitted:
                yield Diagnostic(
                    rule="not-allowed",
                    severity=SEVERITY,
                    message=f"the connection '{connection.name}' does not allow {what}",
                    primary=Label(path.span),
                    related=(Label(connection.locate(("allow",)), "what it allows"),),
                    help=f"it allows {_written(connection.allow)}",
                )


def _written(rules: tuple[AllowRule, ...]) -> str:
    return ", ".join(f"'{rule.method} {rule.path}'" for rule in rules) or "nothing"
