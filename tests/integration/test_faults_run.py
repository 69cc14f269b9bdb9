"""Whatever can go wrong below HTTP, seen from a run: one clear message with place and remedy, and no traceback."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from runner.result import Status
from tests.projects import Ran, make, request, run, simple
from tests.servers.certificates import Authority
from tests.servers.faults import faults
from tests.servers.http import Server, reply
from tests.servers.listeners import hanging_up_port, plain_port, refused_port, silent_port, unanswered_port

JsonObject = dict[str, Any]


def failed(
    root: Path, url: str, path: str = "/", *, connection: JsonObject | None = None, slow: bool = False
) -> Ran:
    """Run a request that must fail, `slow` by a timeout; its failure has a place and a remedy."""
    limits = {"body": "1MiB", "connect": "50ms" if slow else "10s"}
    action = request("one", path=path, more={"retry": {"attempts": 1}, "timeout": "80ms" if slow else "10s"})
    ran = run(simple(root, [action], url=url, connection=connection, limits=limits))
    assert ran.result.status is Status.FAILED
    error = ran.result.error
    assert error is not None
    assert error.help
    assert error.span is not None
    assert error.span.path in ("workflows.d/main.yaml", "connections.d/api.yaml")
    assert error.message.isprintable()
    assert ran.action("one").error == error
    return ran


@contextmanager
def reached(kind: str, root: Path) -> Iterator[str]:
    """Give the base URL of a place where something is wrong."""
    with ExitStack() as stack:
        authority = Authority(root / "ca")

        def secure(**options: Any) -> str:
            return stack.enter_context(faults(tls=authority.server_context(**options))).url

        if kind == "refused":
            yield f"http://127.0.0.1:{stack.enter_context(refused_port())}"
        elif kind == "never connected":
            yield f"http://127.0.0.1:{stack.enter_context(unanswered_port())}"
        elif kind == "silent":
            yield f"http://127.0.0.1:{stack.enter_context(silent_port())}"
        elif kind == "not tls":
            yield f"https://127.0.0.1:{stack.enter_context(plain_port())}"
        elif kind == "broken handshake":
            yield f"https://127.0.0.1:{stack.enter_context(hanging_up_port())}"
        elif kind == "not http":
            yield f"http://127.0.0.1:{stack.enter_context(hanging_up_port(b'220 smtp ready' + bytes([13, 10, 13, 10])))}"
        elif kind == "unknown ca":
            yield secure()
        elif kind == "expired":
            yield secure(expired=True)


@pytest.mark.parametrize(
    ("kind", "failure", "message"),
    [
        ("refused", "connection", "refused the connection"),
        ("never connected", "timeout", "no connection to"),
        ("silent", "timeout", "no answer from"),
        ("not tls", "tls", "TLS"),
        ("broken handshake", "connection", "during the TLS handshake"),
        ("not http", "protocol", "is not HTTP"),
        ("unknown ca", "tls", "certificate"),
    ],
)
def test_a_server_that_cannot_be_talked_to(kind: str, failure: str, message: str, tmp_path: Path) -> None:
    with reached(kind, tmp_path) as url:
        ran = failed(tmp_path / "project", url, slow=failure == "timeout")
        assert ran.failure[0] == failure
        assert message in ran.failure[1]
        assert url.partition("://")[2] in ran.failure[1]


@pytest.mark.parametrize("kind", ["expired", "other name"])
def test_a_certificate_that_is_not_right(kind: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    context = (
        authority.server_context(expired=True)
        if kind == "expired"
        else authority.server_context("other.test")
    )
    with faults(tls=context) as server:
        ran = failed(tmp_path / "project", server.url, connection={"tls": {"ca": str(authority.ca_file)}})
        assert server.requests == ()
    assert ran.failure[0] == "tls"
    assert ("has expired" if kind == "expired" else "is not for '127.0.0.1'") in ran.failure[1]


@pytest.mark.parametrize(("verify", "ends"), [(True, Status.FAILED), (False, Status.SUCCEEDED)])
def test_verification_can_be_turned_off(verify: bool, ends: Status, tmp_path: Path) -> None:
    with faults(tls=Authority(tmp_path / "ca").server_context()) as server:
        action = request("one", path="/body/json", more={"retry": {"attempts": 1}})
        project = simple(tmp_path / "p", [action], url=server.url, connection={"tls": {"verify": verify}})
        assert run(project).result.status is ends


def test_a_ca_from_a_secret_reference(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    with faults(tls=authority.server_context()) as server:
        project = simple(
            tmp_path / "p",
            [request("one", path="/body/json")],
            url=server.url,
            connection={"tls": {"ca": "env://CA_PEM"}},
        )
        ran = run(project, environ={"CA_PEM": authority.ca_file.read_text()})
        assert ran.result.status is Status.SUCCEEDED, ran.result.error


def test_a_host_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "as the system says it")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    ran = failed(tmp_path, "https://api.invalid")
    assert ran.failure == ("connection", "host 'api.invalid' was not found")


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/reset", "connection"),
        ("/close", "connection"),
        ("/half-head", "connection"),
        ("/truncated/length", "connection"),
        ("/truncated/chunked", "connection"),
        ("/hold", "timeout"),
        ("/hold-body", "timeout"),
        ("/drip/100/0.05", "timeout"),
        ("/many-headers/5000", "protocol"),
        ("/body/bad-gzip", "protocol"),
        ("/body/not-json", "protocol"),
        ("/size/2/chunked", "limit"),
        ("/gzip-bomb/20", "limit"),
        ("/redirect-loop/302", "redirect"),
        ("/status/500", "unexpected-status"),
    ],
)
def test_a_server_that_misbehaves(path: str, failure: str, tmp_path: Path) -> None:
    with faults() as server:
        ran = failed(tmp_path, server.url, path, slow=failure == "timeout")
        assert ran.failure[0] == failure


def test_a_proxy_that_is_not_there(tmp_path: Path) -> None:
    with refused_port() as port:
        ran = failed(tmp_path, "https://api.example.com", connection={"proxy": f"http://127.0.0.1:{port}"})
    assert ran.failure[0] == "connection"
    assert f"the proxy 127.0.0.1:{port}" in ran.failure[1]


def test_a_failure_of_one_action_leaves_the_connection_usable(tmp_path: Path) -> None:
    with faults() as server:
        actions = [
            request("bad", path="/truncated/length", more={"on_error": "continue", "retry": {"attempts": 1}}),
            request("good", path="/body/json"),
            request("again", path="/body/json"),
        ]
        ran = run(simple(tmp_path, actions, url=server.url))
        assert ran.statuses == {"bad": "failed", "good": "succeeded", "again": "succeeded"}
        assert server.connections == 2


def test_a_chain_uses_one_connection(tmp_path: Path) -> None:
    with Server({"* /**": lambda _: reply({"n": 1})}) as server:
        actions = [
            request(
                f"step{index}", query={"n": f"{{{{ actions.step{index - 1}.output.n }}}}"} if index else {}
            )
            for index in range(30)
        ]
        ran = run(make(tmp_path, {
            "connections.d/api.yaml": {"type": "none", "base_url": server.url, "shared": True},
            "workflows.d/main.yaml": {"actions": actions},
        }))  # fmt: skip
        assert ran.result.status is Status.SUCCEEDED
        assert (server.count(), server.connections) == (30, 1)
