"""What is sent to Vault and where: redirects, retries, proxies, the agent, and what must never go along."""

import time
from pathlib import Path

import pytest

from tests.integration import vault_stub
from tests.integration.vault_workspace import APPROLE, Workspace, at
from tests.servers.certificates import Authority
from tests.servers.http import Request, Response, Server, reply
from tests.servers.listeners import refused_port
from tests.servers.relays import Tunnel, UnixSocket, short_directory


def test_one_redirect_to_the_active_server_is_followed(vault: Workspace) -> None:
    with Server(vault_stub.routes()) as leader:

        def onwards(request: Request) -> Response:
            return Response(307, b"", {"Location": leader.url + request.target})

        with Server({"* /**": onwards}) as standby:
            assert vault.read("secret/app#a", environ=at(vault, standby.url)) == ["of the stub"]
        assert all(request.header("X-Vault-Token") == "s.any-token" for request in leader.requests)
        with Server({"* /**": onwards}) as standby:
            forbidden = at(vault, standby.url, VAULT_DISABLE_REDIRECTS="1")
            assert "VAULT_DISABLE_REDIRECTS" in vault.problem("secret/app#a", environ=forbidden).message


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://127.0.0.1:9/login", "that is not the same request"),
        ("http://user:word@127.0.0.1:9/v1/auth/token/lookup-self", "that is not the same request"),
        ("ftp://127.0.0.1/v1/auth/token/lookup-self", "that is not the same request"),
    ],
)
def test_other_redirects_are_refused(vault: Workspace, location: str, reason: str) -> None:
    with Server({"* /**": lambda _: Response(307, b"", {"Location": location})}) as server:
        problem = vault.problem("secret/app#a", environ=at(vault, server.url))

    assert reason in problem.message
    assert "word" not in problem.message
    assert server.count() == 1


def test_a_redirect_never_leaves_tls_nor_goes_on_for_ever(vault: Workspace, authority: Authority) -> None:
    def down(request: Request) -> Response:
        return Response(307, b"", {"Location": "http://127.0.0.1:9" + request.target})

    with Server({"* /**": down}, tls=authority.server_context()) as server:
        environ = at(vault, server.url, VAULT_CACERT=str(authority.ca_file))
        assert "unencrypted" in vault.problem("secret/app#a", environ=environ).message
        assert server.count() == 1

    def again(request: Request) -> Response:
        return Response(307, b"", {"Location": request.target})

    with Server({"* /**": again}) as server:
        problem = vault.problem("secret/app#a", environ=at(vault, server.url))
        assert "307" in problem.message
        assert server.count() == 2


def test_a_redirect_that_would_lose_the_body_of_a_login_is_refused(vault: Workspace) -> None:
    def moved(request: Request) -> Response:
        return Response(302, b"", {"Location": "http://127.0.0.1:9" + request.target})

    with Server({"* /**": moved}) as server:
        environ = at(vault, server.url, SECRET_ID="some secret id")
        assert "lose the body" in vault.problem("secret/app#a", config=APPROLE, environ=environ).message


def test_retry_after_is_obeyed(vault: Workspace) -> None:
    busy = reply({"errors": ["rate limit quota exceeded"]}, 429, {"Retry-After": "1"})
    turns = vault_stub.in_turn(lambda _: busy, vault_stub.stored)
    with Server(vault_stub.routes({"GET /v1/secret/data/app": turns})) as server:
        environ = at(vault, server.url, VAULT_MAX_RETRIES="1")
        started = time.monotonic()
        assert vault.read("secret/app#a", environ=environ) == ["of the stub"]
        assert time.monotonic() - started >= 1


def test_a_long_retry_after_ends_at_once_and_is_told(vault: Workspace) -> None:
    busy = reply({"errors": ["rate limit quota exceeded"]}, 429, {"Retry-After": "3600"})
    with Server(vault_stub.routes({"GET /v1/secret/data/app": lambda _: busy})) as server:
        environ = at(vault, server.url, VAULT_MAX_RETRIES="5")
        problem = vault.problem("secret/app#a", environ=environ)
        assert server.count("GET", "/v1/secret/data/app") == 1

    assert problem.message.endswith("limits the rate of requests; it asks to wait 3600 s")


