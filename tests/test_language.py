"""The JSON Schemas: current, valid, closed, described, and in step with the dataclasses."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from runner import model, registry
from runner.bind import limits, retry
from runner.language import MODIFIERS, NAMES, composed_text, schema_text, write
from runner.model import Backoff, Limits, Retry

SHIPPED = Path(__file__).parent.parent / "schemas"


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_schemas_are_current(name: str) -> None:
    shipped = (SHIPPED / f"{name}.schema.json").read_text(encoding="utf-8")
    assert shipped == composed_text(name), "run: make schemas"
    assert shipped == schema_text(name)


@pytest.mark.parametrize("name", NAMES)
def test_they_are_schemas(name: str) -> None:
    Draft202012Validator.check_schema(json.loads(schema_text(name)))


def test_they_can_be_written_elsewhere(tmp_path: Path) -> None:
    write(tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {f"{name}.schema.json" for name in NAMES}


def subschemas(schema: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        yield where, schema
        for key, item in schema.items():
            if key not in ("examples", "enum", "const", "default"):
                yield from subschemas(item, f"{where}/{key}")
    elif isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from subschemas(item, f"{where}/{index}")


@pytest.mark.parametrize("name", NAMES)
def test_every_mapping_with_known_keys_is_closed(name: str) -> None:
    # What follows `if` closes: each login method has keys of its own.
    open_on_purpose = (
        "/properties/vault/properties/auth",
        "/properties/inputs/additionalProperties",
        "/properties/paginate",
        "/then",
        "/else",
        "/if",
        "/allOf",
    )
    for where, schema in subschemas(json.loads(schema_text(name))):
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            closed = (
                schema.get("additionalProperties") is False
                or schema.get("unevaluatedProperties") is False
                or "propertyNames" in schema
            )
            assert closed or any(part in where for part in open_on_purpose), where


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_described_for_editors(name: str) -> None:
    for where, schema in subschemas(json.loads(schema_text(name))):
        if "/if" in where or ("/allOf/" in where and "/then" not in where):
            continue
        properties = schema.get("properties")
        for key, item in (
            properties.items() if isinstance(properties, dict) and not where.endswith("/properties") else ()
        ):
            if isinstance(item, dict) and set(item) - {"const"}:
                assert item.get("description"), f"{where}: {key}"


@pytest.mark.parametrize("name", NAMES)
def test_every_example_of_a_key_satisfies_it(name: str) -> None:
    whole = json.loads(schema_text(name))
    for where, schema in subschemas(whole):
        examples = schema.get("examples")
        for example in examples if isinstance(examples, list) and "/properties/examples" not in where else ():
            problems = list(
                Draft202012Validator({"$defs": whole.get("$defs", {}), **schema}).iter_errors(example)
            )
            assert problems == [], f"{where}: {example}"


@pytest.mark.parametrize("name", NAMES)
def test_no_choice_between_shapes_hides_the_exact_key(name: str) -> None:
    """`oneOf` over shapes says only that none fits; over which keys are there it is exact."""
    for where, schema in subschemas(json.loads(schema_text(name))):
        assert "anyOf" not in schema, where
        for option in schema.get("oneOf", []) if isinstance(schema.get("oneOf"), list) else []:
            assert set(option) == {"required"}, where


@pytest.mark.parametrize("name", registry.names("auth"))
def test_an_auth_type_carries_what_its_schema_says(name: str) -> None:
    module = registry.load("auth", name)
    fields = {field.name for field in dataclasses.fields(module.Config)}
    if module.SCHEMA is None:
        assert fields == set()
        return
    properties = set(module.SCHEMA["properties"])
    assert {
        key for key, item in module.SCHEMA["properties"].items() if item.get("x-secret")
    } == module.SECRET_FIELDS
    if name == "api_key":
        key = {field.name for field in dataclasses.fields(module.Key)}
        assert key == {"place" if item == "in" else item for item in properties - {"keys"}}
    else:
        assert fields == {"place" if item == "in" else item for item in properties}


@pytest.mark.parametrize("kind", registry.names("actions"))
def test_a_kind_of_action_takes_known_modifiers(kind: str) -> None:
    module = registry.load("actions", kind)
    assert module.MODIFIERS <= MODIFIERS
    assert module.SUMMARY


def keys(*path: str, of: str) -> set[str]:
    schema = json.loads(schema_text(of))
    for part in path:
        schema = schema[part]
    return set(schema["properties"])


def fields(kind: type) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize(
    ("kind", "schema", "path"),
    [
        (model.Retry, "connection", ("properties", "retry")),
        (model.Backoff, "connection", ("properties", "retry", "properties", "backoff")),
        (model.RateLimit, "connection", ("properties", "rate_limit")),
        (model.Reset, "connection", ("properties", "rate_limit", "properties", "reset")),
        (model.Tls, "connection", ("properties", "tls")),
        (model.Limits, "workflow", ("properties", "limits")),
        (model.Expect, "workflow", ("$defs", "action", "properties", "expect")),
    ],
)
def test_dataclasses_carry_the_keys_of_their_schema(kind: type, schema: str, path: tuple[str, ...]) -> None:
    assert keys(*path, of=schema) == fields(kind)


def test_a_connection_carries_the_keys_of_its_schema() -> None:
    assert keys(of="connection") - fields(model.Connection) == set()


def test_an_action_carries_the_keys_of_its_schema() -> None:
    kinds = set(registry.names("actions"))
    named = {"condition": "if", "inputs": "with"}
    carried = {named.get(name, name) for name in fields(model.Action)}
    assert keys("$defs", "action", of="workflow") - kinds - carried == set()


def test_a_workflow_carries_the_keys_of_its_schema() -> None:
    carried = {name.rstrip("_") for name in fields(model.Workflow)}
    assert keys(of="workflow") - carried == {"defaults"}


def test_bounds_are_bound() -> None:
    assert retry(None) is None
    assert retry({}) == Retry()
    full = {"attempts": 5, "on": [429, "timeout"], "backoff": {"first": "500ms", "factor": 3, "limit": "1m"}}
    assert retry(full) == Retry(
        attempts=5, on=frozenset({429, "timeout"}), backoff=Backoff(first=0.5, factor=3, limit=60.0)
    )
    assert limits() == Limits()
    assert limits(
        {"body": "1KiB", "retry_after": "10m"},
        {"body": "2MiB", "connect": "1m30s"},
        {"template_output": "1GiB", "retrying": "1h"},
    ) == Limits(body=2 * 1024**2, connect=90.0, template_output=1024**3, retry_after=600.0, retrying=3600.0)
