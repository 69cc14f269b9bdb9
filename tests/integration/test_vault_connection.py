"""Reaching Vault: addresses that do not answer, TLS, seals, redirects, retries, proxies."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration import vault_stub
from tests.integration.vault_workspace import APPROLE, Workspace, at
from tests.servers.certificates import Authority
from tests.servers.http import Request, Response, Server, reply
from tests.servers.listeners import plain_port, refused_port, silent_port, unanswered_port
from tests.servers.openbao import OpenBao

# --- unreachable


def test_a_refused_connection_is_reported_once(vault: Workspace) -> None:
    with refused_port() as port:
        problem = vault.problem("secret/a#b", "secret/c#d", environ=at(vault, f"http://127.0.0.1:{port}"))

    assert problem.message == f"Vault at http://127.0.0.1:{port} refused the connection"
    assert "VAULT_ADDR" in str(problem.help)
    assert problem.reference == "secret/a#b, secret/c#d"


def test_an_unknown_host(vault: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    problem = vault.problem("secret/a#b", environ=at(vault, "https://vault.invalid:8200"))

    assert problem.message == "the host 'vault.invalid' is not known"


def test_no_answer_within_the_timeout(vault: Workspace) -> None:
    with silent_port() as port:
        environ = at(vault, f"http://127.0.0.1:{port}", VAULT_CLIENT_TIMEOUT="200ms")
        problem = vault.problem("secret/a#b", environ=environ)

    assert (
        problem.message
        == f"Vault at http://127.0.0.1:{port} took the request and did not answer within 0.2 s"
    )


def test_no_connection_within_the_timeout(vault: Workspace) -> None:
    with unanswered_port() as port:
        environ = at(vault, f"http://127.0.0.1:{port}", VAULT_CLIENT_TIMEOUT="200ms")
        problem = vault.problem("secret/a#b", environ=environ)

    assert problem.message == f"Vault at http://127.0.0.1:{port} did not answer the connection in time"


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (Response(200, b"<html>welcome</html>", {"Content-Type": "text/html"}), "no JSON"),
        (reply({"status": "up"}), "JSON of something else"),
        (reply({"data": {"status": "up"}}), "JSON of something else"),
    ],
)
def test_something_that_is_not_vault(answer: Response, what: str, vault: Workspace) -> None:
    with Server({"* /**": lambda _: answer}) as server:
        problem = vault.problem("secret/a#b", environ=at(vault, server.url))

    assert problem.message == f"what answers at {server.url} is not Vault (status 200, {what})"


def test_text_of_a_server_cannot_write_to_the_terminal(vault: Workspace) -> None:
    evil = {"errors": ["\x1b[2Jall is well\r\n" + "x" * 2000]}
    with Server(vault_stub.routes({"GET /v1/secret/data/app": lambda _: reply(evil, 418)})) as server:
        problem = vault.problem("secret/app#a", environ=at(vault, server.url))

    assert "all is well x" in problem.message
    assert problem.message.isprintable()
    assert len(problem.message) < 700


def test_a_token_that_a_server_repeats_is_blanked(vault: Workspace) -> None:
    def repeat(request: Request) -> Response:
        return reply({"errors": [f"bad token {request.header('X-Vault-Token')}"]}, 418)

    with Server(vault_stub.routes({"GET /v1/secret/data/app": repeat})) as server:
        problem = vault.problem("secret/app#a", environ=at(vault, server.url))

    assert "bad token ***" in problem.message


# --- TLS


def with_token(vault: Workspace, **more: str) -> dict[str, str]:
    return vault.environ(VAULT_TOKEN=vault.token("reader"), **more)


@pytest.fixture
def secure(vault_tls: Workspace) -> Workspace:
    vault_tls.put("secret/app", {"a": "over TLS"})
    return vault_tls


def by_variable(ca: Path) -> dict[str, str]:
    return {"VAULT_CACERT": str(ca)}


def by_directory(ca: Path) -> dict[str, str]:
    return {"VAULT_CAPATH": str(ca.parent)}


def by_text(ca: Path) -> dict[str, str]:
    return {"VAULT_CACERT_BYTES": ca.read_text()}


def by_ssl_cert_file(ca: Path) -> dict[str, str]:
    return {"SSL_CERT_FILE": str(ca)}


@pytest.mark.parametrize("given", [by_variable, by_directory, by_text, by_ssl_cert_file])
def test_the_ca_in_each_way_of_the_command_line(
    secure: Workspace, tmp_path: Path, authority: Authority, given: Callable[[Path], dict[str, str]]
) -> None:
    alone = tmp_path / "ca" / "ca.pem"
    alone.parent.mkdir()
    alone.write_bytes(authority.ca_file.read_bytes())

    assert secure.read("secret/app#a", environ=with_token(secure, **given(alone))) == ["over TLS"]


def test_the_ca_of_the_project(secure: Workspace, authority: Authority) -> None:
    (secure.directory / "ca.pem").write_bytes(authority.ca_file.read_bytes())

    assert secure.read("secret/app#a", config={"ca_cert": "ca.pem"}, environ=with_token(secure)) == [
        "over TLS"
    ]


def test_an_unknown_ca_says_where_the_ca_came_from(secure: Workspace, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other").ca_file
    variables = with_token(secure, VAULT_CACERT=str(other))

    wrong = secure.problem("secret/app#a", environ=variables)
    of_file = secure.problem("secret/app#a", config={"ca_cert": str(other)}, environ=with_token(secure))
    none = secure.problem("secret/app#a", environ=with_token(secure))

    assert "is not signed by a trusted CA" in wrong.message
    assert f"VAULT_CACERT ({other})" in str(wrong.help)
    assert "vault.ca_cert in runner.yaml" in str(of_file.help)
    assert "the certificate store of this machine" in str(none.help)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_ca_file_that_cannot_be_used(secure: Workspace, tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "broken.pem"
    if content:
        file.write_text(content)

    problem = secure.problem("secret/app#a", environ=with_token(secure, VAULT_CACERT=str(file)))

    assert problem.message.startswith(f"the CA for Vault from VAULT_CACERT ({file}) cannot be used")


def test_a_certificate_for_another_name(secure: Workspace, authority: Authority) -> None:
    with Server({}, tls=authority.server_context("other.test")) as server:
        environ = at(secure, server.url, VAULT_CACERT=str(authority.ca_file))
        problem = secure.problem("secret/app#a", environ=environ)

    assert problem.message == f"the certificate of Vault at {server.url} is not for '127.0.0.1'"
    assert "VAULT_TLS_SERVER_NAME" in str(problem.help)


def test_the_server_name_can_be_given(secure: Workspace, authority: Authority) -> None:
    variables = with_token(secure, VAULT_CACERT=str(authority.ca_file))

    assert secure.read("secret/app#a", environ={**variables, "VAULT_TLS_SERVER_NAME": "vault.test"}) == [
        "over TLS"
    ]
    problem = secure.problem("secret/app#a", environ={**variables, "VAULT_TLS_SERVER_NAME": "elsewhere.test"})
    assert "is not for 'elsewhere.test'" in problem.message


def test_an_expired_certificate(secure: Workspace, authority: Authority) -> None:
    with Server({}, tls=authority.server_context(expired=True)) as server:
        environ = at(secure, server.url, VAULT_CACERT=str(authority.ca_file))
        problem = secure.problem("secret/app#a", environ=environ)

    assert "is out of its dates: certificate has expired" in problem.message


def test_http_to_https_and_https_to_http(secure: Workspace, openbao: OpenBao) -> None:
    plain = secure.server.address.replace("https", "http")
    assert (
        secure.problem("secret/app#a", environ=at(secure, plain)).message == f"{plain} speaks HTTPS, not HTTP"
    )
    problem = secure.problem(
        "secret/app#a", config=APPROLE, environ=at(secure, plain, SECRET_ID="some secret id")
    )
    assert problem.message == f"{plain} speaks HTTPS, not HTTP"

    with plain_port() as port:
        tls = f"https://127.0.0.1:{port}"
        assert (
            secure.problem("secret/app#a", environ=at(secure, tls)).message == f"{tls} does not speak HTTPS"
        )
    tls = openbao.address.replace("http", "https")
    assert secure.problem("secret/app#a", environ=at(secure, tls)).message == f"{tls} does not speak HTTPS"


def test_http_to_https_where_the_connection_is_only_reset(secure: Workspace, authority: Authority) -> None:
    with Server({}, tls=authority.server_context()) as server:
        plain = server.url.replace("https", "http")
        problem = secure.problem("secret/app#a", environ=at(secure, plain))

    assert problem.message == f"{plain} speaks HTTPS, not HTTP"


def test_unverified_tls_works_and_warns(secure: Workspace) -> None:
    assert secure.read("secret/app#a", environ=with_token(secure, VAULT_SKIP_VERIFY="true")) == ["over TLS"]
    assert len(secure.warnings) == 1
    assert secure.warnings[0].startswith("VAULT_SKIP_VERIFY is set")


def test_a_server_that_wants_a_client_certificate(secure: Workspace, authority: Authority) -> None:
    context = authority.server_context(require_client=True)
    files = authority.client("runner")
    with Server(vault_stub.routes(), tls=context) as server:
        environ = at(secure, server.url, VAULT_CACERT=str(authority.ca_file))
        problem = secure.problem("secret/app#a", environ=environ)
        shown = {"VAULT_CLIENT_CERT": str(files.certificate), "VAULT_CLIENT_KEY": str(files.key)}
        assert secure.read("secret/app#a", environ={**environ, **shown}) == ["of the stub"]

    assert "VAULT_CLIENT_CERT" in str(problem.help)


# --- seals


def test_uninitialized_sealed_and_unsealed(vault: Workspace, authority: Authority, tmp_path: Path) -> None:
    certificate = authority.server("127.0.0.1", "sealed.test")
    with OpenBao.with_tls(tmp_path / "sealed", certificate, authority.ca_file, initialized=False) as server:
        environ = at(vault, server.address, VAULT_CACERT=str(authority.ca_file), SECRET_ID="some secret id")
        fresh = vault.problem("secret/app#a", "secret/b#c", environ=environ)

        keys = server.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        sealed = vault.problem("secret/app#a", "secret/b#c", environ=environ)
        at_login = vault.problem("secret/app#a", config=APPROLE, environ=environ)

        server.root_token, server.unseal_key = keys["root_token"], keys["keys"][0]
        server.unseal()
        server.ask("POST", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}})
        server.ask("POST", "kv/data/app", {"data": {"a": "unsealed"}})
        values = vault.read("kv/app#a", environ={**environ, "VAULT_TOKEN": server.root_token})

    assert fresh.message == f"Vault at {server.address} is not initialized"
    assert sealed.message == at_login.message == f"Vault at {server.address} is sealed"
    assert values == ["unsealed"]
