"""A connection with credentials has no test endpoint.

`runner connections test` sends the request under `test` and says whether the credentials still work, without running a
workflow. Without it the first to notice an expired token is the run at night.

A connection without any secret has nothing to prove and needs none.

```bad
# connections.d/tickets.yaml
type: bearer
base_url: https://tickets.example.com
shared: true
auth:
  token: vault://secret/support/tickets#api_token
```
```good
# connections.d/tickets.yaml
type: bearer
base_url: https://tickets.example.com
shared: true
auth:
  token: vault://secret/support/tickets#api_token
test: {path: /me}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.project import Project

SEVERITY = Severity.WARNING
SUMMARY = "a connection with credentials has no test endpoint"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check every connection that names a secret."""
    for name, connection in project.connections.items():
        if connection.test is None and any(where != "tls.ca" for where in connection.secrets):
            yield warning(
                "missing-test-endpoint",
                f"the connection '{name}' has no `test`: nothing tells whether its credentials work",
                connection.locate(()),
                help="add a harmless request, for example `test: {path: /me}`",
            )
