"""A request uses a method that the policy denies.

`policy.deny_methods` in runner.yaml lists methods that no request may use; such a request is refused at run time before
it is sent. No comment silences this: the policy is for whoever owns runner.yaml to relax.

```bad
# runner.yaml
policy: {deny_methods: [DELETE]}
# workflows.d/close.yaml
actions:
  - id: close
    request: {method: DELETE, url: https://example.com/tickets/17}
```
```good
# runner.yaml
policy: {deny_methods: [DELETE]}
# workflows.d/close.yaml
actions:
  - id: close
    request: {method: PATCH, url: https://example.com/tickets/17, json: {status: closed}}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error
from runner.project import Project
from runner.source import Span

SEVERITY = Severity.ERROR
SUMMARY = "a request uses a method that the policy denies"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the method of every request and of every test endpoint."""
    denied = project.policy.deny_methods
    if not denied:
        return
    for connection in project.connections.values():
        if connection.test is not None and connection.test.method in denied:
            yield _finding(connection.test.method, connection.locate(("test", "method")))
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind == "request" and action.config.method in denied:
                place = workflow.document.span((*action.pointer, "request", "method"))
                yield _finding(action.config.method, place)


def _finding(method: str, span: Span) -> Diagnostic:
    return error(
        "policy-deny-methods",
        f"the policy denies the method {method}",
        span,
        help="`policy.deny_methods` in runner.yaml lists it",
    )
