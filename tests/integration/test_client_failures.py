"""Every way in which no answer comes about, at real sockets: kind, words, whether a byte was sent, nothing leaked."""

import asyncio
import gc
import logging
import socket
import time
from typing import Any

import pytest

from runner.client import Channel, Client, ExchangeError
from runner.errors import FailureKind
from tests.garbage import collected
from tests.servers.faults import faults
from tests.servers.http import Connection, Request, Response, Server, Takeover
from tests.servers.listeners import hanging_up_port, plain_port, refused_port, silent_port, unanswered_port
from tests.servers.wire import SECRET, Planted, assert_clean, exchange, failing, origin, send


def said(error: ExchangeError) -> tuple[FailureKind, bool, bool]:
    return error.failure.kind, error.failure.retryable, error.sent


# --- no connection


def test_refused() -> None:
    with refused_port() as port:
        error = failing(f"http://127.0.0.1:{port}/x")
    assert said(error) == (FailureKind.CONNECTION, True, False)
    assert error.failure.message == f"127.0.0.1:{port} refused the connection"


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (socket.EAI_NONAME, "host 'api.invalid' was not found"),
        (socket.EAI_AGAIN, "host 'api.invalid' could not be looked up: the name server does not answer"),
    ],
)
def test_host_not_found(number: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(number, "as the system says it")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failing("https://api.invalid/x")
    assert said(error) == (FailureKind.CONNECTION, True, False)
    assert error.failure.message == message


def test_no_connection_in_time() -> None:
    with unanswered_port() as port:
        error = failing(f"http://127.0.0.1:{port}/", channel={"connect_timeout": 0.2})
        assert said(error) == (FailureKind.TIMEOUT, True, False)
        assert error.failure.message == f"no connection to 127.0.0.1:{port} within 200ms"
        assert "`limits.connect`" in str(error.failure.help)

        error = failing(f"http://127.0.0.1:{port}/", timeout=0.1)
        assert said(error) == (FailureKind.TIMEOUT, True, False)
        assert error.failure.message == f"no connection to 127.0.0.1:{port} within 100ms"
        assert "`timeout`" in str(error.failure.help)


# --- no answer


def test_no_answer_in_time() -> None:
    with silent_port() as port:
        error = failing(f"http://127.0.0.1:{port}/", timeout=0.2)
    assert said(error) == (FailureKind.TIMEOUT, True, True)
    assert error.failure.message == f"no answer from 127.0.0.1:{port} within 200ms"
    assert "`timeout`" in str(error.failure.help)


def test_a_server_that_takes_no_large_body() -> None:
    with silent_port() as port:
        error = failing(f"http://127.0.0.1:{port}/", method="POST", body=b"x" * 50_000_000, timeout=0.3)
    assert said(error) == (FailureKind.TIMEOUT, True, True)


@pytest.mark.parametrize("path", ["/hold-body", "/drip/50/0.1"])
def test_a_body_that_does_not_end_in_time(path: str) -> None:
    with faults() as server:
        error = failing(server.url + path, timeout=0.3)
    assert said(error) == (FailureKind.TIMEOUT, True, True)
    place = server.url.removeprefix("http://")
    assert error.failure.message == f"the body of the answer from {place} did not end within 300ms"


@pytest.mark.parametrize(
    ("path", "when"),
    [
        ("/close", "before it answered"),
        ("/reset", "before it answered"),
        ("/half-head", "before it answered"),
        ("/truncated/length", "in the middle of its answer"),
        ("/truncated/chunked", "in the middle of its answer"),
    ],
)
def test_connections_that_break(path: str, when: str) -> None:
    with faults() as server:
        error = failing(server.url + path)
    assert said(error) == (FailureKind.CONNECTION, True, True)
    assert error.failure.message == f"{server.url.removeprefix('http://')} closed the connection {when}"


def test_something_that_is_not_http() -> None:
    with hanging_up_port(f"220 {SECRET} ESMTP\r\n\r\n".encode()) as port:
        error = failing(f"http://127.0.0.1:{port}/")
    assert said(error) == (FailureKind.PROTOCOL, False, True)
    assert error.failure.message == f"what answers at 127.0.0.1:{port} is not HTTP"
    # Without an empty line it can also be taken for an answer that was cut off.
    with faults() as server:
        error = failing(server.url + "/not-http")
    assert said(error) in [(FailureKind.PROTOCOL, False, True), (FailureKind.CONNECTION, True, True)]


def test_broken_chunks() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    with hanging_up_port(answer) as port:
        error = failing(f"http://127.0.0.1:{port}/")
    assert said(error) == (FailureKind.PROTOCOL, False, True)
    assert "in the middle of its answer" in error.failure.message


def test_a_head_without_end() -> None:
    with faults() as server:
        error = failing(server.url + "/many-headers/5000")
    assert said(error) == (FailureKind.PROTOCOL, False, True)
    assert "over 100 KiB" in error.failure.message


# --- requests that cannot be sent


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ((("X-Note", f"a\r\nX-Evil: {SECRET}"),), "header 'X-Note' holds a line break"),
        ((("X-Note", f"{SECRET}\n"),), "header 'X-Note' holds a line break"),
        ((("X-Note", f"{SECRET}\0"),), "header 'X-Note' holds a control character"),
        ((("X-Note", f"{SECRET}→"),), "header 'X-Note' holds a character that headers cannot carry"),
        ((("X Note", SECRET),), "header 'X Note' has a name that HTTP does not allow"),
        ((("X\n", SECRET),), "header 'X�' has a name that HTTP does not allow"),
        ((("content-length", "3"),), "header 'content-length' is set by runner.d itself"),
    ],
)
def test_headers_that_cannot_be_sent(headers: tuple[tuple[str, str], ...], message: str) -> None:
    with faults() as server:
        error = failing(server.url + "/echo", headers=headers)
        assert said(error) == (FailureKind.RENDER, False, False)
        assert error.failure.message == message
        assert server.connections == 0


