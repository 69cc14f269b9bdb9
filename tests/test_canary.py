"""The canary suite: awkward secrets in every place, servers that give them back, and nothing of them in any record."""

import json
import logging
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from runner import registry, reports
from runner.client import Channel, Client
from runner.connection_test import send_tests
from runner.plan import describe
from runner.project import Project
from runner.result import RunResult
from runner.sensitive import Redactor
from runner.session import Session
from tests.canary import Search
from tests.canary_places import PLACES, ends_of, environ, files, fitting, method, server, values, variable
from tests.projects import Ran, Watched, finished, make, planned, run
from tests.servers.certificates import Authority
from tests.servers.faults import faults
from tests.servers.http import Answer, Request, Server, reply

JsonObject = dict[str, Any]


@pytest.fixture
def other() -> Iterator[Server]:
    """A host that must not be given anything."""
    with Server({"* /**": lambda _: reply({"fine": True})}) as running:
        yield running


@pytest.fixture
def api(other: Server) -> Iterator[Server]:
    with server(other) as running:
        yield running


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """All that anybody logs, at DEBUG, as a handler that cleans nothing would write it."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.getMessage()} {record.args!r} {record.exc_info!r} {record.__dict__!r}")

    handler = Keep(logging.DEBUG)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


def sinks(ran: Ran, project: Project) -> dict[str, str]:
    """Give everything that a run shows or records, by name."""
    result = ran.result
    shown = {
        "result": json.dumps(result.to_json(), ensure_ascii=False),
        "repr of the result": repr(result),
        "events": repr(ran.watched),
        "repr of the redactor": repr(ran.redactor),
    }
    for name in reports.formats("run"):
        shown[f"report {name}"] = reports.render(name, "run", result)
        if getattr(registry.load("reports", name), "COLORED", False):
            shown[f"report {name}, colored"] = reports.render(name, "run", result, color=True)
    plan = planned(project, environ=environ_of(project))
    shown["repr of the plan"] = repr(plan)
    shown["plan as JSON"] = json.dumps(describe(project, plan), ensure_ascii=False)
    for name in reports.formats("plan"):
        shown[f"plan {name}"] = reports.render(name, "plan", describe(project, plan))
    return shown


def environ_of(project: Project) -> dict[str, str]:
    """Give values for all secret inputs, which a plan needs and must not show."""
    found: dict[str, str] = {}
    for place in PLACES:
        found |= environ(place)
    del project
    return found


def went(place: str, root: Path, api: Server, **options: Any) -> tuple[Ran, Project]:
    project = make(root, files(place, api.url, **options))
    return run(project, environ=environ(place)), project


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_shows_and_none_goes_elsewhere(
    place: str,
    api: Server,
    other: Server,
    tmp_path: Path,
    logged: list[str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    ran, project = went(place, tmp_path, api)
    search = Search(values(place).values())

    # All that a program or a person may see.
    shown = sinks(ran, project)
    out, err = capfd.readouterr()
    shown |= {"log": "\n".join(logged), "stdout": out, "stderr": err}
    assert {name: leaks for name, text in shown.items() if (leaks := search.leaks(text))} == {}

    # All that another host was given: headers, query, cookies, body.
    for request in other.requests:
        assert search.leaks(request.head, request.body) == []

    # What reached the server is the secret, unaltered: in each request, whatever came of it.
    allowed = fitting(place)
    for name in values(place):
        for end in ends_of(name):
            action = ran.action(f"{end}_{variable(place, name)}")
            if name not in allowed:
                assert action.error is not None
                assert action.error.kind.value in ("render", "secret-unavailable"), (name, end, action.error)
    # (A redirect may have made a GET of a POST: that one has no body.)
    sent = [request for request in api.sent(method(place)) if not request.path.startswith("/login")]
    assert {PLACES[place].found(request) for request in sent} == set(allowed.values())

    # And the run was not harmless by accident: each end did what it is there for.
    for name in allowed:
        for end in ends_of(name):
            error = ran.action(f"{end}_{variable(place, name)}").error
            assert (error.kind.value if error else None) in EXPECTED[end], (name, end)


@pytest.mark.parametrize("place", ["bearer", "own_query", "path", "input", "output", "output_header"])
def test_items_and_called_workflows_show_none(
    place: str, api: Server, tmp_path: Path, logged: list[str]
) -> None:
    made = files(place, api.url, names=["plain", "quotes"], ends=("ok", "secret", "error"))
    inner = made["workflows.d/main.yaml"]
    for action in inner["actions"]:
        if not action["id"].startswith("login_"):
            action |= {"for_each": ["x", "y"], "concurrency": 2}
    given = {name: f"{{{{ inputs.{name} }}}}" for name in inner.get("inputs", {})}
    call = {"id": "call", "workflow": "inner", "for_each": [1, 2], "concurrency": 2, "sensitive": True}
    outputs = {"all": "{{ actions.call.output }}"}
    made["workflows.d/inner.yaml"] = inner
    made["workflows.d/main.yaml"] = {
        "inputs": inner.get("inputs", {}),
        "actions": [{**call, "with": given}],
        "outputs": outputs,
    }
    project = make(tmp_path, made)
    ran = run(project, environ=environ(place))
    assert ran.result.outputs == {"all": "***"}, ran.result.error
    shown = {**sinks(ran, project), "log": "\n".join(logged)}
    search = Search(values(place).values())
    assert {name: leaks for name, text in shown.items() if (leaks := search.leaks(text))} == {}
    sent = [request for request in api.sent(method(place)) if not request.path.startswith("/login")]
    assert {PLACES[place].found(request) for request in sent} == {
        secret for name, secret in fitting(place).items() if name in ("plain", "quotes")
    }
    kinds = {
        item["error"]["kind"]
        for called in ran.action("call").record["items"]["listed"]
        for item in called["actions"]
        if "error" in item
    }
    assert kinds == {"secret-in-output", "unexpected-status"}


EXPECTED = {
    "ok": (None,),
    "secret": ("secret-in-output",),
    "error": ("unexpected-status",),
    "reset": ("connection",),
    "hold": ("timeout",),
    "invalid": ("protocol",),
    "elsewhere": (None, "redirect"),
    "leak": (None, "redirect"),
    "loop": ("redirect",),
}


@pytest.mark.parametrize(
    "place", ["bearer", "basic", "key_query", "own_header", "url", "path", "json", "url_header"]
)
def test_failures_of_tls_and_of_connecting(
    place: str, tmp_path: Path, logged: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    search = Search(values(place).values())
    with faults(tls=Authority(tmp_path / "ca").server_context()) as secure:
        ran, project = went(place, tmp_path / "tls", secure, ends=("ok",))
        assert secure.requests == ()
    dead = Server({})
    dead.start()
    dead.stop()
    refused, _ = went(place, tmp_path / "refused", dead, ends=("ok",))
    assert {action.error.kind.value for action in ran.result.actions if action.error} <= {
        "tls", "render", "secret-unavailable",
    }  # fmt: skip
    shown = [*sinks(ran, project).values(), *sinks(refused, project).values(), *capfd.readouterr(), *logged]
    assert search.leaks("\n".join(shown)) == []


@pytest.mark.parametrize("place", [name for name, place in PLACES.items() if place.auth])
def test_tests_of_connections(place: str, api: Server, other: Server, tmp_path: Path) -> None:
    project = make(tmp_path, files(place, api.url, ends=("ok",)))
    names = sorted(name for name in project.connections if name != "plain")
    warnings: list[str] = []
    results = finished(
        send_tests(project, names, environ=environ(place), redactor=Redactor(), warn=warnings.append)
    )
    search = Search(values(place).values())
    shown = [
        reports.render(name, "connection_tests", results) for name in reports.formats("connection_tests")
    ]
    assert search.leaks(json.dumps(results), *shown, *warnings) == []
    sent = {request.target for request in api.requests}
    assert sent
    assert other.requests == ()


def test_a_token_endpoint_that_repeats_what_it_was_sent(
    tmp_path: Path, logged: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    place = "client_secret"

    def refuses(request: Request) -> Answer:
        said = {"error": "invalid_client", "error_description": f"no client with {request.body.decode()}"}
        return reply({**said, "sent": dict(parse_qsl(request.body.decode()))}, 400)

    with Server({"* /token/*": refuses}) as told:
        ran, project = went(place, tmp_path, told, ends=("ok",))
        assert len(told.requests) >= len(fitting(place)) - 1
    kinds = {action.error.kind.value for action in ran.result.actions if action.error}
    assert kinds == {"unauthorized", "secret-unavailable"}
    search = Search(values(place).values())
    assert search.leaks(*sinks(ran, project).values(), *capfd.readouterr(), *logged) == []


@pytest.mark.parametrize("place", ["bearer", "output", "input", "own_query"])
def test_objects_of_a_run_print_no_secret(place: str, api: Server, tmp_path: Path) -> None:
    project = make(tmp_path, files(place, api.url, ends=("ok",)))
    plan = planned(project, environ=environ(place))
    search = Search(values(place).values())
    texts: list[str] = []

    async def look() -> None:
        session = Session(
            project, plan, project.workflows["main"], environ={}, redactor=Redactor(), warn=texts.append
        )
        session._environ = environ(place)
        await session.open()
        texts.extend(
            repr(session.authenticator(connection))
            for connection in project.connections.values()
            if fits(connection.name)
        )
        client = Client(environ={})
        texts.extend(
            map(repr, (session, client, plan, session._values, session._sources, Channel(origin=api.url)))
        )
        await client.close()
        await session.close()

    def fits(name: str) -> bool:
        return name in {variable(place, each) for each in fitting(place)}

    finished(look())
    assert search.leaks("\n".join(texts)) == []


# --- the suite can fail: a leak is planted in each way out, and it must be found


def leaks_of(place: str, root: Path, api: Server) -> list[tuple[str, str]]:
    ran, project = went(place, root, api, ends=("error", "secret"))
    return Search(values(place).values()).leaks(*sinks(ran, project).values())


@pytest.mark.parametrize(
    "place", ["bearer", "basic", "key_query", "token", "own_header", "path", "input", "output"]
)
def test_without_the_redactor_the_suite_fails(
    place: str, api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Redactor, "text", lambda _, text: text)
    monkeypatch.setattr(Redactor, "data", lambda _, data: data)
    assert leaks_of(place, tmp_path, api)


@pytest.mark.parametrize("place", ["own_query", "json", "path", "input", "own_header", "url_header"])
def test_without_the_second_face_the_suite_fails(
    place: str, api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The placeholders alone are enough: with the redactor off, the recorded request has no secret."""
    monkeypatch.setattr(Redactor, "text", lambda _, text: text)
    monkeypatch.setattr(Redactor, "data", lambda _, data: data)

    def recorded(root: Path) -> list[tuple[str, str]]:
        ran, _ = went(place, root, api, ends=("ok",))
        requests = [action.record.get("request") for action in ran.result.actions]
        return Search(values(place).values()).leaks(json.dumps(requests))

    assert recorded(tmp_path / "placeholders") == []
    monkeypatch.setattr("runner.perform.Performance.hide", lambda _self, _reference: None)
    monkeypatch.setattr("runner.perform.secret_label", lambda *_: None)
    assert recorded(tmp_path / "bare")


