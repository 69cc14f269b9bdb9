"""What is recorded of an answer, and what is not."""

from pathlib import Path

from runner.answer import LARGEST_RECORDED_BODY, SHOWN_HEADERS
from runner.sensitive import MASK
from tests.answer.judged import SECRET, result_of
from tests.servers.http import Response, Server, reply


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


def test_the_body_of_a_sensitive_action_is_never_recorded(api: Server, tmp_path: Path) -> None:
    result = result_of(api.url, tmp_path, "/status/500", sensitive=True)
    assert result["status"] == "failed"
    assert "body" not in result["record"]["response"]


def test_a_limit_on_bodies(api: Server, tmp_path: Path) -> None:
    workflow = {"limits": {"body": "1MiB"}}
    for index, path in enumerate(("/size/2/length", "/size/2/chunked", "/size/2/close", "/gzip-bomb/50")):
        result = result_of(api.url, tmp_path / str(index), path, workflow=workflow)
        assert result["error"]["kind"] == "limit"
        assert "`limits.body`" in result["error"]["message"]
    result = result_of(api.url, tmp_path / "more", "/size/2/length", workflow={"limits": {"body": "3MiB"}})
    assert result["status"] == "succeeded"
