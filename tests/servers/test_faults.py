"""Every fault does what its path says."""

import contextlib
import ssl
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tests.servers.bodies import BODIES
from tests.servers.certificates import Authority
from tests.servers.faults import faults
from tests.servers.listeners import plain_port, refused_port, silent_port, unanswered_port


def test_statuses_and_retry_after() -> None:
    with faults() as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/status/503").status_code == 503
        assert client.get("/retry-after/429/seconds/1").headers["Retry-After"] == "1"
        date = parsedate_to_datetime(client.get("/retry-after/503/date/60").headers["Retry-After"])
        assert 50 < date.timestamp() - time.time() <= 60
        assert client.get("/retry-after/429/malformed/1").headers["Retry-After"] == "soon, perhaps"
        assert client.get("/retry-after/429/long/1").headers["Retry-After"] == "86400"


def test_flaky_paths_count_by_name_and_by_server() -> None:
    with faults() as server, faults() as other:
        path = "/flaky/2/503/one?after=seconds:1"
        answers = [httpx.get(server.url + path) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [503, 503, 200, 200]
        assert answers[0].headers["Retry-After"] == "1"
        assert answers[2].json() == {"attempt": 3}
        assert httpx.get(f"{server.url}/flaky/2/503/two").status_code == 503
        assert httpx.get(other.url + path).status_code == 503
        assert [httpx.get(f"{server.url}/unauthorized-first/1/one").status_code for _ in range(2)] == [
            401,
            200,
        ]
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{server.url}/drops-first/1/one")
        assert httpx.get(f"{server.url}/drops-first/1/one").json() == {"attempt": 2}


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/close", httpx.RemoteProtocolError),
        ("/reset", httpx.ReadError),
        ("/truncated/length", httpx.RemoteProtocolError),
        ("/truncated/chunked", httpx.RemoteProtocolError),
        ("/half-head", httpx.RemoteProtocolError),
        ("/not-http", httpx.RemoteProtocolError),
        ("/hold", httpx.ReadTimeout),
        ("/hold-body", httpx.ReadTimeout),
        ("/slow/5", httpx.ReadTimeout),
        ("/drip/4/5", httpx.ReadTimeout),
        ("/redirect-loop/302", httpx.TooManyRedirects),
        ("/body/bad-gzip", httpx.DecodingError),
    ],
)
def test_broken_answers(path: str, error: type[httpx.HTTPError]) -> None:
    with faults() as server, pytest.raises(error):
        httpx.get(server.url + path, timeout=0.2, follow_redirects=True)
    assert server.count() >= 1


def test_slow_answers_that_are_whole() -> None:
    with faults() as server:
        assert httpx.get(f"{server.url}/slow/0.01").json() == {"slow": True}
        assert httpx.get(f"{server.url}/drip/5/0.01").json() == {}


@pytest.mark.parametrize("name", sorted(BODIES.keys() - {"bad-gzip", "gzip"}))
def test_bodies(name: str) -> None:
    status, headers, content = BODIES[name]
    with faults() as server:
        answer = httpx.get(f"{server.url}/body/{name}")
    assert answer.status_code == status
    assert answer.content == content
    assert answer.headers.get("Content-Type") == headers.get("Content-Type")


