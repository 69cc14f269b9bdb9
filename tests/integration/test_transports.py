"""The contract of every transport: the same requests on the wire, the same answers, the same words for what goes wrong."""

import asyncio
import logging
import socket
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner import dispatch, transport_choice
from runner.client import Answer, Channel, Client, ExchangeError
from runner.errors import FailureKind, UsageError
from tests.servers.certificates import Authority
from tests.servers.faults import faults
from tests.servers.http import Connection, Server, Takeover, reply
from tests.servers.listeners import Listener, hanging_up_port, refused_port, silent_port, unanswered_port
from tests.servers.relays import Tunnel
from tests.servers.wire import SECRET, Planted, assert_clean, exchange, failing, send

EVERY = pytest.mark.parametrize("name", transport_choice.ORDER)


def by(name: str) -> dict[str, str]:
    return {transport_choice.CHOICE: name}


def together(name: str, work: Callable[[Client], AsyncIterator[None]]) -> None:
    """Do several things with one client."""

    async def run() -> None:
        client = Client(environ=by(name))
        try:
            async for _ in work(client):
                pass
        finally:
            await client.close()

    asyncio.run(run())


class Source:
    """A body that is read while it is sent."""

    def __init__(self, *pieces: bytes, known: bool) -> None:
        self.pieces = pieces
        self.length = sum(map(len, pieces)) if known else None
        self.begun = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun += 1
        for piece in self.pieces:
            await asyncio.sleep(0)
            yield piece


