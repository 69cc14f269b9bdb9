"""Whole runs with secrets from a real OpenBao: what is read, what is said when it is not there, what is left behind."""

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner import reports
from runner.errors import SecretsError
from runner.project import Project
from runner.result import Status
from tests.canary import AWKWARD, Search, fits_a_header, value
from tests.integration.vault_workspace import Workspace, accessors
from tests.projects import Ran, Watched, make, run
from tests.servers.certificates import Authority
from tests.servers.http import Answer, Request, Server, reply
from tests.servers.openbao import OpenBao

JsonObject = dict[str, Any]


@pytest.fixture
def api() -> Iterator[Server]:
    """An API that takes whatever comes."""
    with Server({"* /**": lambda _: reply({"ok": True})}) as server:
        yield server


@pytest.fixture
def reader(vault: Workspace) -> dict[str, str]:
    """An environment whose VAULT_TOKEN may read `secret/`."""
    return vault.environ(VAULT_TOKEN=vault.token("reader"))


def bearer(url: str, reference: str = "vault://secret/app#token", **more: Any) -> JsonObject:
    return {"type": "bearer", "base_url": url, "shared": True, "auth": {"token": reference}, **more}


def project(
    root: Path, connections: Mapping[str, JsonObject], *, settings: JsonObject | None = None, **workflow: Any
) -> Project:
    """Make a project whose workflow `main` sends one request through each connection, unless it has other actions."""
    actions = [{"id": name, "connection": name, "request": {"path": f"/{name}"}} for name in connections]
    files: JsonObject = {f"connections.d/{name}.yaml": item for name, item in connections.items()}
    files["workflows.d/main.yaml"] = {"actions": actions, **workflow}
    if settings:
        files["runner.yaml"] = settings
    return make(root, files)


def unavailable(made: Project, environ: Mapping[str, str], api: Server) -> SecretsError:
    """Run what cannot begin; nothing may have been sent to the API."""
    with pytest.raises(SecretsError) as caught:
        run(made, environ=environ)
    assert api.connections == 0
    return caught.value


def places(error: SecretsError) -> dict[str, tuple[str, list[str]]]:
    return {
        problem.reference: (problem.message, [f"{span.path}:{span.start.line}" for span in problem.spans])
        for problem in error.problems
    }


# --- what is read


def test_a_secret_of_vault_reaches_the_api(
    vault: Workspace, reader: dict[str, str], api: Server, tmp_path: Path
) -> None:
    vault.put("secret/app", {"token": "from-the-vault", "key": "k/+ &=1"})
    connection = bearer(api.url, query={"key": "vault://secret/app#key"})
    ran = run(project(tmp_path, {"one": connection}), environ=reader)
    assert ran.result.status is Status.SUCCEEDED
    assert api.requests[0].header("Authorization") == "Bearer from-the-vault"
    assert api.requests[0].parameter("key") == "k/+ &=1"
    assert (
        Search(["from-the-vault", "k/+ &=1"]).leaks(json.dumps(ran.result.to_json()), repr(ran.watched)) == []
    )


def test_only_the_secrets_that_the_workflow_reaches_are_read(
    vault: Workspace, api: Server, tmp_path: Path
) -> None:
    """The token may read one path alone: a read of the other would fail the run."""
    vault.put("secret/used", {"token": "of the used one"})
    vault.put("secret/unused", {"token": "of the unused one"})
    vault.policy("one", "secret/data/used")
    connections = {
        "used": bearer(api.url, "vault://secret/used#token"),
        "unused": bearer(api.url, "vault://secret/unused#token"),
    }
    only = [{"id": "a", "connection": "used", "request": {"path": "/"}}]
    made = project(tmp_path, connections, actions=only)
    environ = vault.environ(VAULT_TOKEN=vault.token("one"))
    assert run(made, environ=environ).result.status is Status.SUCCEEDED
    both = project(tmp_path / "both", connections)
    with pytest.raises(SecretsError) as caught:
        run(both, environ=environ)
    assert [problem.reference for problem in caught.value.problems] == ["secret/unused#token"]


def test_a_run_without_secrets_asks_no_vault(api: Server, tmp_path: Path) -> None:
    with Server({}) as vault:
        connections = {
            "plain": {"type": "none", "base_url": api.url, "shared": True},
            "secret": bearer(api.url),
        }
        only = [{"id": "a", "connection": "plain", "request": {"path": "/"}}]
        made = project(tmp_path, connections, actions=only)
        ran = run(made, environ={"VAULT_ADDR": vault.url, "VAULT_TOKEN": "s.token"})
        assert vault.connections == 0
    assert ran.result.status is Status.SUCCEEDED


