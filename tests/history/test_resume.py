"""Going on with runs: what is kept, what is done again, what is refused."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.history.journal import Journal
from runner.history.keeper import Keeper
from runner.history.keys import action_of, lacking
from runner.history.runs import History, Run
from runner.history.state import HistoryError
from runner.project import Project
from runner.result import Status
from runner.session import Session
from runner.watching import Stop
from tests.histories import asked, kept, opened, resumed
from tests.projects import make, request, run, simple
from tests.servers.http import Request, Response, Server, Takeover, reply

JsonObject = dict[str, Any]


class Api:
    """A server that fails where it is told to."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.server = Server({"* /**": self._answer})

    def _answer(self, asked: Request) -> Response | Takeover:
        if asked.path in self.broken:
            if asked.path.startswith("/reset"):
                return Takeover(lambda connection: connection.reset())
            return reply({}, int(asked.path.rpartition("-")[2]) if "-" in asked.path else 500)
        return reply({"path": asked.path, "number": 7}, headers={"X-Trace": "trace-of-the-answer"})

    @property
    def counts(self) -> Counter[str]:
        return Counter(f"{each.method} {each.path}" for each in self.server.requests)


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    with made.server:
        yield made


@pytest.fixture
def make_project(api: Api, tmp_path: Path) -> Callable[..., Project]:
    def make(*actions: JsonObject, **more: Any) -> Project:
        return simple(tmp_path / "p", list(actions), url=api.server.url, **more)

    return make


def unknown(state: Path) -> list[str]:
    def question(history: History, found: Run) -> list[str]:
        return [step.key for step in history.steps(found.number, "started", "unknown") if step.unknown]

    keys: list[str] = asked(state, question)
    return keys


@pytest.mark.parametrize("path", ["/reset", "/gateway-502", "/gateway-504", "/no-500"])
def test_a_write_without_an_answer_is_unknown(
    path: str, api: Api, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    api.broken.add(path)
    project = make_project(request("a", "POST", path), request("b", path="/b"))
    assert kept(project, tmp_path / "s").result.status is Status.FAILED
    assert unknown(tmp_path / "s") == ([] if path == "/no-500" else ["a"])
    api.broken.clear()
    assert resumed(project, tmp_path / "s").result.status is Status.SUCCEEDED


@pytest.mark.parametrize(
    "more", [{"idempotent": True}, {"request": {"method": "PUT", "path": "/reset"}}], ids=["marked", "put"]
)
def test_a_write_that_may_be_repeated_is_never_unknown(
    more: JsonObject, api: Api, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    api.broken.add("/reset")
    retry = {"retry": {"attempts": 1}}
    project = make_project(request("a", "POST", "/reset", more=retry) | more)
    kept(project, tmp_path / "s")
    assert unknown(tmp_path / "s") == []
    api.broken.clear()
    assert resumed(project, tmp_path / "s").result.status is Status.SUCCEEDED


def test_a_refused_connection_is_no_unknown_outcome(tmp_path: Path) -> None:
    project = simple(tmp_path / "p", [request("a", "POST", "/a", more={"retry": {"attempts": 1}})])
    kept(project, tmp_path / "s")
    assert unknown(tmp_path / "s") == []


def test_a_signal_or_a_timeout_in_a_write_is_unknown(
    api: Api, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    with Server({"* /**": lambda _: Takeover(lambda connection: connection.hold())}) as slow:
        project = simple(
            tmp_path / "p", [request("a", "POST", "/a"), request("b", "POST", "/b")], url=slow.url
        )
        ran = kept(project, tmp_path / "s", timeout=0.3)
    assert ran.result.status is Status.TIMED_OUT
    assert unknown(tmp_path / "s") == ["a"]


def test_sensitive_outputs_are_made_again_or_the_resume_refuses(
    api: Api, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    def actions(**more: Any) -> list[JsonObject]:
        login = request(
            "login", "POST", "/login", more={"sensitive": True, "output": "{{ response.body.path }}!", **more}
        )
        use = request("use", "POST", "/use", headers={"X-Token": "{{ actions.login.output }}"})
        return [login, use]

    api.broken.add("/use")
    harmless = make_project(*actions(idempotent=True))
    kept(harmless, tmp_path / "s1")
    api.broken.clear()
    assert resumed(harmless, tmp_path / "s1").result.status is Status.SUCCEEDED
    assert api.counts == Counter({"POST /login": 2, "POST /use": 2})
    assert api.server.requests[-1].header("X-Token") == "/login!"

    api.broken.add("/use")
    harmful = make_project(*actions())
    kept(harmful, tmp_path / "s2")
    api.broken.clear()
    missing = asked(
        tmp_path / "s2", lambda history, found: lacking(harmful, "main", history.steps(found.number, "done"))
    )
    assert missing == [("login", "its output is sensitive, which is never kept")]
    # Whoever goes on all the same gets nothing wrong sent.
    before = api.counts
    refused = resumed(harmful, tmp_path / "s2")
    assert refused.failure[0] == "history-unavailable"
    assert int(refused.result.exit_code) == 4
    assert api.counts == before


def test_a_sensitive_output_that_nothing_reads_stands_in_no_way(
    api: Api, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    api.broken.add("/use")
    project = make_project(
        request("login", "POST", "/login", more={"sensitive": True}),
        request("use", "POST", "/use", json={"s": "{{ actions.login.status }}"}),
    )
    kept(project, tmp_path / "s")
    api.broken.clear()
    ran = resumed(project, tmp_path / "s")
    assert ran.result.status is Status.SUCCEEDED
    assert api.counts["POST /login"] == 1
    assert ran.result.to_json()["actions"][0]["output"] == "***"


def test_a_sensitive_output_in_a_repeated_call_is_found_under_its_own_key(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = request("login", "POST", "/login", more={"sensitive": True, "idempotent": False})
    poll = request(
        "poll", "POST", "/poll", more={"sensitive": True, "repeat": {"until": "{{ true }}", "at_most": 2}}
    )
    sync = {"id": "sync", "workflow": "sub", "repeat": {"until": "{{ true }}", "every": "1ms", "at_most": 2}}
    project = make(
        tmp_path / "p",
        {
            "connections.d/api.yaml": {"type": "none", "base_url": api.server.url, "shared": True},
            "workflows.d/sub.yaml": {"actions": [login, poll, request("last", path="/last")]},
            "workflows.d/main.yaml": {"actions": [sync]},
        },
    )
    api.broken.add("/last")
    kept(project, tmp_path / "s")
    api.broken.clear()
    sensitive: list[JsonObject] = []
    close = Session.close

    async def closing(session: Session) -> None:
        sensitive.append(dict(session.sensitive))
        await close(session)

    monkeypatch.setattr(Session, "close", closing)
    assert resumed(project, tmp_path / "s").result.status is Status.SUCCEEDED
    assert api.counts["POST /login"] == api.counts["POST /poll"] == 1
    assert sensitive == [{"sync#1/login": "***", "sync#1/poll": "***"}]


def test_finally_is_done_again_where_the_resume_did_something(
    api: Api, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    cleanup: JsonObject = {
        "finally": [request("one", "POST", "/one"), request("two", "POST", "/two")],
        "on_failure": [request("alarm", "POST", "/alarm")],
    }
    project = make_project(request("a", "POST", "/a"), **cleanup)
    api.broken |= {"/a", "/two"}
    kept(project, tmp_path / "s")
    api.broken = {"/two"}
    ran = resumed(project, tmp_path / "s")
    assert ran.result.status is Status.FAILED
    assert api.counts == Counter({"POST /a": 2, "POST /alarm": 1, "POST /one": 2, "POST /two": 2})
    api.broken = set()
    ran = resumed(project, tmp_path / "s")
    assert ran.result.status is Status.SUCCEEDED
    # Nothing before `finally` was done anew: what of it had succeeded is kept.
    assert api.counts == Counter({"POST /a": 2, "POST /alarm": 1, "POST /one": 2, "POST /two": 3})
    assert ran.action("finally/one").record["from_history"] is True


def test_a_wait_goes_on_and_a_poll_begins_anew(
    api: Api, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    def stop(stopping: Stop) -> None:
        asyncio.get_running_loop().call_later(0.2, stopping.request, Status.TERMINATED)

    project = make_project({"id": "pause", "wait": "1h"}, request("after", path="/after"))
    assert kept(project, tmp_path / "s", stop=stop).result.status is Status.TERMINATED
    (until,) = asked(tmp_path / "s", lambda history, found: history.steps(found.number, "done"))
    assert 3500 < until.result["until"] - time.time() < 3600
    history = opened(tmp_path / "s")
    with history.database.writing() as writing:
        writing.execute("UPDATE step SET result = ?", (f'{{"until": {time.time() + 0.1}}}',))
    history.close()
    assert resumed(project, tmp_path / "s", timeout=60.0).result.status is Status.SUCCEEDED

    repeat = {"until": "{{ response.body.number > 9 }}", "every": "1ms", "at_most": 2}
    project = make_project({**request("poll", path="/poll"), "repeat": repeat})
    assert kept(project, tmp_path / "t").failure[0] == "timeout"
    assert resumed(project, tmp_path / "t").failure[0] == "timeout"
    assert api.counts["GET /poll"] == 4


def test_only_what_templates_read_is_kept_and_nothing_after_success(
    api: Api, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    api.broken.add("/end")
    project = make_project(
        request("read", path="/body-that-is-read"),
        request("unread", path="/body-that-is-not-read"),
        request("headers", path="/headers"),
        request(
            "end",
            "POST",
            "/end",
            json={"n": "{{ actions.read.output.path }}", "h": "{{ actions.headers.response.status }}"},
        ),
    )
    kept(project, tmp_path / "s")
    steps = asked(
        tmp_path / "s",
        lambda history, found: {step.key: step.result for step in history.steps(found.number, "done")},
    )
    assert steps["read"]["output"] == {"path": "/body-that-is-read", "number": 7}
    assert steps["read"]["lacks"] == ["response"]
    assert "output" not in steps["unread"]
    assert steps["headers"]["response"]["headers"]["x-trace"] == "trace-of-the-answer"
    assert "trace-of-the-answer" not in str(steps["read"])
    api.broken.clear()
    resumed(project, tmp_path / "s")
    assert asked(tmp_path / "s", lambda history, found: history.steps(found.number, "done")) == []


def test_new_files_that_read_what_was_not_kept(
    api: Api, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    api.broken.add("/end")
    kept(
        make_project(request("a", path="/a"), request("b", "POST", "/b"), request("end", "POST", "/end")),
        tmp_path / "s",
    )
    api.broken.clear()
    reading = {"json": {"a": "{{ actions.a.output.number }}"}}
    project = make_project(
        request("a", path="/a"), request("b", "POST", "/b"), request("end", "POST", "/end", **reading)
    )
    assert resumed(project, tmp_path / "s").result.status is Status.SUCCEEDED
    assert api.counts == Counter({"GET /a": 2, "POST /b": 1, "POST /end": 2})
    assert api.server.requests[-1].json() == {"a": 7}


def test_keys_name_their_actions(make_project: Callable[..., Project]) -> None:
    project = make_project(
        request("a"), {**request("each"), "for_each": [1]}, **{"finally": [request("bye")]}
    )
    found = [
        action_of(project, "main", key) for key in ("a", "each[3]", "each[3]#2", "finally/bye", "gone", "a/b")
    ]
    assert [place and place[1].key for place in found] == ["a", "each", "each", "finally/bye", None, None]


def test_idempotency_keys_outlive_a_resume_and_each_ending_has_its_own(api: Api, tmp_path: Path) -> None:
    project = simple(
        tmp_path / "p",
        [request("a", "POST", "/a")],
        url=api.server.url,
        connection={"idempotency": {"header": "Idempotency-Key"}},
        **{"finally": [request("bye", "POST", "/bye")]},
    )
    api.broken.add("/a")
    kept(project, tmp_path / "s")
    assert unknown(tmp_path / "s") == []
    api.broken.clear()
    assert resumed(project, tmp_path / "s").result.status is Status.SUCCEEDED
    sent = [(each.path, each.header("Idempotency-Key")) for each in api.server.requests]
    assert len({key for path, key in sent if path == "/a"}) == 1
    assert len({key for path, key in sent if path == "/bye"}) == 2
    assert all(key for _, key in sent)


# --- the history fails


def test_a_disk_that_is_full_in_the_middle(
    api: Api, make_project: Callable[..., Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No write is sent that cannot be written down first, and nothing of the result is lost."""
    project = make_project(
        request("first", "POST", "/first"),
        request("read", path="/read"),
        request("second", "POST", "/second"),
        **{"finally": [request("bye", path="/bye")]},
    )
    history = opened(tmp_path / "s")
    keeper = Keeper(history, commit=None)
    ended = Journal.ended

    async def full(self: Journal, key: str, *arguments: Any, **more: Any) -> None:
        await ended(self, key, *arguments, **more)
        if key == "first":
            (pages,) = history.database.row("PRAGMA page_count") or (0,)
            history.database.rows(f"PRAGMA max_page_count={pages}")
            self._pending.append(("INSERT INTO document VALUES (?, ?)", ("x", "y" * 500_000)))
            self.flush()

    monkeypatch.setattr(Journal, "ended", full)
    ran = run(project, keeper=keeper)
    assert ran.statuses == {
        "first": "succeeded", "read": "succeeded", "second": "failed", "finally/bye": "succeeded",
    }  # fmt: skip
    assert ran.failure[0] == "history-unavailable"
    assert "it was not sent" in ran.failure[1]
    assert int(ran.result.exit_code) == 4
    assert [warning for warning in ran.result.warnings if "the disk is full" in warning]
    assert api.counts == Counter({"POST /first": 1, "GET /read": 1, "GET /bye": 1})


def test_a_history_that_fails_at_the_start_sends_nothing(
    api: Api, make_project: Callable[..., Project], tmp_path: Path
) -> None:
    history = opened(tmp_path / "s")
    (pages,) = history.database.row("PRAGMA page_count") or (0,)
    history.database.rows(f"PRAGMA max_page_count={pages}")
    inputs = {"long": {"default": "x" * 100_000}}
    with pytest.raises(HistoryError, match="the disk is full"):
        run(make_project(request("a", "POST", "/a"), inputs=inputs), keeper=Keeper(history, commit=None))
    assert api.counts == Counter()
