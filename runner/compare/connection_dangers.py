"""What is dangerous in a changed connection, in every environment: whom it trusts, what it permits, as whom it acts."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from runner.compare import amounts, checks
from runner.compare.danger import danger
from runner.compare.meaning import reads
from runner.compare.pairs import Both, Pair
from runner.compare.tree import MISSING, dig, listed, mapping, same
from runner.errors import JsonObject
from runner.secret_ref import looks_like_reference


def dangers(both: Both, pair: Pair) -> Iterator[JsonObject]:
    """List what is dangerous in a connection; of an environment only what does not hold without one as well."""
    if pair.name is None:
        return
    plain: list[JsonObject] = []
    for environment in both.environments():
        old = both.old_environment(environment)
        before = both.old.connection(pair.was, old) if pair.was is not None else MISSING
        after = both.new.connection(pair.name, environment)
        if after is MISSING or same(before, after):
            continue
        for item in _dangers(before, after, pair):
            if environment is None:
                plain.append(item)
                yield item
            elif item not in plain:
                yield {**item, "environment": environment}


def _dangers(before: Any, after: Any, pair: Pair) -> Iterator[JsonObject]:
    new = before is MISSING
    old = mapping(before)
    where = {"connection": pair.title}
    if not new:
        yield from _changed(old, after, pair)
    if after.get("allow_http") is True and old.get("allow_http") is not True:
        yield danger("connection", "allow_http: requests may go out unencrypted", pair.file, **where)
    yield from _tls(old, after, pair)
    if not same(dig(old, "proxy"), dig(after, "proxy")):
        change = {"before": old.get("proxy", "none"), "after": after.get("proxy", "none")}
        yield danger("connection", "proxy: requests go by another way", pair.file, **change, **where)
    if not same(dig(old, "socket"), dig(after, "socket")):
        change = {"before": old.get("socket", "none"), "after": after.get("socket", "none")}
        yield danger("connection", "socket: requests go by another way", pair.file, **change, **where)
    yield from amounts.raised(old, after, amounts.CONNECTION, pair.file, **where)
    if not new and not _paged(old) and _paged(after):
        yield danger("raised", "paginate: every GET reads all pages", pair.file, **where)
    if not new:
        yield from amounts.faster(old, after, pair.file, **where)
    if not same(dig(old, "idempotency"), dig(after, "idempotency")) and "idempotency" in after:
        message = "idempotency: after a lost answer, POST and PATCH are sent again"
        yield danger("idempotent", message, pair.file, **where)
    yield from checks.weaker(dig(old, "test", "expect"), dig(after, "test", "expect"), pair.file, **where)
    yield from _test(old, after, pair)


def _paged(connection: dict[str, Any]) -> bool:
    given = connection.get("paginate")
    return isinstance(given, dict) and given.get("when") != "asked"


def _changed(old: dict[str, Any], after: dict[str, Any], pair: Pair) -> Iterator[JsonObject]:
    where = {"connection": pair.title}

    def changed(key: str, message: str, default: Any = "none") -> Iterator[JsonObject]:
        if not same(dig(old, key), dig(after, key)):
            change = {"before": old.get(key, default), "after": after.get(key, default)}
            yield danger("connection", f"{key}: {message}", pair.file, **change, **where)

    yield from changed("base_url", "requests go elsewhere")
    yield from changed("shared", "whose credentials these are", default=False)
    yield from changed("type", "it signs in otherwise")
    if not same(_auth(old.get("auth")), _auth(after.get("auth"))):
        change = {"before": _auth(old.get("auth")), "after": _auth(after.get("auth"))}
        yield danger("connection", "auth: it signs in otherwise", pair.file, **change, **where)
    widened = _widened(old.get("allow"), after.get("allow"))
    if widened is not None:
        change = {"before": old.get("allow", "anything"), "after": after.get("allow", "anything")}
        yield danger("connection", f"allow: {widened}", pair.file, **change, **where)
    if "fail_when" in old and not same(old["fail_when"], dig(after, "fail_when")):
        change = {"before": old["fail_when"], "after": after.get("fail_when", "none")}
        yield danger("less-checked", "fail_when is gone or another", pair.file, **change, **where)


def _tls(old: dict[str, Any], after: dict[str, Any], pair: Pair) -> Iterator[JsonObject]:
    before, now = mapping(old.get("tls")), mapping(after.get("tls"))
    where = {"connection": pair.title}
    if now.get("verify", True) is not True and before.get("verify", True) is True:
        yield danger("connection", "tls.verify: any certificate is accepted", pair.file, **where)
    for key in sorted({*before, *now} - {"verify"}):
        if not same(dig(before, key), dig(now, key)):
            change = {"before": before.get(key, "none"), "after": now.get(key, "none")}
            yield danger("connection", f"tls.{key} is another", pair.file, **change, **where)


def _test(old: dict[str, Any], after: dict[str, Any], pair: Pair) -> Iterator[JsonObject]:
    before, now = mapping(old.get("test")), mapping(after.get("test"))
    if reads(now.get("method", "GET")):
        return
    target = f"{now.get('method')} {now.get('path', '')}, sent by `runner connections test`"
    if reads(before.get("method", "GET")):
        yield danger("new-write", target, pair.file, after=target, connection=pair.title)
    elif not same({**before, "expect": None}, {**now, "expect": None}):
        yield danger("changed-write", target, pair.file, connection=pair.title)


def _auth(value: Any) -> Any:
    """Leave the secret references out: they are judged as secrets."""
    if isinstance(value, dict):
        return {
            key: _auth(item)
            for key, item in value.items()
            if not (isinstance(item, str) and looks_like_reference(item))
        }
    return [_auth(item) for item in value] if isinstance(value, list) else value


def _widened(before: Any, after: Any) -> str | None:
    """Name the rules of `allow` that permit something new; None where there are none."""
    if before is None or same(before, after):
        return None
    if after is None:
        return "workflows may do anything through it"
    rules = [rule.partition(" ") for rule in listed(before) if isinstance(rule, str)]
    added = []
    for rule in listed(after):
        method, _, path = str(rule).partition(" ")
        if not any(one in ("*", method) and fnmatchcase(path, known) for one, _, known in rules):
            added.append(str(rule))
    return f"permitted now: {', '.join(added)}" if added else None