def test_secrets_of_the_workflow_and_the_environment_in_one_run(
    vault: Workspace, reader: dict[str, str], api: Server, tmp_path: Path
) -> None:
    vault.put("secret/app", {"token": "from-the-vault"})
    made = project(
        tmp_path,
        {"one": bearer(api.url)},
        secrets={"own": "env://OWN_KEY"},
        actions=[
            {
                "id": "a",
                "connection": "one",
                "request": {"method": "POST", "path": "/", "json": {"k": "{{ secrets.own }}"}},
            }
        ],
    )
    assert run(made, environ={**reader, "OWN_KEY": "from-the-environment"}).result.status is Status.SUCCEEDED
    assert api.requests[0].json() == {"k": "from-the-environment"}


def test_a_personal_connection_reads_the_secret_of_its_user(
    vault: Workspace, reader: dict[str, str], api: Server, tmp_path: Path
) -> None:
    vault.put("secret/users/ann", {"token": "the token of ann"})
    connection = {**bearer(api.url, "vault://secret/users/{{ user }}#token"), "shared": False}
    ran = run(project(tmp_path, {"mine": connection}), environ=reader, user="ann")
    assert ran.result.user == "ann"
    assert api.requests[0].header("Authorization") == "Bearer the token of ann"


# --- what is missing: all at once, each with its cause and its place, and nothing was sent


def test_everything_that_is_wrong_comes_at_once(vault: Workspace, api: Server, tmp_path: Path) -> None:
    vault.put("secret/app", {"token": "there"})
    vault.put("secret/closed", {"token": "not for us"})
    vault.policy("some", "secret/data/app", "secret/data/none")
    made = project(
        tmp_path,
        {
            "fine": bearer(api.url),
            "field": bearer(api.url, "vault://secret/app#tokn"),
            "path": bearer(api.url, "vault://secret/none#token"),
            "closed": bearer(api.url, "vault://secret/closed#token"),
            "mount": bearer(api.url, "vault://nowhere/app#token"),
        },
        secrets={"own": "env://NOT_SET"},
    )
    error = unavailable(made, vault.environ(VAULT_TOKEN=vault.token("some")), api)
    found = places(error)
    assert set(found) == {
        "env NOT_SET", "secret/app#tokn", "secret/none#token", "secret/closed#token", "nowhere/app#token",
    }  # fmt: skip
    assert error.message == "5 secrets are unavailable"
    assert found["secret/app#tokn"] == (
        "'secret/app' has no field 'tokn'; it has: token",
        ["connections.d/field.yaml:1"],
    )
    assert found["secret/none#token"][1] == ["connections.d/path.yaml:1"]
    assert "policies" in found["secret/closed#token"][0]
    assert found["env NOT_SET"][1] == ["workflows.d/main.yaml:1"]
    assert all(problem.help for problem in error.problems)


def test_a_sealed_vault(authority: Authority, api: Server, tmp_path: Path) -> None:
    certificate = authority.server("127.0.0.1")
    with OpenBao.with_tls(tmp_path / "bao", certificate, authority.ca_file, unsealed=False) as server:
        made = project(
            tmp_path / "project",
            {"one": bearer(api.url), "two": bearer(api.url, "vault://secret/two#token")},
        )
        environ = {
            "VAULT_ADDR": server.address,
            "VAULT_CACERT": str(authority.ca_file),
            "VAULT_TOKEN": "s.any",
            "VAULT_MAX_RETRIES": "0",
            "HOME": str(tmp_path),
        }
        error = unavailable(made, environ, api)
    ((reference, (message, found)),) = places(error).items()
    assert reference == "secret/app#token, secret/two#token"
    assert "sealed" in message
    assert found == ["connections.d/one.yaml:1", "connections.d/two.yaml:1"]