def test_a_credential_with_a_line_break_is_named_not_shown() -> None:
    class Broken(Planted):
        async def apply(self, request: Any) -> None:
            request.headers.append(("Authorization", f"Bearer {SECRET}\n"))

    async def run(url: str) -> None:
        client = Client(environ={})
        with pytest.raises(ExchangeError) as caught:
            await client.send(exchange(url), Channel(origin=url), Broken())
        await client.close()
        assert_clean(caught.value)
        assert caught.value.failure.message == "header 'Authorization' holds a line break"

    with faults() as server:
        asyncio.run(run(server.url))
        assert server.connections == 0


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("/only/a/path", "is not an absolute http or https URL"),
        ("ftp://host/x", "is not an absolute http or https URL"),
        ("http:///x", "has no host"),
        ("http://a b/", "has no valid host"),
        ("http://[::1/", "has no valid host"),
        ("http://host:99999/", "has a port outside 1 to 65535"),
        ("http://host/a\nb", "holds a line break"),
        (f"http://user:{SECRET}@host/", "holds a user name or a password"),
        (f"http://host\\@{SECRET}/", "holds a user name or a password"),
        ("http://host\\x/", "has no valid host"),
        ("http://host/" + "x" * 70_000, "cannot be sent"),
        ("http://xn--a/", "cannot be sent"),
    ],
)
def test_urls_that_cannot_be_sent(url: str, problem: str) -> None:
    shown = url if len(url) < 200 else "http://host/..."
    error = failing(url, channel={"origin": None}, shown_url=shown.replace(SECRET, "‹secret›"))
    assert said(error) == (FailureKind.RENDER, False, False)
    assert problem in error.failure.message


# --- cancelled


@pytest.mark.parametrize("where", ["connect", "handshake", "answer", "body"])
def test_cancelled_in_the_middle(where: str) -> None:
    """It passes through as what it is and leaves no socket behind."""

    async def run(url: str) -> None:
        client = Client(environ={})
        task = asyncio.create_task(client.send(exchange(url), Channel(origin=origin(url)), Planted()))
        await asyncio.sleep(0.2)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gc.collect()
        assert not sockets_of_the_loop()
        await client.close()

    with faults() as server, silent_port() as silent, unanswered_port() as unanswered:
        url = {
            "connect": f"http://127.0.0.1:{unanswered}/",
            "handshake": f"https://127.0.0.1:{silent}/",
            "answer": f"{server.url}/hold",
            "body": f"{server.url}/hold-body",
        }[where]
        with collected():
            asyncio.run(run(url))


def sockets_of_the_loop() -> list[str]:
    """The transports of this event loop that are still open."""
    transports = [thing for thing in gc.get_objects() if type(thing).__name__ == "_SelectorSocketTransport"]
    return [repr(transport) for transport in transports if not transport.is_closing()]


def test_a_handshake_that_the_timeout_ends_leaves_no_socket() -> None:
    with silent_port() as port:
        error = failing(f"https://127.0.0.1:{port}/", timeout=0.2)
        assert said(error) == (FailureKind.TIMEOUT, True, False)
        error = failing(f"https://127.0.0.1:{port}/", channel={"connect_timeout": 0.2})
        assert said(error) == (FailureKind.TIMEOUT, True, False)
        assert error.failure.message == f"no TLS handshake with 127.0.0.1:{port} within 200ms"


# --- what is logged


def test_logs_hold_nothing_at_any_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with faults() as server, refused_port() as refused, plain_port() as plain:
        for url in (f"http://127.0.0.1:{refused}/", f"https://127.0.0.1:{plain}/"):
            failing(url)
        for path in ("/reset", "/not-http", "/truncated/length"):
            failing(server.url + path)
        assert send(server.url + "/echo").status == 200
        assert SECRET in str(server.sent("GET", "/echo")[0].headers)
    assert SECRET not in caplog.text
    assert not [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))]


# --- redirects at real sockets


def test_a_redirect_to_another_host_stops_before_it() -> None:
    with faults() as server, faults() as other:
        error = failing(f"{server.url}/redirect/302?to={other.url}/echo?token=x", shown_url="the url")
        assert said(error) == (FailureKind.REDIRECT, False, True)
        assert f"redirects to {other.url} (302)" in error.failure.message
        assert "token" not in error.failure.message
        assert "`follow`" in str(error.failure.help)
        assert other.connections == 0


def test_redirect_loops_end() -> None:
    with faults() as server:
        error = failing(f"{server.url}/redirect-loop/302")
        assert said(error) == (FailureKind.REDIRECT, False, True)
        assert "redirects in a loop" in error.failure.message
        error = failing(f"{server.url}/redirect-chain/302/11")
        assert "more than 10 times" in error.failure.message
        server.clear()
        assert send(f"{server.url}/redirect-chain/302/10").status == 200
        assert server.count() == 11
        assert server.connections == 3


def test_a_redirect_whose_body_never_ends_is_followed() -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 1000\r\n\r\n"

    def act(connection: Connection) -> None:
        connection.send(head)
        connection.hold()

    def stuck(_: Request) -> Takeover:
        return Takeover(act)

    with Server({"GET /stuck": stuck, "GET /echo": lambda _: Response(200, b"here")}) as server:
        started = time.monotonic()
        assert send(server.url + "/stuck").body == b"here"
        assert time.monotonic() - started < 3
