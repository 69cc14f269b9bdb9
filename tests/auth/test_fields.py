"""What is blanked in messages and comparisons knows every field of every auth type that is no secret."""

from collections.abc import Iterator, Mapping
from typing import Any

from runner import registry
from runner.compare import conceal as compared
from runner.reports.text import conceal as printed


def plain_fields(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, described in schema["properties"].items():
        if described is False or "x-secret" in described:
            continue
        yield (*path, name)
        if described.get("additionalProperties") is False:
            yield from plain_fields(described, (*path, name))


def test_plain_fields_are_known_as_such() -> None:
    secret: set[str] = set()
    plain: set[tuple[str, ...]] = set()
    for name in registry.names("auth"):
        module = registry.load("auth", name)
        secret |= module.SECRET_FIELDS
        plain |= set(plain_fields(module.SCHEMA)) if module.SCHEMA else set()
    outer = {path[0] for path in plain} - secret
    assert outer - printed._PLAIN_FIELDS == set()
    scalars = {
        path for path in plain if not any(other[: len(path)] == path and other != path for other in plain)
    }
    judged = {path[-1] for path in scalars if not compared._FREE_FIELDS & set(path)} - secret
    assert judged - compared._PLAIN_FIELDS == set()