def test_a_vault_whose_certificate_nobody_vouches_for(
    openbao_tls: OpenBao, api: Server, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    made = project(tmp_path / "project", {"one": bearer(api.url)})
    environ = {
        "VAULT_ADDR": openbao_tls.address,
        "VAULT_CACERT": str(other.ca_file),
        "VAULT_TOKEN": openbao_tls.root_token,
        "VAULT_MAX_RETRIES": "0",
        "HOME": str(tmp_path),
    }
    error = unavailable(made, environ, api)
    assert "certificate" in error.problems[0].message
    assert error.problems[0].spans


@pytest.mark.parametrize("environ", [{}, {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "s.x"}])
def test_no_vault_at_all(environ: dict[str, str], api: Server, tmp_path: Path) -> None:
    made = project(tmp_path, {"one": bearer(api.url)})
    error = unavailable(made, {"HOME": str(tmp_path), "VAULT_MAX_RETRIES": "0", **environ}, api)
    assert error.problems[0].spans[0].path == "connections.d/one.yaml"
    assert error.problems[0].help


def test_a_token_that_has_expired_before_the_run(vault: Workspace, api: Server, tmp_path: Path) -> None:
    vault.put("secret/app", {"token": "there"})
    token = vault.token("reader")
    vault.ask("POST", "auth/token/revoke", {"token": token})
    error = unavailable(project(tmp_path, {"one": bearer(api.url)}), vault.environ(VAULT_TOKEN=token), api)
    assert "token" in error.problems[0].message
    assert Search([token]).leaks(repr(error.problems), str(error)) == []


# --- after a 401


def expiring(vault: Workspace, then: Any) -> Server:
    """Serve an API that refuses the first request and whose owner then does something in Vault."""
    done: list[bool] = []

    def answer(request: Request) -> Answer:
        if not done:
            done.append(True)
            then()
        right = request.header("Authorization") == "Bearer the new token"
        return reply({"ok": True}) if right else reply({"error": "token expired"}, 401)

    return Server({"* /**": answer})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_rotated_secret_is_read_again_and_the_request_repeated_once(
    method: str, vault: Workspace, reader: dict[str, str], tmp_path: Path
) -> None:
    vault.put("secret/app", {"token": "the old token"})
    with expiring(vault, lambda: vault.put("secret/app", {"token": "the new token"})) as api:
        actions = [{"id": "a", "connection": "one", "request": {"method": method, "path": "/"}}]
        ran = run(project(tmp_path, {"one": bearer(api.url)}, actions=actions), environ=reader)
        tokens = [request.header("Authorization") for request in api.requests]
    assert ran.result.status is Status.SUCCEEDED
    assert tokens == ["Bearer the old token", "Bearer the new token"]
    assert Search(["the old token", "the new token"]).leaks(json.dumps(ran.result.to_json())) == []


@pytest.mark.parametrize("reference", ["vault://secret/app#token", "vault://secret/app?version=1#token"])
def test_a_secret_that_has_not_changed_lets_the_401_stand(
    reference: str, vault: Workspace, reader: dict[str, str], tmp_path: Path
) -> None:
    vault.put("secret/app", {"token": "the old token"})
    with expiring(vault, lambda: None) as api:
        ran = run(project(tmp_path, {"one": bearer(api.url, reference)}), environ=reader)
        assert api.count() == 1
    assert ran.failure == ("unexpected-status", "the server answered 401 Unauthorized")


def test_a_vault_token_that_dies_in_the_middle_of_a_run(vault: Workspace, tmp_path: Path) -> None:
    """What was read stays usable; a second reading fails with a warning, and the 401 stands."""
    vault.put("secret/app", {"token": "the old token"})
    token = vault.token("reader")
    with expiring(vault, lambda: vault.ask("POST", "auth/token/revoke", {"token": token})) as api:
        actions = [
            {"id": name, "connection": "one", "request": {"path": "/"}, "on_error": "continue"}
            for name in ("a", "b")
        ]
        made = project(tmp_path, {"one": bearer(api.url)}, actions=actions)
        ran = run(made, environ=vault.environ(VAULT_TOKEN=token))
        assert api.count() == 2
    assert ran.statuses == {"a": "failed", "b": "failed"}
    assert ran.result.status is Status.SUCCEEDED
    (warning, *_) = ran.result.warnings
    assert warning.startswith("after a 401 the secret secret/app#token could not be read again: ")
    assert Search([token, "the old token"]).leaks(repr(ran.result), repr(ran.watched)) == []


# --- what is left behind


def logged_in(vault: Workspace) -> tuple[JsonObject, dict[str, str]]:
    """Let runs log in by AppRole: settings and environment."""
    vault.ask("POST", "sys/auth/approle", {"type": "approle"})
    vault.ask("POST", "auth/approle/role/runner", {"token_policies": ["reader"], "token_ttl": "10m"})
    role = "auth/approle/role/runner"
    role_id = vault.ask("GET", f"{role}/role-id")["data"]["role_id"]
    secret_id = vault.ask("POST", f"{role}/secret-id", {})["data"]["secret_id"]
    auth = {"method": "approle", "role_id": role_id, "secret_id": "env://SECRET_ID"}
    return {"vault": {"auth": auth}}, vault.environ(SECRET_ID=secret_id)


@pytest.mark.parametrize("end", ["success", "failure", "missing"])
def test_the_token_of_the_run_is_revoked_at_its_end(
    end: str, vault: Workspace, api: Server, tmp_path: Path
) -> None:
    vault.put("secret/app", {"token": "from-the-vault"})
    settings, environ = logged_in(vault)
    before = accessors(vault)
    reference = "vault://secret/none#token" if end == "missing" else "vault://secret/app#token"
    actions = [{"id": "a", "connection": "one", "request": {"path": "/"}}]
    if end == "failure":
        actions.append({"id": "b", "fail": "on purpose"})
    made = project(tmp_path, {"one": bearer(api.url, reference)}, settings=settings, actions=actions)
    seen: list[int] = []
    watched = Watched(when_started=lambda _: seen.append(accessors(vault)))
    if end == "missing":
        unavailable(made, environ, api)
    else:
        ran = run(made, environ=environ, watched=watched)
        assert ran.result.status is (Status.SUCCEEDED if end == "success" else Status.FAILED)
        assert seen[0] == before + 1
    assert accessors(vault) == before


def test_the_token_of_the_user_is_left_alone(vault: Workspace, api: Server, tmp_path: Path) -> None:
    vault.put("secret/app", {"token": "from-the-vault"})
    token = vault.token("reader")
    run(project(tmp_path, {"one": bearer(api.url)}), environ=vault.environ(VAULT_TOKEN=token))
    assert vault.alive(token)


# --- canaries: secrets of Vault, and those that open Vault


def everything_shown(ran: Ran) -> str:
    texts = [reports.render(name, "run", ran.result) for name in reports.formats("run")]
    return "\n".join([*texts, repr(ran.result), repr(ran.watched), json.dumps(ran.result.to_json())])


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_secrets_of_vault(
    name: str, vault: Workspace, reader: dict[str, str], tmp_path: Path
) -> None:
    secret = value(name, 1)
    vault.put("secret/app", {"token": secret})

    def echo(request: Request) -> Answer:
        user, _, password = (
            base64.b64decode((request.header("Authorization") or " ").split()[1]).decode().partition(":")
        )
        return reply({"error": f"no {user} with {password}", "all": dict(request.headers)}, 500)

    with Server({"* /**": echo}) as api:
        connection = {
            "type": "basic",
            "base_url": api.url,
            "shared": True,
            "auth": {"username": "robot", "password": "vault://secret/app#token"},
            "error_message": "{{ response.body.error }}",
        }
        if fits_a_header(secret):
            connection["headers"] = {"X-Key": "vault://secret/app#token"}
        ran = run(project(tmp_path, {"one": connection}), environ=reader)
        sent = base64.b64decode((api.requests[0].header("Authorization") or "").split()[1]).decode()
        assert sent == f"robot:{secret}"
        assert api.requests[0].header("X-Key") in (secret, None)
    assert ran.failure[0] == "unexpected-status"
    assert Search([secret]).leaks(everything_shown(ran)) == []


@pytest.mark.parametrize("password", [value("quotes", 3), value("html", 3), value("plain", 3)])
def test_the_credentials_for_vault_show_nowhere(
    password: str, vault: Workspace, api: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    vault.put("secret/app", {"token": "from-the-vault"})
    vault.ask("POST", "sys/auth/userpass", {"type": "userpass"})
    vault.ask("POST", "auth/userpass/users/robot", {"password": password, "token_policies": "reader"})
    auth = {"method": "userpass", "username": "robot", "password": "env://VAULT_PW"}
    made = project(tmp_path / "good", {"one": bearer(api.url)}, settings={"vault": {"auth": auth}})
    ran = run(made, environ=vault.environ(VAULT_PW=password))
    assert ran.result.status is Status.SUCCEEDED
    search = Search([password, "from-the-vault"])
    assert search.leaks(everything_shown(ran), *capfd.readouterr()) == []

    wrong = password + "-wrong"
    with pytest.raises(SecretsError) as caught:
        run(made, environ=vault.environ(VAULT_PW=wrong))
    shown = repr(caught.value.problems) + str(caught.value) + str(caught.value.help)
    assert Search([wrong, password]).leaks(shown, *capfd.readouterr()) == []


@pytest.mark.parametrize("kind", ["token", "secret_id"])
def test_a_wrong_token_or_secret_id_shows_nowhere(
    kind: str, vault: Workspace, api: Server, tmp_path: Path
) -> None:
    settings, environ = logged_in(vault)
    if kind == "token":
        secret = "hvs.CAESIJ-a&wrong<token>+1"
        settings, environ = {}, vault.environ(VAULT_TOKEN=secret)
    else:
        secret = "a-wrong&secret<id>/+1"
        environ["SECRET_ID"] = secret
    made = project(tmp_path, {"one": bearer(api.url)}, settings=settings or None)
    error = unavailable(made, environ, api)
    assert Search([secret]).leaks(repr(error.problems), str(error), str(error.help)) == []
