"""A path leaves the base URL of its connection, or loses a part of itself.

A path is added to the end of `base_url`. With `..` in it the server takes it for another path: outside the base, and
outside what `allow` of the connection permits. Everything after `#` is a fragment, which is never sent, and neither is
the query that follows it. Two slashes at the start, or a whole URL after the slash, are mostly a mistake (a warning).

```bad
# connections.d/tickets.yaml
type: none
base_url: https://example.com/api/v2
# workflows.d/report.yaml
actions:
  - id: read
    connection: tickets
    request: {path: /tickets/../../admin}
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://example.com/api/v2
# workflows.d/report.yaml
actions:
  - id: read
    connection: tickets
    request: {path: /tickets}
```
"""

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error, warning
from runner.project import Project
from runner.template import Template

SEVERITY = Severity.ERROR
SUMMARY = "a path leaves the base URL of its connection, or loses a part of itself"

_HOLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_DOTS = re.compile(r"(?<=[/\\])(?:\.|%2e){1,2}(?=[/\\?#]|\s*\Z)", re.IGNORECASE)
_URL = re.compile(r"(?<=\A/)(?:/+|https?:/+)", re.IGNORECASE)


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the literal text of every path."""
    for connection in project.connections.values():
        if connection.test is not None:
            yield from _path(connection.test.path)
        for own in ("login", "logout"):  # of a session
            request = getattr(connection.auth, own, None)
            if request is not None:
                yield from _path(request.path)
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind == "request" and action.config.path is not None:
                yield from _path(action.config.path)


def _path(template: Template) -> Iterator[Diagnostic]:
    text = _HOLE.sub(lambda hole: "_" * len(hole[0]), template.text)
    path = re.split(r"[?#]", text, maxsplit=1)[0]
    for match in _DOTS.finditer(path):
        yield error(
            "url-escapes-base",
            f"'{match[0]}' in the path names another place than it seems to",
            template.place(*match.span()),
            help="write the path without '.' and '..' segments; what is not below `base_url` needs another connection",
        )
    at = text.find("#")
    if at >= 0:
        yield error(
            "url-escapes-base",
            "everything after '#' is never sent, the query included",
            template.place(at, len(text)),
            help="leave it out, or write %23 where '#' is meant",
        )
    start = _URL.search(path)
    if start:
        what = "two slashes" if start[0].startswith("/") else "a URL"
        yield warning(
            "url-escapes-base",
            f"the path starts with {what}: it is added to the end of `base_url` as it is",
            template.place(*start.span()),
            help="write one slash and the path below `base_url`",
        )