def test_server_errors_are_retried_twice_by_default(vault: Workspace) -> None:
    standby = reply({"errors": ["local node not active but active cluster node not found"]}, 500)
    turns = vault_stub.in_turn(lambda _: standby, lambda _: standby, vault_stub.stored)
    with Server(vault_stub.routes({"GET /v1/secret/data/app": turns})) as server:
        environ = at(vault, server.url)
        del environ["VAULT_MAX_RETRIES"]
        assert vault.read("secret/app#a", environ=environ) == ["of the stub"]


def test_netrc_is_not_sent_to_vault(vault: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (vault.directory / ".netrc").write_text("machine 127.0.0.1 login thief password stolen\n")
    monkeypatch.setenv("HOME", str(vault.directory))
    with Server(vault_stub.routes()) as server:
        vault.read("secret/app#a", environ=at(vault, server.url))
        assert server.requests
        assert not any(request.header("Authorization") for request in server.requests)
        assert all(request.header("X-Vault-Request") == "true" for request in server.requests)


def test_the_proxy_of_vault_is_used(vault: Workspace) -> None:
    with Server({}) as proxy:
        environ = at(vault, "http://vault.invalid:8200", VAULT_PROXY_ADDR=proxy.url)
        vault.problem("secret/app#a", environ=environ)

        assert proxy.requests[0].target == "http://vault.invalid:8200/v1/auth/token/lookup-self"


def test_tls_goes_through_a_proxy_and_is_still_checked(vault_tls: Workspace, authority: Authority) -> None:
    vault_tls.put("secret/app", {"a": "through the tunnel"})
    with Tunnel(vault_tls.server.port) as tunnel:
        environ = vault_tls.environ(
            VAULT_ADDR="https://vault.test:8200",
            VAULT_TOKEN=vault_tls.token("reader"),
            HTTPS_PROXY=tunnel.url,
        )
        untrusted = vault_tls.problem("secret/app#a", environ=environ)
        environ["VAULT_CACERT"] = str(authority.ca_file)
        assert vault_tls.read("secret/app#a", environ=environ) == ["through the tunnel"]

    assert set(tunnel.targets) == {"vault.test:8200"}
    assert "is not signed by a trusted CA" in untrusted.message


def test_a_proxy_that_does_not_answer_is_named(vault: Workspace) -> None:
    with refused_port() as port:
        environ = at(vault, "http://vault.invalid:8200", HTTP_PROXY=f"http://me:word@127.0.0.1:{port}")
        problem = vault.problem("secret/app#a", environ=environ)

    assert (
        problem.message
        == "the proxy 127.0.0.1 (for Vault at http://vault.invalid:8200) refused the connection"
    )
    assert "HTTP_PROXY" in str(problem.help)
    assert "word" not in repr(problem)


def test_an_agent_replaces_the_address_and_needs_no_token(vault: Workspace) -> None:
    environ = at(vault, "http://127.0.0.1:9")
    del environ["VAULT_TOKEN"]
    with Server(vault_stub.routes()) as agent:
        assert vault.read("secret/app#a", environ={**environ, "VAULT_AGENT_ADDR": agent.url}) == [
            "of the stub"
        ]
        assert not any(request.header("X-Vault-Token") for request in agent.requests)

    without_token = {**environ, "VAULT_AGENT_ADDR": vault.server.address}
    assert "agent has no valid token" in vault.problem("secret/app#a", environ=without_token).message


def test_an_agent_behind_a_unix_socket(vault: Workspace, tmp_path: Path) -> None:
    environ = at(vault, "http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9", VAULT_MAX_RETRIES="0")
    with Server(vault_stub.routes()) as agent, short_directory(tmp_path) as short:
        environ["VAULT_AGENT_ADDR"] = f"unix://{short}/agent"
        with UnixSocket(tmp_path / "agent", agent.port):
            assert vault.read("secret/app#a", environ=environ) == ["of the stub"]
        left = vault.problem("secret/app#a", environ=environ)
        (tmp_path / "agent").unlink(missing_ok=True)
        gone = vault.problem("secret/app#a", environ=environ)
    assert left.message == f"the socket {short}/agent has nobody who listens"
    assert gone.message == f"the socket {short}/agent is not there"
    assert "VAULT_AGENT_ADDR" in str(gone.help)
