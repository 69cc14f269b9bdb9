"""A connection does not say truly whose credentials it uses.

`shared: true` is one credential for the team: its references may not hold `{{ user }}`. Without it a connection is
personal: each user has a credential of their own, so its reference holds `{{ user }}`, and a run needs `--as USER`.
A team's credential behind a connection that claims to be personal would let everybody act as somebody else.

References to the environment (`env://`) are for development and fit both.

A workflow with `triggers` is started by nobody: it may use shared connections only, and so may those that it calls.

```bad
# connections.d/tickets.yaml
type: bearer
base_url: https://tickets.example.com
auth:
  token: vault://secret/support/tickets#api_token
test: {path: /me}
```
```good
# connections.d/tickets.yaml
type: bearer
base_url: https://tickets.example.com
auth:
  token: vault://secret/users/{{ user }}/tickets#api_token
test: {path: /me}
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

from runner import calls
from runner.diagnostics import Diagnostic, Label, Severity
from runner.model import Connection
from runner.project import Project
from runner.secret_ref import SecretRef

SEVERITY = Severity.ERROR
SUMMARY = "a connection does not say truly whose credentials it uses"


def check(project: Project) -> Iterator[Diagnostic]:
    """Compare `shared` with the references of each connection."""
    for connection in project.connections.values():
        refs = list(connection.secrets.values())
        if connection.shared:
            for ref in refs:
                if ref.personal:
                    message = "the connection is shared: its reference may not contain {{ user }}"
                    remedy = (
                        "name the team's secret; or leave `shared: true` out, and each user has their own"
                    )
                    yield _finding(project, connection, ref, message, remedy)
            continue
        stored = [ref for ref in refs if ref.scheme != "env"]
        if stored and not any(ref.personal for ref in stored):
            message = (
                "the connection is personal (`shared` is not true): its reference must contain {{ user }}"
            )
            remedy = "write {{ user }} in the path, as in vault://secret/users/{{ user }}/tickets#token; or set `shared: true` if the team has one credential"
            yield _finding(project, connection, stored[0], message, remedy)
    yield from _triggered(project)


def _triggered(project: Project) -> Iterator[Diagnostic]:
    """Find workflows that a scheduler starts and that use somebody's own connection."""
    for workflow in project.workflows.values():
        if not workflow.triggers:
            continue
        for action in workflow.every_action:
            called = calls.callee(project, action)
            names = calls.connections(project, called) if called is not None else (action.connection or "",)
            found = [project.connections[name] for name in names if name in project.connections]
            connection = next((each for each in found if not each.shared and each.secrets), None)
            if connection is None:
                continue
            written = workflow.document.get(action.pointer)
            own = isinstance(written, dict) and "connection" in written
            pointer = (*action.pointer, "connection") if own else ("defaults", "connection")
            if called is not None:
                pointer = (*action.pointer, "workflow")
            yield Diagnostic(
                rule="unshared-connection",
                severity=SEVERITY,
                message=f"the connection '{connection.name}' is personal, and a trigger starts this workflow for nobody",
                primary=Label(workflow.document.span(pointer)),
                related=(Label(workflow.document.span(("triggers",), key=True), "the triggers"),),
                help="use a connection with `shared: true`, or remove the triggers",
            )


def _finding(
    project: Project, connection: Connection, ref: SecretRef, message: str, remedy: str
) -> Diagnostic:
    primary = Label(ref.span)
    related: tuple[Label, ...] = ()
    own = project.documents.get(f"connections.d/{connection.name}.yaml")
    if own is not None and ref.span.path != own.path and isinstance(own.value, dict):
        key = "shared" if "shared" in own.value else "extends"
        if key in own.value:  # the reference is inherited: what is wrong is here
            primary, related = Label(own.span((key,))), (Label(ref.span, "the reference"),)
    return Diagnostic(
        rule="unshared-connection",
        severity=SEVERITY,
        message=message,
        primary=primary,
        related=related,
        help=remedy,
    )
