"""One HTTP request of an action: built in two faces, sent, retried, judged."""

import ipaddress
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from runner import idempotency, paginators, registry
from runner.auth import Shown
from runner.bind import limits
from runner.body import Body
from runner.errors import Failure, FailureError, FailureKind, JsonObject
from runner.frozen import dataclass
from runner.model import Action, Connection
from runner.plan import View, label_of
from runner.secret_ref import SecretRef
from runner.sensitive import Rendered, placeholder
from runner.source import Span
from runner.template import Tree
from runner.template_text import text_of

if TYPE_CHECKING:
    from runner.downloads import Download
    from runner.perform import Performance


TEST_SECTION = "test"
"""The section of a connection's own test request, which `allow` does not bind: it is not a workflow's."""

_PASS = re.compile(r"#[0-9]+")
"""The number of a repetition in a key, of the action or of a call that it is in."""


@dataclass(slots=True, kw_only=True, repr=False)
class Built:
    """A request ready to send. `shown` is its record; `method`, `url`, `headers`, `body` are what is sent.

    `secret_headers` are those that a secret flows into: like credentials they go to the request's own origin only.
    `secret_body` says the same of the body. `keyed`: it carries an idempotency key.
    """

    method: str
    url: str
    path: str
    headers: list[tuple[str, str]]
    secret_headers: list[tuple[str, str]]
    body: Body | None
    secret_body: bool
    shown: JsonObject
    keyed: bool = False
    download: "Download | None" = None


def describe(action: Action, view: View) -> JsonObject:
    """Show the request of an action before the run."""
    connection = view.project.connections.get(action.connection or "")
    config = action.config
    base = str(view.show_for(connection.base_url)).rstrip("/") if connection else ""
    url = base + str(view.show(config.path)) if config.path is not None else str(view.show(config.url))
    query: dict[str, Any] = {}
    headers: dict[str, Any] = {}
    if connection:
        query |= {name: _show_part(item, view) for name, item in connection.query.items()}
        headers |= {name: _show_part(item, view) for name, item in connection.headers.items()}
        credentials = _credentials_shown(connection, view)
        headers |= credentials.headers
        query |= credentials.query
    query |= {name: view.show(item) for name, item in config.query.items()}
    paging = paginators.effective(action, connection)
    if paging is not None:
        query |= registry.load("paginators", str(paging.style)).first(paging.config).query
    headers = _merged(headers, {name: view.show(item) for name, item in config.headers.items()})
    key_header = idempotency.header(action, connection)
    if key_header is not None and not _has(config.headers, key_header):
        headers = _merged(headers, {key_header: idempotency.SHOWN})
    described: JsonObject = {
        "method": config.method,
        "url": url + _joined_query(url, query, shown=True),
        "headers": {name: str(value) for name, value in headers.items() if value is not None},
    }
    if config.body_kind:
        described["body_kind"] = config.body_kind
        described["body"] = view.show(config.body)
    if paging is not None:
        most = limits(view.project.limits, view.workflow.limits).pages
        described["paginate"] = paginators.describe(paging, most)
    if config.save_to is not None:
        described["save_to"] = view.show(config.save_to)
    return described


def build(action: Action, connection: Connection | None, performance: "Performance") -> Built:
    """Render the request; raises FailureError for what cannot be rendered or is not allowed."""
    config = action.config
    if connection:
        base = performance.base_url(connection)
        path = performance.render(config.path)
        url = Rendered(base + path.wire, base + str(path.shown))
        plain_path = path.wire.partition("?")[0]
        _check_allowed(connection, config.method, plain_path, action)
    else:
        url = performance.render(config.url)
        check_url(str(url.wire), config.url.span, allow_http=False)
        plain_path = urlsplit(str(url.wire)).path
    query_wire: dict[str, Any] = {}
    query_shown: dict[str, Any] = {}
    if connection:
        for name, item in connection.query.items():
            if not isinstance(item, SecretRef):
                query_wire[name] = query_shown[name] = performance.render_for(item)
    for name, item in config.query.items():
        rendered = performance.render(item)
        query_wire[name], query_shown[name] = rendered.wire, rendered.shown
    key_header = idempotency.header(action, connection)
    inherited = _inherited_headers(connection, key_header, performance)
    own = {name: performance.render(item) for name, item in config.headers.items()}
    headers_wire = _merged(inherited, {name: value.wire for name, value in own.items()})
    headers_shown = _merged(inherited, {name: value.shown for name, value in own.items()})
    shown: JsonObject = {
        "method": config.method,
        "url": url.shown + _joined_query(str(url.shown), query_shown, shown=True),
    }
    body: Body | None = None
    secret_body = False
    if config.body_kind:
        content = performance.render(config.body)
        secret_body = content.secret
        body, kind = _encoded(config.body_kind, content.wire, performance)
        shown["body"] = content.shown
        if kind and not any(name.lower() == "content-type" for name in headers_wire):
            headers_wire["Content-Type"] = headers_shown["Content-Type"] = kind
    shown["headers"] = {
        name: _header_text(value) for name, value in headers_shown.items() if value is not None
    }
    secret_names = {name for name, value in own.items() if value.secret}
    sent = [(name, _header_text(value)) for name, value in headers_wire.items() if value is not None]
    return Built(
        method=config.method,
        url=str(url.wire) + _joined_query(str(url.wire), query_wire, shown=False),
        path=plain_path,
        headers=[pair for pair in sent if pair[0] not in secret_names],
        secret_headers=[pair for pair in sent if pair[0] in secret_names],
        body=body,
        secret_body=secret_body,
        shown=shown,
        keyed=key_header is not None and _has(dict(sent), key_header),
    )


