"""A response as actions see it, and what is expected of it: judged by requests to a server that misbehaves."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.answer import LARGEST_RECORDED_BODY, SHOWN_HEADERS, named, read, status_expected
from runner.client import Answer
from runner.model import Expect
from runner.sensitive import MASK
from tests.projects import bench, request, simple
from tests.servers.faults import faults
from tests.servers.http import Response, Server, reply

JsonObject = dict[str, Any]
SECRET = "a-Secret/of the+test"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with faults() as running:
        yield running


def result_of(
    url: str,
    root: Path,
    path: str,
    *,
    method: str = "GET",
    connection: JsonObject | None = None,
    workflow: JsonObject | None = None,
    environ: JsonObject | None = None,
    request_fields: JsonObject | None = None,
    **more: Any,
) -> JsonObject:
    action = request("one", method, path, more={"retry": {"attempts": 1}, **more}, **(request_fields or {}))
    project = simple(root, [action], url=url, connection=connection, **(workflow or {}))
    result: JsonObject = bench(project, environ=environ or {}).perform("one")
    return result


def answer(body: bytes, content_type: str = "application/json", **headers: str) -> Answer:
    pairs = (
        ("Content-Type", content_type),
        *((name.replace("_", "-"), value) for name, value in headers.items()),
    )
    return Answer(200, pairs, body, "http://x/", 0.1, "HTTP/1.1")


# --- bodies


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
def test_bodies(name: str, output: Any, server: Server, tmp_path: Path) -> None:
    result = result_of(server.url, tmp_path, f"/body/{name}")
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
def test_what_says_it_is_json_and_is_not(path: str, part: str, server: Server, tmp_path: Path) -> None:
    result = result_of(
        server.url,
        tmp_path,
        path,
        workflow={"secrets": {"any": "env://ANY"}},
        environ={"ANY": SECRET},
    )
    assert result["error"]["kind"] == "protocol"
    assert result["error"]["message"].startswith("the response says it is JSON and is not: ")
    assert part in result["error"]["message"]
    assert result["record"]["response"]["body"]


def test_a_body_as_deep_as_may_be(server: Server, tmp_path: Path) -> None:
    result = result_of(
        server.url,
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


# --- expect.status


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
    status: int, expect: JsonObject, message: str, remedy: str, server: Server, tmp_path: Path
) -> None:
    result = result_of(server.url, tmp_path, f"/status/{status}", expect=expect)
    assert result["error"]["kind"] == "unexpected-status"
    assert result["error"]["message"] == message
    assert result["error"]["help"].startswith(remedy)
    assert result["error"]["file"] == "workflows.d/main.yaml"


def test_statuses_have_names() -> None:
    assert named(418) == "418 I'm a Teapot"
    assert named(799) == "799"


# --- the other expectations


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
def test_expected_headers(headers: JsonObject, message: str | None, server: Server, tmp_path: Path) -> None:
    result = result_of(server.url, tmp_path, "/echo-authorization", expect={"headers": headers})
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
def test_expected_schema(schema: Any, message: str | None, server: Server, tmp_path: Path) -> None:
    result = result_of(server.url, tmp_path, "/body/json", expect={"schema": schema})
    if message is None:
        assert result["status"] == "succeeded"
    else:
        assert result["error"]["kind"] == "expectation"
        assert message in result["error"]["message"]


def test_many_problems_of_a_schema_are_cut(server: Server, tmp_path: Path) -> None:
    schema = {"required": list("abcdefg")}
    result = result_of(server.url, tmp_path, "/body/json", expect={"schema": schema})
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
def test_expected_to_be_true(that: list[str], failing: int | None, server: Server, tmp_path: Path) -> None:
    result = result_of(server.url, tmp_path, "/body/json", expect={"that": that})
    if failing is None:
        assert result["status"] == "succeeded"
    else:
        assert result["error"]["kind"] == "expectation"
        text = that[failing - 1].strip()
        assert result["error"]["message"] == f"expectation {failing} is not true: {text}"


def test_an_expectation_that_cannot_be_computed(server: Server, tmp_path: Path) -> None:
    expect = {"that": ["{{ response.body.missing.deeper }}"]}
    result = result_of(server.url, tmp_path, "/body/json", expect=expect)
    assert result["error"]["kind"] == "render"
    assert "missing" in result["error"]["message"]


# --- errors that say they are successes


def test_fail_when_and_error_message(server: Server, tmp_path: Path) -> None:
    connection = {"fail_when": "{{ not response.body.ok }}", "error_message": "{{ response.body.error }}"}
    result = result_of(server.url, tmp_path, "/body/error-in-200", connection=connection)
    assert result["error"]["kind"] == "expectation"
    assert result["error"]["message"] == "the server answered 200, but it is an error: channel_not_found"
    assert result["error"]["file"] == "connections.d/api.yaml"
    assert result_of(server.url, tmp_path / "b", "/body/json", connection=connection)["status"] == (
        "succeeded"
    )


@pytest.mark.parametrize("text", ["{{ false }}", "false", "{{ '' }}", "{{ none }}", "{{ 0 }}"])
def test_fail_when_that_is_false(text: str, server: Server, tmp_path: Path) -> None:
    result = result_of(server.url, tmp_path, "/body/json", connection={"fail_when": text})
    assert result["status"] == "succeeded"


def test_the_error_of_the_api_stands_beside_its_status(server: Server, tmp_path: Path) -> None:
    connection = {"error_message": "{{ response.body.detail }}\n{{ response.body.title }}"}
    result = result_of(server.url, tmp_path, "/body/problem", connection=connection)
    assert result["error"]["message"] == (
        "the server answered 422 Unprocessable Entity: days must be positive Invalid"
    )


@pytest.mark.parametrize(
    "text", ["{{ response.body.nothing }}", "{{ response.body.nothing | default(none) }}"]
)
def test_an_error_message_that_is_not_there(text: str, server: Server, tmp_path: Path) -> None:
    connection = {"error_message": text}
    result = result_of(server.url, tmp_path, "/body/problem", connection=connection)
    assert result["error"]["message"] == "the server answered 422 Unprocessable Entity"


def test_the_error_of_an_api_is_cleaned_and_then_cut(tmp_path: Path) -> None:
    """Cut first, half a secret would stand at the end, and no search finds halves."""
    said = "x" * 290 + SECRET + "y" * 100
    with Server({"* /x": lambda _: reply({"error": said}, 500)}) as own:
        result = result_of(
            own.url,
            tmp_path,
            "/x",
            connection={
                "type": "bearer",
                "auth": {"token": "env://TOKEN"},
                "error_message": "{{ response.body.error }}",
            },
            environ={"TOKEN": SECRET},
        )
    message = result["error"]["message"]
    assert message.endswith(f": {'x' * 290}{MASK}{'y' * 7}")
    assert SECRET[:6] not in json.dumps(result)


# --- what is recorded


def test_headers_are_recorded_by_an_allow_list(tmp_path: Path) -> None:
    headers = {
        "X-Request-Id": f"req {SECRET}",
        "Set-Cookie": "sid=1234567",
        "X-Internal": "hidden",
        "ETag": '"1"',
        "WWW-Authenticate": "Bearer",
    }
    with Server({"* /x": lambda _: reply({}, 200, headers)}) as own:
        connection = {"type": "bearer", "auth": {"token": "env://TOKEN"}}
        result = result_of(own.url, tmp_path, "/x", connection=connection, environ={"TOKEN": SECRET})
    shown = result["record"]["response"]["headers"]
    assert set(shown) == {"x-request-id", "etag", "content-type", "content-length"}
    assert set(shown) <= SHOWN_HEADERS
    assert shown["x-request-id"] == f"req {MASK}"
    seen = result["response"]["headers"]
    assert seen["x-internal"] == "hidden"
    assert {"set-cookie", "www-authenticate"}.isdisjoint(seen)


def test_bodies_are_recorded_on_failure_only_cleaned_and_then_cut(tmp_path: Path) -> None:
    padding = "x" * (LARGEST_RECORDED_BODY - 5)
    text = padding + SECRET + "z" * 100
    connection = {"type": "bearer", "auth": {"token": "env://TOKEN"}}
    with Server(
        {
            "* /bad": lambda _: Response(500, text.encode(), {"Content-Type": "text/plain"}),
            "* /good": lambda _: reply({}),
        }
    ) as own:
        bad, good = (
            result_of(
                own.url,
                tmp_path / path,
                f"/{path}",
                connection=connection,
                environ={"TOKEN": SECRET},
            )["record"]["response"]
            for path in ("bad", "good")
        )
    assert bad["body"] == padding + MASK + "zz"
    assert bad["body_cut"] is True
    assert "body" not in good


def test_the_body_of_a_sensitive_action_is_never_recorded(server: Server, tmp_path: Path) -> None:
    result = result_of(server.url, tmp_path, "/status/500", sensitive=True)
    assert result["status"] == "failed"
    assert "body" not in result["record"]["response"]


def test_a_limit_on_bodies(server: Server, tmp_path: Path) -> None:
    workflow = {"limits": {"body": "1MiB"}}
    for index, path in enumerate(("/size/2/length", "/size/2/chunked", "/size/2/close", "/gzip-bomb/50")):
        result = result_of(server.url, tmp_path / str(index), path, workflow=workflow)
        assert result["error"]["kind"] == "limit"
        assert "`limits.body`" in result["error"]["message"]
    result = result_of(server.url, tmp_path / "more", "/size/2/length", workflow={"limits": {"body": "3MiB"}})
    assert result["status"] == "succeeded"
