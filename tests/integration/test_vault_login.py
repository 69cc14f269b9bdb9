"""Every way to log in to Vault, against a real server: what works, and what each mistake says."""

from typing import Any

import pytest

from tests.integration import vault_stub
from tests.integration.vault_workspace import Workspace, enable
from tests.servers.certificates import Authority
from tests.servers.http import Response, Server, reply

# --- token


def test_the_token_variable_comes_before_the_token_file(stored: Workspace) -> None:
    (stored.directory / ".vault-token").write_text("no such token")

    assert stored.read("secret/app#a", VAULT_TOKEN=f" {stored.token('reader')}\n") == ["the value"]


def test_the_login_of_the_file_comes_before_the_token_variable(stored: Workspace) -> None:
    auth = {"method": "token", "token": "env://MINE"}

    values = stored.read(
        "secret/app#a", config={"auth": auth}, VAULT_TOKEN="dead", MINE=stored.token("reader")
    )

    assert values == ["the value"]


def test_a_token_from_a_file_of_the_project(stored: Workspace) -> None:
    (stored.directory / "token").write_text(stored.token("reader") + "\n")

    auth = {"method": "token", "token_file": "token"}
    assert stored.read("secret/app#a", config={"auth": auth}) == ["the value"]


def test_openbao_names_of_the_variables_come_second(stored: Workspace) -> None:
    environ = {
        "BAO_ADDR": stored.server.address,
        "BAO_NAMESPACE": stored.namespace,
        "BAO_TOKEN": "dead",
        "VAULT_TOKEN": stored.token("reader"),
    }

    assert stored.read("secret/app#a", environ=environ) == ["the value"]


def test_without_any_login_the_error_lists_what_was_looked_for(stored: Workspace) -> None:
    message = stored.problem("secret/app#a").message

    for place in ("vault.auth in runner.yaml", "VAULT_TOKEN", str(stored.directory / ".vault-token")):
        assert place in message


@pytest.mark.parametrize("token", ["two\nlines-of-token", "with space", "naïve-token", "bell\x07token", "  "])
def test_a_token_that_cannot_be_sent_is_refused_without_showing_it(stored: Workspace, token: str) -> None:
    problem = stored.problem("secret/app#a", VAULT_TOKEN=token)

    assert "the token from VAULT_TOKEN" in problem.message
    assert not any(word in problem.message for word in ("two", "with-space", "naïve", "bell"))


def test_a_dead_token_is_reported_once_for_all_references(stored: Workspace) -> None:
    problem = stored.problem(
        "secret/app#a", "secret/b#c", "secret/d#e", "secret/f#g", VAULT_TOKEN="s.no-such-token"
    )

    assert problem.message.startswith("Vault does not accept the token from VAULT_TOKEN: it has expired")
    assert problem.reference == "secret/app#a, secret/b#c, secret/d#e and 1 more"


def test_a_token_that_may_not_look_itself_up_works(stored: Workspace) -> None:
    token = stored.token("reader", no_default_policy=True)

    assert stored.read("secret/app#a", VAULT_TOKEN=token) == ["the value"]


# --- approle


@pytest.fixture
def approle(stored: Workspace) -> Workspace:
    enable(stored, "approle", "machines/approle")
    stored.ask("POST", "auth/machines/approle/role/runner", {"token_policies": ["reader"]})
    return stored


def role_id(vault: Workspace) -> str:
    return str(vault.ask("GET", "auth/machines/approle/role/runner/role-id")["data"]["role_id"])


def secret_id(vault: Workspace, *, wrap: str = "") -> str:
    headers = {"X-Vault-Wrap-TTL": wrap} if wrap else {}
    answer = vault.ask("POST", "auth/machines/approle/role/runner/secret-id", {}, headers=headers)
    return str(answer["wrap_info"]["token"] if wrap else answer["data"]["secret_id"])


def approle_config(vault: Workspace, **more: Any) -> dict[str, Any]:
    auth = {
        "method": "approle",
        "mount": "machines/approle",
        "role_id": role_id(vault),
        "secret_id": "env://SECRET_ID",
    }
    return {"auth": {**auth, **more}}