def test_large_bodies() -> None:
    with faults() as server, httpx.Client(base_url=server.url) as client:
        for framing in ("length", "chunked", "close"):
            answer = client.get(f"/size/2/{framing}")
            assert len(answer.content) == 2 * 1024 * 1024 + 2
            assert ("Content-Length" in answer.headers) == (framing == "length")
        with client.stream("GET", "/gzip-bomb/20") as answer:
            sent = sum(len(piece) for piece in answer.iter_raw())
        assert sent < 100_000
        assert len(client.get("/gzip-bomb/20").content) == 20 * 1024 * 1024 + 2
        assert len(client.get("/deep-json/50").json()) == 1
        assert len(client.get("/many-headers/50").headers) > 50


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirects_go_where_they_are_told(code: int, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusting = ssl.create_default_context(cafile=str(authority.ca_file))
    secure = faults(tls=authority.server_context())
    with (
        faults() as server,
        faults() as other,
        secure,
        httpx.Client(verify=trusting, follow_redirects=True) as client,
    ):
        client.get(f"{server.url}/redirect/{code}")
        client.get(f"{server.url}/redirect/{code}", params={"to": f"{other.url}/echo?a=1"})
        client.get(f"{server.url}/redirect/{code}", params={"to": f"{secure.url}/echo"})
        client.get(f"{server.url}/redirect-chain/{code}/3", params={"to": f"{other.url}/echo/end"})
        assert server.count("GET", "/echo") == 1
        assert [request.target for request in other.requests] == ["/echo?a=1", "/echo/end"]
        assert secure.count("GET", "/echo") == 1
        assert server.count("GET", "/redirect-chain/*/*") == 3
        nowhere = httpx.get(f"{server.url}/redirect-nowhere/{code}")
        assert nowhere.status_code == code
        assert "Location" not in nowhere.headers


def test_echoes_hide_nothing() -> None:
    headers = {"Authorization": "Bearer canary"}
    with faults() as server, httpx.Client(base_url=server.url, headers=headers) as client:
        echoed = client.post("/echo/a%2Fb?x=1", json={"a": [1]}).json()
        assert echoed["method"] == "POST"
        assert echoed["path"] == "/echo/a%2Fb"
        assert echoed["query"] == [["x", "1"]]
        assert echoed["headers"]["authorization"] == "Bearer canary"
        assert echoed["json"] == {"a": [1]}
        answer = client.get("/echo-authorization")
        assert answer.json() == {"authorization": "Bearer canary"}
        assert answer.headers["X-Echo-Authorization"] == "Bearer canary"
        failed = client.get("/echo-error/500")
        assert failed.status_code == 500
        assert "canary" in failed.text
        assert client.get("/echo-redirect").headers["Location"] == "/echo?authorization=Bearer%20canary"


def test_credentials() -> None:
    with faults() as server, httpx.Client(base_url=server.url) as client:
        assert client.get("/basic/al/pa%3Ass", auth=("al", "pa:ss")).status_code == 200
        assert (
            client.get("/basic/al/pass", auth=("al", "wrong")).headers["WWW-Authenticate"]
            == 'Basic realm="tests"'
        )
        assert client.get("/bearer/t0ken", headers={"Authorization": "Bearer t0ken"}).status_code == 200
        assert client.get("/bearer/t0ken").status_code == 401
        assert client.get("/key/header/X-Key/k", headers={"x-key": "k"}).status_code == 200
        assert client.get("/key/query/key/k", params={"key": "k"}).status_code == 200
        assert client.get("/key/cookie/sid/k", headers={"Cookie": "a=1; sid=k"}).status_code == 200
        assert client.get("/key/cookie/sid/k", headers={"Cookie": "sid=other"}).status_code == 401
        assert client.get("/cookies/set?a=1&b=2").headers.get_list("Set-Cookie") == [
            "a=1; Path=/",
            "b=2; Path=/",
        ]


def test_ports_below_http() -> None:
    with refused_port() as port, pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}")
    with unanswered_port() as port, pytest.raises(httpx.ConnectTimeout):
        httpx.get(f"http://127.0.0.1:{port}", timeout=0.3)
    with silent_port() as port, pytest.raises(httpx.ReadTimeout):
        httpx.get(f"http://127.0.0.1:{port}", timeout=0.3)
    with plain_port() as port, pytest.raises(httpx.ConnectError, match="SSL"):
        httpx.get(f"https://127.0.0.1:{port}")


def test_a_silent_port_takes_no_large_body() -> None:
    with silent_port() as port, contextlib.ExitStack() as stack:
        stack.enter_context(pytest.raises(httpx.WriteTimeout))
        httpx.post(f"http://127.0.0.1:{port}", content=b"x" * 50_000_000, timeout=0.3)
