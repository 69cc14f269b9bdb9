"""Bodies from a real server: limits, packed ones, bombs; and connections that are kept, shared and closed."""

import asyncio
import gzip
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from backports import zstd

from runner import __version__
from runner.client import Answer, Channel, Client, ExchangeError
from runner.errors import FailureKind
from tests.servers.bodies import BODIES
from tests.servers.faults import faults
from tests.servers.http import Connection, Request, Response, Server, Takeover
from tests.servers.wire import Planted, exchange, failing, send

MEBIBYTE = 1 << 20


@pytest.mark.parametrize("name", sorted(BODIES.keys() - {"bad-gzip", "gzip"}))
def test_bodies_are_given_as_they_are(name: str) -> None:
    status, _, content = BODIES[name]
    with faults() as server:
        answer = send(f"{server.url}/body/{name}")
    assert (answer.status, answer.body) == (status, content)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        ("X-GZIP", gzip.compress(b'{"a": 1}', mtime=0)),
        ("gzip", gzip.compress(b'{"a"', mtime=0) + gzip.compress(b": 1}", mtime=0)),
        ("deflate", zlib.compress(b'{"a": 1}')),
        ("deflate", zlib.compress(b'{"a": 1}')[2:-4]),
        ("br", b'\x8b\x03\x80{"a": 1}\x03'),
        ("zstd", zstd.compress(b'{"a": 1}')),
        ("identity", b'{"a": 1}'),
        ("utf-8", b'{"a": 1}'),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_packed_bodies(encoding: str, packed: bytes, size: int) -> None:
    def packed_in_pieces(_: Request) -> Response:
        pieces = (packed[at : at + size] for at in range(0, len(packed), size))
        return Response(200, pieces, {"Content-Encoding": encoding}, "chunked")

    with Server({"GET /": packed_in_pieces}) as server:
        answer = send(server.url + "/")
    assert answer.body == b'{"a": 1}'
    assert ("Content-Encoding", encoding) in answer.headers


@pytest.mark.parametrize(
    ("encoding", "content", "problem"),
    [
        ("gzip", b"not gzip at all", "is not packed the way it says"),
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-12], "ends in the middle of its packed data"),
        ("br", b"\x0b\x02\x80ok", "ends in the middle of its packed data"),
        ("compress", b"\x1f\x9d", "comes in an encoding that runner.d does not read"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"ok", mtime=0), mtime=0), "comes in an encoding"),
    ],
)
def test_bodies_that_cannot_be_unpacked(encoding: str, content: bytes, problem: str) -> None:
    answer = Response(200, content, {"Content-Encoding": encoding})
    with Server({"GET /": lambda _: answer}) as server:
        error = failing(server.url + "/")
    assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.PROTOCOL, False, True)
    assert problem in error.failure.message


def test_an_empty_body_that_says_it_is_packed() -> None:
    answer = Response(200, b"", {"Content-Encoding": "gzip"})
    with Server({"GET /": lambda _: answer}) as server:
        assert send(server.url + "/").body == b""


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_the_limit_of_a_body(framing: str) -> None:
    with faults() as server:
        url = f"{server.url}/size/2/{framing}"
        assert len(send(url, body_limit=2 * MEBIBYTE + 2).body) == 2 * MEBIBYTE + 2
        error = failing(url, body_limit=2 * MEBIBYTE + 1)
        assert (error.failure.kind, error.failure.retryable, error.sent) == (FailureKind.LIMIT, False, True)
        error = failing(url, body_limit=MEBIBYTE)
        assert error.failure.message == "the body of the answer is over 1 MiB (`limits.body`)"


def test_a_length_over_the_limit_is_not_waited_for() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"

    def act(connection: Connection) -> None:
        connection.send(head)
        connection.hold()

    def endless(_: Request) -> Takeover:
        return Takeover(act)

    with Server({"GET /": endless}) as server:
        assert failing(server.url + "/").failure.kind is FailureKind.LIMIT


def test_a_head_request_has_no_body_to_limit() -> None:
    answer = Response(200, b"", {"Content-Length": "99999999999"})
    with Server({"HEAD /": lambda _: answer}) as server:
        assert send(server.url + "/", method="HEAD").body == b""


def test_a_gzip_bomb_stops_early() -> None:
    with faults() as server:
        error = failing(f"{server.url}/gzip-bomb/300", body_limit=MEBIBYTE)
    assert error.failure.kind is FailureKind.LIMIT


