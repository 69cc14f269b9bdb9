"""Whatever the files hold, reading and checking them gives diagnostics: never an exception, never a hang."""

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runner.check import check
from runner.errors import UsageError
from runner.project import load
from tests.test_mutations import STYLES

CONNECTION, WORKFLOW, SETTINGS = "connections.d/api.yaml", "workflows.d/nightly/styles.yaml", "runner.yaml"
FILES = (CONNECTION, WORKFLOW, SETTINGS)
LONGEST_SECONDS = 10.0
"""For one project: hundreds of times what the slowest takes, so that only a hang is one."""

SOME = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def survives(root: Path, path: str, content: bytes, environment: str | None = None) -> None:
    """Check a project with one file replaced."""
    files = {name: text.encode() for name, text in STYLES.items()} | {path: content}
    started = time.monotonic()
    try:
        project = load(root, files=files, environment=environment)
    except UsageError:
        assert environment is not None
        return
    found = check(project)
    assert time.monotonic() - started < LONGEST_SECONDS
    for item in found:
        span = item.primary.span
        assert span.path in files
        assert (1, 1) <= (span.start.line, span.start.column) <= (span.end.line, span.end.column)
        json.dumps(item.to_json())


@SOME
@given(st.sampled_from(FILES), st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(WORKFLOW, b"\xef\xbb\xbfactions: []")
@example(WORKFLOW, b"\xff\xfea\x00")
@example(CONNECTION, b"\x00")
def test_any_bytes(tmp_path: Path, path: str, content: bytes) -> None:
    survives(tmp_path, path, content)


PIECES = [
    "a",
    "actions",
    "id",
    "request",
    "b: ",
    "- ",
    ": ",
    ", ",
    "{",
    "}",
    "[",
    "]",
    "|",
    ">-",
    "'",
    '"',
    "\n",
    "\n  ",
]
PIECES += [
    "\n    ",
    "&a ",
    "*a",
    "!!str ",
    "!x ",
    "<<: ",
    "? ",
    "#",
    "---",
    "...",
    "%YAML 1.2",
    "\t",
    "\r\n",
    "{{ ",
    " }}",
]
PIECES += [
    "{% if a %}",
    "\\u12",
    "\\",
    "é",
    "\U0001f600",
    "\x85",
    "\u2028",
    "@",
    "`",
    "1",
    "null",
    "~",
    "true",
    "1e999",
]


@SOME
@given(st.sampled_from(FILES), st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_yaml(tmp_path: Path, path: str, text: str) -> None:
    survives(tmp_path, path, text.encode("utf-8"))


@SOME
@given(st.sampled_from(FILES), st.data())
def test_a_valid_file_with_anything_in_its_text(tmp_path: Path, path: str, data: st.DataObject) -> None:
    text = STYLES[path]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(st.sampled_from(PIECES) | st.text(max_size=4)) + text[end:]
    survives(tmp_path, path, text.encode("utf-8"))


KEYS = [
    "type",
    "auth",
    "base_url",
    "token",
    "key",
    "headers",
    "query",
    "test",
    "extends",
    "actions",
    "id",
    "request",
    "set",
]
KEYS += [
    "wait",
    "fail",
    "inputs",
    "default",
    "secret",
    "schema",
    "$ref",
    "pattern",
    "properties",
    "outputs",
    "expect",
    "that",
]
KEYS += [
    "environments",
    "vars",
    "connections",
    "policy",
    "hosts",
    "vault",
    "limits",
    "defaults",
    "connection",
    "x-a",
    "",
    "é",
]
TEXTS = [
    "api",
    "bearer",
    "vault://a/b#c",
    "vault://",
    "env://A",
    "{{ inputs.days }}",
    "{{ a | b }}",
    "{{",
    "{{ x[a] }}",
]
TEXTS += [
    "{% for a in b %}{{ a }}{% endfor %}",
    "https://example.com",
    "http://[::1",
    "https://{{ vars.site }}",
    "5s",
    "2xx",
]
TEXTS += [
    "#/nowhere",
    "#",
    "https://example.com/schema",
    "(",
    "string",
    "object",
    "GET /a",
    "a/b",
    "\ud800",
    "\x00",
    "🙂",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(TEXTS)
    | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@SOME
@given(st.sampled_from(FILES), VALUES)
@example(CONNECTION, {"extends": "api"})
@example(CONNECTION, "vault://a/b#c")
@example(WORKFLOW, "vault://a/b#c")
@example(SETTINGS, "vault://a/b#c")
@example(SETTINGS, {"environments": {"a": {"connections": {"zebra": {}}}}})
def test_any_value(tmp_path: Path, path: str, value: Any) -> None:
    survives(tmp_path, path, _written(value))


VALID = {path: yaml.safe_load(text) for path, text in STYLES.items()}


@settings(SOME, max_examples=400)
@given(st.sampled_from(FILES), st.data())
def test_a_valid_file_with_any_value_in_it(tmp_path: Path, path: str, data: st.DataObject) -> None:
    whole = {"": copy.deepcopy(VALID[path])}
    for _ in range(data.draw(st.integers(1, 3))):
        holder: Any = whole
        key: Any = ""
        while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.integers(0, 5)):
            holder = holder[key]
            names = sorted(holder, key=str) if isinstance(holder, dict) else range(len(holder))
            key = data.draw(st.sampled_from(names))
        if isinstance(holder, dict) and key and data.draw(st.booleans()):
            key = data.draw(st.sampled_from(KEYS))
        holder[key] = data.draw(VALUES)
    survives(tmp_path, path, _written(whole[""]))


@SOME
@given(VALUES, VALUES)
@example({"type": "string", "pattern": "("}, "a")
@example({"properties": None}, {})
@example({"type": [], "items": 5, "enum": None}, {})
@example({"$ref": "#"}, "a")
@example({"$ref": "#/nowhere"}, 1)
@example({"$ref": "https://example.com/schema"}, 1)
@example({"$ref": "#/default", "default": {"type": 5}}, 1)
@example({"$dynamicRef": "#a"}, 1)
@example({"patternProperties": {"[": {}}}, {"a": 1})
@example({"type": "integer", "minimum": 1e308}, 10**400)
def test_any_schema_of_an_input_and_any_default(tmp_path: Path, schema: Any, default: Any) -> None:
    value = copy.deepcopy(VALID[WORKFLOW])
    value["inputs"]["any"] = {**schema, "default": default} if isinstance(schema, dict) else schema
    value["actions"][0]["expect"] = {"schema": schema}
    survives(tmp_path, WORKFLOW, _written(value))


@pytest.mark.parametrize("environment", ["a", "b"])
@SOME
@given(value=VALUES)
def test_any_settings_of_an_environment(tmp_path: Path, environment: str, value: Any) -> None:
    survives(tmp_path, SETTINGS, _written({"environments": {"a": value}}), environment)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "&a [", "{{ ", "(", "a: {b: [", '"\\x', "? "])
def test_deep_and_long(opening: str, tmp_path: Path) -> None:
    for path in FILES:
        survives(tmp_path, path, (opening * 20_000).encode())
    survives(tmp_path, WORKFLOW, f"outputs: {{a: '{{{{ {opening * 20_000} }}}}'}}".encode())


def _written(value: Any) -> bytes:
    # JSON is YAML; half a surrogate pair stays escaped.
    return json.dumps(value).encode()
