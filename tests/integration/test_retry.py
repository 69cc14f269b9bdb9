"""Retry exactly as SPEC 5 says, counted by real servers: how often was each request sent?"""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Bench, Clock, bench, request, simple, tries
from tests.servers.certificates import Authority
from tests.servers.faults import faults
from tests.servers.http import Answer, Request, Response, Server, reply
from tests.servers.listeners import Listener, hanging_up_port, plain_port, refused_port, unanswered_port

METHODS = ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH")
CAREFUL = ("POST", "PATCH")
STATUSES = (400, 404, 408, 425, 429, 500, 502, 503, 504)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with faults() as running:
        yield running


@pytest.fixture(autouse=True)
def _forget(server: Server) -> None:
    server.clear()


def sent(server: Server, root: Path, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
    """Perform one request; how often it arrived, and the result."""
    work = bench(simple(root, [request("one", method, path, more=more)], url=server.url))
    result = work.perform("one")
    assert server.count(method) == tries(result) == len(server.requests)
    return tries(result), result


def patience(path: str) -> str:
    """Give a timeout: where the server holds its answer back it passes, but not before the request is there."""
    return "100ms" if "hold" in path else "10s"


# --- answers


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", STATUSES)
def test_statuses(method: str, status: int, server: Server, tmp_path: Path) -> None:
    count, result = sent(server, tmp_path, method, f"/status/{status}")
    again = (429, 503) if method in CAREFUL else (429, 502, 503, 504)
    assert count == (3 if status in again else 1)
    assert result["status"] == "failed"
    assert result["error"]["kind"] == "unexpected-status"
    assert ("after 3 attempts" in result["error"]["message"]) == (status in again)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("status", "expected"), [(429, 3), (500, 1), (502, 3), (503, 3), (504, 3)])
def test_idempotent_actions_are_retried_as_gets_are(
    method: str, status: int, expected: int, server: Server, tmp_path: Path
) -> None:
    count, _ = sent(server, tmp_path, method, f"/status/{status}", idempotent=True)
    assert count == expected


@pytest.mark.parametrize(
    ("method", "status", "on", "expected"),
    [
        ("GET", 500, [500], 3),
        ("GET", 404, [404], 3),
        ("GET", 503, [500], 1),
        ("GET", 503, [], 1),
        ("POST", 500, [500], 1),
        ("POST", 502, [502, 503], 1),
        ("POST", 503, [503], 3),
        ("POST", 503, [429], 1),
        ("PATCH", 504, [504], 1),
    ],
)
def test_retry_on_narrows_and_widens_but_never_repeats_what_may_have_been_done(
    method: str, status: int, on: list[Any], expected: int, server: Server, tmp_path: Path
) -> None:
    count, _ = sent(server, tmp_path, method, f"/status/{status}", retry={"on": on})
    assert count == expected


def test_retry_on_widens_for_an_idempotent_post(server: Server, tmp_path: Path) -> None:
    more = {"idempotent": True, "retry": {"on": [500]}}
    assert sent(server, tmp_path, "POST", "/status/500", **more)[0] == 3


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts(attempts: int, server: Server, tmp_path: Path) -> None:
    count, result = sent(server, tmp_path, "GET", "/status/503", retry={"attempts": attempts})
    assert count == attempts
    assert [entry["number"] for entry in result["record"]["attempts"]] == [*range(1, attempts + 1)]


