"""Query and headers, of the request and of its connection."""

from pathlib import Path

import pytest

from runner.errors import JsonObject
from tests.request.sent import arrived, refused
from tests.servers.http import Server


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ({}, "/x"),
        ({"a": "1", "b": 2}, "/x?a=1&b=2"),
        ({"a": [1, "two", None, True]}, "/x?a=1&a=two&a=true"),
        ({"a": None}, "/x"),
        ({"a": []}, "/x"),
        ({"a": ""}, "/x?a="),
        ({"a": True, "b": False}, "/x?a=true&b=false"),
        ({"a b": "c d"}, "/x?a%20b=c%20d"),
        ({"a": "x&y=z#?+%"}, "/x?a=x%26y%3Dz%23%3F%2B%25"),
        ({"a": "ü"}, "/x?a=%C3%BC"),
        ({"a": "-._~"}, "/x?a=-._~"),
        ({"ids[]": [1, 2]}, "/x?ids%5B%5D=1&ids%5B%5D=2"),
        ({"a": "{{ inputs.many }}"}, "/x?a=1&a=2"),
        ({"a": "{{ inputs.nothing }}"}, "/x"),
        ({"a": "{{ inputs.yes }}"}, "/x?a=true"),
        ({"a": "{{ inputs.deep }}"}, "/x?a=%7B%22k%22%3A%5B1%5D%7D"),
        ({"a": 1.0}, "/x?a=1.0"),
    ],
)
def test_query(query: JsonObject, target: str, api: Server, tmp_path: Path) -> None:
    inputs = {"many": [1, 2], "nothing": None, "yes": True, "deep": {"k": [1]}}
    assert arrived(api, tmp_path, query=query, inputs=inputs).target == target


def test_queries_of_path_connection_and_action_come_together(api: Server, tmp_path: Path) -> None:
    sent = arrived(
        api, tmp_path, path="/x?p=0", query={"b": 2, "c": 3}, connection={"query": {"a": 1, "b": 1}}
    )
    assert sent.target == "/x?p=0&a=1&b=2&c=3"


def test_an_action_can_take_a_parameter_of_the_connection_away(api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, query={"b": None}, connection={"query": {"a": 1, "b": 1}})
    assert sent.target == "/x?a=1"


def test_headers_of_the_action_win_whatever_their_case(api: Server, tmp_path: Path) -> None:
    sent = arrived(
        api,
        tmp_path,
        headers={"x-version": "2", "X-Own": "{{ inputs.n }}"},
        connection={"headers": {"X-Version": "1", "X-Team": "support"}},
        inputs={"n": 5},
    )
    assert [value for name, value in sent.headers if name.lower() == "x-version"] == ["2"]
    assert (sent.header("X-Own"), sent.header("X-Team")) == ("5", "support")


def test_null_takes_a_header_away(api: Server, tmp_path: Path) -> None:
    sent = arrived(
        api,
        tmp_path,
        headers={"X-VERSION": "{{ none }}", "X-Empty": ""},
        connection={"headers": {"X-Version": "1"}},
    )
    assert sent.header("X-Version") is None
    assert sent.header("X-Empty") == ""


def test_headers_that_everybody_expects(api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, json={})
    assert (sent.header("User-Agent") or "").startswith("runner.d/")
    assert sent.header("Accept") == "*/*"
    assert sent.header("Content-Type") == "application/json"


def test_a_content_type_of_the_action_stays(api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, json=[1], headers={"content-type": "application/vnd.api+json"})
    assert [value for name, value in sent.headers if name.lower() == "content-type"] == [
        "application/vnd.api+json"
    ]


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX-Evil: 1", "a\n", "\x00"])
def test_no_line_break_gets_into_a_header(value: str, api: Server, tmp_path: Path) -> None:
    kind, message, remedy = refused(
        api, tmp_path, headers={"X-Note": "note {{ inputs.v }}"}, inputs={"v": value}
    )
    assert kind == "render"
    assert message.startswith("header 'X-Note' holds a ")
    assert remedy


def test_a_header_beyond_latin_1_is_refused_with_a_remedy(api: Server, tmp_path: Path) -> None:
    kind, _, remedy = refused(api, tmp_path, headers={"X-Note": "{{ inputs.v }}"}, inputs={"v": "→"})
    assert kind == "render"
    assert remedy is not None
    assert "url_quote" in remedy
