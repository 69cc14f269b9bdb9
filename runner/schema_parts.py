"""What no meta-schema sees in a JSON Schema that a user wrote: expressions and references that cannot be used."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

Pointer = tuple[str | int, ...]

_ONE = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
    }
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_EXPRESSION = "a regular expression"
_REFERENCE = "a reference to a part of this schema, such as #/$defs/name; nothing is fetched"


def unusable(schema: Any) -> tuple[Pointer, str] | None:
    """Find the first part of a valid schema that would fail when it is applied, with what it must be."""
    for pointer, part in _parts(schema):
        pattern = part.get("pattern")
        if pattern is not None and not _compiles(pattern):
            return (*pointer, "pattern"), _EXPRESSION
        for name in part.get("patternProperties", ()):
            if not _compiles(name):
                return (*pointer, "patternProperties", name), _EXPRESSION
        for key in ("$ref", "$dynamicRef"):
            if key in part and not _leads_somewhere(part[key], schema):
                return (*pointer, key), _REFERENCE
    return None


_JUDGED_APART = frozenset({"multipleOf", "pattern", "patternProperties", "$schema"})


def judged_alike(schema: Any) -> bool:
    """Tell whether jsonschema and jsonschema-rs judge by a schema alike.

    They do not count the same fractions as multiples; a pattern's word character is any letter to one, an ASCII one to
    the other.
    """
    return not any(_JUDGED_APART & part.keys() for _, part in _parts(schema))


def _parts(schema: Any) -> Iterator[tuple[Pointer, dict[str, Any]]]:
    """Give each schema in a schema; not its data, which may look like one (`default`, `enum`)."""
    pending: list[tuple[Pointer, Any]] = [((), schema)]
    while pending:
        pointer, part = pending.pop()
        if not isinstance(part, dict):
            continue
        yield pointer, part
        for key, value in part.items():
            if key in _ONE:
                pending.append(((*pointer, key), value))
            elif key in _LISTS and isinstance(value, list):
                pending += [((*pointer, key, index), item) for index, item in enumerate(value)]
            elif key in _MAPS and isinstance(value, dict):
                pending += [((*pointer, key, name), item) for name, item in value.items()]


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _leads_somewhere(reference: str, schema: Any) -> bool:
    """Tell whether a reference leads to a schema; one to another resource is known where the schema holds an `$id`."""
    resource, _, fragment = reference.partition("#")
    parts = [part for _, part in _parts(schema)]
    if resource:
        return resource.startswith("https://json-schema.org/draft/") or any("$id" in part for part in parts)
    if fragment and not fragment.startswith("/"):
        return any(fragment in (part.get("$anchor"), part.get("$dynamicAnchor")) for part in parts)
    target = schema
    for step in unquote(fragment).split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict) and name in target:
            target = target[name]
        elif isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        else:
            return False
    return isinstance(target, dict | bool)
