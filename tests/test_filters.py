"""The filters of templates."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from runner.errors import FailureError
from runner.filters import FILTERS, FilterError, type_name
from tests.template.maker import made

CONTEXT = {
    "inputs": {
        "map": {"b": 1, "a": [True, None, "é"]},
        "text": "Hello World",
        "time": "2026-01-31T23:30:00+01:00",
    }
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ inputs.map | to_json }}", '{"b":1,"a":[true,null,"é"]}'),
        ("{{ [1] | to_json(indent=1) }}", "[\n 1\n]"),
        ("{{ (inputs.time | to_datetime) | to_json }}", '"2026-01-31T23:30:00+01:00"'),
        ("{{ '[1, {\"a\": null}]' | from_json }}", [1, {"a": None}]),
        ("{{ inputs.map | jmespath('a[2]') }}", "é"),
        ("{{ inputs.map | jmespath('nothing.here') }}", None),
        ("{{ inputs.text | regex_search('W\\\\w+') }}", "World"),
        ("{{ inputs.text | regex_search('(?P<first>\\\\w)(\\\\w+)', 2) }}", "ello"),
        ("{{ inputs.text | regex_search('(?P<first>\\\\w)', 'first') }}", "H"),
        ("{{ inputs.text | regex_search('zzz') }}", None),
        ("{{ inputs.text | regex_replace('(l+)', '<\\\\1>') }}", "He<ll>o Wor<l>d"),
        ("{{ 'é?' | b64encode }}", "w6k/"),
        ("{{ 'é?' | b64encode(urlsafe=true) }}", "w6k_"),
        ("{{ 'w6k_' | b64decode }}", "é?"),
        ("{{ 'YQ' | b64decode }}", "a"),
        ("{{ 12 | b64encode }}", "MTI="),
        ("{{ '' | sha256 }}", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("{{ 'Hi There' | hmac_sha256('key') | length }}", 64),
        ("{{ 'what do ya want for nothing?' | hmac_sha256('Jefe') }}", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ("{{ 'a' | hmac_sha256('b', 'base64') | length }}", 44),
        ("{{ 'a b/é' | url_quote }}", "a%20b%2F%C3%A9"),
        ("{{ 'a b/é' | url_quote('/') }}", "a%20b/%C3%A9"),
        ("{{ 0 | to_datetime }}", "1970-01-01T00:00:00Z"),
        ("{{ '2026-01-31' | to_datetime }}", "2026-01-31T00:00:00Z"),
        ("{{ '31.01.2026' | to_datetime('%d.%m.%Y') }}", "2026-01-31T00:00:00Z"),
        ("{{ inputs.time | format_datetime }}", "2026-01-31T22:30:00Z"),
        ("{{ inputs.time | format_datetime('%d.%m. %H:%M', 'Europe/Berlin') }}", "31.01. 23:30"),
        ("{{ inputs.time | shift('1h30m') }}", "2026-02-01T01:00:00+01:00"),
        ("{{ inputs.time | shift('-14d') | format_datetime('%Y-%m-%d') }}", "2026-01-17"),
        ("{{ inputs.time | shift('+1d') | format_datetime('%d') }}", "01"),
        ("{{ (inputs.time | to_datetime) < (inputs.time | shift('1s')) }}", True),
    ],
)  # fmt: skip
def test_what_they_give(text: str, value: Any) -> None:
    found = made(text).render(CONTEXT)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ 'x' | from_json }}", "from_json: not JSON: Expecting value at line 1 column 1"),
        ("{{ ('[' * 101 ~ ']' * 101) | from_json }}", "from_json: not JSON: it holds NaN, a number of thousands of digits, or is nested too deeply"),
        ("{{ inputs.map | from_json }}", "from_json: text is needed, not a mapping"),
        ("{{ none | b64encode }}", "b64encode: text is needed, not null"),
        ("{{ true | sha256 }}", "sha256: text is needed, not a boolean"),
        ("{{ '*' | b64decode }}", "b64decode: not base64 of UTF-8 text"),
        ("{{ '/w==' | b64decode }}", "b64decode: not base64 of UTF-8 text"),
        ("{{ 'a' | regex_search('(') }}", "regex_search: the pattern is not valid: missing ), unterminated subpattern"),
        ("{{ 'a' | regex_search('a', 1) }}", "regex_search: the pattern has no such group"),
        ("{{ 'a' | regex_search('a', 'x') }}", "regex_search: the pattern has no such group"),
        ("{{ 'a' | hmac_sha256('b', 'rot13') }}", "hmac_sha256: the encoding is 'hex' or 'base64'"),
        ("{{ 'soon' | to_datetime }}", "to_datetime: not a time; give ISO 8601, epoch seconds or a format"),
        ("{{ 1e300 | to_datetime }}", "to_datetime: not a time; give ISO 8601, epoch seconds or a format"),
        ("{{ 0 | format_datetime('%Y', 'Mars/Olympus') }}", "format_datetime: no such time zone"),
        ("{{ 0 | format_datetime('%Y', '../../etc/passwd') }}", "format_datetime: no such time zone"),
        ("{{ 0 | shift('soon') }}", "shift: give a duration such as '-14d' or '1h30m'"),
        ("{{ 0 | shift('99999999999w') }}", "shift: give a duration such as '-14d' or '1h30m'"),
    ],
)  # fmt: skip
def test_what_they_refuse(text: str, message: str) -> None:
    with pytest.raises(FailureError) as caught:
        made(text).render(CONTEXT)
    assert caught.value.failure.message == message


def test_jmespath_mistakes_are_explained() -> None:
    """In words of ours: those of the library hold the value that did not fit."""
    for expression, why in {
        "a[": "the expression ends too early",
        "": "the expression ends too early",
        "a.?": "the expression cannot be read from its character 3 on",
        "a]": "the expression cannot be read from its character 2 on",
        "nope(a)": "unknown function: nope()",
        "abs(name)": "abs() takes number, and was given string",
        "sort_by(list, &x)": "sort_by() takes string or number, and was given object",
        "abs(a, a)": "abs() takes 1 arguments, and was given 2",
        "sum(mixed)": "sum() takes array-number, and was given string",
    }.items():
        data = {"a": 1, "name": "the-value", "list": [{"x": {}}, {"x": {}}], "mixed": [1, "the-value"]}
        with pytest.raises(FilterError) as caught:
            FILTERS["jmespath"](data, expression)
        assert str(caught.value) == f"jmespath: {why}", expression
    with pytest.raises(FilterError, match="text"):
        FILTERS["jmespath"]({}, ["a"])


def test_a_slow_pattern_is_ended() -> None:
    start = time.monotonic()
    with pytest.raises(FilterError, match="took longer"):
        FILTERS["regex_search"]("a" * 40 + "b", "(a+)+$")
    assert time.monotonic() - start < 5


def test_patterns_work_in_other_threads() -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(FILTERS["regex_search"]("abc", "b")))
    thread.start()
    thread.join()
    assert found == ["b"]


@pytest.mark.parametrize(
    ("value", "name"),
    [(None, "null"), (True, "a boolean"), (1, "a number"), (1.5, "a number"), ("", "text"), ([], "a list"), ((), "a list"), ({}, "a mapping"), (datetime.now(UTC), "a time")],
)  # fmt: skip
def test_types_have_the_names_of_json(value: Any, name: str) -> None:
    assert type_name(value) == name
