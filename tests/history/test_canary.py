"""The canary suite on the files of the history: no secret, no body that nothing needs, in any byte of them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.history import locks
from runner.history.journal import Journal
from runner.history.locks import Queue
from runner.history.runs import Run
from runner.sensitive import Redactor
from tests.canary import AWKWARD, Search, fits_a_header, value
from tests.histories import kept, opened, resumed
from tests.projects import Watched, request, simple
from tests.servers.http import Request, Response, Server, reply


@pytest.fixture
def api() -> Iterator[Server]:
    """A server that gives back what it is sent, in headers and bodies of successes and failures."""

    def echo(asked: Request) -> Response:
        token = (asked.header("Authorization") or "").removeprefix("Bearer ")
        said = {
            "your": token,
            "sent": asked.body.decode("utf-8", "replace"),
            "fresh": "fresh-token-8842",
            "ok": 1,
        }
        return reply(
            said, 500 if asked.path.startswith("/fail") else 200, headers={"X-Echo": "header-of-the-answer"}
        )

    with Server({"* /**": echo}) as server:
        yield server


def every_byte(state: Path) -> bytes:
    files = [path for path in state.rglob("*") if path.is_file()]
    names = "\n".join(str(path.relative_to(state)) for path in files).encode()
    return names + b"".join(path.read_bytes() for path in files)


@pytest.mark.parametrize("name", AWKWARD)
def test_no_secret_is_in_any_byte(name: str, api: Server, tmp_path: Path) -> None:
    token, given = value(name, 1), value(name, 2)
    connection = {"type": "bearer", "auth": {"token": "env://TOKEN"}}
    if not fits_a_header(token):
        connection = {"type": "none"}
    ok = {"output": "{{ response.body.ok }}"}
    actions = [
        request(
            "one",
            "POST",
            "/one",
            json={"k": "{{ inputs.key }}", "o": "{{ inputs.other }}"},
            more={"output": "{{ response.body.ok }}"},
        ),
        request("login", "POST", "/two", more={"sensitive": True, "output": "{{ response.body.fresh }}"}),
        request(
            "use",
            "POST",
            "/three",
            headers={"X-T": "{{ actions.login.output }}"},
            json={"n": "{{ actions.one.output }}"},
            more=ok,
        ),
        request(
            "echo", "POST", "/fail/a", json={"k": "{{ inputs.key }}"}, more={**ok, "on_error": "continue"}
        ),
        request("last", "POST", "/fail/b", json={"k": "{{ inputs.key }}", "t": "{{ actions.login.output }}"}),
    ]
    project = simple(
        tmp_path / "p",
        actions,
        url=api.url,
        connection=connection,
        inputs={"key": {"secret": True, "type": "string"}, "other": {"type": "string"}},
        concurrency={"key": "{{ inputs.other }}"},
    )
    state = tmp_path / "s"
    ran = kept(
        project,
        state,
        environ={"TOKEN": token},
        # An input that is not declared secret and holds one all the same.
        input_file={"key": given, "other": f"has {given} in it"},
    )
    assert ran.statuses["last"] == "failed"
    found = every_byte(state)
    secrets = [secret for secret in (token, given, "fresh-token-8842") if len(secret) >= 6]
    assert Search(secrets).leaks(found) == []
    for body in (b"header-of-the-answer", b'"sent"', b'"your"'):
        assert body not in found
    assert b"/fail/b" in found, "the search sees what is there"


def test_no_secret_is_in_the_log_of_the_database_while_it_runs(api: Server, tmp_path: Path) -> None:
    token, given = value("plain", 1), value("plain", 2)
    seen: list[bytes] = []
    state = tmp_path / "s"
    project = simple(
        tmp_path / "p",
        [
            request(
                f"a{n}",
                "POST",
                f"/x/{n}",
                json={"k": "{{ inputs.key }}"},
                more={"output": "{{ response.body.ok }}"},
            )
            for n in range(3)
        ],
        url=api.url,
        connection={"type": "bearer", "auth": {"token": "env://TOKEN"}},
        inputs={"key": {"secret": True, "type": "string"}},
    )
    watched = Watched(when_finished=lambda _: seen.append(every_byte(state)))
    kept(project, state, environ={"TOKEN": token}, input_file={"key": given}, watched=watched)
    assert len(seen) == 3
    assert b"SQLite format 3" in seen[-1]
    assert Search([token, given]).leaks(*seen) == []


def test_what_turns_out_to_be_a_secret_is_taken_out_again(api: Server, tmp_path: Path) -> None:
    """The first action gives it as any text, a later one says that it is sensitive."""
    fresh = {"output": "{{ response.body.fresh }}"}
    project = simple(
        tmp_path / "p",
        [
            request("first", path="/first", more=fresh),
            request("later", path="/later", more={**fresh, "sensitive": True}),
            request("last", "POST", "/fail", json={"n": "{{ actions.first.output }}"}),
        ],
        url=api.url,
    )
    seen: list[bytes] = []
    watched = Watched(when_finished=lambda _: seen.append(every_byte(tmp_path / "s")))
    kept(project, tmp_path / "s", watched=watched)
    assert Search(["fresh-token-8842"]).leaks(seen[0]), "nobody could know it yet"
    assert Search(["fresh-token-8842"]).leaks(every_byte(tmp_path / "s")) == []
    assert resumed(project, tmp_path / "s").statuses["first"] == "succeeded"
    assert api.count("GET", "/first") == 2


def test_the_journal_searches_what_it_is_given(tmp_path: Path) -> None:
    """Whoever forgets to clean: a second net."""
    redactor = Redactor()
    redactor.add("a-secret-value/1", "label")
    history = opened(tmp_path)
    facts: dict[str, object] = {"user": None, "environment": None, "commit": None, "inputs": {}, "again": []}
    run = Run(number=0, id="r1", workflow="w", status="running", started_at="now", digest="d", facts=facts)
    number = history.add(run, {})
    journal = Journal(history, number, history.begin(number, "now", {}), redactor, print)

    async def write() -> None:
        journal.event({"key": "a", "error": {"message": "it said a-secret-value/1"}})
        record = {"request": {"url": "https://example.com/?k=a-secret-value%2F1"}}
        await journal.ended(
            "a", "done", {"status": "succeeded", "output": 1, "record": record}, harmless=True
        )

    asyncio.run(write())
    assert Search(["a-secret-value/1"]).leaks(every_byte(tmp_path)) == []
    (step,) = history.steps(number, "done")
    assert step.result == {
        "status": "succeeded",
        "record": {"request": {"url": "https://example.com/?k=***"}},
        "output": 1,
    }
    history.close()


def test_planted_leaks_are_found(tmp_path: Path) -> None:
    ticket = Queue(tmp_path, "k").enter({"run": "planted-secret-1"}, wait=True)
    lock = locks.take_run(tmp_path, "planted-secret-2")
    leaks = Search(["planted-secret-1", "planted-secret-2"]).leaks(every_byte(tmp_path))
    assert {secret for secret, _ in leaks} == {"planted-secret-1", "planted-secret-2"}
    assert lock is not None
    assert not isinstance(ticket, list)
