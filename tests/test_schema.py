"""What the schemas say about a file: at the exact key, with a suggestion, and no value that may be a secret."""

from pathlib import Path
from typing import Any

import pytest

from runner.foreign_keys import FOREIGN
from runner.language import schema_text
from runner.schema import problems_of, schema_problem, written
from tests.rules.projects import TICKETS, brief
from tests.rules.projects import spine as findings

BEARER = "type: bearer\nbase_url: https://example.com\nshared: true\nauth: {token: 'vault://s/a#b'}\n"
ACTION = "actions:\n  - {id: a, set: {a: 1}}\n"
CANARY = "hunter2hunter2"


def connection(root: Path, text: str) -> list[tuple[str, str, str, str | None]]:
    return said(root, {"connections.d/c.yaml": text})


def workflow(root: Path, text: str) -> list[tuple[str, str, str, str | None]]:
    return said(root, {"workflows.d/w.yaml": text})


def said(root: Path, files: dict[str, str]) -> list[tuple[str, str, str, str | None]]:
    found = findings(root, files)
    return [(*line, item.help) for line, item in zip(brief(root, found), found, strict=True)]


@pytest.mark.parametrize(
    ("text", "rule", "message", "marked"),
    [
        (f"{BEARER}tpe: x\n", "unknown-key", "unknown key 'tpe'", "tpe"),
        (f"{BEARER}timeout: 30\n", "wrong-type", "'timeout' must be a duration such as 30s, 5m or 1h30m, not a number", "30"),
        (f"{BEARER}timeout: soon\n", "invalid-value", "'timeout' must be a duration such as 30s, 5m or 1h30m", "soon"),
        (f"{BEARER}retry: {{attempts: 0}}\n", "invalid-value", "'retry.attempts' must be at least 1", "0"),
        (f"{BEARER}retry: {{attempts: many}}\n", "wrong-type", "'retry.attempts' must be a whole number, not text", "many"),
        (f"{BEARER}retry: {{on: [200]}}\n", "invalid-value", "'retry.on[0]' must be a status code from 400 to 599, timeout, or connection", "200"),
        (f"{BEARER}allow: [get /]\n", "invalid-value", "'allow[0]' must be a method and a path pattern such as 'GET *' or 'POST /tickets/*'", "get /"),
        (f"{BEARER}headers: {{A: 1}}\n", "wrong-type", "'headers.A' must be text; put quotes around numbers and true/false, not a number", "1"),
        (f"{BEARER}headers: {{'a b': x}}\n", "invalid-value", "'a b' is no valid name here", "'a b'"),
        (f"{BEARER}test: {{method: GET}}\n", "missing-key", "the key 'path' is missing in 'test'", "method"),
        (f"{BEARER}test: {{path: /, expect: {{status: 700}}}}\n", "invalid-value", "'test.expect.status' must be a status code (100 to 599) or a class such as 2xx", "700"),
        (f"{BEARER}tls: {{verfy: false}}\n", "unknown-key", "unknown key 'verfy'", "verfy"),
        ("type: none\n", "missing-key", "the key 'base_url' is missing", "type"),
        ("base_url: https://example.com\n", "missing-key", "the key 'type' is missing", "base_url"),
        ("type: bearer\nbase_url: https://example.com\n", "missing-key", "the key 'auth' is missing", "type"),
        (f"{TICKETS}auth: {{token: 'vault://s/a#b'}}\n", "unknown-key", "'auth' does not apply here", "auth"),
        ("- a\n", "wrong-type", "a connection file holds a mapping", "- a"),
        ("", "wrong-type", "the file is empty", ""),
    ],
)  # fmt: skip
def test_connections(text: str, rule: str, message: str, marked: str, tmp_path: Path) -> None:
    found = connection(tmp_path, text)
    assert [line[:2] for line in found] == [(rule, message)]
    assert found[0][2].strip() == marked
    assert found[0][3] or rule == "invalid-value" or "must be" in message, "every message has a remedy"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("when: x", "write 'if'"),
        ("depends-on: [x]", "write 'needs'"),
        ("dependsOn: [x]", "write 'needs'"),
        ("register: x", "write 'output'"),
        ("tiemout: 3s", "did you mean 'timeout'?"),
    ],
)
def test_keys_of_other_tools(text: str, remedy: str, tmp_path: Path) -> None:
    files = {"workflows.d/a.yaml": f"actions:\n  - id: one\n    set: {{a: 1}}\n    {text}\n"}
    assert [(rule, told) for rule, _, _, told in said(tmp_path, files)] == [("unknown-key", remedy)]


def test_each_key_of_another_tool_stands_for_one_that_there_is() -> None:
    here = "".join(schema_text(name) for name in ("workflow", "connection"))
    for key, names in FOREIGN.items():
        assert all(f'"{name}"' in here for name in names), key


