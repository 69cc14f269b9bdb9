"""`for_each`, `needs` and `repeat` against a real server: how much at once, what fails, what a stop leaves, what is recorded."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.backends import memory
from runner.project import Project
from runner.result import Status
from tests.projects import Watched, make, run
from tests.servers.http import Request, Response, Server, reply

JsonObject = dict[str, Any]
TOKEN = "token-of-item-"


class Gauge:
    """Counts requests that are being answered at the same time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = 0
        self.most = 0
        self.asked: Counter[str] = Counter()
        self.held: set[str] = set()
        self.gate = threading.Event()

    def __enter__(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.now -= 1


@pytest.fixture
def gauge() -> Gauge:
    return Gauge()


@pytest.fixture
def api(gauge: Gauge) -> Iterator[Server]:
    def item(request: Request) -> Response:
        name = request.arguments[0]
        with gauge:
            time.sleep(0.02)  # long enough that others arrive meanwhile
            if name in gauge.held:
                gauge.gate.wait(30)
        with gauge.lock:
            gauge.asked[name] += 1
            asked = gauge.asked[name]
        if name.startswith("bad"):
            return reply({"error": "bad"}, status=500)
        return reply({"name": name, "asked": asked, "token": TOKEN + name})

    with Server({"GET /item/*": item}) as server:
        yield server
        gauge.gate.set()


def project_of(root: Path, url: str, *actions: JsonObject, **more: Any) -> Project:
    connection = {"type": "none", "base_url": url, "retry": {"attempts": 1}}
    workflow = {"defaults": {"connection": "api"}, "actions": list(actions), **more}
    return make(root, {"connections.d/api.yaml": connection, "workflows.d/main.yaml": workflow})


def each(items: Any, **more: Any) -> JsonObject:
    return {
        "id": "ask",
        "for_each": items,
        "request": {"path": "/item/{{ item }}"},
        "output": "{{ response.body.name }}",
        **more,
    }


def test_so_many_at_once_and_no_more(api: Server, gauge: Gauge, tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(24)]
    project = project_of(
        tmp_path, api.url, each(names, concurrency=6), outputs={"all": "{{ actions.ask.output }}"}
    )
    ran = run(project)
    assert ran.result.outputs == {"all": names}
    assert gauge.most == 6
    assert gauge.asked == Counter(names)
    assert ran.watched.progress[-1] == ("ask", 24, 0, 24)


def test_actions_that_do_not_wait_for_each_other_run_at_the_same_time(
    api: Server, gauge: Gauge, tmp_path: Path
) -> None:
    actions = [
        {"id": f"a{number}", "needs": [], "request": {"path": f"/item/{number}"}} for number in range(3)
    ]
    last = {
        "id": "last",
        "needs": ["a0", "a1", "a2"],
        "set": {"n": "{{ [actions.a0, actions.a2] | length }}"},
    }
    ran = run(project_of(tmp_path, api.url, *actions, last))
    assert gauge.most == 3
    assert list(ran.statuses) == ["a0", "a1", "a2", "last"]


def test_a_failed_item_is_recorded_with_what_it_was_about(api: Server, gauge: Gauge, tmp_path: Path) -> None:
    items = ["one", "bad", "two", "x" * 2000]
    project = project_of(
        tmp_path,
        api.url,
        each(items, on_error="continue"),
        outputs={"all": "{{ actions.ask.output | map('default', '-', true) | list }}"},
    )
    ran = run(project)
    assert ran.result.status is Status.SUCCEEDED
    assert ran.result.outputs["all"][:3] == ["one", "-", "two"]
    items_record = ran.action("ask").record["items"]
    listed = {item["index"]: item for item in items_record["listed"]}
    assert sorted(listed) == [0, 1, 2]
    assert listed[1]["item"] == "bad"
    assert listed[1]["response"]["status"] == 500
    assert listed[1]["request"]["url"] == f"{api.url}/item/bad"
    assert (items_record["succeeded"], items_record["failed"]) == (3, 1)
    assert items_record["longest"] >= 0.02


def test_sensitive_outputs_of_items_flow_on_and_show_nowhere(
    api: Server, gauge: Gauge, tmp_path: Path
) -> None:
    ask = each(["a", "b", "bad"], sensitive=True, on_error="continue", output="{{ response.body.token }}")
    use = {
        "id": "use",
        "request": {
            "path": "/item/use",
            "headers": {"X-All": "{{ actions.ask.output | map('default', '-', true) | join(',') }}"},
        },
        "output": "{{ response.body.name }}",
    }
    ran = run(project_of(tmp_path, api.url, ask, use, outputs={"all": "{{ actions.ask.output }}"}))
    assert ran.result.status is Status.SUCCEEDED
    assert api.requests[-1].header("X-All") == f"{TOKEN}a,{TOKEN}b,-"
    assert ran.result.outputs == {"all": "***"}
    assert TOKEN not in json.dumps(ran.result.to_json())


@pytest.mark.parametrize("status", [Status.TERMINATED, Status.TIMED_OUT])
def test_a_stop_in_the_middle_of_many_items_loses_none(
    status: Status, api: Server, gauge: Gauge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "GRACE", 0.2)
    names = [f"n{number}" for number in range(40)]
    clean = {"id": "clean", "set": {"done": "{{ actions.ask.output | select | list | length }}"}}
    project = project_of(tmp_path, api.url, each(names, concurrency=4), **{"finally": [clean]})
    watched = Watched()
    stopping: list[Any] = []

    gauge.held.update(names[8:])  # from there on the server does not answer

    def started(key: str) -> None:
        if key == "ask[11]" and status is Status.TERMINATED:
            stopping[0].request(status)

    watched.when_started = started
    ran = run(
        project,
        watched=watched,
        stop=stopping.append,
        timeout=60 if status is Status.TERMINATED else 3,
    )
    assert ran.result.status is status
    ask = ran.action("ask")
    counts = ask.record["items"]
    done = counts["succeeded"]  # fewer than all where a busy machine was slower than the timeout
    assert done == 8 or (done < 8 and status is Status.TIMED_OUT)
    assert (counts["failed"], counts["not_started"]) == (4, 36 - done)
    assert ask.error is not None
    assert "whether the server acted is not known" in ask.error.message
    assert f"{36 - done} were not started" in ask.error.message
    assert ran.action("finally/clean").output == {"done": done}


def test_polling_with_its_own_count_beside_retry_and_expect(
    api: Server, gauge: Gauge, tmp_path: Path
) -> None:
    poll = {
        "id": "poll",
        "request": {"path": "/item/{{ 'bad' if false else 'job' }}"},
        "repeat": {"until": "{{ response.body.asked >= 3 }}", "every": "10ms", "at_most": 5},
        "output": "{{ response.body.asked }}",
    }
    never = {**poll, "id": "never", "on_error": "continue"}
    never["repeat"] = {"until": "{{ response.body.asked < 0 }}", "every": "1ms", "at_most": 2}
    bad = {**poll, "id": "bad", "on_error": "continue", "request": {"path": "/item/bad"}}
    ran = run(project_of(tmp_path, api.url, poll, never, bad))
    assert ran.action("poll").output == 3
    assert ran.action("poll").record["repetitions"] == 3
    assert gauge.asked == Counter(job=5, bad=1)
    errors = [str(error.message) for key in ("never", "bad") if (error := ran.action(key).error)]
    assert errors == [
        "`until` was not true in 2 repetitions, 1ms apart",
        "the server answered 500 Internal Server Error",
    ]