def test_a_bomb_in_one_packet_is_never_unpacked_whole() -> None:
    # 50 MiB in 50 KiB, which come in one piece.
    answer = Response(200, gzip.compress(bytes(50 * MEBIBYTE)), {"Content-Encoding": "gzip"})
    with Server({"GET /": lambda _: answer}) as server:
        tracemalloc.start()
        try:
            error = failing(server.url + "/", body_limit=MEBIBYTE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert error.failure.kind is FailureKind.LIMIT
    assert peak < 8 * MEBIBYTE


# --- requests as they arrive


def test_what_is_sent() -> None:
    with faults() as server:
        answer = send(
            f"{server.url}/echo/a%2Fb?q=a%20b+c&e=#fragment",
            method="POST",
            body=b'{"a": 1}',
            headers=(("Content-Type", "application/json"), ("X-Name", "Zoë"), ("X-Padded", " a b\t")),
        )
        request = server.requests[0]
    assert request.target == "/echo/a%2Fb?q=a%20b+c&e=&api_key=planted-Secret_4711"
    assert request.body == b'{"a": 1}'
    assert request.header("User-Agent") == f"runner.d/{__version__}"
    assert request.header("Accept") == "*/*"
    assert request.header("Accept-Encoding") == "gzip, deflate, br, zstd"
    assert request.header("Content-Length") == "8"
    assert request.header("X-Name") == "Zoë"
    assert request.header("X-Padded") == "a b"
    assert answer.http_version == "HTTP/1.1"
    assert 0 < answer.elapsed < 5
    assert answer.url == f"{server.url}/echo/a%2Fb?q=a%20b+c&e=#fragment"


def test_defaults_give_way_and_an_empty_post_has_a_length() -> None:
    with faults() as server:
        send(f"{server.url}/echo", method="POST", headers=(("user-agent", "mine"), ("ACCEPT", "text/csv")))
        request = server.requests[0]
    assert [value for name, value in request.headers if name.lower() == "user-agent"] == ["mine"]
    assert [value for name, value in request.headers if name.lower() == "accept"] == ["text/csv"]
    assert request.header("Content-Length") == "0"


def test_nothing_is_taken_from_the_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login al password pass-word\n")
    netrc.chmod(0o600)
    for name, value in {
        "HOME": str(tmp_path),
        "NETRC": str(netrc),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "",
    }.items():
        monkeypatch.setenv(name, value)
    with faults() as server:
        send(f"{server.url}/echo", channel={"origin": None})
        assert server.requests[0].header("Authorization") is None


# --- connections


def test_requests_after_one_another_share_a_connection() -> None:
    async def run(url: str) -> None:
        client = Client(environ={})
        channel = Channel(origin=url)
        for _ in range(20):
            await client.send(exchange(f"{url}/echo"), channel, Planted())
        await client.send(exchange(f"{url}/redirect/302"), channel)
        await client.send(exchange(f"{url}/echo"), Channel(origin=url, connect_timeout=3.0))
        await client.close()

    with faults() as server:
        asyncio.run(run(server.url))
        assert server.count() == 23
        # The last one has a channel of its own.
        assert server.connections == 2


def wait_for_the_end_of_connections(server: Server) -> None:
    until = time.monotonic() + 5
    while server._open:
        assert time.monotonic() < until, "a connection is still open"
        time.sleep(0.001)


def test_a_body_that_is_not_read_to_its_end_frees_its_connection() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

    def act(connection: Connection) -> None:
        connection.send(head)
        connection.hold()

    async def run(server: Server) -> None:
        client = Client(environ={})
        with pytest.raises(ExchangeError, match="over 10 bytes"):
            await client.send(exchange(f"{server.url}/", body_limit=10), Channel())
        await asyncio.to_thread(wait_for_the_end_of_connections, server)
        await client.close()

    with Server({"GET /": lambda _: Takeover(act)}) as server:
        asyncio.run(run(server))


def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    async def run(server: Server) -> None:
        client = Client(environ={})
        for _ in range(3):
            answer = await client.send(exchange(f"{server.url}/", method="POST"), Channel())
            assert answer.body == b"ok"
            await asyncio.to_thread(wait_for_the_end_of_connections, server)
        await client.close()

    with Server({"POST /": lambda _: Takeover(lambda connection: connection.send(head))}) as server:
        asyncio.run(run(server))
        assert server.connections == 3


def test_fifty_at_once() -> None:
    async def run(url: str) -> list[Answer]:
        client = Client(environ={})
        channel = Channel(origin=url)
        sent = (client.send(exchange(f"{url}/echo/{number}"), channel, Planted()) for number in range(50))
        answers = await asyncio.gather(*sent)
        await asyncio.gather(*(client.send(exchange(f"{url}/echo"), channel) for _ in range(50)))
        await client.close()
        return answers

    with faults() as server:
        answers = asyncio.run(run(server.url))
        assert server.connections <= 50
    assert [answer.url.rpartition("/")[2] for answer in answers] == [str(number) for number in range(50)]
    assert all(f'"/echo/{number}"'.encode() in answer.body for number, answer in enumerate(answers))


def test_one_that_fails_does_not_disturb_the_others() -> None:
    async def run(url: str) -> list[Answer | BaseException]:
        client = Client(environ={})
        channel = Channel(origin=url)
        paths = ["/slow/0.3", "/reset", "/slow/0.3", "/truncated/length", "/size/2/length", "/slow/0.3"]
        sent = (client.send(exchange(url + path, body_limit=1000), channel, Planted()) for path in paths)
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        await client.close()
        return outcomes

    with faults() as server:
        outcomes = asyncio.run(run(server.url))
    assert [isinstance(outcome, ExchangeError) for outcome in outcomes] == [
        False,
        True,
        False,
        True,
        True,
        False,
    ]


def test_cookies_do_not_outlive_their_exchange() -> None:
    async def run(url: str) -> None:
        client = Client(environ={})
        await client.send(exchange(f"{url}/cookies/set?a=1"), Channel(origin=url))
        await client.send(exchange(f"{url}/echo"), Channel(origin=url))
        await client.close()

    with faults() as server:
        asyncio.run(run(server.url))
        assert server.sent("GET", "/echo")[0].header("Cookie") is None
