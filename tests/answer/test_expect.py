"""`expect`: status, headers, schema, and what must be true."""

from pathlib import Path
from typing import Any

import pytest

from runner.answer import named, status_expected
from runner.errors import JsonObject
from runner.model import Expect
from tests.answer.judged import result_of
from tests.servers.http import Server


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, True),
        (204, True),
        (299, True),
        (304, True),
        (399, True),
        (400, False),
        (500, False),
        (100, False),
    ],
)
def test_the_default_expectation(status: int, expected: bool) -> None:
    assert status_expected(Expect(), status) is expected


@pytest.mark.parametrize(
    ("wanted", "status", "expected"),
    [
        (("201",), 201, True),
        (("201",), 200, False),
        (("2xx",), 226, True),
        (("2xx", "404"), 404, True),
        (("2xx", "404"), 403, False),
        (("5xx",), 503, True),
        (("5xx",), 200, False),
    ],
)
def test_listed_statuses(wanted: tuple[str, ...], status: int, expected: bool) -> None:
    assert status_expected(Expect(status=wanted), status) is expected


@pytest.mark.parametrize(
    ("status", "expect", "message", "remedy"),
    [
        (404, {}, "the server answered 404 Not Found", "expected 2xx; the path is wrong"),
        (401, {}, "the server answered 401 Unauthorized", "expected 2xx; the credentials are not accepted"),
        (
            200,
            {"status": 201},
            "the server answered 200 OK",
            "expected 201; a run with `--report json=FILE` records the response",
        ),
        (500, {"status": [201, "4xx"]}, "the server answered 500 Internal Server Error", "expected 201, 4xx"),
        (599, {}, "the server answered 599", "expected 2xx"),
    ],
)
def test_another_status(
    status: int, expect: JsonObject, message: str, remedy: str, api: Server, tmp_path: Path
) -> None:
    result = result_of(api.url, tmp_path, f"/status/{status}", expect=expect)
    assert result["error"]["kind"] == "unexpected-status"
    assert result["error"]["message"] == message
    assert result["error"]["help"].startswith(remedy)
    assert result["error"]["file"] == "workflows.d/main.yaml"


def test_statuses_have_names() -> None:
    assert named(418) == "418 I'm a Teapot"
    assert named(799) == "799"


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X-Request-Id": "echo-1"}, None),
        ({"x-request-id": True}, None),
        ({"X-None": False}, None),
        ({"x-request-id": "{{ 'echo-' ~ 1 }}"}, None),
        ({"X-None": True}, "the response header 'X-None' is missing"),
        ({"x-request-id": False}, "the response header 'x-request-id' is there"),
        ({"X-None": "a"}, "the response header 'X-None' is missing"),
        ({"X-Request-Id": "other"}, "the response header 'X-Request-Id' is not as expected"),
    ],
)
def test_expected_headers(headers: JsonObject, message: str | None, api: Server, tmp_path: Path) -> None:
    result = result_of(api.url, tmp_path, "/echo-authorization", expect={"headers": headers})
    assert result.get("error", {}).get("message") == message


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "object", "required": ["ok"]}, None),
        (True, None),
        ({"type": "array"}, "the body is not as `expect.schema` says: 'body' must be "),
        (
            {"properties": {"items": {"maxItems": 1}}},
            "the body is not as `expect.schema` says: 'body.items' must ",
        ),
        ({"properties": {"items": {"items": {"type": "string"}}}}, "'body.items[0]' must be "),
    ],
)
def test_expected_schema(schema: Any, message: str | None, api: Server, tmp_path: Path) -> None:
    result = result_of(api.url, tmp_path, "/body/json", expect={"schema": schema})
    if message is None:
        assert result["status"] == "succeeded"
    else:
        assert result["error"]["kind"] == "expectation"
        assert message in result["error"]["message"]


def test_many_problems_of_a_schema_are_cut(api: Server, tmp_path: Path) -> None:
    schema = {"required": list("abcdefg")}
    result = result_of(api.url, tmp_path, "/body/json", expect={"schema": schema})
    assert result["error"]["message"].endswith("(and 4 more)")


@pytest.mark.parametrize(
    ("that", "failing"),
    [
        ([], None),
        (["{{ response.body.ok }}", "{{ response.body['items'] | length == 3 }}"], None),
        (["{{ response.body.ok }}", "{{ response.body['items'] | length > 3 }}"], 2),
        (["{{ 0 }}"], 1),
        (["{{ '' }}"], 1),
        (["{{ [] }}"], 1),
        (["{{ none }}"], 1),
        (["is {{ response.body.ok }}"], None),
        (["{{ not response.body.ok }}\n"], 1),
        (["{{ 'False ' }}"], 1),
        (["{{ 'no' }}"], None),
    ],
)
def test_expected_to_be_true(that: list[str], failing: int | None, api: Server, tmp_path: Path) -> None:
    result = result_of(api.url, tmp_path, "/body/json", expect={"that": that})
    if failing is None:
        assert result["status"] == "succeeded"
    else:
        assert result["error"]["kind"] == "expectation"
        text = that[failing - 1].strip()
        assert result["error"]["message"] == f"expectation {failing} is not true: {text}"


def test_an_expectation_that_cannot_be_computed(api: Server, tmp_path: Path) -> None:
    expect = {"that": ["{{ response.body.missing.deeper }}"]}
    result = result_of(api.url, tmp_path, "/body/json", expect=expect)
    assert result["error"]["kind"] == "render"
    assert "missing" in result["error"]["message"]
