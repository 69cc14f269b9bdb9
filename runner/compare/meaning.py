"""What the value of a file means, in one form: two files that mean the same give equal values.

Keys that say what holds without them are left out, durations and sizes have one spelling, lists whose order says
nothing are sorted, `defaults` of a workflow stand in its actions. Values of any shape are taken: a file may have errors.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any

from runner import cron, registry
from runner.compare.tree import Path, canonical, dig, listed, mapping
from runner.duration import PATTERN, seconds
from runner.model import SECTIONS

_READING = ("GET", "HEAD", "OPTIONS")
INHERITED = ("connection", "retry", "timeout")
"""Keys of `defaults`, which hold for the actions that do not have them."""

BACKOFF = {"first": "1s", "factor": 2, "limit": "30s"}
_ACTION: dict[Path, Any] = {
    ("if",): True,
    ("on_error",): "fail",
    ("sensitive",): False,
    ("idempotent",): False,
    ("request", "method"): "GET",
    ("request", "redirects"): "same_host",
    ("retry", "attempts"): 3,
    **{("retry", "backoff", key): value for key, value in BACKOFF.items()},
}
_CONNECTION: dict[Path, Any] = {
    ("shared",): False,
    ("allow_http",): False,
    ("tls", "verify"): True,
    ("http2",): False,
    ("test", "method"): "GET",
    ("concurrency",): 64,
    ("rate_limit", "burst"): 1,
    ("rate_limit", "statuses"): [],
    ("retry", "attempts"): 3,
    **{("retry", "backoff", key): value for key, value in BACKOFF.items()},
}
_WORKFLOW: dict[Path, Any] = {("concurrency", "on_conflict"): "queue"}
_INPUT: dict[Path, Any] = {("secret",): False}
_TRIGGER: dict[Path, Any] = {
    ("timezone",): "UTC",
    ("overlap",): "skip",
    ("catch_up",): "0s",
    ("inputs",): {},
}
_POLICY: dict[Path, Any] = {
    ("require_https",): False,
    ("require_shared",): False,
    ("deny_methods",): [],
}
_DURATION = re.compile(PATTERN)
_SIZE = re.compile(r"([1-9][0-9]*)(KiB|MiB|GiB)\Z")
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))
_TIMES = frozenset(
    {"timeout", "first", "limit", "connect", "every", "catch_up", "per", "retry_after", "retrying"}
)


def default_of(kind: str, path: Path) -> Any:
    """Give what holds where a key of an action or a connection is not there, or None where that depends on more."""
    if path[:1] in (("retry",), ("if",)):
        return None
    return {"action": _ACTION, "connection": _CONNECTION}.get(kind, {}).get(path)


def reads(method: Any) -> bool:
    """Tell whether a method changes nothing (RFC 9110, section 9.2.1)."""
    return method in _READING


def connection(value: Any) -> dict[str, Any]:
    """Give the meaning of a connection whose `extends` has been followed."""
    made = _spelled(mapping(value))
    _without_auth_defaults(made)
    return _plain(
        made, _CONNECTION, ("test", "expect"), "headers", "query", "tls", "auth", "retry", "rate_limit"
    )


def _spelled(value: dict[str, Any]) -> dict[str, Any]:
    """Give the keys of a connection in one spelling each; nothing is left out but `x-` keys."""
    made = {key: item for key, item in value.items() if not key.startswith("x-")}
    for key in ("auth", "test"):
        if isinstance(made.get(key), dict):
            made[key] = dict(made[key])
    _lower(made, "headers")
    if isinstance(made.get("allow"), list):
        made["allow"] = _unordered(made["allow"])
    if isinstance(made.get("test"), dict):
        _expect(made["test"])
    _traffic(made)
    _quantities(made)
    return made


def _traffic(value: dict[str, Any]) -> None:
    """Spell `paginate`, `rate_limit` and `idempotency`: names of headers say the same in any case."""
    _paginate(value)
    for key, names in (("rate_limit", ("remaining",)), ("idempotency", ("header",))):
        if isinstance(value.get(key), dict):
            value[key] = {
                name: item.lower() if name in names and isinstance(item, str) else item
                for name, item in value[key].items()
            }
    rate = value.get("rate_limit")
    if not isinstance(rate, dict):
        return
    if "per" in rate:
        rate["per"] = _time(rate["per"])
    if isinstance(rate.get("statuses"), list):
        rate["statuses"] = _unordered(rate["statuses"])
    reset = rate.get("reset")
    if isinstance(reset, dict) and isinstance(reset.get("header"), str):
        rate["reset"] = {**reset, "header": reset["header"].lower()}


def workflow(value: Any) -> dict[str, Any]:
    """Give the meaning of a workflow: its top-level keys, `actions` by id, and `order` of the ids by section."""
    made = {key: item for key, item in mapping(value).items() if not key.startswith("x-")}
    defaults = mapping(made.pop("defaults", None))
    actions: dict[str, Any] = {}
    order: dict[str, list[str]] = {}
    for section in SECTIONS:
        items = made.pop(section, None)
        for item in listed(items):
            name = _unique(item, actions)
            actions[name] = action(item, section, defaults)
            order.setdefault(section, []).append(name)
        if items is not None and not isinstance(items, list):
            made[f"{section} (not a list)"] = items
    if isinstance(made.get("inputs"), dict):
        made["inputs"] = {name: _input(item) for name, item in made["inputs"].items()}
    if isinstance(made.get("triggers"), list):
        made["triggers"] = _unordered([_trigger(item) for item in made["triggers"]])
        if not made["triggers"]:
            del made["triggers"]
    _quantities(made)
    kept = _plain(made, _WORKFLOW, "inputs", "vars", "secrets", "outputs", "limits")
    return {**kept, "actions": actions, "order": order}


def _trigger(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    made = dict(value)
    if isinstance(made.get("schedule"), str):
        with suppress(ValueError):
            made["schedule"] = cron.parse(made["schedule"]).written()
    if "catch_up" in made:
        made["catch_up"] = _time(made["catch_up"])
    return _plain(made, _TRIGGER)


def action(value: Any, section: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Give the meaning of an action, with what `defaults` gives it."""
    if not isinstance(value, dict):
        return {"value": value}
    made = {key: item for key, item in value.items() if key != "id"}
    if isinstance(made.get("request"), dict):
        made["request"] = dict(made["request"])
        _lower(made["request"], "headers")
        for key in INHERITED:
            if key in defaults and key not in made and not (key == "connection" and "url" in made["request"]):
                made[key] = defaults[key]
        _paginate(made["request"])
    _expect(made)
    _quantities(made)
    if isinstance(made.get("wait"), str):
        made["wait"] = _time(made["wait"])
    kept = _plain(made, _ACTION, ("expect",), ("request", "headers"), ("request", "query"))
    return kept if section == "actions" else {"section": section, **kept}


