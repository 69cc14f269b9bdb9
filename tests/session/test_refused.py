"""After a 401: other credentials, once, however many were refused."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from runner.auth import Refused
from runner.errors import JsonObject, SecretProblem, SecretsError
from runner.sensitive import MASK
from runner.session import Session
from tests.projects import bench, make, request, run, simple
from tests.servers.http import Request, Server, reply
from tests.session.opened import Environ, Source, bearer, opened


def rotating(answers: Mapping[str, JsonObject]) -> Server:
    """Serve a place that lets certain tokens in."""

    def answer(request: Request) -> Any:
        given = request.header("Authorization") or request.header("X-Key") or ""
        return reply({"ok": True}) if given in answers else reply({"error": "invalid"}, 401)

    return Server({"* /**": answer})


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("attempts", [1, 3])
def test_a_secret_that_has_changed_is_read_again_and_the_request_repeated_once(
    method: str, attempts: int, tmp_path: Path
) -> None:
    environ: Environ = {"TOKEN": "the old token"}

    def answer(request: Request) -> Any:
        environ["TOKEN"] = "the new token"
        new = request.header("Authorization") == "Bearer the new token"
        return reply({"ok": True}) if new else reply({"error": "expired"}, 401)

    with Server({"* /x": answer}) as server:
        action = request("one", method, "/x", more={"retry": {"attempts": attempts}})
        project = simple(tmp_path, [action], url=server.url, connection=bearer("env://TOKEN", server.url))
        work = bench(project, environ=environ)
        result = work.perform("one")
        tokens = [request.header("Authorization") for request in server.requests]
    assert result["status"] == "succeeded"
    assert tokens == ["Bearer the old token", "Bearer the new token"]
    assert work.clock.waits == []
    assert work.redactor.text("the old token, the new token") == f"{MASK}, {MASK}"


@pytest.mark.parametrize(
    "connection",
    [
        {"type": "bearer", "auth": {"token": "env://TOKEN"}},
        {"type": "none", "headers": {"Authorization": "env://TOKEN"}},
        {"type": "basic", "auth": {"username": "robot"}},
        {"type": "none"},
    ],
    ids=["bearer", "secret-header", "no-secret", "none"],
)
def test_a_secret_that_is_the_same_lets_the_401_stand(connection: JsonObject, tmp_path: Path) -> None:
    with rotating({}) as server:
        project = simple(tmp_path, [request("one", path="/x")], url=server.url, connection=connection)
        result = bench(project, environ={"TOKEN": "the token"}).perform("one")
        assert server.count() == 1
    assert result["error"]["message"] == "the server answered 401 Unauthorized"


def test_a_secret_header_is_read_again_as_well(tmp_path: Path) -> None:
    environ: Environ = {"KEY": "the old key"}

    def answer(request: Request) -> Any:
        environ["KEY"] = "the new key"
        return reply({"ok": True}) if request.header("X-Key") == "the new key" else reply({}, 401)

    with Server({"* /x": answer}) as server:
        connection = {"type": "none", "headers": {"X-Key": "env://KEY"}}
        project = simple(tmp_path, [request("one", path="/x")], url=server.url, connection=connection)
        assert bench(project, environ=environ).perform("one")["status"] == "succeeded"


def test_a_second_401_stands(tmp_path: Path) -> None:
    environ: Environ = {"TOKEN": "token number 0"}

    def answer(_: Request) -> Any:
        environ["TOKEN"] = f"token number {len(environ['TOKEN'])}{environ['TOKEN'][-1]}"
        return reply({}, 401)

    with Server({"* /x": answer}) as server:
        project = simple(
            tmp_path,
            [request("one", path="/x")],
            url=server.url,
            connection=bearer("env://TOKEN", server.url),
        )
        result = bench(project, environ=environ).perform("one")
        assert server.count() == 2
    assert result["error"]["message"].startswith("the server answered 401")


def test_requests_that_are_refused_at_once_share_what_is_read_again(tmp_path: Path) -> None:
    environ: Environ = {"TOKEN": "the old token"}
    together = threading.Barrier(8)

    def answer(request: Request) -> Any:
        if request.header("Authorization") == "Bearer the new token":
            return reply({"ok": True})
        environ["TOKEN"] = "the new token"
        together.wait(30)
        return reply({}, 401)

    with Server({"* /x": answer}) as server:
        items = {"for_each": list(range(8)), "concurrency": 8}
        project = simple(
            tmp_path,
            [request("one", path="/x", more=items)],
            url=server.url,
            connection=bearer("env://TOKEN", server.url),
        )
        ran = run(project, environ=environ)
        assert ran.result.error is None
        assert server.count() == 16


def test_a_login_with_an_old_password_reads_it_again(tmp_path: Path) -> None:
    environ: Environ = {"PW": "old-password"}
    logins: list[str] = []

    def log_in(request: Request) -> Any:
        logins.append(request.json()["p"])
        right = logins[-1] == environ["PW"]
        return reply({"id": f"session-{len(logins)}"}) if right else reply({}, 403)

    def work(request: Request) -> Any:
        environ["PW"] = "new-password"
        return reply({"ok": True}) if request.header("X-S") == "session-3" else reply({}, 401)

    auth = {
        "password": "env://PW",
        "login": {"path": "/login", "json": {"p": "{{ auth.password }}"}},
        "token": "{{ response.body.id }}",
        "name": "X-S",
    }
    with Server({"POST /login": log_in, "GET /x": work}) as server:
        connection = {"type": "session", "auth": auth}
        project = simple(tmp_path, [request("one", path="/x")], url=server.url, connection=connection)
        ran = run(project, environ=environ)
    assert ran.result.error is None
    assert logins == ["old-password", "old-password", "new-password"]


def test_a_client_secret_that_is_refused_at_first_is_read_again_once(tmp_path: Path) -> None:
    """Also by many that wait for one token; and where nothing has changed, nobody asks again."""
    environ: Environ = {"OLD": "the old secret", "DEAD": "the dead secret"}
    sent: list[str] = []

    def token(request: Request) -> Any:
        sent.append(dict(parse_qsl(request.body.decode()))["client_secret"])
        if sent[-1] == "the new secret":
            return reply({"access_token": "the-token"})
        environ["OLD"] = "the new secret"
        return reply({"error": "invalid_client"}, 401)

    def oauth(secret: str) -> JsonObject:
        auth = {
            "grant": "client_credentials",
            "token_url": f"{server.url}/token",
            "client_id": "c",
            "client_secret": secret,
        }
        return {"type": "oauth2", "base_url": server.url, "shared": True, "auth": auth}  # fmt: skip

    with Server({"POST /token": token, "GET /x": lambda _: reply({})}) as server:
        files = {
            "connections.d/rotated.yaml": oauth("env://OLD"),
            "connections.d/dead.yaml": oauth("env://DEAD"),
            "workflows.d/main.yaml": {
                "actions": [
                    {"id": name, "connection": name, "request": {"path": "/x"}, "on_error": "continue",
                     "for_each": [1, 2, 3, 4], "concurrency": 4}
                    for name in ("rotated", "dead")
                ]
            },
        }  # fmt: skip
        ran = run(make(tmp_path, files), environ=environ)
        assert server.count("GET", "/x") == 4
    assert ran.action("rotated").error is None
    dead = ran.action("dead").error
    assert dead is not None
    assert "invalid_client" in dead.message
    assert sorted(sent) == ["the dead secret", "the new secret", "the old secret"]


def test_an_expected_401_is_no_reason_to_read_again(tmp_path: Path) -> None:
    with rotating({}) as server:
        action = request("one", path="/x", more={"expect": {"status": 401}})
        project = simple(tmp_path, [action], url=server.url, connection=bearer("env://TOKEN", server.url))
        work = bench(project, environ={"TOKEN": "the token"})
        assert work.perform("one")["status"] == "succeeded"
        assert server.count() == 1


def test_a_failed_second_reading_is_a_warning_and_the_401_stands(tmp_path: Path) -> None:
    project = simple(
        tmp_path,
        [request("one")],
        connection={
            **bearer("vault://secret/a?version=1#t"),
            "headers": {"X-K": "vault://secret/a#t"},
        },
    )
    source = Source({"secret/a?version=1#t": "pinned value", "secret/a#t": "newest value"})
    problem = SecretProblem(reference="secret/a#t", message="Vault is sealed")
    source.fresh = {"secret/a#t": SecretsError("sealed", problems=(problem,))}
    warnings: list[str] = []

    async def refresh(session: Session) -> bool:
        used = session.authenticator(project.connections["api"])
        return await session.refresh(project.connections["api"], Refused(), used)

    assert opened(project, refresh, source=source, warnings=warnings) is False
    assert warnings == ["after a 401 the secret secret/a#t could not be read again: Vault is sealed"]
