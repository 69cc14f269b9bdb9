"""Bodies: JSON, forms, text."""

from pathlib import Path
from typing import Any

import pytest

from runner.errors import JsonObject
from tests.request.sent import arrived, refused
from tests.servers.http import Server


@pytest.mark.parametrize(
    ("json", "body"),
    [
        ({"a": 1}, b'{"a":1}'),
        ({"n": "{{ inputs.n }}", "s": "{{ inputs.n }}x"}, b'{"n":7,"s":"7x"}'),
        ({"list": "{{ inputs.many }}", "none": "{{ none }}"}, b'{"list":[1,2],"none":null}'),
        (["ü", "</script>"], '["ü","</script>"]'.encode()),
        ("text", b'"text"'),
        ("{{ inputs.quoted }}", b'"say \\"hi\\"\\n"'),
        (None, b"null"),
        (False, b"false"),
        ({"zip": "007"}, b'{"zip":"007"}'),
        ({"big": 12345678901234567890}, b'{"big":12345678901234567890}'),
    ],
)
def test_json(json: Any, body: bytes, api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, json=json, inputs={"n": 7, "many": [1, 2], "quoted": 'say "hi"\n'})
    assert sent.body == body


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ({"a": "1", "b": 2}, b"a=1&b=2"),
        ({"a": [1, 2, None]}, b"a=1&a=2"),
        ({"a": None, "b": ""}, b"b="),
        ({"a b": "c d&e=ü+"}, b"a+b=c+d%26e%3D%C3%BC%2B"),
        ({"t": True}, b"t=true"),
        ({}, b""),
    ],
)
def test_form(form: JsonObject, body: bytes, api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, form=form)
    assert sent.body == body
    assert sent.header("Content-Type") == "application/x-www-form-urlencoded"


def test_a_body_is_sent_as_it_is(api: Server, tmp_path: Path) -> None:
    sent = arrived(
        api, tmp_path, body="ü {{ inputs.n }}\n", headers={"Content-Type": "text/plain"}, inputs={"n": 1}
    )
    assert sent.body == "ü 1\n".encode()
    assert sent.header("Content-Length") == "5"


def test_a_request_without_a_body_has_no_content_type(api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, method="GET")
    assert sent.header("Content-Type") is None
    assert sent.body == b""


def test_a_number_that_json_does_not_have(api: Server, tmp_path: Path) -> None:
    kind, message, _ = refused(api, tmp_path, json={"x": "{{ inputs.n * 1e308 * 10 }}"}, inputs={"n": 1})
    assert kind == "render"
    assert message == "the JSON body holds a number that JSON does not have"


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "/{{ inputs.v }}"},
        {"query": {"q": "{{ inputs.v }}"}},
        {"form": {"f": "{{ inputs.v }}"}},
        {"body": "{{ inputs.v }}"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_half_a_character_is_refused_where_utf_8_has_none(
    fields: JsonObject, api: Server, tmp_path: Path
) -> None:
    """JSON from outside may hold a lone surrogate: no bug of ours, and no crash."""
    kind, message, remedy = refused(api, tmp_path, inputs={"v": "a\ud83d"}, **fields)
    assert kind == "render"
    assert "half a character" in message
    assert remedy
