"""What a process holds for one run: which secrets are read, from where, and what is said when they are not there."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from runner.auth import Refused
from runner.client import Client
from runner.errors import SecretProblem, SecretsError
from runner.plan import Plan
from runner.project import Project
from runner.secret_ref import ResolvedRef
from runner.sensitive import MASK, Redactor, Secret
from runner.session import Session
from tests.projects import bench, finished, make, planned, request, run, simple
from tests.servers.http import Request, Server, reply

JsonObject = dict[str, Any]
Environ = dict[str, str]


def opened(
    project: Project,
    test: Callable[[Session], Awaitable[Any]],
    *,
    environ: Mapping[str, str] | None = None,
    plan: Plan | None = None,
    source: Any = None,
    warnings: list[str] | None = None,
    redactor: Redactor | None = None,
) -> Any:
    """Open a session for the workflow `main`, use it, close it."""

    async def whole() -> Any:
        session = Session(
            project,
            plan or planned(project),
            project.workflows["main"],
            environ=environ or {},
            redactor=redactor or Redactor(),
            warn=(warnings if warnings is not None else []).append,
        )
        if source is not None:
            session._sources["vault"] = source
        try:
            await session.open()
            return await test(session)
        finally:
            await session.close()

    return finished(whole())


async def nothing(_: Session) -> None:
    """Open and close."""


def problems(project: Project, **options: Any) -> list[tuple[str, str, list[str]]]:
    """Give reference, message and places of every problem of opening."""
    with pytest.raises(SecretsError) as caught:
        opened(project, nothing, **options)
    return [
        (problem.reference, problem.message, [str(span) for span in problem.spans])
        for problem in caught.value.problems
    ]


class Source:
    """A secret source with a plan: values by label; the rest are problems."""

    def __init__(self, values: Mapping[str, str], problems: Sequence[SecretProblem] = ()) -> None:
        self.values = dict(values)
        self.problems = tuple(problems)
        self.asked: list[list[str]] = []
        self.closed = 0
        self.fresh: dict[str, str | SecretsError] = {}

    async def read(self, refs: Sequence[ResolvedRef]) -> dict[ResolvedRef, Secret]:
        self.asked.append([ref.label for ref in refs])
        if self.problems:
            raise SecretsError("not there", problems=self.problems)
        return {ref: Secret(self.values[ref.label], ref.label) for ref in refs}

    async def reread(self, ref: ResolvedRef) -> Secret | None:
        found = self.fresh.get(ref.label)
        if isinstance(found, SecretsError):
            raise found
        return None if found is None else Secret(found, ref.label)

    async def close(self) -> None:
        self.closed += 1


def bearer(reference: str, url: str = "http://127.0.0.1:9") -> JsonObject:
    return {"type": "bearer", "base_url": url, "shared": True, "auth": {"token": reference}}


# --- what is read


def test_only_what_the_workflow_reaches_is_read_each_reference_once(tmp_path: Path) -> None:
    project = make(
        tmp_path,
        {
            "connections.d/used.yaml": {
                **bearer("vault://secret/a#t"),
                "headers": {"X-Key": "vault://secret/a#k"},
            },
            "connections.d/same.yaml": bearer("vault://secret/a#t"),
            "connections.d/late.yaml": bearer("vault://secret/late#t"),
            "connections.d/unused.yaml": bearer("vault://secret/unused#t"),
            "workflows.d/main.yaml": {
                "secrets": {"own": "vault://secret/own#t"},
                "actions": [
                    {"id": "a", "connection": "used", "request": {"path": "/"}},
                    {"id": "b", "connection": "same", "request": {"path": "/"}},
                ],
                "finally": [{"id": "c", "connection": "late", "request": {"path": "/"}}],
            },
        },
    )
    values = {f"secret/{name}": f"value of {name}" for name in ("a#t", "a#k", "own#t", "late#t")}
    source = Source(values)
    opened(project, nothing, source=source)
    (asked,) = source.asked
    assert sorted(asked) == sorted(values)
    assert source.closed == 1


def test_without_secrets_no_source_is_made(tmp_path: Path) -> None:
    project = simple(tmp_path, [{"id": "one", "set": {"x": 1}}])

    async def look(session: Session) -> tuple[Any, Any]:
        return dict(session._sources), session._client

    assert opened(project, look) == ({}, None)


def test_each_value_is_searched_for_from_the_moment_it_is_read(tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one")], connection=bearer("vault://secret/a#t"))
    redactor = Redactor()
    opened(project, nothing, source=Source({"secret/a#t": "value of a"}), redactor=redactor)
    assert redactor.text("has the value of a") == f"has the {MASK}"


def test_a_short_secret_is_warned_of(tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one")], connection=bearer("vault://secret/a#t"))
    warnings: list[str] = []
    opened(project, nothing, source=Source({"secret/a#t": "12345"}), warnings=warnings)
    assert warnings == ["the secret secret/a#t has under 6 characters: it is not searched for in output"]


# --- what is missing


def test_all_problems_come_at_once_with_their_places(tmp_path: Path) -> None:
    project = make(
        tmp_path,
        {
            "connections.d/api.yaml": "type: bearer\nbase_url: https://x.test\nshared: true\nauth:\n  token: env://ONE\nheaders:\n  X-Key: env://TWO\n",
            "workflows.d/main.yaml": "secrets:\n  own: env://ONE\nactions:\n  - {id: a, connection: api, request: {path: /}}\n",
        },
    )
    found = problems(project, environ={"TWO": ""})
    assert found == [
        (
            "env ONE",
            "the environment variable is not set",
            ["connections.d/api.yaml:5:10", "workflows.d/main.yaml:2:8"],
        ),
        ("env TWO", "the environment variable is empty", ["connections.d/api.yaml:7:10"]),
    ]


def test_problems_of_several_sources_come_together(tmp_path: Path) -> None:
    project = simple(
        tmp_path, [request("one")], connection=bearer("vault://secret/a#t"), secrets={"own": "env://NONE"}
    )
    source = Source({}, [SecretProblem(reference="secret/a#t", message="Vault is sealed")])
    assert [message for _, message, _ in problems(project, source=source)] == [
        "the environment variable is not set",
        "Vault is sealed",
    ]


def test_a_problem_points_at_its_own_reference_and_at_no_longer_one(tmp_path: Path) -> None:
    project = simple(
        tmp_path,
        [request("one")],
        connection=bearer("vault://secret/a#token"),
        secrets={"own": "vault://secret/a#tok"},
    )
    source = Source({}, [SecretProblem(reference="secret/a#token", message="no such field")])
    ((_, _, places),) = problems(project, source=source)
    assert len(places) == 1
    assert places[0].startswith("connections.d/api.yaml")


def test_the_sensitive_outputs_of_items_are_one_list_until_one_of_them_changes(tmp_path: Path) -> None:
    project = simple(tmp_path, [{"id": "a", "set": {"x": 1}}])
    session = Session(
        project, planned(project), project.workflows["main"], environ={}, redactor=Redactor(), warn=print
    )
    assert session.sensitive_output("sync[0]/t", 0) == []
    session.keep_sensitive("sync[0]/t[1]", "second-value")
    session.keep_sensitive("sync[0]/u[0]", "other-value")
    listed = session.sensitive_output("sync[0]/t", 2)
    assert listed == [None, "second-value"]
    assert session.sensitive_output("sync[0]/t", 2) is listed
    session.keep_sensitive("sync[0]/t[0]", "first-value")
    assert session.sensitive_output("sync[0]/t", 2) == ["first-value", "second-value"]
    assert session.sensitive_output("sync[0]/t", 1) == ["first-value"]


@pytest.mark.parametrize(("names", "places"), [("secret/a#t, secret/own#t", 2), ("secret/a#t and 2 more", 3)])
def test_a_problem_of_the_whole_server_points_at_every_reference(
    names: str, places: int, tmp_path: Path
) -> None:
    project = simple(
        tmp_path,
        [request("one")],
        connection={**bearer("vault://secret/a#t"), "headers": {"X-K": "vault://secret/b#t"}},
        secrets={"own": "vault://secret/own#t", "other": "env://THERE"},
    )
    source = Source({}, [SecretProblem(reference=names, message="Vault is sealed")])
    ((_, _, found),) = problems(project, source=source, environ={"THERE": "a value"})
    assert len(found) == places


def test_a_reference_whose_holes_cannot_be_filled(tmp_path: Path) -> None:
    project = simple(
        tmp_path, [request("one")], connection=bearer("vault://secret/{{ vars.team }}/{{ environment }}#t")
    )
    ((_, message, places),) = problems(project)
    assert "has no value" in message
    assert places


# --- after a 401


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


# --- the end


def test_sources_are_closed_even_where_the_client_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that the run obtained is revoked there."""
    project = simple(tmp_path, [request("one")], connection=bearer("vault://secret/a#t"))
    source = Source({"secret/a#t": "value of a"})

    async def broken(_: Client) -> None:
        raise OSError("closing failed")

    monkeypatch.setattr(Client, "close", broken)

    async def use(session: Session) -> None:
        assert session.client is session.client

    with pytest.raises(OSError, match="closing failed"):
        opened(project, use, source=source)
    assert source.closed == 1


