"""A GET or HEAD request has a body.

Its meaning is undefined (RFC 9110, 9.3.1): servers ignore it, caches and proxies drop it or refuse the request.
Parameters of a GET stand in `query`; a search that takes a body is a POST.

```bad
# workflows.d/search.yaml
actions:
  - id: search
    request:
      url: https://example.com/search
      json: {status: open}
```
```good
# workflows.d/search.yaml
actions:
  - id: search
    request:
      url: https://example.com/search
      query: {status: open}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.project import Project

SEVERITY = Severity.WARNING
SUMMARY = "a GET or HEAD request has a body"

_REMEDY = "put parameters under `query`, or say which `method` takes the body"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the method of every request that has a body, those of connections too."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind == "request" and action.config.body_kind and _bodiless(action.config.method):
                span = workflow.document.span((*action.pointer, "request", action.config.body_key), key=True)
                message = f"a {action.config.method} request has a body: servers ignore or refuse it"
                yield warning("body-on-get", message, span, help=_REMEDY)
    for connection in project.connections.values():
        test = connection.test
        if test is not None and test.has_json and _bodiless(test.method):
            message = f"a {test.method} request has a body: servers ignore or refuse it"
            yield warning("body-on-get", message, connection.locate(("test", "json")), help=_REMEDY)


def _bodiless(method: str) -> bool:
    return method in ("GET", "HEAD")