def test_success_ends_the_attempts_and_the_record_has_them_all(server: Server, tmp_path: Path) -> None:
    count, result = sent(server, tmp_path, "POST", "/flaky/2/503/mine")
    assert count == 3
    assert result["status"] == "succeeded"
    assert result["output"] == {"attempt": 3}
    assert [entry.get("status") for entry in result["record"]["attempts"]] == [503, 503, 200]
    assert [entry.get("wait") for entry in result["record"]["attempts"]] == [1.0, 2.0, None]
    assert "body" not in result["record"]["response"]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ({"connection": 2}, 2),
        ({"connection": 2, "workflow": 4}, 4),
        ({"connection": 2, "workflow": 4, "action": 1}, 1),
    ],
)
def test_the_nearest_retry_counts(
    levels: dict[str, int], expected: int, server: Server, tmp_path: Path
) -> None:
    retry = {name: {"attempts": number} for name, number in levels.items()}
    action = request(
        "one", path="/status/503", more={"retry": retry["action"]} if "action" in retry else None
    )
    project = simple(
        tmp_path,
        [action],
        url=server.url,
        connection={"retry": retry["connection"]},
        **({"defaults": {"retry": retry["workflow"]}} if "workflow" in retry else {}),
    )
    assert tries(bench(project).perform("one")) == server.count() == expected


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "expectation",
    [
        {"expect": {"that": ["{{ response.body.attempt == 0 }}"]}},
        {"expect": {"headers": {"X-There": True}}},
        {"expect": {"schema": {"type": "array"}}},
    ],
)
def test_expectations_are_no_reason_to_send_again(
    method: str, expectation: dict[str, Any], server: Server, tmp_path: Path
) -> None:
    count, result = sent(server, tmp_path, method, "/flaky/0/503/e", **expectation)
    assert count == 1
    assert result["error"]["kind"] == "expectation"


def test_an_expected_status_is_no_failure(server: Server, tmp_path: Path) -> None:
    count, result = sent(server, tmp_path, "GET", "/status/503", expect={"status": [503]})
    assert (count, result["status"]) == (1, "succeeded")


# --- no answer: what happened before a byte was sent is repeated for every method


@contextmanager
def _broken_handshake(_: Path) -> Iterator[str]:
    with hanging_up_port() as port:
        yield f"https://127.0.0.1:{port}"


@contextmanager
def _refused(_: Path) -> Iterator[str]:
    with refused_port() as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _never_connected(_: Path) -> Iterator[str]:
    with unanswered_port() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("reach", "kind"),
    [(_refused, "connection"), (_broken_handshake, "connection"), (_never_connected, "timeout")],
    ids=["refused", "tls-handshake", "connect-timeout"],
)
def test_before_a_byte_is_sent(method: str, reach: Any, kind: str, tmp_path: Path) -> None:
    with reach(tmp_path) as url:
        project = simple(tmp_path, [request("one", method)], url=url, limits={"connect": "30ms"})
        work = bench(project)
        result = work.perform("one")
    assert tries(result) == 3
    assert result["error"]["kind"] == kind
    assert [entry["error"]["kind"] for entry in result["record"]["attempts"]] == [kind] * 3
    assert work.clock.waits == [1.0, 2.0]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_is_not_tls_and_wrong_certificates_are_not_tried_again(method: str, tmp_path: Path) -> None:
    with plain_port() as port:
        url = f"https://127.0.0.1:{port}"
        result = bench(simple(tmp_path / "a", [request("one", method)], url=url)).perform("one")
    assert (tries(result), result["error"]["kind"]) == (1, "tls")
    with faults(tls=Authority(tmp_path).server_context()) as secure:
        project = simple(tmp_path / "b", [request("one", method)], url=secure.url)
        result = bench(project).perform("one")
        assert secure.requests == ()
    assert (tries(result), result["error"]["kind"]) == (1, "tls")


# --- no answer: what the server may have done is repeated only where repeating is harmless


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize(
    "path", ["/reset", "/close", "/half-head", "/truncated/length", "/hold", "/hold-body"]
)
def test_after_a_byte_was_sent(
    method: str, idempotent: bool, path: str, server: Server, tmp_path: Path
) -> None:
    if method == "HEAD" and path in ("/truncated/length", "/hold-body"):
        return  # an answer to HEAD has no body that could break off
    count, result = sent(server, tmp_path, method, path, timeout=patience(path), idempotent=idempotent)
    assert count == (3 if idempotent or method not in CAREFUL else 1)
    assert result["error"]["kind"] == ("timeout" if "hold" in path else "connection")


@pytest.mark.parametrize(
    ("path", "on", "expected"),
    [
        ("/hold", ["timeout"], 3),
        ("/hold", ["connection", 503], 1),
        ("/reset", ["connection"], 3),
        ("/reset", ["timeout", 503], 1),
    ],
)
def test_retry_on_names_failures(
    path: str, on: list[Any], expected: int, server: Server, tmp_path: Path
) -> None:
    count, _ = sent(server, tmp_path, "GET", path, timeout=patience(path), retry={"on": on})
    assert count == expected