def _encoded(kind: str, value: Any, performance: "Performance") -> tuple[Body, str | None]:
    from runner import body_encoding

    session = performance.session
    return body_encoding.encoded(kind, value, (session.directory, session.project.root))


def _inherited_headers(
    connection: Connection | None, key_header: str | None, performance: "Performance"
) -> dict[str, Any]:
    """Give the headers of the connection that are no secrets, and the idempotency key."""
    if connection is None:
        return {}
    headers = {
        name: performance.render_for(value)
        for name, value in connection.headers.items()
        if not isinstance(value, SecretRef)
    }
    if key_header is not None:
        made = {key_header: idempotency.key(performance.run_id, performance.step)}
        headers = _merged(headers, made)
    return headers


def _download(action: Action, performance: "Performance") -> "Download | None":
    """Prepare the file that the answer is saved to; raises FailureError where another action of the run has it."""
    if action.config.save_to is None:
        return None
    from runner.downloads import Download

    path = performance.render(action.config.save_to)
    if path.secret:
        raise FailureError(
            Failure(
                kind=FailureKind.SECRET_IN_OUTPUT,
                message="the path of `save_to` holds a secret, and would show it to everyone who lists the directory",
                span=action.config.save_to.span,
            )
        )
    session = performance.session
    owner = session.saved.setdefault(path.wire, performance.key)
    if _PASS.sub("", owner) != _PASS.sub("", performance.key):
        raise FailureError(
            Failure(
                kind=FailureKind.FILE,
                message=f"'{path.wire}' was saved by '{owner}' in this run already",
                help="put what differs into the path, for example `{{ index }}` or `{{ item }}`",
                span=action.config.save_to.span,
            )
        )
    return Download(session.directory, path.wire, owner=f"{performance.run_id} {performance.key}")


async def send(action: Action, performance: "Performance") -> Any:
    """Send the request of an action until it succeeds or must not be repeated; gives the output."""
    from runner.attempts import Attempts

    connection = performance.session.connection(action.connection) if action.connection else None
    paging = paginators.effective(action, connection)
    if paging is not None:
        from runner.pages import Pages

        return await Pages(action, connection, paging, performance).run()
    built = build(action, connection, performance)
    performance.record["request"] = performance.session.redactor.data(built.shown)
    built.download = _download(action, performance)
    try:
        answer = await Attempts(action, connection, built, performance).run()
        output = performance.output_of(action, answer)
        if built.download is not None:
            built.download.commit()
        return output
    finally:
        if built.download is not None:
            built.download.discard()


def _show_part(item: Tree | SecretRef, view: View) -> Any:
    if isinstance(item, SecretRef):
        return placeholder(label_of(view.project, item, view.plan))
    return view.show_for(item)


def _credentials_shown(connection: Connection, view: View) -> Shown:
    """Say in a plan which credentials go along, and where."""
    labels = {
        field: placeholder(label_of(view.project, ref, view.plan))
        for field, ref in connection.auth_secrets.items()
    }
    shown: Shown = registry.load("auth", connection.type).shown(connection.auth, labels)
    return shown


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Merge headers: names are equal whatever their case; the second wins."""
    taken = {name.lower() for name in second}
    return {**{name: value for name, value in first.items() if name.lower() not in taken}, **second}


def _has(headers: Mapping[str, Any], name: str) -> bool:
    return any(each.lower() == name.lower() for each in headers)


def _joined_query(url: str, query: Mapping[str, Any], *, shown: bool) -> str:
    """Write a query: lists repeat their parameter, null leaves it out."""
    pairs: list[str] = []
    for name, value in query.items():
        for item in value if isinstance(value, list) else [value]:
            if item is None:
                continue
            text = text_of(item)
            written = text if shown and "‹" in text else quote(text, safe="~")
            pairs.append(f"{quote(name, safe='~')}={written}")
    if not pairs:
        return ""
    return ("&" if "?" in url else "?") + "&".join(pairs)


def _header_text(value: Any) -> str:
    return text_of(value)


def _check_allowed(connection: Connection, method: str, path: str, action: Action) -> None:
    if action.section == TEST_SECTION or allowed(connection, method, path):
        return
    rules = ", ".join(f"'{rule.method} {rule.path}'" for rule in connection.allow or ()) or "nothing"
    raise FailureError(
        Failure(
            kind=FailureKind.NOT_ALLOWED,
            message=f"the connection '{connection.name}' does not allow {method} on this path",
            help=f"it allows {rules}; the list is `allow` in its file",
            span=action.config.path.span,
        )
    )


def allowed(connection: Connection, method: str, path: str) -> bool:
    """Tell whether `allow` permits a method on a path (without query, relative to the base URL)."""
    if connection.allow is None:
        return True
    return any(
        rule.method in ("*", method) and fnmatchcase(path, rule.path.replace("[", "[[]").replace("?", "[?]"))
        for rule in connection.allow
    )


def check_url(url: str, span: Span, *, allow_http: bool) -> None:
    """Refuse a rendered URL that is not absolute, holds credentials, or is plain http to another machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        broken = parts.scheme not in ("http", "https") or not host or port == 0
    except ValueError:
        broken = True
    if broken:
        message, remedy = "the URL is not an absolute http(s) URL", "write https://HOST/PATH"
    elif parts.username is not None or parts.password is not None:
        message, remedy = (
            "the URL holds a user name or password",
            "put credentials into `auth` of a connection",
        )
    elif parts.scheme == "http" and not allow_http and not is_loopback(host):
        message, remedy = (
            "the URL is plain http to another machine",
            "use https, or a connection with allow_http: true",
        )
    else:
        return
    raise FailureError(Failure(kind=FailureKind.NOT_ALLOWED, message=message, help=remedy, span=span))


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    host = host.lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
