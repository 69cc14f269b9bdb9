"""A secret can reach a host that it does not belong to.

A secret belongs to the host of the connection that names it; one that a workflow names, to the host that it is sent to
first; the output of a sensitive request (a session token), to the host that gave it. Another host that gets it can use
it. That is often a copied file whose reference was not changed, or a copied action with another `url`.

Followed are headers, query, path and body of every request, through `set` and outputs. What is hashed (`sha256`,
`hmac_sha256`) or only compared does not count as sent. Hosts are compared without their ports.

A secret input that goes to several hosts is a warning: that can be what the input is for. So is a secret that goes to a
host that an input or an answer names. Where one credential is right for two hosts (an API with a second host for
uploads, a login service), a comment silences this and says so.

```bad
# connections.d/tickets.yaml
type: bearer
base_url: https://tickets.example.com
shared: true
auth: {token: "vault://secret/support/tickets#api_token"}
test: {path: /me}
# connections.d/pager.yaml
type: bearer
base_url: https://pager.example.com
shared: true
auth: {token: "vault://secret/support/tickets#api_token"}
test: {path: /me}
```
```good
# connections.d/tickets.yaml
type: bearer
base_url: https://tickets.example.com
shared: true
auth: {token: "vault://secret/support/tickets#api_token"}
test: {path: /me}
# connections.d/pager.yaml
type: bearer
base_url: https://pager.example.com
shared: true
auth: {token: "vault://secret/support/pager#api_token"}
test: {path: /me}
```
"""

import re
from collections.abc import Iterator

from runner import flow
from runner.diagnostics import Diagnostic, Label, Severity, warning
from runner.flow import UNKNOWN_HOST, Flow
from runner.project import Project
from runner.source import Span

SEVERITY = Severity.ERROR
SUMMARY = "a secret can reach a host that it does not belong to"

_VERSION = re.compile(r"\?version=\d+")
_SILENCE = "name the secret of this host; if it is right for both, silence this with a comment that says why"


def check(project: Project) -> Iterator[Diagnostic]:
    """Group the flows by secret, and compare the hosts of each."""
    groups: dict[tuple[str, str], list[Flow]] = {}
    for each in flow.compute(project):
        source = each.source
        if source.home is not None:
            yield from _from_home(each, source.home)
        elif "://" in source.text:
            groups.setdefault((_VERSION.sub("", source.text), ""), []).append(each)
        else:
            groups.setdefault((source.text, source.owner), []).append(each)
        yield from _anywhere(project, each)
    for (text, _), flows in groups.items():
        yield from _group(project, text, [each for each in flows if each.host != UNKNOWN_HOST])


def _from_home(each: Flow, home: str) -> Iterator[Diagnostic]:
    if UNKNOWN_HOST not in (home, each.host) and _name(home) != _name(each.host):
        message = f"'{each.source.text}' is a secret of {home} and goes to {each.host}"
        yield _finding(message, each.span, None, severity=SEVERITY)


def _group(project: Project, text: str, flows: list[Flow]) -> Iterator[Diagnostic]:
    if len({_name(each.host) for each in flows}) < 2:
        return
    of_connections = [each for each in flows if each.workflow is None]
    # An inherited reference belongs to the connection in whose file it stands.
    owned = [each for each in of_connections if each.span.path == f"connections.d/{each.connection}.yaml"]
    home = min(owned or of_connections or flows, key=lambda each: (each.span, each.host))
    homes = {_name(each.host) for each in of_connections} or {_name(home.host)}
    # A client certificate goes to a token endpoint as well, where its connection says so.
    same = {
        _name(each.host) for each in flows if (each.connection, each.span) == (home.connection, home.span)
    }
    given = text.startswith("inputs.")
    for each in flows:
        if _name(each.host) in (same if each.workflow is None else homes):
            continue
        related = Label(
            home.span, f"it belongs to {home.host}" if not given else f"it goes to {home.host} here"
        )
        message = f"a secret of {home.host} goes to {each.host}"
        if given:
            message = f"the secret input goes to {home.host} and to {each.host}"
        severity = Severity.WARNING if given else SEVERITY
        yield _finding(message, _place(project, each), related, severity=severity)


def _anywhere(project: Project, each: Flow) -> Iterator[Diagnostic]:
    """Find a secret that goes where an input or an answer says."""
    if each.host != UNKNOWN_HOST or each.connection is not None or each.workflow is None:
        return
    workflow = project.workflows[each.workflow]
    action = next(item for item in workflow.every_action if item.id == each.action)
    url = action.config.url
    chosen = [item for item in url.references if item.root in ("inputs", "actions")] if url else []
    if chosen and chosen[0].start < len(url.text.partition("://")[2].partition("/")[0]) + 8:
        message = f"the secret goes to whatever host '{chosen[0].text}' names"
        remedy = "use a connection, or write the host into the file; `policy.hosts` limits it at run time"
        yield warning("secret-to-other-host", message, each.span, help=remedy)


def _place(project: Project, each: Flow) -> Span:
    own = f"connections.d/{each.connection}.yaml"
    if each.workflow is None and each.span.path != own and each.connection is not None:
        return project.connections[each.connection].locate(("base_url",))
    return each.span


def _name(host: str) -> str:
    """Give a host without its port."""
    return re.sub(r":\d+\Z", "", host)


def _finding(message: str, span: Span, related: Label | None, *, severity: Severity) -> Diagnostic:
    return Diagnostic(
        rule="secret-to-other-host",
        severity=severity,
        message=message,
        primary=Label(span),
        related=(related,) if related else (),
        help=_SILENCE,
    )