@pytest.mark.parametrize("on", [["timeout"], ["connection"], ["timeout", "connection", 500, 502, 503, 504]])
@pytest.mark.parametrize("path", ["/hold", "/reset", "/truncated/chunked"])
def test_no_list_makes_a_post_with_an_unknown_outcome_go_out_twice(
    on: list[Any], path: str, server: Server, tmp_path: Path
) -> None:
    retry = {"on": on, "attempts": 5}
    assert sent(server, tmp_path, "POST", path, timeout=patience(path), retry=retry)[0] == 1


@pytest.mark.parametrize(
    ("method", "path", "more", "said"),
    [
        ("POST", "/status/502", {}, True),
        ("PATCH", "/reset", {}, True),
        ("POST", "/hold", {"timeout": patience("/hold")}, True),
        ("POST", "/status/500", {}, False),  # a GET would not be tried again either
        ("POST", "/status/502", {"retry": {"attempts": 1}}, False),
        ("POST", "/status/502", {"retry": {"on": [503]}}, False),
        ("POST", "/status/503", {}, False),  # it was tried again
        ("POST", "/status/502", {"idempotent": True}, False),
        ("GET", "/status/502", {}, False),
    ],
)
def test_a_write_that_was_not_tried_again_says_why(
    method: str, path: str, more: dict[str, Any], said: bool, server: Server, tmp_path: Path
) -> None:
    _, result = sent(server, tmp_path, method, path, **more)
    why = f"it was not tried again, because the server may have acted on the {method}; `idempotent: true`"
    assert (why in (result["error"].get("help") or "")) is said


def test_a_connection_that_the_server_closed_while_idle_loses_no_post(tmp_path: Path) -> None:
    """Servers close idle connections without a word: the next POST must still arrive, and once."""
    project_of = [request(f"step{number}", "POST", "/x") for number in range(3)]
    with _impolite() as (port, arrived, closed):
        project = simple(tmp_path, project_of, url=f"http://127.0.0.1:{port}")
        work = bench(project, after_each=lambda: closed.acquire(timeout=30))
        results = work.perform("step0", "step1", "step2")
    assert [result["status"] for result in results] == ["succeeded"] * 3
    assert len(arrived) == 3


@contextmanager
def _impolite() -> Iterator[tuple[int, list[bytes], threading.Semaphore]]:
    """Serve a port that promises to keep its connections and closes each after one answer; counts what it closed."""
    arrived: list[bytes] = []
    closed = threading.Semaphore(0)

    def act(connection: socket.socket) -> None:
        with connection:
            arrived.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")
        closed.release()

    with Listener(act) as listener:
        yield listener.port, arrived, closed


@contextmanager
def _interrupting() -> Iterator[tuple[int, list[int]]]:
    """Serve a port that takes the beginning of each request, and resets the connection in the middle of the body."""
    arrived: list[int] = []

    def act(connection: socket.socket) -> None:
        with connection:
            arrived.append(len(connection.recv(1000)))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with Listener(act) as listener:
        yield listener.port, arrived


@pytest.mark.parametrize(
    ("method", "idempotent", "expected"),
    [("PUT", False, 3), ("DELETE", False, 3), ("POST", False, 1), ("PATCH", False, 1), ("POST", True, 3)],
)
def test_while_the_request_is_sent(method: str, idempotent: bool, expected: int, tmp_path: Path) -> None:
    """The server has a part of the body: whether it acted on it is not known."""
    body = "{{ 'x' * 8000000 }}"
    action = request("one", method, body=body, more={"idempotent": idempotent})
    with _interrupting() as (port, arrived):
        project = simple(tmp_path, [action], url=f"http://127.0.0.1:{port}")
        result = bench(project).perform("one")
    assert len(arrived) == tries(result) == expected
    assert result["error"]["kind"] == "connection"


def test_a_redirected_post_that_breaks_is_not_sent_again(server: Server, tmp_path: Path) -> None:
    work = bench(simple(tmp_path, [request("one", "POST", "/redirect/307?to=/reset")], url=server.url))
    assert tries(work.perform("one")) == 1
    assert server.count("POST", "/reset") == 1


