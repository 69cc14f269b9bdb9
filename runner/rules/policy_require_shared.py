"""A connection is personal, and the policy requires shared ones.

With `policy.require_shared: true` every connection says `shared: true`: runs act as the team and never as a person. No
comment silences this: the policy is for whoever owns runner.yaml to relax.

```bad
# runner.yaml
policy: {require_shared: true}
# connections.d/tickets.yaml
type: bearer
base_url: https://tickets.example.com
auth:
  token: vault://secret/users/{{ user }}/tickets#api_token
test: {path: /me}
```
```good
# runner.yaml
policy: {require_shared: true}
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

from runner.diagnostics import Diagnostic, Severity, error
from runner.project import Project

SEVERITY = Severity.ERROR
SUMMARY = "a connection is personal, and the policy requires shared ones"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check `shared` of every connection."""
    if not project.policy.require_shared:
        return
    for name, connection in project.connections.items():
        if not connection.shared:
            yield error(
                "policy-require-shared",
                f"the policy requires shared connections, and '{name}' is not `shared: true`",
                connection.locate(("shared",)),
                help="set `shared: true` and name the team's secret",
            )
