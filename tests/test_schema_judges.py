"""jsonschema-rs says sooner what jsonschema says: of any schema and any value, and of what it is not to be asked."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import schema as module
from runner.schema import problems_of, schema_problem
from runner.schema_parts import judged_alike, unusable

NUMBERS = st.integers(-3, 3) | st.sampled_from([0.5, 1.0, 2.5])
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "ab", "é", "5", "🙂", "a\n"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
SIZES = st.integers(0, 3)


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    named = st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(VALUES, min_size=1, max_size=3),
        "const": VALUES,
        "minimum": NUMBERS,
        "exclusiveMaximum": NUMBERS,
        "minLength": SIZES,
        "maxItems": SIZES,
        "uniqueItems": st.booleans(),
        "required": st.lists(st.sampled_from("ab"), unique=True),
        "properties": named,
        "additionalProperties": inner,
        "items": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "contains": inner,
        "anyOf": st.lists(inner, min_size=1, max_size=2),
        "oneOf": st.lists(inner, min_size=1, max_size=2),
        "not": inner,
        "if": inner,
        "then": inner,
        "unevaluatedProperties": inner,
        "dependentRequired": st.just({"a": ["b"]}),
        "pattern": st.sampled_from(["^a", r"\w", r"^\D+$", "(?P<n>a)"]),
        "multipleOf": st.sampled_from([1, 0.5, 0.1]),
        "format": st.sampled_from(["email", "date"]),
        "$ref": st.sampled_from(["#/properties/a", "#", "#/nowhere"]),
    }
    return st.lists(st.sampled_from(sorted(keywords)), max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: keywords[name] for name in names})
    )


SCHEMAS = st.recursive(st.booleans() | _schemas(st.booleans()), _schemas, max_leaves=6)


def by_jsonschema(monkeypatch: pytest.MonkeyPatch, ask: Any, *args: Any) -> Any:
    with monkeypatch.context() as patched:
        patched.setattr(module, "_accepts", lambda *_: False)
        return ask(*args)


@settings(max_examples=400, deadline=None)
@given(schema=SCHEMAS, value=VALUES)
def test_any_value_is_judged_as_by_jsonschema(schema: Any, value: Any) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        slow = by_jsonschema(monkeypatch, problems_of, schema, value)
    fast = problems_of(schema, value)
    if slow == [((), module._UNDECIDED)]:  # in circles: jsonschema-rs knows when to stop
        assert fast in (slow, [])
    else:
        assert fast == slow


@settings(max_examples=200, deadline=None)
@given(schema=SCHEMAS | VALUES)
def test_any_schema_is_judged_as_by_jsonschema(schema: Any) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        slow = by_jsonschema(monkeypatch, schema_problem, schema)
    assert schema_problem(schema) == slow


@pytest.mark.parametrize(
    "schema",
    [
        {"multipleOf": 0.1},
        {"items": {"pattern": r"\W"}},
        {"properties": {"a": {"patternProperties": {"a": True}}}},
        {"anyOf": [{"pattern": "a"}]},
        {"$schema": "http://json-schema.org/draft-07/schema#"},
    ],
)
def test_what_the_two_judge_apart_is_left_to_jsonschema(schema: Any) -> None:
    assert not judged_alike(schema)


def test_data_is_no_schema() -> None:
    assert judged_alike(
        {"default": {"pattern": "("}, "enum": [{"multipleOf": 1}], "properties": {"pattern": {}}}
    )
    assert unusable({"default": {"pattern": "("}, "properties": {"pattern": {}}}) is None
    assert judged_alike(True)


def test_a_schema_of_another_draft_is_judged_as_one_of_ours() -> None:
    old = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{}]}
    assert schema_problem(old) == schema_problem({"items": [{}]})
    assert schema_problem(old) is not None


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"pattern": "("}, (("pattern",), "a regular expression")),
        (
            {"items": {"patternProperties": {"[": {}}}},
            (("items", "patternProperties", "["), "a regular expression"),
        ),
        ({"pattern": r"^\d+(?P<a>b)$"}, None),
        ({"$ref": "#/nowhere"}, (("$ref",), "a reference to a part of this schema")),
        ({"$ref": "#/type", "type": "string"}, (("$ref",), "a reference to a part of this schema")),
        ({"$ref": "https://example.com/a"}, (("$ref",), "a reference to a part of this schema")),
        (
            {"allOf": [{"$dynamicRef": "#a"}]},
            (("allOf", 0, "$dynamicRef"), "a reference to a part of this schema"),
        ),
        ({"$ref": "#a", "$defs": {"b": {"$anchor": "a"}}}, None),
        ({"$ref": "#/$defs/a~1b%20c", "$defs": {"a/b c": {}}}, None),
        ({"$ref": "#/prefixItems/1", "prefixItems": [{}, {}]}, None),
        (
            {"$ref": "#/prefixItems/2", "prefixItems": [{}, {}]},
            (("$ref",), "a reference to a part of this schema"),
        ),
        ({"$ref": "#"}, None),
        ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, None),
    ],
)
def test_what_would_fail_when_it_is_applied(schema: Any, problem: tuple[Any, str] | None) -> None:
    found = schema_problem(schema)
    if problem is None:
        assert found is None
    else:
        assert found is not None
        assert found[0] == problem[0]
        assert found[1].startswith(problem[1])


def test_a_schema_in_circles_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert by_jsonschema(monkeypatch, problems_of, {"$ref": "#"}, 1) == [((), module._UNDECIDED)]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"pattern": "(a+)+$"}, "a" * 60 + "!"),
        ({"items": {"patternProperties": {"(a+)+$": {"type": "null"}}}}, [{"a" * 60 + "!": 1}]),
        ({"patternProperties": {"(a+)+$": True}, "additionalProperties": False}, {"a" * 60 + "!": 1}),
    ],
)
def test_a_pattern_that_takes_too_long_is_given_up(
    schema: Any, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.filters.REGEX_SECONDS", 0.1)
    [(place, sentence)] = problems_of(schema, value)
    assert place == ()
    assert sentence.startswith("easier to check: a `pattern` of its schema took longer than")


def test_without_jsonschema_rs_jsonschema_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jsonschema_rs", None)
    module._shipped_judge.cache_clear()
    module._meta_judge.cache_clear()
    try:
        assert module._judge({}) is None
        assert module._meta_judge() is None
        assert problems_of({"type": "string"}, 1) != []
        assert problems_of({"type": "string"}, "a") == []
        assert schema_problem({"type": "zebra"}) is not None
    finally:
        module._meta_judge.cache_clear()
