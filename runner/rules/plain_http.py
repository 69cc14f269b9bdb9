"""A URL is `http://` to a host that is not this machine.

Everybody on the way can read and change what goes over it, credentials included. `http://` is for this machine:
`localhost`, `*.localhost`, `127.0.0.0/8` and `[::1]`. Where another host has no TLS and that is accepted, its
connection says so with `allow_http: true`.

```bad
# connections.d/tickets.yaml
type: none
base_url: http://tickets.example.com
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
# connections.d/local.yaml
type: none
base_url: http://localhost:8080
```
"""

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error
from runner.project import Project
from runner.rules import filled
from runner.template import Template

SEVERITY = Severity.ERROR
SUMMARY = "a URL is http:// to a host that is not this machine"

_PLAIN = re.compile(
    r"\s*http://(?:[^/?#@\s]*@)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^/?#:@\s{}]+)(?P<rest>[:/?#]|\s*\Z)",
    re.IGNORECASE,
)
_TRADED = {
    "authorize_url": "a person signs in on this page and gives consent",
    "device_url": "the client asks here for the code that stands for a consent",
    "revocation_url": "a token is sent here to be revoked",
}
"""What happens at a URL of an auth type, where it is no trade of credentials for a token."""
_LOOPBACK = re.compile(r"(?:.+\.)?localhost\.?|127(?:\.\d{1,3}){3}|\[(?:0*:)*:?0*1\]", re.IGNORECASE)


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the base URL of every connection and the URLs of requests without one."""
    for connection in project.connections.values():
        host = _plain_host(project, connection.base_url)
        if host and not connection.allow_http:
            remedy = "write https://; if this host has no TLS and that is accepted, set `allow_http: true`"
            yield _finding(connection.base_url, host, remedy)
        for name, own in connection.auth_urls.items():
            host = _plain_host(project, own)
            if host:
                what = _TRADED.get(name, "credentials are traded for a token here")
                yield _finding(own, host, f"write https://; {what}, so `allow_http` does not permit it")
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            url = action.config.url if action.kind == "request" else None
            host = _plain_host(project, url) if url is not None else None
            if url is not None and host:
                remedy = "write https://; for a host without TLS make a connection with `allow_http: true`"
                yield _finding(url, host, remedy)


def _finding(template: Template, host: str, remedy: str) -> Diagnostic:
    match = re.match(r"\s*(http://[^\s/?#{}]*)", template.text, re.IGNORECASE)
    where = template.place(*match.span(1)) if match else template.span
    return error(
        "plain-http",
        f"http:// to '{host}' is not encrypted: anyone on the way can read it",
        where,
        help=remedy,
    )


def _plain_host(project: Project, template: Template) -> str | None:
    """Give the host where it is known, plain and not this machine."""
    match = _PLAIN.match(filled(project, template))
    if match is None or _LOOPBACK.fullmatch(match["host"]):
        return None
    return match["host"]
