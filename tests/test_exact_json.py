"""Numbers of JSON come out as they went in."""

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.exact_json import DEEPEST, Number, TooDeepError, bounded, dumps, loads

AWKWARD = [
    "0.1000000000000000055",
    "1.10",
    "1E400",
    "-1e-999",
    "100000000000000000000000.0",
    "1e3",
    "12345678901234567890",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
    | st.sampled_from(AWKWARD).map(loads),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("text", [*AWKWARD, "0.5", "-0.0", "1.0", "17"])
def test_a_number_keeps_its_text(text: str) -> None:
    written = f'{{"n": [{text}, {{"m": {text}}}]}}'
    assert dumps(loads(written)) == written
    assert dumps(loads(written), compact=True) == written.replace(" ", "")
    assert dumps(loads(text)) == text
    assert repr(loads(text)) == str(loads(text)) == text


def test_a_number_is_a_float() -> None:
    price = loads("1.10")
    assert isinstance(price, Number)
    assert price == 1.1
    assert price * 2 == 2.2
    assert type(price * 2) is float
    assert loads("1E400") > 5
    assert type(loads("0.5")) is float
    for made in (copy.deepcopy(price), pickle.loads(pickle.dumps(price))):
        assert isinstance(made, Number)
        assert made.text == "1.10"


def test_what_comes_from_outside_is_as_deep_as_may_be_walked() -> None:
    flat = "[" + "[]," * 5000 + "{}]"
    for text in (
        "[" * DEEPEST + "]" * DEEPEST,
        '{"a":' * DEEPEST + "1.10" + "}" * DEEPEST,
        flat,
        '"' + "[" * 500 + '"',
    ):
        assert dumps(bounded(text), compact=True) == text
        assert bounded(text.encode()) == bounded(text)
    for depth in (DEEPEST + 1, 500, 100_000):
        for text in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
            with pytest.raises(TooDeepError):
                bounded(text)


@given(JSON, st.sampled_from([None, 0, 2]), st.booleans())
def test_otherwise_the_text_is_that_of_the_json_module(value: Any, indent: int | None, compact: bool) -> None:
    plain = _without_numbers(value)
    separators = (",", ":") if compact else None
    expected = json.dumps(plain, ensure_ascii=False, indent=indent, separators=separators)
    assert dumps(plain, indent=indent, compact=compact) == expected
    # With one exact number beside it, our own writer writes the rest: it must not differ.
    both = dumps([value, Number("1.10")], indent=indent, compact=compact)
    assert loads(both)[0] == value
    rest = json.dumps([plain, 1.1], ensure_ascii=False, indent=indent, separators=separators)
    assert (
        dumps([plain, Number("1.10")], indent=indent, compact=compact)
        == rest.removesuffix("1.1" + rest.rpartition("1.1")[2]) + "1.10" + rest.rpartition("1.1")[2]
    )


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a": -Infinity}', "1.", "01"])
def test_what_json_does_not_have(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)


@pytest.mark.parametrize("value", [float("nan"), [float("inf"), Number("1.10")], {"a": loads("1E400") * 2}])
def test_what_json_cannot_write(value: Any) -> None:
    with pytest.raises(ValueError):
        dumps(value)


def test_keys_that_are_no_text_and_other_objects() -> None:
    value = {1: 2, True: Number("1.10"), None: 3, "b": object()}  # noqa: F601 - one key, written as the first
    assert dumps(value, default=lambda _: "x") == '{"1": 1.10, "null": 3, "b": "x"}'
    assert dumps({"b": Number("1.10"), "a": 1}, sort_keys=True) == '{"a": 1, "b": 1.10}'
    with pytest.raises(TypeError):
        dumps([object(), Number("1.10")])


def _without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_numbers(item) for item in value]
    return "number" if isinstance(value, Number) else value
