"""A base URL, or the URL of a request, is not an absolute http(s) URL.

`base_url` is scheme, host, perhaps port and path: `https://example.com/api/v2`. Paths of actions are added to its end,
so it has no query and no fragment; parameters for every request stand in `query` of the connection. A user name or
password in a URL would stand in logs: they belong to the auth type `basic`.

```bad
# connections.d/tickets.yaml
type: none
base_url: tickets.example.com/api
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com/api
```
"""

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error
from runner.project import Project
from runner.rules import filled
from runner.template import Template

SEVERITY = Severity.ERROR
SUMMARY = "a base URL, or the URL of a request, is not an absolute http(s) URL"

_PROXIES = frozenset({"http", "https", "socks5", "socks5h"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_PASSWORD = re.compile(r"[^:{}]*:[^{}]+\Z")
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[^\s:@\[\]]+")


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the URLs of every connection and of requests without one."""
    for connection in project.connections.values():
        yield from _check(project, connection.base_url, "base_url")
        for name, url in connection.auth_urls.items():
            yield from _check(project, url, connection.said(f"auth.{name}"))
        if connection.proxy is not None:
            yield from _proxy(project, connection.proxy)
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind == "request" and action.config.url is not None:
                yield from _check(project, action.config.url, "url")


def _check(project: Project, template: Template, key: str) -> Iterator[Diagnostic]:
    what, base = f"`{key}`", key == "base_url"
    text = filled(project, template)
    start, _, _ = text.partition("{{")
    match = _SCHEME.match(text)
    if match is None or match[1].lower() not in ("http", "https"):
        if "{" not in text[:1] and not _may_become_url(start, text):
            own = key.startswith("auth.")
            schemes = "https://" if own else "https:// or http://"
            example = "api" if base else "oauth/token" if own else "status"
            remedy = f"write https:// and the host, for example https://example.com/{example}"
            yield _error(template, f"{what} must be an absolute URL that starts with {schemes}", remedy)
        return
    after = text[match.end() :]
    authority = re.split(r"[/?#\\]", re.sub(r"\{\{.*?\}\}", "{}", after), maxsplit=1)[0]
    userinfo, at, location = authority.rpartition("@")
    if at and not _PASSWORD.match(userinfo):  # a typed-in password is a `hardcoded-secret`
        yield _error(template, f"{what} may not hold a user name", "use the auth type `basic`")
    problem = _location_problem(location)
    if problem:
        yield _error(template, f"{what} {problem}", "write https://HOST or https://HOST:PORT")
    elif base:
        yield from _tail(template)


def _proxy(project: Project, template: Template) -> Iterator[Diagnostic]:
    """Check the URL of a proxy, where the files say it; an empty one means that there is none."""
    text = filled(project, template).strip()
    if not text or "{{" in text:
        return
    scheme, mark, rest = text.rpartition("://")
    userinfo, at, location = rest.partition("/")[0].rpartition("@")
    remedy = "write http://HOST:PORT, https://HOST:PORT, socks5://HOST:PORT or socks5h://HOST:PORT"
    if mark and scheme.lower() not in _PROXIES:
        yield _error(template, f"no proxy is asked by '{scheme}://'", remedy)
    elif at and not _PASSWORD.match(userinfo):  # a typed-in password is a `hardcoded-secret`
        yield _error(template, "`proxy` may not hold a user name", "write `proxy: {url, username, password}`")
    elif problem := _location_problem(location):
        yield _error(template, f"`proxy` {problem}", remedy)


def _may_become_url(start: str, text: str) -> bool:
    """Tell whether a value that is put in may complete the scheme: `http{{ ... }}://`."""
    return start != text and "://" not in start and re.fullmatch(r"[A-Za-z]*", start) is not None


def _location_problem(location: str) -> str | None:
    if not location:
        return "names no host"
    if "{" in location:
        return None
    host = _HOST.match(location)
    port = location[host.end() :] if host else ""
    if host is None or (port and not re.fullmatch(r":\d{0,5}", port)):
        return "has no valid host and port"
    if port[1:] and not 0 < int(port[1:]) <= 65535:
        return "has a port that is not 1 to 65535"
    return None


def _tail(template: Template) -> Iterator[Diagnostic]:
    outside = re.sub(r"\{\{.*?\}\}", lambda hole: "_" * len(hole[0]), template.text, flags=re.DOTALL)
    found = re.search(r"[?#].*", outside, re.DOTALL)
    if found is None:
        return
    kind = "query" if found[0][0] == "?" else "fragment"
    remedy = (
        "put the parameters under `query` of the connection"
        if kind == "query"
        else "leave it out: it is never sent"
    )
    yield error(
        "malformed-url",
        f"`base_url` may not have a {kind}: paths are added to its end",
        template.place(found.start(), found.end()),
        help=remedy,
    )


def _error(template: Template, message: str, remedy: str) -> Diagnostic:
    return error("malformed-url", message, template.span, help=remedy)
