"""A timeout is so long that it is none.

An attempt that may take more than 10 minutes holds a run, its lock and its leases while nothing answers; a run that may
take more than a day meets the next one of its schedule. For long work of a server start it with one request and ask for
its state with others.

```bad
# workflows.d/report.yaml
actions:
  - id: build
    request: {url: https://example.com/reports, method: POST}
    timeout: 2h
```
```good
# workflows.d/report.yaml
actions:
  - id: build
    request: {url: https://example.com/reports, method: POST}
    timeout: 5m
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.project import Project
from runner.source import Span

SEVERITY = Severity.WARNING
SUMMARY = "a timeout is so long that it is none"

LONGEST_ATTEMPT = 600.0
LONGEST_RUN = 86400.0


def check(project: Project) -> Iterator[Diagnostic]:
    """Compare every timeout that is written with what is sensible."""
    for connection in project.connections.values():
        if (connection.timeout or 0) > LONGEST_ATTEMPT:
            yield _attempt(connection.locate(("timeout",)))
    for workflow in project.workflows.values():
        span = workflow.document.span
        if (workflow.timeout or 0) > LONGEST_RUN:
            message = "a run may take more than a day: it will meet the next one"
            yield warning(
                "no-timeout", message, span(("timeout",)), help="give it at most 24h (default: 60m)"
            )
        if (workflow.default_timeout or 0) > LONGEST_ATTEMPT:
            yield _attempt(span(("defaults", "timeout")))
        for action in workflow.every_action:
            if (action.timeout or 0) > LONGEST_ATTEMPT:
                yield _attempt(span((*action.pointer, "timeout")))


def _attempt(span: Span) -> Diagnostic:
    message = "one attempt may take more than 10 minutes: a server that hangs holds the run"
    return warning("no-timeout", message, span, help="give it at most 10m (default: 30s)")
