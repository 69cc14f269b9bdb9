"""An action says again what its connection says, or replaces it in a way that is easy to miss.

A header, parameter, `timeout`, `retry` or `paginate` that is equal to that of the connection has no effect now, and hides the
change when the connection's is changed. A header that replaces one of the connection in other upper and lower case
looks like a second one; one that replaces a secret header sends the request without that secret. One that the
credentials of the connection set, such as `Authorization`, is not what is sent.

An idempotency key of its own replaces the one that the connection makes: written as plain text it is the same in every
run, and the API gives each later run the answer of the first.

Another value under the same name is what overriding is for and is not reported.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
headers: {X-Api-Version: "2024-01"}
# workflows.d/report.yaml
actions:
  - id: search
    connection: tickets
    request:
      path: /search
      headers: {x-api-version: "2025-01"}
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
headers: {X-Api-Version: "2024-01"}
# workflows.d/report.yaml
actions:
  - id: search
    connection: tickets
    request:
      path: /search
      headers: {X-Api-Version: "2025-01"}
```
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from runner import idempotency
from runner.diagnostics import Diagnostic, Label, Severity
from runner.document import Pointer
from runner.model import Action, Connection, Paginate, Workflow
from runner.project import Project
from runner.secret_ref import SecretRef
from runner.source import Span
from runner.template import Template

SEVERITY = Severity.WARNING
SUMMARY = "an action says again what its connection says, or replaces it in a way that is easy to miss"


def check(project: Project) -> Iterator[Diagnostic]:
    """Compare every request with its connection."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            connection = project.connections.get(action.connection or "")
            if action.kind == "request" and connection is not None:
                yield from _headers(workflow, action, connection)
                yield from _query(workflow, action, connection)
                yield from _defaults(workflow, action, connection)


def _headers(workflow: Workflow, action: Action, connection: Connection) -> Iterator[Diagnostic]:
    theirs = {name.lower(): name for name in connection.headers}
    keyed = (idempotency.header(action, connection) or "").lower()
    credentials = _credentials(connection)
    for name, value in action.config.headers.items():
        if name.lower() in credentials:
            here = workflow.document.span((*action.pointer, "request", "headers", name), key=True)
            message = f"the credentials of the connection set '{name}': this one is not what is sent"
            yield _finding(message, here, connection, ("auth",), "leave it out, or use another connection")
            continue
        if name.lower() == keyed and value.constant:
            here = workflow.document.span((*action.pointer, "request", "headers", name))
            message = f"'{name}' replaces the key that the connection makes, and is the same in every run"
            remedy = "leave it out, or make it of what tells one write from another"
            yield _finding(message, here, connection, ("idempotency",), remedy)
            continue
        other = theirs.get(name.lower())
        if other is None:
            continue
        here = workflow.document.span((*action.pointer, "request", "headers", name), key=True)
        given = connection.headers[other]
        if isinstance(given, SecretRef):
            message = (
                f"'{name}' replaces the secret header '{other}' of the connection: the secret is not sent"
            )
            remedy = "leave it out, or use another connection"
        elif _plain(value) == _plain(given):
            message = f"the header '{name}' is sent by the connection already, with this value"
            remedy = "leave it out"
        elif name != other:
            message = (
                f"'{name}' replaces the header '{other}' of the connection: HTTP takes no notice of case"
            )
            remedy = f"write '{other}', so that reviewers see what it replaces"
        else:
            continue
        yield _finding(message, here, connection, ("headers", other), remedy)


def _credentials(connection: Connection) -> frozenset[str]:
    """Name the headers, in lower case, in which the auth type sends credentials."""
    if connection.type in ("basic", "bearer"):
        return frozenset({"authorization"})
    keys = getattr(connection.auth, "keys", ())
    return frozenset(key.name.lower() for key in keys if key.place == "header")


def _query(workflow: Workflow, action: Action, connection: Connection) -> Iterator[Diagnostic]:
    for name, value in action.config.query.items():
        given = connection.query.get(name)
        if name not in connection.query or isinstance(given, SecretRef):
            continue
        if _plain(value) == _plain(given):
            here = workflow.document.span((*action.pointer, "request", "query", name), key=True)
            message = f"the query parameter '{name}' is sent by the connection already, with this value"
            yield _finding(message, here, connection, ("query", name), "leave it out")


def _defaults(workflow: Workflow, action: Action, connection: Connection) -> Iterator[Diagnostic]:
    pairs: tuple[tuple[str, Any, Any, Any], ...] = (
        ("timeout", action.timeout, workflow.default_timeout, connection.timeout),
        ("retry", action.retry, workflow.default_retry, connection.retry),
    )
    paging = action.config.paginate
    if isinstance(paging, Paginate) and connection.paginate is not None:
        same = replace(connection.paginate, automatic=True)
        if _written(paging) == _written(same):
            here = workflow.document.span((*action.pointer, "request", "paginate"), key=True)
            remedy = "leave it out" if connection.paginate.automatic else "write `paginate: true`"
            yield _finding("`paginate` is that of the connection", here, connection, ("paginate",), remedy)
    for key, own, between, inherited in pairs:
        if own is not None and between is None and own == inherited:
            here = workflow.document.span((*action.pointer, key), key=True)
            yield _finding(f"`{key}` is that of the connection", here, connection, (key,), "leave it out")


def _written(paging: Paginate) -> list[Any]:
    """Give a pagination as it is written, to compare it."""
    own = [getattr(paging.config, each.name) for each in fields(paging.config)] if paging.config else []
    return [paging.style, paging.max_pages, *map(_plain, [paging.items, paging.more, *own])]


def _plain(tree: Any) -> Any:
    """Give a tree as it is written."""
    if isinstance(tree, Template):
        return tree.text
    if isinstance(tree, list):
        return [_plain(item) for item in tree]
    return tree


def _finding(message: str, here: Span, connection: Connection, there: Pointer, remedy: str) -> Diagnostic:
    return Diagnostic(
        rule="shadowed-connection-default",
        severity=SEVERITY,
        message=message,
        primary=Label(here),
        related=(Label(connection.locate(there), f"the connection '{connection.name}'"),),
        help=remedy,
    )
