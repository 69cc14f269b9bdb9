"""Ways to a server: SOCKS and HTTP proxies with their logins, Unix sockets, IPv6, HTTP/2."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner import flow
from runner.plan import describe
from runner.transports import httpx as httpx_transport
from tests.projects import bench, planned, request, simple
from tests.servers.certificates import Authority
from tests.servers.http import Request, Response, Server, reply
from tests.servers.http2 import Http2Server
from tests.servers.relays import SocksProxy, UnixSocket, short_directory

JsonObject = dict[str, Any]
PASSWORD = "a:pass/word@proxy"


def echo(asked: Request) -> Response:
    return reply(
        {"host": asked.header("Host"), "proxied": asked.header("Proxy-Authorization"), "target": asked.target}
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server({"* /hop": lambda _: Response(302, headers={"Location": "/x"}), "* /**": echo}) as running:
        yield running


def result_of(
    root: Path,
    url: str,
    path: str = "/x",
    environ: Any = None,
    **connection: Any,
) -> JsonObject:
    action = request("one", "GET", path, more={"retry": {"attempts": 1}})
    project = simple(root, [action], url=url, connection=connection)
    result: JsonObject = bench(project, environ=environ or {}).perform("one")
    return result


# --- SOCKS


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks(scheme: str, server: Server, authority: Authority, tmp_path: Path) -> None:
    with SocksProxy(server.port) as proxy:
        url = "http://api.test"
        by_key = result_of(tmp_path / "1", url, allow_http=True, proxy=f"{scheme}://{proxy.place}")
        environ = {"ALL_PROXY": f"{scheme}://{proxy.place}"}
        by_environment = result_of(tmp_path / "2", url, allow_http=True, environ=environ)
    assert (
        by_key["output"] == by_environment["output"] == {"host": "api.test", "proxied": None, "target": "/x"}
    )
    assert proxy.targets == ["api.test:80"] * 2  # the proxy looks the name up
    tls = Server({"* /**": echo}, tls=authority.server_context("api.test"))
    with tls, SocksProxy(tls.port) as proxy:
        ca = {"ca": str(authority.ca_file)}
        found = result_of(tmp_path / "3", "https://api.test", tls=ca, proxy=f"{scheme}://{proxy.place}")
    assert found["output"]["host"] == "api.test"


def test_the_login_of_a_proxy_comes_from_a_secret(server: Server, tmp_path: Path) -> None:
    proxy: JsonObject = {"username": "robot", "password": "env://PROXY"}
    with SocksProxy(server.port, login=("robot", PASSWORD)) as socks:
        proxy["url"] = f"socks5h://{socks.place}"
        given: JsonObject = {"allow_http": True, "proxy": proxy}
        good = result_of(tmp_path / "1", "http://api.test", environ={"PROXY": PASSWORD}, **given)
        bad = result_of(tmp_path / "2", "http://api.test", environ={"PROXY": "wrong/one@"}, **given)
    assert good["status"] == "succeeded", good
    assert bad["error"]["message"].startswith(f"the proxy {socks.place} did not open a way to api.test:80")
    # An HTTP proxy gets the whole request of plain http.
    proxy["url"] = server.url
    found = result_of(tmp_path / "3", "http://api.test", environ={"PROXY": PASSWORD}, **given)
    assert found["error"]["kind"] == "unexpected-status"  # what answers here is no proxy
    assert server.requests[-1].header("Proxy-Authorization") == "Basic cm9ib3Q6YTpwYXNzL3dvcmRAcHJveHk="
    assert server.requests[-1].target == "http://api.test/x"
    for result in (good, bad, found):
        assert PASSWORD not in str(result)
    project = simple(
        tmp_path / "4",
        [request("one")],
        url="http://api.test",
        connection={"allow_http": True, "proxy": proxy},
    )
    [secret] = describe(project, planned(project))["secrets"]
    assert (secret["reference"], secret["field"]) == ("env PROXY", "proxy.password")
    assert secret["host"] == f"127.0.0.1:{server.port}"
    assert [(each.channel, each.host) for each in flow.compute(project)] == [
        ("proxy.password", secret["host"])
    ]


def test_a_proxy_that_refuses(server: Server, tmp_path: Path) -> None:
    with SocksProxy(server.port, reply=4) as proxy:
        error = result_of(tmp_path, "http://api.test", allow_http=True, proxy=f"socks5://{proxy.place}")[
            "error"
        ]
    assert error["kind"] == "connection"
    assert error["message"] == f"the proxy {proxy.place} did not open a way to api.test:80"


@pytest.mark.parametrize(
    ("package", "connection", "extra"),
    [("socksio", {"proxy": "socks5://127.0.0.1:9"}, "socks"), ("h2", {"http2": True}, "http2")],
)
def test_a_package_that_is_missing_is_named(
    package: str, connection: JsonObject, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(httpx_transport, "find_spec", lambda name: None if name == package else object())
    error = result_of(tmp_path, "https://api.test", **connection)["error"]
    assert error["kind"] == "connection"
    assert error["message"].endswith("the package for it is not installed")
    assert error["help"] == f"pip install 'runner.d[{extra}]'"


# --- Unix sockets


def test_a_unix_socket(server: Server, tmp_path: Path) -> None:
    environ = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    with short_directory(tmp_path) as short, UnixSocket(tmp_path / "s", server.port):
        path = str(short / "s")
        for transport in ("httptools", "httpx"):
            found = result_of(
                tmp_path / transport,
                "http://localhost/v1",
                "/hop",
                environ={**environ, "RUNNER_TRANSPORT": transport},
                socket=path,
            )
            assert found["output"]["host"] == "localhost", found
        gone = result_of(tmp_path / "g", "http://localhost", socket=str(short / "gone"))
        (tmp_path / "file").write_text("")
        file = result_of(tmp_path / "f", "http://localhost", socket=str(short / "file"))
        left = str(short / "left")
        with socket.socket(socket.AF_UNIX) as unheard:
            unheard.bind(left)
            deaf = result_of(tmp_path / "deaf", "http://localhost", socket=left)
        long = result_of(tmp_path / "long", "http://localhost", socket=f"{short}/{'x' * 120}")
    assert long["error"]["message"].endswith("x is longer than a socket's may be")
    assert gone["error"]["message"] == f"the socket {short / 'gone'} is not there"
    assert file["error"]["message"] == f"the socket {short / 'file'} has nobody who listens"
    assert deaf["error"]["message"] == f"the socket {left} has nobody who listens"
    assert gone["error"]["kind"] == "connection"


def test_another_origin_is_not_behind_the_socket(server: Server, tmp_path: Path) -> None:
    elsewhere = Server({"GET /there": lambda _: reply({"over": "tcp"})})
    with elsewhere, short_directory(tmp_path) as short:
        home = Server({"* /go": lambda _: Response(302, headers={"Location": f"{elsewhere.url}/there"})})
        with home, UnixSocket(tmp_path / "s", home.port):
            action = request("one", "GET", "/go", redirects="follow")
            connection = {"socket": str(short / "s")}
            project = simple(tmp_path / "p", [action], url="http://localhost", connection=connection)
            assert bench(project).perform("one")["output"] == {"over": "tcp"}


# --- IPv6, HTTP/2


def test_an_ipv6_literal(tmp_path: Path) -> None:
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    port = listener.getsockname()[1]
    listener.close()
    running = Server({"* /**": echo})
    running._listener.close()
    running._listener = socket.create_server(("::1", port), family=socket.AF_INET6)
    running._acceptor.start()
    try:
        found = result_of(tmp_path, f"http://[::1]:{port}/v1")
    finally:
        running._stopping.set()
        socket.create_connection(("::1", port), timeout=5).close()
        running._acceptor.join(10)
        running._listener.close()
    assert found["output"] == {"host": f"[::1]:{port}", "proxied": None, "target": "/v1/x"}


def test_http_2_where_it_is_offered(
    server: Server, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"x" * 200_000)
    monkeypatch.chdir(tmp_path)
    tls = {"ca": str(authority.ca_file)}
    with Http2Server(authority.server_context()) as both:
        actions = [request("one"), request("two", "POST", "/up", body={"file": "f"})]
        connection = {"tls": tls, "http2": True}
        project = simple(tmp_path / "1", actions, url=both.url, connection=connection)
        one, two = bench(project).perform("one", "two")
        assert one["output"] == two["output"] == {"version": 2}
        assert [(method, path, len(body)) for method, path, body in both.requests] == [
            ("GET", "/", 0),
            ("POST", "/up", 200_000),
        ]
    with Http2Server(authority.server_context()) as both:
        assert result_of(tmp_path / "2", both.url, tls=tls)["output"] == "h1.1"
    assert result_of(tmp_path / "3", server.url, http2=True)["status"] == "succeeded"
    assert "h2" in sys.modules
