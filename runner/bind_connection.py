"""A connection's value to a `Connection`."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from runner import paginators
from runner.auth import Bound
from runner.bind import CONNECTION_ROOTS, URL_ROOTS, Binder, auth, rate_limit, retry
from runner.diagnostics import error
from runner.document import Pointer
from runner.duration import seconds
from runner.effective import Borrowed, Effective
from runner.model import AllowRule, Connection, Paginate, ProxyLogin, TestRequest, Tls
from runner.secret_ref import SecretRef, looks_like_reference
from runner.template import Mode, Template, Tree


def bind(
    name: str, made: Effective, binder: Binder, sources: Mapping[str, str] | None = None
) -> Connection | None:
    """Bind a connection whose value has passed its schema; None where a secret reference of it is malformed."""
    value = made.value
    credentials = auth(value["type"], value.get("auth", {}), binder)
    base_url = binder.template(value["base_url"], ("base_url",), URL_ROOTS, mode=Mode.TEXT)
    headers: dict[str, Template | SecretRef] = {}
    for key, item in value.get("headers", {}).items():
        bound = binder.text_or_secret(item, ("headers", key), CONNECTION_ROOTS)
        if bound is not None:
            headers[key] = bound
    query = _query(value.get("query", {}), binder)
    after = CONNECTION_ROOTS | {"response"}
    paging = paginators.bind(value.get("paginate"), ("paginate",), binder)
    connection = Connection(
        name=name,
        type=value["type"],
        preset=made.preset.id if made.preset else None,
        sources=sources or {},
        **_of_auth(credentials),
        named=made.names(),
        base_url=base_url,
        shared=value.get("shared", False),
        description=value.get("description"),
        headers=headers,
        query=query,
        test=_test(value["test"], binder) if "test" in value else None,
        fail_when=_template(value, "fail_when", binder, after),
        error_message=_template(value, "error_message", binder, after),
        retry=retry(value.get("retry")),
        timeout=seconds(value["timeout"]) if "timeout" in value else None,
        paginate=paging if isinstance(paging, Paginate) else None,
        rate_limit=rate_limit(_whole_rate(value, binder)),
        concurrency=value.get("concurrency", 64),
        idempotency=value["idempotency"]["header"] if "idempotency" in value else None,
        allow=_allow(value["allow"]) if "allow" in value else None,
        tls=_tls(value.get("tls", {}), binder),
        **_way(value, binder),
        allow_http=value.get("allow_http", False),
        variables=made.written.get("variables", {}),
        extends=value.get("extends"),
        locate=binder.span,
        templates=tuple(binder.templates),
    )
    if credentials.presented and connection.tls.cert is None:
        binder.diagnostics.append(
            error(
                "missing-key",
                "`auth` presents the client certificate of `tls.cert`, which is missing",
                binder.span(("auth",), key=True),
                help="name the certificate under `tls.cert`, and its key under `tls.key`",
            )
        )
    return None if binder.diagnostics else connection


def templates_only(made: Effective, binder: Binder, broken: Collection[Pointer]) -> list[Template]:
    """Make the templates of a connection that has errors, so that mistakes in them are reported as well.

    Keys that have errors are left out as a whole, but headers and query parameters one by one. What the binder reports
    of the rest is not meant: it has gaps.
    """
    value = {key: item for key, item in made.value.items() if (key,) not in {place[:1] for place in broken}}
    for key in ("headers", "query"):
        items = made.value.get(key)
        if isinstance(items, Mapping) and (key,) not in broken:
            value[key] = {name: item for name, item in items.items() if (key, name) not in broken}
    # What is missing, or has the wrong shape, has been reported: it ends the attempt and nothing else.
    with suppress(KeyError, TypeError, ValueError, AttributeError, IndexError):
        auth(value["type"], value["auth"], binder)
    with suppress(KeyError, TypeError, ValueError, AttributeError, IndexError):
        bind("", replace(made, value={"base_url": "", **value, "type": "none", "auth": {}}), binder)
    return [template for template in binder.templates if not isinstance(template.document, Borrowed)]


def _query(value: Mapping[str, Any], binder: Binder) -> dict[str, Tree | SecretRef]:
    query: dict[str, Tree | SecretRef] = {}
    for key, item in value.items():
        place = ("query", key)
        taken = (
            binder.text_or_secret(item, place, CONNECTION_ROOTS)
            if isinstance(item, str)
            else binder.tree(item, place, CONNECTION_ROOTS)
        )
        if taken is not None or item is None:
            query[key] = taken
    return query


def _whole_rate(value: Mapping[str, Any], binder: Binder) -> Mapping[str, Any] | None:
    """Give `rate_limit`; reports half of a rate, and a burst that is none."""
    rate: Mapping[str, Any] | None = value.get("rate_limit")
    if rate is None:
        return None
    place = ("rate_limit",)
    for key, other in (("requests", "per"), ("per", "requests"), ("burst", "requests")):
        if key in rate and other not in rate:
            message = f"the key '{other}' is missing beside '{key}' in 'rate_limit'"
            remedy = "a rate is `requests` and `per`, such as 100 requests per 1m"
            binder.diagnostics.append(
                error("missing-key", message, binder.span((*place, key), key=True), help=remedy)
            )
    if rate.get("burst", 1) > rate.get("requests", rate.get("burst", 1)):
        message = "'rate_limit.burst' must be at most 'rate_limit.requests'"
        binder.diagnostics.append(error("invalid-value", message, binder.span((*place, "burst"))))
    if "per" in rate and not seconds(rate["per"]) > 0:
        message = "'rate_limit.per' must be more than 0s"
        binder.diagnostics.append(error("invalid-value", message, binder.span((*place, "per"))))
    return rate


def _of_auth(bound: Bound) -> dict[str, Any]:
    return {
        "auth": bound.config,
        "auth_secrets": bound.secrets,
        "auth_urls": bound.urls,
        "auth_sent_to": bound.sent_to,
        "auth_presented": bound.presented,
        "auth_written": bound.written,
        "auth_consented": bound.consented,
    }


def _tls(value: Mapping[str, Any], binder: Binder) -> Tls:
    parts: dict[str, str | SecretRef | None] = {}
    for name in ("ca", "cert", "key"):
        given = value.get(name)
        if given is not None and looks_like_reference(given):
            given = binder.secret(given, ("tls", name))
        parts[name] = given
    if "key" in value and "cert" not in value:
        binder.diagnostics.append(
            error(
                "missing-key",
                "`tls.key` is the key of `tls.cert`, which is missing",
                binder.span(("tls", "key"), key=True),
                help="name the certificate, with its chain, under `tls.cert`",
            )
        )
    return Tls(verify=value.get("verify", True), **parts)


def _way(value: Mapping[str, Any], binder: Binder) -> dict[str, Any]:
    """Bind how the server is reached: by a proxy, by a socket, by which version of HTTP."""
    way: dict[str, Any] = {"http2": value.get("http2", False)}
    if "socket" in value:
        way["socket"] = binder.template(value["socket"], ("socket",), URL_ROOTS, mode=Mode.TEXT)
    given = value.get("proxy")
    if given is None:
        return way
    if isinstance(given, str):
        way["proxy"] = binder.template(given, ("proxy",), URL_ROOTS, mode=Mode.TEXT)
    else:
        way["proxy"] = binder.template(given["url"], ("proxy", "url"), URL_ROOTS, mode=Mode.TEXT)
        login: dict[str, Any] = {}
        if "password" in given:
            login["password"] = binder.secret(given["password"], ("proxy", "password"))
        if "username" in given:
            name = given["username"]
            is_secret = looks_like_reference(name)
            login["username"] = binder.secret(name, ("proxy", "username")) if is_secret else name
        if login:
            way["proxy_login"] = ProxyLogin(**login)
    if "socket" in value and given:
        message = "a connection has either `socket` or `proxy`: no proxy leads to a socket of this machine"
        binder.diagnostics.append(error("invalid-value", message, binder.span(("proxy",), key=True)))
    return way


def _template(value: Mapping[str, Any], key: str, binder: Binder, roots: frozenset[str]) -> Template | None:
    return binder.template(value[key], (key,), roots) if key in value else None


def _test(value: Mapping[str, Any], binder: Binder) -> TestRequest:
    return TestRequest(
        method=value.get("method", "GET"),
        path=binder.template(value["path"], ("test", "path"), CONNECTION_ROOTS, mode=Mode.PATH),
        query={
            key: binder.tree(item, ("test", "query", key), CONNECTION_ROOTS)
            for key, item in value.get("query", {}).items()
        },
        json=binder.tree(value.get("json"), ("test", "json"), CONNECTION_ROOTS),
        has_json="json" in value,
        expect=binder.expect(value.get("expect"), ("test", "expect"), CONNECTION_ROOTS),
    )


def _allow(rules: list[str]) -> tuple[AllowRule, ...]:
    pairs = (rule.split(" ", 1) for rule in rules)
    return tuple(AllowRule(method=method, path=path) for method, path in pairs)