def test_an_unknown_type_is_suggested(tmp_path: Path) -> None:
    assert connection(tmp_path, "type: baerer\nbase_url: https://example.com\n") == [
        (
            "invalid-value",
            "'type' must be an auth type or a preset; `runner types` lists them",
            "baerer",
            "did you mean 'bearer'?",
        )
    ]


@pytest.mark.parametrize(
    ("text", "rule", "message", "marked"),
    [
        ("description: x\n", "missing-key", "the key 'actions' is missing", "description"),
        ("actions: []\n", "invalid-value", "'actions' must be a list that is not empty", "[]"),
        ("actions: {}\n", "wrong-type", "'actions' must be a list, not a mapping", "{}"),
        ("actions: [x]\n", "wrong-type", "'actions[0]' must be a mapping, not text", "x"),
        ("actions:\n  - {id: a}\n", "action-kind", "the action has no kind", "id"),
        ("actions:\n  - {id: a, set: {a: 1}, wait: 1s}\n", "action-kind", "an action has one kind, this one has set and wait", "id"),
        ("actions:\n  - {set: {a: 1}}\n", "missing-key", "the key 'id' is missing in 'actions[0]'", "set"),
        ("actions:\n  - {id: A, set: {a: 1}}\n", "invalid-value", "'actions[0].id' must be lower-case letters, digits and _, a letter first", "A"),
        ("actions:\n  - {id: a, set: {a: 1}, connection: x}\n", "unknown-key", "'connection' does not apply here", "connection"),
        ("actions:\n  - {id: a, request: {path: x}, connection: c}\n", "invalid-value", "'actions[0].request.path' must be a path that starts with '/'", "x"),
        ("actions:\n  - {id: a, request: {url: 'https://x', metod: GET}}\n", "unknown-key", "unknown key 'metod'", "metod"),
        ("actions:\n  - {id: a, request: {url: 'https://x', method: get}}\n", "invalid-value", "'actions[0].request.method' must be one of GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE", "get"),
        ("actions:\n  - {id: a, set: {a: 1}, on_error: ignore}\n", "invalid-value", "'actions[0].on_error' must be one of fail, continue", "ignore"),
        ("actions:\n  - {id: a, set: {a: 1}, if: 1}\n", "wrong-type", "'actions[0].if' must be text or true or false, not a number", "1"),
        ("actions:\n  - {id: a, wait: 5}\n", "wrong-type", "'actions[0].wait' must be a duration such as 30s, or {until: TIME}, not a number", "5"),
        (f"{ACTION}inputs: {{Bad: {{}}}}\n", "invalid-value", "'Bad' is no valid name here", "Bad"),
        (f"{ACTION}inputs: {{a: {{type: integr}}}}\n", "invalid-value", None, "integr"),
        (f"{ACTION}inputs: {{a: {{minimum: x, type: integer}}}}\n", "invalid-value", "input 'a': not a JSON Schema: must be a number, not text", "x"),
        (f"{ACTION}inputs: {{a: {{default: x, type: integer}}}}\n", "invalid-value", "the default of input 'a' must be a whole number, not text", "x"),
        (f"{ACTION}output: x\n", "unknown-key", "unknown key 'output'", "output"),
    ],
)  # fmt: skip
def test_workflows(text: str, rule: str, message: str | None, marked: str, tmp_path: Path) -> None:
    found = [line for line in workflow(tmp_path, text) if line[0] != "undefined-connection"]
    assert [line[0] for line in found] == [rule], found
    assert message is None or found[0][1] == message
    assert found[0][2] == marked


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = "actions:\n  - {id: a, request: {url: 'https://x', metod: G}, timeout: x}\n  - {id: B, wait: 1}\nfoo: 1\n"
    assert [(line[0], line[2]) for line in workflow(tmp_path, text)] == [
        ("unknown-key", "metod"),
        ("invalid-value", "x"),
        ("invalid-value", "B"),
        ("wrong-type", "1"),
        ("unknown-key", "foo"),
    ]