def project(value: Any) -> dict[str, Any]:
    """Give the meaning of runner.yaml."""
    made = {key: item for key, item in mapping(value).items() if not key.startswith("x-")}
    made = _settings(made)
    environments = made.get("environments")
    if isinstance(environments, dict):
        made["environments"] = {name: _settings(mapping(item)) for name, item in environments.items()}
    return _plain(made, {}, "vars", "vault", "limits", "policy", "environments")


def inherits(value: Any, key: str) -> bool:
    """Tell whether an action, as written, takes a key from `defaults`."""
    request = dig(value, "request")
    takes = isinstance(request, dict) and not (key == "connection" and "url" in request)
    return takes and key not in value


def _settings(value: dict[str, Any]) -> dict[str, Any]:
    made = dict(value)
    if isinstance(made.get("policy"), dict):
        policy = {
            key: _unordered(item) if isinstance(item, list) else item for key, item in made["policy"].items()
        }
        secrets = policy.get("secrets")
        if isinstance(secrets, dict):
            policy["secrets"] = {
                name: _unordered(item) if isinstance(item, list) else item for name, item in secrets.items()
            }
        made["policy"] = _plain(policy, _POLICY)
    if isinstance(made.get("connections"), dict):
        # A key that says what holds anyway may undo something here, so it stays.
        made["connections"] = {name: _spelled(mapping(item)) for name, item in made["connections"].items()}
    _quantities(made)
    return made


def _plain(value: dict[str, Any], defaults: Mapping[Path, Any], *empty: str | Path) -> dict[str, Any]:
    """Copy a mapping without the keys that say what holds anyway, and without empty mappings at `empty`."""
    made = dict(value)
    for path, default in defaults.items():
        _drop(made, path, default)
    for each in empty:
        _drop(made, (each,) if isinstance(each, str) else each, {})
    return made


def _drop(value: dict[str, Any], path: Path, default: Any) -> None:
    for key in path[:-1]:
        inner = value.get(key)
        if not isinstance(inner, dict):
            return
        value[key] = inner = dict(inner)
        value = inner
    if path[-1] in value and canonical(value[path[-1]]) == canonical(default):
        del value[path[-1]]


