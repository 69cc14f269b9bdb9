"""The test server itself: what it logs, what it answers, how it stops."""

import http.client
import json
import socket
import ssl
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.servers.certificates import Authority
from tests.servers.http import Request, Response, Server, Takeover, reply


def echo(request: Request) -> Response:
    return reply({"arguments": request.arguments, "path": request.path, "query": request.query})


def test_logs_what_was_on_the_wire() -> None:
    with Server({"* /things/*": echo}) as server, httpx.Client() as client:
        answer = client.post(f"{server.url}/things/a%2Fb?q=x%20y&q=", json={"a": 1}, headers={"X-One": "1"})
        assert answer.json() == {
            "arguments": ["a/b"],
            "path": "/things/a%2Fb",
            "query": [["q", "x y"], ["q", ""]],
        }
        (request,) = server.requests
    assert request.target == "/things/a%2Fb?q=x%20y&q="
    assert request.header("x-one") == "1"
    assert request.json() == {"a": 1}
    assert request.head.startswith(b"POST /things/a%2Fb?q=x%20y&q= HTTP/1.1\r\n")


def test_counts_by_method_and_path() -> None:
    with Server({"* /things/*": echo, "GET /rest/**": echo}) as server:
        for method, path in [
            ("GET", "/things/1"),
            ("PUT", "/things/2"),
            ("GET", "/rest/1/2"),
            ("GET", "/none"),
        ]:
            httpx.request(method, server.url + path)
        assert server.count() == 4
        assert [status for _, status in server.exchanges] == [200, 200, 200, 404]
        assert server.count("GET") == 3
        assert server.count("PUT", "/things/*") == 1
        assert server.count("*", "/rest/**") == 1
        server.clear()
        assert server.count() == 0


def test_tells_a_wrong_method_from_a_wrong_path() -> None:
    with Server({"GET /here": echo}) as server:
        assert httpx.post(f"{server.url}/here").status_code == 405
        assert httpx.get(f"{server.url}/there").status_code == 404


def test_keeps_connections() -> None:
    with Server({"GET /": echo}) as server:
        with httpx.Client() as client:
            for _ in range(3):
                client.get(server.url)
        assert server.connections == 1
        assert [request.connection for request in server.requests] == [1, 1, 1]


def test_reads_a_chunked_request() -> None:
    with Server({"POST /": lambda request: Response(200, request.body)}) as server, httpx.Client() as client:
        assert client.post(server.url, content=iter([b"ab", b"c"])).content == b"abc"
        assert client.post(server.url, content=iter([b"d"])).content == b"d"
        assert server.connections == 1


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_sends_bodies_in_pieces(framing: str) -> None:
    def pieces(_: Request) -> Response:
        return Response(200, iter([b"one", b"two"]), {}, framing)  # type: ignore[arg-type]

    with Server({"GET /": pieces}) as server, httpx.Client() as client:
        answers = [client.get(server.url) for _ in range(2)]
        assert [answer.content for answer in answers] == [b"onetwo", b"onetwo"]
        assert ("content-length" in answers[0].headers) == (framing == "length")
        assert server.connections == (2 if framing == "close" else 1)


def test_head_and_204_carry_no_body() -> None:
    with Server({"HEAD /": echo, "GET /": lambda _: Response(204)}) as server, httpx.Client() as client:
        assert client.head(server.url).content == b""
        assert client.get(server.url).status_code == 204
        assert server.connections == 1


def test_a_handler_that_fails_fails_the_test() -> None:
    def broken(_: Request) -> Response:
        raise KeyError("missing")

    server = Server({"GET /": broken}).start()
    assert httpx.get(server.url).status_code == 500
    with pytest.raises(AssertionError) as caught:
        server.stop()
    assert isinstance(caught.value.__cause__, KeyError)


def test_stops_with_connections_open_and_handlers_waiting() -> None:
    arrived = threading.Event()

    def forever(_: Request) -> Takeover:
        arrived.set()
        return Takeover(lambda connection: connection.hold())

    before = threading.active_count()
    with Server({"GET /": forever}) as server, socket.create_connection(("127.0.0.1", server.port)) as idle:
        asking = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        asking.request("GET", "/")
        assert arrived.wait(10)
        started = time.monotonic()
        server.stop()
        assert time.monotonic() - started < 5
        assert idle.recv(1) == b""
        with pytest.raises(http.client.RemoteDisconnected):
            asking.getresponse()
        asking.close()
    assert threading.active_count() == before


def test_a_smuggled_header_is_visible_in_the_log() -> None:
    with Server({"GET /": echo}) as server, socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nX-Name: a\r\nX-Smuggled: b\r\nConnection: close\r\n\r\n")
        while raw.recv(65536):
            pass
        assert server.requests[0].header("X-Smuggled") == "b"


def test_tls_with_an_own_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with Server({"GET /": echo}, tls=authority.server_context()) as server:
        trusting = ssl.create_default_context(cafile=str(authority.ca_file))
        assert httpx.get(server.url, verify=trusting).status_code == 200
        assert server.refused_handshakes == 0
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(server.url)
    assert server.refused_handshakes == 1
    assert server.count() == 1


@pytest.mark.parametrize(("names", "expired"), [(("elsewhere.test",), False), ((), True)])
def test_certificates_that_must_be_refused(tmp_path: Path, names: tuple[str, ...], expired: bool) -> None:
    authority = Authority(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    refused = pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED")
    with Server({"GET /": echo}, tls=authority.server_context(*names, expired=expired)) as server, refused:
        httpx.get(server.url, verify=trusting)
    assert server.count() == 0


def test_client_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ours")
    stranger = Authority(tmp_path / "theirs").client("mallory")
    with Server({"GET /": echo}, tls=authority.server_context(require_client=True)) as server:
        ours = authority.client("alice")
        trusting = ssl.create_default_context(cafile=str(authority.ca_file))
        trusting.load_cert_chain(ours.certificate, ours.key)
        assert httpx.get(server.url, verify=trusting).status_code == 200
        trusting = ssl.create_default_context(cafile=str(authority.ca_file))
        trusting.load_cert_chain(stranger.combined)
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url, verify=trusting)
    assert [request.client for request in server.requests] == ["alice"]


def test_requests_carry_the_time_of_arrival() -> None:
    before = time.monotonic()
    with Server({"GET /": echo}) as server:
        httpx.get(server.url)
        httpx.get(server.url)
    first, second = server.requests
    assert before <= first.at <= second.at <= time.monotonic()
    assert json.loads(json.dumps(first.path)) == "/"