def test_a_secret_in_a_report_is_found(api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = values("bearer")["plain"]
    whole = RunResult.to_json
    monkeypatch.setattr(
        RunResult, "to_json", lambda self: {**whole(self), "hint": f"{secret[:5]}{secret[5:]}"}
    )
    assert leaks_of("bearer", tmp_path, api)


def test_a_secret_in_a_log_or_an_event_is_found(logged: list[str]) -> None:
    secret = values("bearer")["html"]
    logging.getLogger("anybody").debug("sending %s", {"Authorization": secret})
    watched = Watched()
    watched.retrying("a", {"why": json.dumps(secret)})
    for shown in ("\n".join(logged), repr(watched)):
        assert Search([secret]).leaks(shown)


def test_a_secret_in_an_exception_is_found() -> None:
    secret = values("bearer")["quotes"]
    try:
        raise ValueError(f"cannot send {secret!r}")
    except ValueError:
        assert Search([secret]).leaks(traceback.format_exc())


@pytest.mark.parametrize("place", ["bearer", "key_query", "key_cookie", "header"])
def test_a_credential_at_another_host_is_found(
    place: str, api: Server, other: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every origin taken for the connection's own, the other host's log gives it away."""
    monkeypatch.setattr("runner.redirects.Origin.__eq__", lambda *_: True)
    went(place, tmp_path, api, ends=("elsewhere",))
    search = Search(values(place).values())
    assert search.leaks(*(request.head for request in other.requests))
