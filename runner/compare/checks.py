"""Expectations compared: which checks of a response a change took away or weakened."""

from collections.abc import Iterator, Mapping
from typing import Any

from runner.compare.danger import danger
from runner.compare.tree import MISSING, canonical, dig, listed, mapping, same
from runner.errors import JsonObject

_DEFAULT_STATUS = ("2xx", "3xx")
_NARROWING = frozenset(
    {"type", "enum", "const", "required", "pattern", "properties", "minimum", "maximum", "exclusiveMinimum"}
    | {"exclusiveMaximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
    | {"uniqueItems", "additionalProperties", "multipleOf", "format"}
)
"""Keywords that, added to a schema, permit nothing that it refused."""
_SILENT = frozenset({"title", "description", "$comment", "examples", "default", "deprecated"})
_LEAST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_MOST = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})


def weaker(before: Any, after: Any, file: str, **where: str | None) -> Iterator[JsonObject]:
    """List what a changed `expect` no longer checks."""
    old, new = mapping(before), mapping(after)
    status = _status(old, new)
    if status:
        one, other = _codes(old), _codes(new)
        yield danger(
            "less-checked", f"expect.status takes {status} as well", file, before=one, after=other, **where
        )
    kept = {canonical(item) for item in listed(new.get("that"))}
    for item in listed(old.get("that")):
        if canonical(item) not in kept:
            yield danger(
                "less-checked", "expect.that: a condition is gone or changed", file, before=item, **where
            )
    for name, wanted in mapping(old.get("headers")).items():
        given = dig(new, "headers", name)
        if not same(wanted, given) and not (wanted is True and isinstance(given, str)):
            message = f"expect.headers: '{name}' is checked no more, or otherwise"
            yield danger("less-checked", message, file, before=wanted, after=given, **where)
    schema, now = old.get("schema", MISSING), new.get("schema", MISSING)
    if schema is not MISSING and not stricter(schema, now):
        message = "expect.schema is gone" if now is MISSING else "expect.schema may permit more"
        yield danger("less-checked", message, file, **where)


def stricter(before: Any, after: Any) -> bool:
    """Tell whether a JSON Schema surely permits nothing that the one before refused. False where that is not sure."""
    if same(before, after) or before is True:
        return True
    if after is False:
        return True
    if not isinstance(before, dict) or not isinstance(after, dict):
        return False
    one = {key: item for key, item in before.items() if key not in _SILENT}
    other = {key: item for key, item in after.items() if key not in _SILENT}
    if not set(one) <= set(other) or not set(other) - set(one) <= _NARROWING:
        return False
    # A property that gets a schema of its own is no longer one of the additional ones.
    closed = any(
        "Properties" in key for key in {*one, *other} if key not in ("minProperties", "maxProperties")
    )
    return all(_narrowed(key, one[key], other[key], closed=closed) for key in one) and not (
        closed and "properties" in other and "properties" not in one
    )


def _narrowed(key: str, before: Any, after: Any, *, closed: bool) -> bool:
    if same(before, after):
        return True
    if key == "required":
        return set(map(canonical, listed(before))) <= set(map(canonical, listed(after)))
    if key == "enum":
        return set(map(canonical, listed(after))) <= set(map(canonical, listed(before)))
    if key == "properties":
        old, new = mapping(before), mapping(after)
        grown = set(new) - set(old)
        return (
            set(old) <= set(new)
            and not (closed and grown)
            and all(stricter(old[name], new[name]) for name in old)
        )
    if key in _LEAST | _MOST and _number(before) and _number(after):
        return bool(after > before) if key in _LEAST else bool(after < before)
    return key in ("items", "additionalProperties") and stricter(before, after)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _codes(expect: Mapping[str, Any]) -> list[str]:
    status = expect.get("status")
    return [str(code) for code in status] if isinstance(status, list) else list(_DEFAULT_STATUS)


def _status(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Name the codes that are taken now and were not before."""
    before = set(_codes(old))
    added = [code for code in _codes(new) if code not in before and f"{code[:1]}xx" not in before]
    return ", ".join(added)