def test_sources_are_closed_where_opening_failed(tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one")], connection=bearer("vault://secret/a#t"))
    source = Source({}, [SecretProblem(reference="secret/a#t", message="no")])
    problems(project, source=source)
    assert source.closed == 1


# --- sensitive outputs


@pytest.mark.parametrize(
    "value",
    ["a token", {"t": "a token"}, ["x", {"deep": ["a token"]}], {"n": 12345678, "t": "a token"}],
)
def test_texts_of_a_sensitive_output_are_searched_for(value: Any, tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one")])
    redactor = Redactor()

    async def keep(session: Session) -> None:
        session.keep_sensitive("login", value)
        assert session.sensitive["login"] == value

    opened(project, keep, redactor=redactor)
    assert redactor.text("has a token") == f"has {MASK}"
    if "n" in value and isinstance(value, dict):
        assert redactor.data({"id": 12345678, "other": True}) == {"id": MASK, "other": True}


def test_a_pin_that_is_a_number_is_searched_for(tmp_path: Path) -> None:
    with Server({"* /**": lambda _: reply({"pin": 87654321})}) as server:
        actions = [request("pin", more={"sensitive": True}), request("leak")]
        ran = run(simple(tmp_path, actions, url=server.url))
    assert ran.failure == ("secret-in-output", "the output of 'leak' holds a secret")


def test_nothing_waits_for_a_session_that_is_closed(tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one")])

    async def use(session: Session) -> None:
        assert asyncio.all_tasks() == {asyncio.current_task()}
        del session

    opened(project, use)