@contextmanager
def raw_server(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Answer each connection with these bytes once it sent a head, and keep it open; gives the port and what arrived."""
    arrived: list[bytes] = []

    def act(connection: socket.socket) -> None:
        with connection:
            got = b""
            while b"\r\n\r\n" not in got:
                piece = connection.recv(65536)
                if not piece:
                    return
                got += piece
            arrived.append(got)
            connection.sendall(answer)
            while piece := connection.recv(65536):
                arrived[-1] += piece

    with Listener(act) as listener:
        yield listener.port, arrived


# --- what is sent


@EVERY
def test_the_same_request_is_written(name: str) -> None:
    with faults() as server:
        port = server.port
        send(
            f"{server.url}/echo/a%2Fb/é/./x/../{{y}}/`z?q=a%20b+c&e=ü&q=\"<>'|",
            environ=by(name),
            method="PUT",
            headers=(("X-One", "1"), ("X-One", "2"), ("X-Empty", ""), ("X-Latin", "caf\xe9")),
            body=b"\x00\xffbody",
        )
        request = server.requests[0]
    head = "/echo/a%2Fb/%C3%A9/%7By%7D/%60z?q=a%20b+c&e=%C3%BC&q=%22%3C%3E'|&api_key="
    assert (request.method, request.target) == ("PUT", head + SECRET)
    assert request.body == b"\x00\xffbody"
    sent = [(field.lower(), value) for field, value in request.headers]
    assert [value for field, value in sent if field == "x-one"] == ["1", "2"]
    assert sorted(sent) == sorted(
        [
            ("host", f"127.0.0.1:{port}"),
            ("x-one", "1"),
            ("x-one", "2"),
            ("x-empty", ""),
            ("x-latin", "caf\xe9"),
            ("authorization", f"Bearer {SECRET}"),
            ("x-api-key", SECRET),
            ("cookie", f"sid={SECRET}"),
            ("user-agent", dict(sent)["user-agent"]),
            ("accept", "*/*"),
            ("accept-encoding", dict(sent)["accept-encoding"]),
            ("content-length", "6"),
        ]
    )
    assert dict(sent)["user-agent"].startswith("runner.d/")


@EVERY
def test_bodies_are_streamed_up(name: str) -> None:
    with faults() as server:
        for known in (True, False):
            source = Source(b"x" * 70_000, b"", b"y" * 300_000, known=known)
            url = f"{server.url}/redirect/307"
            assert send(url, environ=by(name), method="POST", body=source, timeout=30.0).status == 200
            assert source.begun == 2  # the redirect sends it again
            for request in server.requests[-2:]:
                assert request.body == b"x" * 70_000 + b"y" * 300_000
                framing = "Content-Length" if known else "Transfer-Encoding"
                assert request.header(framing) == ("370000" if known else "chunked")
        send(f"{server.url}/echo", environ=by(name), method="POST")
        assert server.requests[-1].header("Content-Length") == "0"
        send(f"{server.url}/echo", environ=by(name), method="DELETE")
        assert server.requests[-1].header("Content-Length") is None


@pytest.mark.parametrize("name", ["httptools"])  # httpx writes a body to its end before it reads
def test_an_answer_that_comes_before_the_end_of_the_body(name: str) -> None:
    head = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"

    class Endless:
        length = 1 << 30

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 16384
                await asyncio.sleep(0.001)

    with raw_server(head) as (port, _):
        answer = send(
            f"http://127.0.0.1:{port}/", environ=by(name), method="POST", body=Endless(), timeout=20.0
        )
    assert (answer.status, answer.body) == (413, b"no")


@pytest.mark.parametrize("name", ["httptools"])
def test_an_answer_while_the_body_is_not_taken(name: str) -> None:
    """A server that has answered may read no more, and keep the connection: the answer is there all the same."""

    class Endless:
        length = 1 << 30

        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65536

    def act(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        answered.wait(20.0)

    answered = threading.Event()
    with Listener(act) as listener:
        url = f"http://127.0.0.1:{listener.port}/"
        answer = send(url, environ=by(name), method="POST", body=Endless(), timeout=10.0)
        answered.set()
    assert (answer.status, answer.body) == (413, b"no")


# --- what comes back

OK = b"HTTP/1.1 200 OK\r\n"


@EVERY
@pytest.mark.parametrize(
    ("method", "raw", "expected"),
    [
        ("GET", OK + b"Content-Length: 2\r\n\r\nok", (200, b"ok")),
        (
            "GET",
            OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nX-Late: 1\r\n\r\n",
            (200, b"ok"),
        ),
        (
            "GET",
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok",
            (200, b"ok"),
        ),
        ("POST", b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nok", (200, b"ok")),
        ("HEAD", OK + b"Content-Length: 2000\r\n\r\n", (200, b"")),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 20\r\n\r\n", (304, b"")),
        ("GET", b"HTTP/1.1 500 \r\nContent-Length: 0\r\n\r\n", (500, b"")),
        (
            "GET",
            OK + b"Content-Encoding: deflate\r\nContent-Length: 10\r\n\r\n" + zlib.compress(b"ok"),
            (200, b"ok"),
        ),
    ],
)
def test_answers_are_read(name: str, method: str, raw: bytes, expected: tuple[int, bytes]) -> None:
    with raw_server(raw) as (port, _):
        answer = send(f"http://127.0.0.1:{port}/", environ=by(name), method=method)
    assert (answer.status, answer.body) == expected
    assert answer.http_version == "HTTP/1.1"


@EVERY
def test_answers_without_a_length_end_with_the_connection(name: str) -> None:
    for head in (b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"):
        with hanging_up_port(head + b"until the end") as port:
            assert send(f"http://127.0.0.1:{port}/", environ=by(name)).body == b"until the end"


@EVERY
def test_headers_come_as_they_are(name: str) -> None:
    raw = OK + b"X-A: 1\r\nx-a:  2 \r\nX-Latin: caf\xe9\r\nX-Utf: caf\xc3\xa9\r\nContent-Length: 0\r\n\r\n"
    with raw_server(raw) as (port, _):
        answer = send(f"http://127.0.0.1:{port}/", environ=by(name))
        found = [(field.lower(), value) for field, value in answer.headers]
        assert found[:2] == [("x-a", "1"), ("x-a", "2")]
        assert dict(found)["x-latin"] == dict(found)["x-utf"] == "café"


@EVERY
def test_a_large_body_and_its_limit(name: str) -> None:
    with faults() as server:
        answer = send(f"{server.url}/size/3/chunked", environ=by(name), timeout=30.0)
        assert len(answer.body) == (3 << 20) + 2
        error = failing(f"{server.url}/size/3/chunked", environ=by(name), body_limit=100_000)
        assert (error.failure.kind, error.sent) == (FailureKind.LIMIT, True)


# --- what goes wrong


@EVERY
@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/close", FailureKind.CONNECTION, "closed the connection before it answered"),
        ("/reset", FailureKind.CONNECTION, "closed the connection before it answered"),
        ("/half-head", FailureKind.CONNECTION, "closed the connection before it answered"),
        ("/truncated/length", FailureKind.CONNECTION, "closed the connection in the middle of its answer"),
        ("/truncated/chunked", FailureKind.CONNECTION, "closed the connection in the middle of its answer"),
        ("/many-headers/5000", FailureKind.PROTOCOL, "over 100 KiB"),
    ],
)
def test_what_breaks(name: str, path: str, kind: FailureKind, words: str) -> None:
    with faults() as server:
        error = failing(server.url + path, environ=by(name))
    assert (error.failure.kind, error.sent) == (kind, True)
    assert words in error.failure.message


@EVERY
@pytest.mark.parametrize(
    "raw",
    [
        f"220 {SECRET} ESMTP\r\n\r\n".encode(),
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ],
)
def test_what_is_no_http(name: str, raw: bytes) -> None:
    with hanging_up_port(raw) as port:
        error = failing(f"http://127.0.0.1:{port}/", environ=by(name))
    assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.PROTOCOL, False, True)


@EVERY
def test_no_connection(name: str) -> None:
    with refused_port() as port:
        error = failing(f"http://127.0.0.1:{port}/", environ=by(name))
    assert (error.failure.kind, error.sent) == (FailureKind.CONNECTION, False)
    assert error.failure.message == f"127.0.0.1:{port} refused the connection"
    with unanswered_port() as port:
        channel = {"connect_timeout": 0.2}
        error = failing(f"http://127.0.0.1:{port}/", environ=by(name), channel=channel)
        assert (error.failure.kind, error.sent) == (FailureKind.TIMEOUT, False)
        assert error.failure.message == f"no connection to 127.0.0.1:{port} within 200ms"
        error = failing(f"http://127.0.0.1:{port}/", environ=by(name), timeout=0.2)
        assert (error.failure.kind, error.sent) == (FailureKind.TIMEOUT, False)


@EVERY
def test_times_out(name: str) -> None:
    with silent_port() as port:
        error = failing(f"http://127.0.0.1:{port}/", environ=by(name), timeout=0.2)
        assert (error.failure.kind, error.sent) == (FailureKind.TIMEOUT, True)
        assert error.failure.message == f"no answer from 127.0.0.1:{port} within 200ms"
    with faults() as server:
        error = failing(server.url + "/hold-body", environ=by(name), timeout=0.3)
        assert (error.failure.kind, error.sent) == (FailureKind.TIMEOUT, True)
        assert "the body of the answer from" in error.failure.message


@EVERY
def test_is_cancelled(name: str) -> None:
    async def run(url: str, server: Server) -> None:
        client = Client(environ=by(name))
        task = asyncio.create_task(client.send(exchange(url), Channel(origin=url), Planted()))
        while not server.count():  # noqa: ASYNC110 - the server is a thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        until = asyncio.get_running_loop().time() + 5
        while server._open:
            assert asyncio.get_running_loop().time() < until, "the connection is still open"
            await asyncio.sleep(0.01)
        await client.close()

    with faults() as server:
        asyncio.run(run(f"{server.url}/hold", server))


# --- TLS and proxies


@EVERY
def test_tls(name: str, authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    with faults(tls=authority.server_context()) as server:
        url = f"{server.url}/echo"
        for channel in (
            {"ca": str(authority.ca_file)},
            {"ca": authority.ca_file.read_text()},
            {"verify": False},
        ):
            assert send(url, environ=by(name), channel=channel).status == 200
        by_environment = {**by(name), "SSL_CERT_FILE": str(authority.ca_file)}
        assert send(url, environ=by_environment).status == 200
        for wrong in ({}, {"ca": str(other.ca_file)}):
            error = failing(url, environ=by(name), channel=wrong)
            assert (error.failure.kind, error.sent) == (FailureKind.TLS, False)
            assert "is not signed by a known CA" in error.failure.message
    with faults(tls=authority.server_context(expired=True)) as server:
        error = failing(f"{server.url}/echo", environ=by(name), channel={"ca": str(authority.ca_file)})
        assert "has expired" in error.failure.message
    with faults(tls=authority.server_context("api.test")) as server:
        error = failing(f"{server.url}/echo", environ=by(name), channel={"ca": str(authority.ca_file)})
        assert "is not for '127.0.0.1'" in error.failure.message


@EVERY
def test_proxies(name: str, authority: Authority) -> None:
    context = authority.server_context("api.test")
    with Server({"GET /x": lambda _: reply({})}, tls=context) as server, Tunnel(server.port) as tunnel:
        channel = {"ca": str(authority.ca_file), "proxy": tunnel.url}
        assert send("https://api.test/x", environ=by(name), channel=channel).status == 200
        assert tunnel.targets == ["api.test:443"]
    with faults() as proxy:
        environ = {**by(name), "HTTP_PROXY": proxy.url.replace("//", f"//al:{SECRET}@")}
        send("http://api.test/x?a=1", environ=environ)
        assert proxy.requests[0].target.startswith("http://api.test/x?a=1&api_key=")
        assert proxy.requests[0].header("Proxy-Authorization")
    with refused_port() as port:
        error = failing("http://api.test/", environ={**by(name), "HTTP_PROXY": f"http://127.0.0.1:{port}"})
        assert error.failure.message == f"the proxy 127.0.0.1:{port} refused the connection"
        assert not error.sent


# --- connections


@EVERY
def test_a_connection_is_used_again(name: str) -> None:
    async def work(client: Client) -> AsyncIterator[None]:
        for number in range(10):
            path = ("/echo", "/size/1/chunked", "/status/404", "/redirect/302")[number % 4]
            await client.send(exchange(server.url + path), Channel(origin=server.url), Planted())
            yield

    with faults() as server:
        together(name, work)
        assert server.connections == 1


@EVERY
def test_a_server_that_closes_what_is_idle_loses_no_post(name: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    async def work(client: Client) -> AsyncIterator[None]:
        for _ in range(4):
            answer = await client.send(
                exchange(server.url, method="POST", body=b"1"), Channel(origin=server.url)
            )
            assert answer.body == b"ok"
            while server._open:  # noqa: ASYNC110 - the server is a thread
                await asyncio.sleep(0.002)
            yield

    with Server({"POST /": lambda _: Takeover(lambda connection: connection.send(head))}) as server:
        together(name, work)
        assert server.connections == 4


@pytest.mark.parametrize("name", ["httptools"])  # httpx takes it for the next answer
@pytest.mark.parametrize(
    "evil",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2",
    ],
)
def test_what_nobody_asked_for_answers_nothing(name: str, evil: bytes) -> None:
    """Bytes after an answer are not taken for the answer to the next request, which may be another user's."""
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
    bodies: list[bytes] = []

    async def work(client: Client) -> AsyncIterator[None]:
        for _ in range(3):
            answer = await client.send(exchange(f"http://127.0.0.1:{port}/", timeout=20.0), Channel())
            bodies.append(answer.body)
            yield

    with raw_server(first + evil) as (port, _):
        together(name, work)
    assert bodies == [b"first"] * 3


@EVERY
def test_many_at_once_do_not_disturb_each_other(name: str) -> None:
    paths = ["/slow/0.1", "/reset", "/size/1/length", "/truncated/length", "/close"] * 8

    async def run(url: str) -> list[Answer | BaseException]:
        client = Client(environ=by(name))
        sent = (
            client.send(exchange(url + path, timeout=30.0), Channel(origin=url), Planted()) for path in paths
        )
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        await client.close()
        return outcomes

    with faults() as server:
        outcomes = asyncio.run(run(server.url))
    for path, outcome in zip(paths, outcomes, strict=True):
        broken = path in ("/reset", "/truncated/length", "/close")
        assert isinstance(outcome, ExchangeError) is broken, (path, outcome)
        if isinstance(outcome, ExchangeError):
            assert_clean(outcome)


@EVERY
def test_a_reader_that_waits_holds_the_sender(name: str) -> None:
    """A body is not collected without end while nobody reads it."""
    size = 64 << 20
    written = 0

    def act(connection: Connection) -> None:
        nonlocal written
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while written < size:
            connection.send(b"x" * 65536)
            written += 65536

    async def run(url: str) -> None:
        from runner.progress import Progress
        from runner.redirects import origin_of
        from runner.target import target_of
        from runner.transports import Prepared

        sender = dispatch.Dispatch(by(name))
        origin = origin_of(url, url)
        request = Prepared("GET", target_of(url, origin), ((b"Host", origin.place.encode()),))
        progress = Progress(timeout=30, connect_timeout=5)
        progress.begin(origin)
        received = await sender.send(request, origin, Channel(), progress)
        pieces = received.pieces()
        await anext(pieces)
        before = -1
        while before != written:  # until the sender stands still
            before = written
            await asyncio.sleep(0.2)
        assert written < size // 2
        await pieces.aclose()  # type: ignore[attr-defined]
        await received.aclose()
        await sender.close()

    with Server({"GET /": lambda _: Takeover(act)}) as server:
        asyncio.run(run(f"{server.url}/"))


# --- secrecy, and the choice


@EVERY
def test_nothing_is_logged(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with faults() as server, refused_port() as refused:
        failing(f"http://127.0.0.1:{refused}/", environ=by(name))
        failing(server.url + "/reset", environ=by(name))
        assert send(server.url + "/cookies/set?a=1", environ=by(name)).status == 200
    assert SECRET not in caplog.text
    assert not [
        record for record in caplog.records if record.name.partition(".")[0] in ("httpx", "httpcore", name)
    ]


def test_what_is_no_choice() -> None:
    with pytest.raises(UsageError, match="names no transport"):
        Client(environ=by("curl"))


def test_without_the_library_the_next_one_sends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "httptools", None)
    with faults() as server:
        assert send(f"{server.url}/echo").status == 200


def test_the_answers_of_respx_reach_the_client() -> None:
    import httpx
    import respx

    with respx.mock() as mock:
        mock.get("https://api.test/x").mock(httpx.Response(200, text="mocked"))
        assert send("https://api.test/x", channel={"origin": None}).body == b"mocked"
    with faults() as server:
        assert send(f"{server.url}/echo").status == 200