def test_approle(approle: Workspace) -> None:
    secret = secret_id(approle)

    assert approle.read("secret/app#a", config=approle_config(approle), SECRET_ID=secret) == ["the value"]
    assert approle.registered[secret] == "vault.auth.secret_id"
    assert "Vault token" in approle.registered.values()


def test_approle_with_everything_from_elsewhere(approle: Workspace) -> None:
    (approle.directory / "secret-id").write_text(secret_id(approle) + "\n")
    auth = {
        "method": "approle",
        "mount": "machines/approle",
        "role_id": "env://ROLE_ID",
        "secret_id_file": "secret-id",
    }

    assert approle.read("secret/app#a", config={"auth": auth}, ROLE_ID=role_id(approle)) == ["the value"]


def test_a_wrong_secret_id_gets_advice(approle: Workspace) -> None:
    problem = approle.problem("secret/app#a", config=approle_config(approle), SECRET_ID="not-the-one")

    assert problem.message == (
        "Vault refused the login by approle at 'machines/approle': invalid role or secret ID"
    )
    assert "vault write -f auth/machines/approle/role/ROLE/secret-id" in str(problem.help)


def test_a_missing_variable_is_named(approle: Workspace) -> None:
    problem = approle.problem("secret/app#a", config=approle_config(approle))

    assert problem.message == "the environment variable SECRET_ID of vault.auth.secret_id is not set"


def test_a_wrong_mount_is_told(approle: Workspace) -> None:
    problem = approle.problem("secret/app#a", config=approle_config(approle, mount="none"), SECRET_ID="x" * 8)

    assert "at 'none'" in problem.message
    assert "vault auth list" in str(problem.help)


def test_a_wrapped_secret_id_is_opened_once(approle: Workspace) -> None:
    config = approle_config(approle, wrapped=True)
    wrapped = secret_id(approle, wrap="60s")

    assert approle.read("secret/app#a", config=config, SECRET_ID=wrapped) == ["the value"]

    problem = approle.problem("secret/app#a", config=config, SECRET_ID=wrapped)
    assert "already unwrapped" in problem.message
    assert "intercepted" in str(problem.help)


def test_a_wrapping_by_somebody_else_is_not_opened(approle: Workspace) -> None:
    forged = approle.ask(
        "POST", "sys/wrapping/wrap", {"secret_id": "of the attacker"}, headers={"X-Vault-Wrap-TTL": "60s"}
    )["wrap_info"]["token"]

    problem = approle.problem("secret/app#a", config=approle_config(approle, wrapped=True), SECRET_ID=forged)

    assert "was not made by this AppRole" in problem.message
    assert approle.ask("POST", "sys/wrapping/lookup", {"token": forged})["data"]["creation_path"]


def test_a_wrapping_of_something_else_of_the_role_is_told(approle: Workspace) -> None:
    def answer(data: dict[str, str]) -> Response:
        return reply({"data": data})

    replaced = {
        "POST /v1/sys/wrapping/lookup": lambda _: answer({"creation_path": "auth/approle/role/r/secret-id"}),
        "POST /v1/sys/wrapping/unwrap": lambda _: answer({"something": "else"}),
    }
    auth = {"method": "approle", "role_id": "r", "secret_id": "env://SECRET_ID", "wrapped": True}
    with Server(vault_stub.routes(replaced)) as server:
        environ = {"VAULT_ADDR": server.url, "SECRET_ID": "s.wrapping-token"}
        problem = approle.problem("secret/app#a", config={"auth": auth}, environ=environ)
        (unwrapped,) = server.sent("POST", "/v1/sys/wrapping/unwrap")

    assert problem.message == "the wrapping token in vault.auth.secret_id does not hold a secret id"
    assert unwrapped.header("X-Vault-Token") == "s.wrapping-token"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            404,
            {"errors": ['no handler for route "auth/approle/login"']},
            "Vault has no auth method mounted at 'approle'",
        ),
        (
            403,
            {"errors": ["permission denied"]},
            "Vault refused the login by approle at 'approle': permission denied",
        ),
        (
            500,
            {"errors": ["not configured"]},
            "the auth method approle at 'approle' failed inside Vault: not configured",
        ),
        (
            200,
            {"auth": {"mfa_requirement": {"id": "1"}}},
            "the login by approle gave no token: Vault asks for a second factor",
        ),
        (200, {"auth": None}, "the login by approle gave no token"),
    ],
)
def test_logins_that_fail_at_the_server(
    stored: Workspace, status: int, body: dict[str, Any], message: str
) -> None:
    auth = {"method": "approle", "role_id": "r", "secret_id": "env://SECRET_ID"}
    with Server(vault_stub.routes({"POST /v1/auth/approle/login": lambda _: reply(body, status)})) as server:
        environ = {"VAULT_ADDR": server.url, "SECRET_ID": "some secret id", "VAULT_MAX_RETRIES": "0"}
        problem = stored.problem("secret/app#a", config={"auth": auth}, environ=environ)

    assert problem.message == message