def test_keys_that_start_with_x_are_a_home_for_anchors(tmp_path: Path) -> None:
    text = "x-retry: &retry {attempts: 2}\nactions:\n  - {id: a, request: {url: 'https://example.com'}, retry: *retry}\n"
    assert workflow(tmp_path, text) == []
    assert [line[0] for line in workflow(tmp_path, "actions:\n  - {id: a, x-b: 1, set: {a: 1}}\n")] == [
        "unknown-key"
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"type: bearer\nbase_url: https://example.com\nauth: {{token: {CANARY}}}\n",
        f"type: bearer\nbase_url: https://example.com\nauth: {{token: [{CANARY}]}}\n",
        f"type: bearer\nbase_url: https://example.com\nauth: {{tokn: {CANARY}}}\n",
        f"type: bearer\nbase_url: https://example.com\nauth: {CANARY}\n",
        f"type: bearer\nbase_url: https://example.com\nauth: [{CANARY}]\n",
        f"type: basic\nbase_url: https://example.com\nauth: {{username: [{CANARY}], password: {CANARY}}}\n",
        f"type: api_key\nbase_url: https://example.com\nauth: {{key: {CANARY}, name: {{a: {CANARY}}}, in: {CANARY}}}\n",
        f"type: api_key\nbase_url: https://example.com\nauth: {{keys: [{CANARY}]}}\n",
        f"type: api_key\nbase_url: https://example.com\nauth: {{keys: {CANARY}}}\n",
        f"type: nonsense\nbase_url: https://example.com\nauth: {{token: {CANARY}}}\n",
    ],
)
def test_no_value_below_auth_is_in_a_message(text: str, tmp_path: Path) -> None:
    found = findings(tmp_path, {"connections.d/c.yaml": text})
    assert found
    assert CANARY not in repr(found)
    for item, (_, _, marked) in zip(found, brief(tmp_path, found), strict=True):
        assert item.primary.concealed or CANARY not in marked


@pytest.mark.parametrize(
    ("schema", "value", "sentences"),
    [
        ({"type": "integer"}, "x", ["a whole number, not text"]),
        ({"type": ["integer", "null"]}, "x", ["a whole number or null, not text"]),
        ({"minimum": 3}, 1, ["at least 3"]),
        ({"exclusiveMaximum": 3}, 3, ["less than 3"]),
        ({"minLength": 1}, "", ["text that is not empty"]),
        ({"maxLength": 2}, "abc", ["at most 2 characters long"]),
        ({"pattern": "^a"}, "b", ["text that matches ^a"]),
        ({"enum": ["a", "b"]}, "c", ["one of a, b"]),
        ({"required": ["a"]}, {}, ["a mapping with the key 'a'"]),
        ({"items": {"type": "string"}}, [1, "a", 2], ["text, not a number", "text, not a number"]),
        ({"uniqueItems": True}, [1, 1], ["a list without repetitions"]),
        ({"additionalProperties": False}, {"a": 1}, ["a mapping without other keys than the declared ones"]),
        ({"not": {}}, 1, ["as its schema says (not)"]),
        (True, 1, []),
        ({}, 1, []),
    ],
)
def test_data_against_a_schema_of_the_user(schema: Any, value: Any, sentences: list[str]) -> None:
    assert [sentence for _, sentence in problems_of(schema, value)] == sentences


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "integer", "maximum": 3},
        {"enum": ["a"]},
        {"const": "a"},
        {"pattern": "^a$"},
        {"format": "ipv4", "maxLength": 3},
        {"properties": {"a": False}},
        {"propertyNames": {"maxLength": 2}},
        {"dependentRequired": {CANARY: ["b"]}},
        {"contains": {"const": 1}},
        {"oneOf": [{"type": "null"}, {"type": "boolean"}]},
        {"if": True, "then": {"type": "null"}},
        {"uniqueItems": True, "maxItems": 1},
        {"additionalProperties": {"type": "integer"}},
        {"unevaluatedProperties": False},
    ],
)
def test_no_sentence_holds_a_part_of_the_value(schema: Any) -> None:
    for value in (CANARY, [CANARY, CANARY], {"a": CANARY, CANARY: CANARY}):
        assert CANARY not in "".join(sentence for _, sentence in problems_of(schema, value)) or CANARY in str(
            schema
        )


@pytest.mark.parametrize("schema", [{}, True, {"type": "object", "properties": {"a": {"minimum": 1}}}])
def test_a_schema_that_is_one(schema: Any) -> None:
    assert schema_problem(schema) is None


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        ({"type": "strin"}, ("type",)),
        ({"minimum": "1"}, ("minimum",)),
        ({"properties": {"a": {"pattern": 1}}}, ("properties", "a", "pattern")),
        (17, ()),
    ],
)
def test_a_schema_that_is_none(schema: Any, pointer: tuple[str, ...]) -> None:
    problem = schema_problem(schema)
    assert problem is not None
    assert problem[0] == pointer


def test_a_pattern_that_is_no_regular_expression(tmp_path: Path) -> None:
    found = workflow(tmp_path, f"{ACTION}inputs: {{a: {{type: string, pattern: '(', default: x}}}}\n")
    assert [line[0] for line in found] == ["invalid-value"]


def test_a_reference_to_elsewhere_is_not_fetched(tmp_path: Path) -> None:
    text = f"{ACTION}inputs: {{a: {{$ref: 'https://example.com/schema.json', default: 1}}}}\n"
    assert [line[0] for line in workflow(tmp_path, text)] == ["invalid-value"]


def test_pointers_are_written_as_people_do() -> None:
    assert written(("body", "items", 0, "id")) == "body.items[0].id"
    assert written(()) == ""