# --- Retry-After


def _asked(server: Server, root: Path, value: str, method: str = "GET") -> tuple[Bench, dict[str, Any]]:
    """Perform a request that is told `Retry-After: value` once and then succeeds."""
    left = [Response(429, b"{}", {"Retry-After": value}), reply({"ok": True})]

    def answer(_: Request) -> Answer:
        return left.pop(0)

    with Server({"* /x": answer}) as own:
        clock = Clock(seconds=1_772_000_000.0)
        project = simple(root, [request("one", method, "/x")], url=own.url)
        work = bench(project, clock=clock, jitter=lambda: 0.25)
        return work, work.perform("one")


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("7", 7.0),
        ("120", 120.0),
        ("0", 0.25),  # no wait is asked for: the own one holds
        ("Wed, 25 Feb 2026 06:13:50 GMT", 30.0),
        ("Wednesday, 25-Feb-26 06:13:50 GMT", 30.0),
        ("Wed Feb 25 06:13:50 2026", 30.0),
        ("Wed, 25 Feb 2026 06:13:50 -0000", 30.0),
        ("Wed, 25 Feb 2026 07:13:50 +0100", 30.0),
        ("Tue, 24 Feb 2026 00:00:00 GMT", 0.25),
        ("soon, perhaps", 0.25),
        ("-5", 0.25),
        ("1.5", 0.25),
        ("", 0.25),
        ("٣", 0.25),
    ],
)
def test_retry_after_is_obeyed(
    value: str,
    wait: float,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")  # the clock of the machine must not matter
    time.tzset()
    try:
        work, result = _asked(server, tmp_path, value.encode().decode("latin-1"), "POST")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert result["status"] == "succeeded"
    assert work.clock.waits == [wait]
    assert work.retries == [
        {"key": "one", "attempt": 1, "wait": wait, "why": "the server answered 429 Too Many Requests"}
    ]


@pytest.mark.parametrize("value", ["121", "86400", "Wed, 25 Feb 2026 06:16:00 GMT", "9" * 40])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_retry_after_beyond_two_minutes_fails_and_says_so(
    value: str, method: str, server: Server, tmp_path: Path
) -> None:
    work, result = _asked(server, tmp_path, value, method)
    assert work.clock.waits == []
    assert tries(result) == 1
    assert result["error"]["kind"] == "rate-limited"
    assert "longer than the 2m that are obeyed" in result["error"]["message"]
    assert result["error"]["line"] == 1
    assert result["response"]["status"] == 429


def test_retry_after_counts_on_other_retried_statuses_too(server: Server, tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one", path="/flaky/2/503/r?after=9")], url=server.url)
    work = bench(project)
    assert work.perform("one")["status"] == "succeeded"
    assert work.clock.waits == [9.0, 9.0]


def test_retry_after_on_the_last_attempt_changes_nothing(server: Server, tmp_path: Path) -> None:
    more = {"retry": {"attempts": 1}}
    _, result = sent(server, tmp_path, "GET", "/retry-after/429/long/0", **more)
    assert result["error"]["kind"] == "unexpected-status"


# --- all attempts together


@pytest.mark.parametrize(("after", "expected"), [(100, 4), (120, 3), (99, 4)])
def test_no_attempt_begins_after_five_minutes(
    after: int, expected: int, server: Server, tmp_path: Path
) -> None:
    action = request("one", path=f"/flaky/99/503/f{after}?after={after}", more={"retry": {"attempts": 50}})
    work = bench(simple(tmp_path, [action], url=server.url))
    result = work.perform("one")
    assert tries(result) == server.count() == expected
    assert sum(work.clock.waits) <= 300
    assert f"(after {expected} attempts; the time for retries, 5m, is used up)" in result["error"]["message"]


def test_the_waits_of_the_default_backoff_are_bounded_one_by_one_and_together(
    server: Server, tmp_path: Path
) -> None:
    action = request("one", path="/status/503", more={"retry": {"attempts": 100}})
    work = bench(simple(tmp_path, [action], url=server.url))
    work.perform("one")
    assert work.clock.waits == [1.0, 2.0, 4.0, 8.0, 16.0, *[30.0] * 8]
    assert sum(work.clock.waits) <= 300
