"""Bodies and headers as templates see them."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.answer import read
from runner.client import Answer
from tests.answer.judged import SECRET, answer, result_of
from tests.servers.http import Server, reply


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("json", {"ok": True, "items": [1, 2, 3]}),
        ("null", None),
        ("huge-number", {"value": 12345678901234567890, "ratio": 0.1}),
        ("bom", {"bom": True}),
        ("utf16", {"name": "Zoë"}),
        ("duplicate-keys", {"id": 2}),
        ("vendor-json", {"data": []}),
        ("text", "Zoë ✓"),
        ("latin-1", "Zoë"),
        ("unknown-charset", "qapla"),
        ("html", "<!doctype html><title>Sign in</title>"),
        ("no-type", '{"typed": false}'),
        ("gzip", {"gzip": True}),
        ("empty", None),
        ("empty-json", None),
        ("204", None),
        ("205", None),
        ("304", None),
    ],
)
def test_bodies(name: str, output: Any, api: Server, tmp_path: Path) -> None:
    result = result_of(api.url, tmp_path, f"/body/{name}")
    assert result["status"] == "succeeded", result
    assert result["output"] == output


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/body/not-json", "it is a page of HTML"),
        ("/body/half-json", "line 1 column 16"),
        ("/body/nan", "it holds NaN"),
        ("/body/bad-utf8", "it is not UTF-8 text"),
        ("/deep-json/101", "it is nested too deeply"),
        ("/deep-json/500", "it is nested too deeply"),
        ("/deep-json/100000", "it is nested too deeply"),
    ],
)
def test_what_says_it_is_json_and_is_not(path: str, part: str, api: Server, tmp_path: Path) -> None:
    result = result_of(
        api.url,
        tmp_path,
        path,
        workflow={"secrets": {"any": "env://ANY"}},
        environ={"ANY": SECRET},
    )
    assert result["error"]["kind"] == "protocol"
    assert result["error"]["message"].startswith("the response says it is JSON and is not: ")
    assert part in result["error"]["message"]
    assert result["record"]["response"]["body"]


def test_a_body_as_deep_as_may_be(api: Server, tmp_path: Path) -> None:
    result = result_of(
        api.url,
        tmp_path,
        "/deep-json/100",
        workflow={"secrets": {"any": "env://ANY"}},
        environ={"ANY": SECRET},
        output={"deep": "{{ response.body }}"},
    )
    assert result["status"] == "succeeded"
    assert json.dumps(result["output"]["deep"]).count("[") == 100


def test_many_short_lists_are_not_deep(tmp_path: Path) -> None:
    assert read(answer(b"[" + b"[]," * 5000 + b"{}]")).fault is None
    assert read(answer(b'{"text": "' + b"[" * 5000 + b'"}')).fault is None


def test_a_number_of_thousands_of_digits_is_no_crash() -> None:
    fault = read(answer(b"1" * 5000)).fault
    assert fault is not None
    assert "digits" in fault


@pytest.mark.parametrize(
    "charset", ["idna", "undefined", "punycode", "rot13", "hex", "utf-8-sig", '"', "x" * 500, ""]
)
def test_no_charset_crashes(charset: str) -> None:
    assert isinstance(read(answer(b"Zo\xeb", f"text/plain; charset={charset}")).text, str)


def test_a_json_body_of_any_spelling_of_its_type() -> None:
    for content_type in (
        "application/json",
        "Application/JSON;charset=utf-8",
        " application/problem+json ; a=b",
    ):
        assert read(answer(b'{"a": 1}', content_type)).body == {"a": 1}
    for content_type in ("text/json-like", "application/jsonp", ""):
        assert read(answer(b'{"a": 1}', content_type)).body == '{"a": 1}'


def test_headers_have_any_case_and_repeated_ones_are_joined() -> None:
    given = Answer(200, (("X-A", "1"), ("x-a", "2"), ("Link", "<u>")), b"", "http://x/", 0.1, "HTTP/1.1")
    headers = read(given).headers
    assert headers["X-a"] == "1, 2"
    assert headers.get("LINK") == "<u>"
    assert headers.get("X-None", "d") == "d"
    assert "LiNk" in headers
    assert "X-None" not in headers


def test_what_templates_see(tmp_path: Path) -> None:
    with Server({"* /a": lambda _: reply({"n": 1}, 201, {"X-Total": "5"})}) as own:
        result = result_of(
            own.url,
            tmp_path,
            "/a",
            output={
                "status": "{{ response.status }}",
                "total": "{{ response.headers['X-TOTAL'] | int }}",
                "dot": "{{ response.headers.get('x-total') }}",
                "body": "{{ response.body }}",
                "url": "{{ response.url }}",
                "elapsed": "{{ response.elapsed > 0 }}",
                "pages": "{{ response.pages }}",
                "missing": "{{ response.headers['X-None'] | default('no') }}",
            },
        )
        assert result["output"] == {
            "status": 201,
            "total": 5,
            "dot": "5",
            "body": {"n": 1},
            "url": f"{own.url}/a",
            "elapsed": True,
            "pages": 1,
            "missing": "no",
        }