def _lower(value: dict[str, Any], key: str) -> None:
    """Names of headers say the same in any case (RFC 9110, section 5.1)."""
    headers = value.get(key)
    if isinstance(headers, dict):
        lowered = {str(name).lower(): item for name, item in headers.items()}
        if len(lowered) == len(headers):
            value[key] = lowered


def _expect(value: dict[str, Any]) -> None:
    if not isinstance(value.get("expect"), dict):
        return
    expect = dict(value["expect"])
    if "status" in expect:
        status = expect["status"]
        codes = status if isinstance(status, list) else [status]
        expect["status"] = _unordered([str(code) if isinstance(code, int) else code for code in codes])
    if isinstance(expect.get("that"), list):
        expect["that"] = _unordered(expect["that"])
    _lower(expect, "headers")
    value["expect"] = _plain(expect, {}, "headers")
    if "that" in expect and not expect["that"]:
        del value["expect"]["that"]


def _quantities(value: dict[str, Any]) -> None:
    """Give the waits, times and sizes beside and in `retry` and `limits` one spelling."""
    if "timeout" in value:
        value["timeout"] = _time(value["timeout"])
    if isinstance(value.get("limits"), dict):
        value["limits"] = {
            key: _time(item) if key in _TIMES else _size(item) for key, item in value["limits"].items()
        }
    retry = value.get("retry")
    if not isinstance(retry, dict):
        return
    retry = dict(retry)
    if isinstance(retry.get("on"), list):
        retry["on"] = _unordered(retry["on"])
    if isinstance(retry.get("backoff"), dict):
        retry["backoff"] = {
            key: _time(item) if key in _TIMES else _whole(item) for key, item in retry["backoff"].items()
        }
        retry["backoff"] = {
            key: item
            for key, item in retry["backoff"].items()
            if canonical(item) != canonical(BACKOFF.get(key))
        }
        if not retry["backoff"]:
            del retry["backoff"]
    value["retry"] = retry


_PAGINATE: dict[str, Any] = {"max_pages": 1000, "when": "always"}
_STYLES: dict[Any, dict[str, Any]] = {
    "link": {"rel": "next"},
    "cursor": {"in": "query"},
    "page": {"param": "page", "start": 1},
    "offset": {"param": "offset", "start": 0, "limit_param": "limit"},
}


def _paginate(value: dict[str, Any]) -> None:
    """Leave out of `paginate` what holds anyway."""
    given = value.get("paginate")
    if isinstance(given, dict):
        style = given.get("style")
        implied = {**_PAGINATE, **(_STYLES.get(style, {}) if isinstance(style, str) else {})}
        value["paginate"] = _plain(given, {(key,): item for key, item in implied.items()})


def _unordered(items: list[Any]) -> list[Any]:
    unique = {canonical(item): item for item in items}
    return [unique[key] for key in sorted(unique)]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _time(value: Any) -> Any:
    """Spell a duration with the largest units that fit: 90s is 1m30s."""
    if not isinstance(value, str) or len(value) > 50 or not _DURATION.match(value):
        return value
    rest = seconds(value) * 1000
    if not rest.is_integer():
        return value
    left, text = int(rest), ""
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def _size(value: Any) -> Any:
    match = _SIZE.match(value) if isinstance(value, str) and len(value) < 50 else None
    if not match:
        return value
    number, unit = int(match[1]), match[2]
    for larger, smaller in (("MiB", "KiB"), ("GiB", "MiB")):
        if unit == smaller and number % 1024 == 0:
            number, unit = number // 1024, larger
    return f"{number}{unit}"


def _input(value: Any) -> Any:
    return _plain(value, _INPUT) if isinstance(value, dict) else value


def _unique(item: Any, taken: Mapping[str, Any]) -> str:
    given = item.get("id") if isinstance(item, dict) else None
    name = given if isinstance(given, str) else "(no id)"
    number = 2
    while name in taken:
        name = f"{given or '(no id)'} ({number})"
        number += 1
    return name


def _without_auth_defaults(value: dict[str, Any]) -> None:
    """Leave fields of `auth` out that hold what the type has without them, such as the prefix of a bearer token."""
    type_, auth = value.get("type"), value.get("auth")
    if not isinstance(auth, dict) or type_ not in registry.names("auth"):
        return
    module = registry.load("auth", str(type_))
    # The key of `api_key` stands in a dataclass of its own, because there may be several.
    for holder in (module.Config, getattr(module, "Key", None)):
        for each in fields(holder) if holder else ():
            name = "in" if each.name == "place" else each.name
            if isinstance(each.default, str | bool | int) and name in auth and auth[name] == each.default:
                del auth[name]
