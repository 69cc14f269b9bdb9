"""One run at a time: `concurrency` of a workflow, between runs and between processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.history.locks import Queue, Ticket
from runner.result import Status
from runner.watching import Stop
from tests.histories import kept, runs
from tests.projects import request, run, simple
from tests.servers.http import Server, reply

ROOT = Path(__file__).parents[1]
Workflow = dict[str, Any]


@pytest.fixture
def api() -> Iterator[Server]:
    with Server({"* /**": lambda _: reply({})}) as server:
        yield server


def project(tmp_path: Path, api: Server, on_conflict: str = "queue", key: str = "{{ run.workflow }}") -> Any:
    return simple(
        tmp_path / "p",
        [request("a", "POST", "/a")],
        url=api.url,
        concurrency={"key": key, "on_conflict": on_conflict},
        inputs={"day": {"default": "mon"}},
        vars={"of": "{{ inputs.day }}"},
    )


def holding(state: Path, key: str) -> Ticket:
    ticket = Queue(state, key).enter(
        {"run": "other", "workflow": "main", "pid": 1, "since": "now"}, wait=False
    )
    assert isinstance(ticket, Ticket)
    return ticket


def test_skip_is_no_failure_and_sends_nothing(api: Server, tmp_path: Path) -> None:
    ticket = holding(tmp_path / "s", "main")
    ran = kept(project(tmp_path, api, "skip"), tmp_path / "s")
    assert (ran.result.status, int(ran.result.exit_code), ran.result.error) == (Status.SKIPPED, 0, None)
    assert ran.result.warnings == ("skipped: run other (main, process 1, since now) holds the lock 'main'",)
    assert api.requests == ()
    assert [each.status for each in runs(tmp_path / "s")] == ["skipped"]
    ticket.release()
    assert kept(project(tmp_path, api, "skip"), tmp_path / "s").result.status is Status.SUCCEEDED
    assert kept(project(tmp_path, api, "skip"), tmp_path / "s").result.status is Status.SUCCEEDED


def test_fail_ends_with_a_code_of_its_own(api: Server, tmp_path: Path) -> None:
    ticket = holding(tmp_path / "s", "main")
    ran = run(project(tmp_path, api, "fail"), state=tmp_path / "s")
    assert (ran.result.status, int(ran.result.exit_code)) == (Status.FAILED, 6)
    assert ran.failure[0] == "locked"
    assert "not started, nothing was sent" in ran.failure[1]
    assert api.requests == ()
    ticket.release()


def test_queue_waits_for_its_turn_and_says_for_whom(api: Server, tmp_path: Path) -> None:
    ticket = holding(tmp_path / "s", "main")
    told: list[str] = []
    waiting = threading.Event()

    def tell(text: str) -> None:
        told.append(text)
        waiting.set()

    def release() -> None:
        assert waiting.wait(30)
        assert api.requests == ()
        ticket.release()

    thread = threading.Thread(target=release)
    thread.start()
    ran = run(project(tmp_path, api), state=tmp_path / "s", tell=tell)
    thread.join()
    assert ran.result.status is Status.SUCCEEDED
    assert told == ["waiting for the lock 'main': run other (main, process 1, since now) holds it"]
    assert api.count() == 1


def test_waiting_has_an_end(api: Server, tmp_path: Path) -> None:
    ticket = holding(tmp_path / "s", "main")
    ran = run(project(tmp_path, api), state=tmp_path / "s", timeout=0.2, tell=lambda _: None)
    assert int(ran.result.exit_code) == 6
    assert "still held the lock 'main' after 200ms" in ran.failure[1]
    assert api.requests == ()

    def stop(stopping: Stop) -> None:
        asyncio.get_running_loop().call_later(0.05, stopping.request, Status.TERMINATED)

    ran = run(project(tmp_path, api), state=tmp_path / "s", stop=stop, tell=lambda _: None)
    assert int(ran.result.exit_code) == 143
    assert api.requests == ()
    ticket.release()


def test_keys_are_templates_and_others_do_not_wait(api: Server, tmp_path: Path) -> None:
    ticket = holding(tmp_path / "s", "main-mon--")
    made = project(tmp_path, api, "fail", "{{ run.workflow }}-{{ vars.of }}-{{ environment or '' }}-")
    assert run(made, state=tmp_path / "s").result.status is Status.FAILED
    assert run(made, state=tmp_path / "s", inputs=["day=tue"]).result.status is Status.SUCCEEDED
    ticket.release()


def test_a_key_that_cannot_be_rendered_sends_nothing(api: Server, tmp_path: Path) -> None:
    made = project(tmp_path, api, "fail", "{{ inputs.day | to_datetime }}")
    ran = run(made, state=tmp_path / "s")
    assert ran.failure[0] == "render"
    assert api.requests == ()


HOLDER = """
import sys, time
from pathlib import Path
from runner.history import locks
state = Path(sys.argv[1])
ticket = locks.Queue(state, "main").enter({"run": "killed"}, wait=True)
lock = locks.take_run(state, "r1")
print("held", flush=True)
time.sleep(600)
"""


def test_a_killed_process_holds_no_lock(api: Server, tmp_path: Path) -> None:
    from runner.history import locks

    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "s")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    made = project(tmp_path, api, "fail")
    assert run(made, state=tmp_path / "s").result.status is Status.FAILED
    assert locks.take_run(tmp_path / "s", "r1") is None
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate(timeout=30)
    assert run(made, state=tmp_path / "s").result.status is Status.SUCCEEDED
    lock = locks.take_run(tmp_path / "s", "r1")
    assert lock is not None
    lock.release()


def test_it_is_in_the_plan_and_a_secret_key_is_refused(api: Server, tmp_path: Path) -> None:
    from runner.check import check
    from runner.plan import describe
    from runner.reports.text import plan as as_text
    from tests.projects import planned
    from tests.rules.projects import loaded

    made = project(tmp_path, api, "skip", "{{ run.workflow }}-{{ run.id }}")
    described = describe(made, planned(made))
    assert described["concurrency"] == {"key": "main-‹known at run time›", "on_conflict": "skip"}
    assert "one run at a time: key 'main-" in as_text(described)
    wrong = {
        "inputs": {"key": {"secret": True}},
        "concurrency": {"key": "{{ inputs.key }}"},
        "actions": [{"id": "a", "set": {"x": "{{ run.id }}"}}],
    }
    found = check(loaded(tmp_path / "q", {"workflows.d/w.yaml": json.dumps(wrong)}))
    assert "unavailable-root" in [item.rule for item in found]


def test_a_lock_that_is_gone_is_a_change_to_look_at(tmp_path: Path) -> None:
    from runner.compare import compare
    from tests.rules.projects import loaded

    actions = [{"id": "a", "set": {"x": 1}}]
    one = {"actions": actions, "concurrency": {"key": "a", "on_conflict": "queue"}}
    before = loaded(tmp_path / "a", {"workflows.d/w.yaml": json.dumps(one)})
    same = loaded(tmp_path / "b", {"workflows.d/w.yaml": json.dumps({**one, "concurrency": {"key": "a"}})})
    after = loaded(tmp_path / "c", {"workflows.d/w.yaml": json.dumps({"actions": actions})})
    assert compare(before, same)["changes"] == []
    (item,) = compare(before, after)["danger"]
    assert (item["kind"], item["before"], item["after"]) == ("raised", "a", "none")