# --- userpass


def test_userpass(stored: Workspace) -> None:
    enable(stored, "userpass")
    stored.ask("POST", "auth/userpass/users/eve", {"password": "correct horse", "token_policies": ["reader"]})
    auth = {"method": "userpass", "username": "eve", "password": "env://PASSWORD"}
    (stored.directory / "password").write_text("correct horse\n")
    from_file = {"method": "userpass", "username": "env://WHO", "password_file": "password"}

    assert stored.read("secret/app#a", config={"auth": auth}, PASSWORD="correct horse") == ["the value"]
    assert stored.read("secret/app#a", config={"auth": from_file}, WHO="eve") == ["the value"]
    problem = stored.problem("secret/app#a", config={"auth": auth}, PASSWORD="incorrect horse")
    assert (
        problem.message == "Vault refused the login by userpass at 'userpass': invalid username or password"
    )


def test_a_typed_in_password_is_refused(stored: Workspace) -> None:
    auth = {"method": "userpass", "username": "eve", "password": "typed in"}

    problem = stored.problem("secret/app#a", config={"auth": auth})

    assert problem.message == "vault.auth.password holds a typed-in value"


# --- cert


def test_cert(vault_tls: Workspace, authority: Authority) -> None:
    vault_tls.put("secret/app", {"a": "the value"})
    enable(vault_tls, "cert")
    ca = authority.ca_file.read_text()
    for role, name in (("runner", "runner.clients.test"), ("other", "other.clients.test")):
        body = {"certificate": ca, "allowed_dns_sans": name, "token_policies": ["reader"]}
        vault_tls.ask("POST", f"auth/cert/certs/{role}", body)
    files = authority.client("runner")
    auth = {"method": "cert", "cert": str(files.certificate), "key": str(files.key), "name": "runner"}
    variables = {"VAULT_CACERT": str(authority.ca_file)}
    of_cli = {**variables, "VAULT_CLIENT_CERT": str(files.certificate), "VAULT_CLIENT_KEY": str(files.key)}

    assert vault_tls.read("secret/app#a", config={"auth": auth}, environ=vault_tls.environ(**variables)) == [
        "the value"
    ]
    assert vault_tls.read(
        "secret/app#a", config={"auth": {"method": "cert"}}, environ=vault_tls.environ(**of_cli)
    ) == ["the value"]
    wrong = vault_tls.problem("secret/app#a", config={"auth": {**auth, "name": "other"}}, **variables)
    none = vault_tls.problem("secret/app#a", config={"auth": {"method": "cert"}}, **variables)
    mixed = {**auth, "key": str(authority.client("somebody").key)}
    pair = vault_tls.problem("secret/app#a", config={"auth": mixed}, **variables)

    assert wrong.message.startswith("Vault refused the login by cert at 'cert'")
    assert none.message.startswith("there is no client certificate to log in with")
    assert "key values mismatch" in pair.message


def test_cert_needs_tls(stored: Workspace, authority: Authority) -> None:
    files = authority.client("runner")
    auth = {"method": "cert", "cert": str(files.certificate), "key": str(files.key)}

    problem = stored.problem("secret/app#a", config={"auth": auth})

    assert problem.message == f"the login by cert needs TLS, and {stored.server.address} has none"
