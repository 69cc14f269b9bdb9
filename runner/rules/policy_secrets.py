"""A connection or workflow names a Vault path that the policy does not give it.

`policy.secrets` in runner.yaml says which connections (patterns of their names) may name which Vault paths; the secrets
of a workflow stand under `workflow:NAME`. What no pattern names may name none. At run time the secret is not read. No
comment silences this: the policy is for whoever owns runner.yaml to relax.

```bad
# runner.yaml
policy:
  secrets: {"support/*": ["secret/support/*"]}
# connections.d/support/tickets.yaml
type: bearer
base_url: https://tickets.example.com
shared: true
auth: {token: "vault://secret/billing/api#token"}
test: {path: /me}
```
```good
# runner.yaml
policy:
  secrets: {"support/*": ["secret/support/*"]}
# connections.d/support/tickets.yaml
type: bearer
base_url: https://tickets.example.com
shared: true
auth: {token: "vault://secret/support/tickets#api_token"}
test: {path: /me}
```
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from runner.diagnostics import Diagnostic, Severity, error
from runner.project import Project
from runner.secret_ref import SecretRef

SEVERITY = Severity.ERROR
SUMMARY = "a connection or workflow names a Vault path that the policy does not give it"

_HOLE = re.compile(r"\{\{\s*(?:(user)|(environment)|vars\.(\w+))\s*\}\}")


def check(project: Project) -> Iterator[Diagnostic]:
    """Check every reference to Vault against the clause."""
    if project.policy.secrets is None:
        return
    owners: list[tuple[str, Mapping[str, SecretRef]]] = [
        (name, connection.secrets) for name, connection in project.connections.items()
    ]
    owners += [(f"workflow:{name}", workflow.secrets) for name, workflow in project.workflows.items()]
    for owner, refs in owners:
        for ref in refs.values():
            if ref.scheme == "vault" and not _permitted(project, owner, ref):
                given = _given(project, owner)
                remedy = f"it may name: {', '.join(given)}" if given else "it may name none"
                yield error(
                    "policy-secrets",
                    f"the policy does not permit '{owner}' to name '{ref.path}'",
                    ref.span,
                    help=f"{remedy} (`policy.secrets` in runner.yaml)",
                )


def _permitted(project: Project, owner: str, ref: SecretRef) -> bool:
    def fill(match: re.Match[str]) -> str:
        known = project.environment if match[2] else project.vars.get(match[3] or "")
        return known if isinstance(known, str) else match[0]

    path = _HOLE.sub(fill, ref.path)
    if project.policy.permits_secret(owner, path):
        return True
    beginning, hole, _ = path.partition("{{")
    if not hole:
        return False
    # What stands in the hole is known at run time only: refuse what no value could make right.
    starts = (re.split(r"[*?\[]", pattern, maxsplit=1)[0] for pattern in _given(project, owner))
    return any(start.startswith(beginning) or beginning.startswith(start) for start in starts)


def _given(project: Project, owner: str) -> list[str]:
    clauses = project.policy.secrets or {}
    return [
        pattern for names, patterns in clauses.items() if fnmatchcase(owner, names) for pattern in patterns
    ]
