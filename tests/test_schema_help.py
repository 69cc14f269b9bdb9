"""Every key of the schemas says what it is and gives an example: that is what an editor shows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parent.parent
NAMES = ("connection", "workflow", "project")
_PARTS = ("items", "additionalProperties", "then", "else")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")

Key = tuple[str, Any]


def keys(schema: Any, path: str = "") -> Iterator[Key]:
    """Give every key that a schema describes, at every level, with its path; what only tests a condition is left out."""
    if not isinstance(schema, dict):
        return
    for name, described in {**schema.get("properties", {}), **schema.get("patternProperties", {})}.items():
        # `true` and `false` say whether a key described elsewhere may stand here.
        if not isinstance(described, bool):
            yield f"{path}/{name}", described
            yield from keys(described, f"{path}/{name}")
    for part in _PARTS:
        yield from keys(schema.get(part), f"{path}/{part}")
    for part in _LISTS:
        for number, each in enumerate(schema.get(part, ())):
            yield from keys(each, f"{path}/{part}[{number}]")
    for name, each in schema.get("$defs", {}).items():
        yield from keys(each, f"{path}/$defs/{name}")


def problems(schema: dict[str, Any]) -> list[str]:
    """Say which keys lack help, and which examples their own schema refuses."""
    found = []
    for path, described in keys(schema):
        about = described.get("description", "")
        if not about.endswith((".", ")")):
            found.append(f"{path}: no description that is a sentence")
        if path == "/^x-":
            continue  # holds whatever its author wants
        examples = described.get("examples", [])
        if not examples:
            found.append(f"{path}: no examples")
        whole = {**described, "$defs": schema.get("$defs", {})}
        for example in examples:
            refused = [problem.message for problem in Draft202012Validator(whole).iter_errors(example)]
            found += [f"{path}: {example!r}: {message}" for message in refused]
    return found


def shipped(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    return schema


@pytest.mark.parametrize("name", NAMES)
def test_every_key_has_a_description_and_a_valid_example(name: str) -> None:
    schema = shipped(name)
    assert len(list(keys(schema))) > 30
    assert problems(schema) == []


def test_what_is_missing_is_found_at_every_level() -> None:
    good = {"description": "A key.", "examples": [1]}
    schema = {
        "properties": {"a": {**good, "properties": {"b": {"description": "No example."}}}},
        "allOf": [
            {"if": {"properties": {"c": {"const": 1}}}, "then": {"properties": {"d": {"examples": [1]}}}}
        ],
        "$defs": {"e": {"items": {"properties": {"f": {**good, "type": "string"}, "g": False}}}},
    }
    assert problems(schema) == [
        "/a/b: no examples",
        "/allOf[0]/then/d: no description that is a sentence",
        "/$defs/e/items/f: 1: 1 is not of type 'string'",
    ]
