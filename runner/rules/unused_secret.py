"""A workflow names a secret and uses it nowhere.

All secrets of a workflow are read before its first action, so this one must exist, be readable, and counts as a secret
that the workflow needs.

```bad
# workflows.d/report.yaml
secrets:
  token: vault://secret/support/reports#token
actions:
  - id: read
    request: {url: https://example.com/reports}
```
```good
# workflows.d/report.yaml
secrets:
  token: vault://secret/support/reports#token
actions:
  - id: read
    request:
      url: https://example.com/reports
      headers: {Authorization: "Bearer {{ secrets.token }}"}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.project import Project
from runner.rules import used

SEVERITY = Severity.WARNING
SUMMARY = "a workflow names a secret and uses it nowhere"


def check(project: Project) -> Iterator[Diagnostic]:
    """Compare the secrets of every workflow with those that its templates use."""
    for workflow in project.workflows.values():
        names = used(workflow, "secrets", workflow.secrets) if workflow.secrets else None
        for name in workflow.secrets:
            if names is not None and name not in names:
                yield warning(
                    "unused-secret",
                    f"the secret '{name}' is used nowhere",
                    workflow.document.span(("secrets", name), key=True),
                    help=f"use it as {{{{ secrets.{name} }}}}, or remove it: every run reads it",
                )
