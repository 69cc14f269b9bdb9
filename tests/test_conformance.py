"""What every way to run gives: the same results, in the same order, with the same requests. One suite for all of them."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.project import Project
from tests.engines import Cluster
from tests.histories import kept, resumed
from tests.projects import Ran, make, request, run, simple
from tests.servers.http import Request, Response, Server, reply
from tests.servers.temporal import Temporal

JsonObject = dict[str, Any]
Backend = Callable[..., Ran]


class Desk:
    """A server that counts, fails as often as it is told, and answers after as long as it is told."""

    def __init__(self) -> None:
        self.fail: Counter[str] = Counter()
        self.fail_at: dict[str, int] = {}
        self.delays: dict[str, float] = {}
        self._polls = 0
        self._lock = threading.Lock()
        self.server = Server({"* /**": self._answer})

    def _answer(self, asked: Request) -> Response:
        path = asked.path
        threading.Event().wait(self.delays.get(path, 0.0))
        with self._lock:
            if self.fail[path] > 0:
                self.fail[path] -= 1
                return reply({"error": "told to"}, 503 if path.startswith("/busy") else 500)
            if self.fail_at.get(path) == self.server.count(asked.method, path):
                return reply({"error": "told to"}, 500)
            if path == "/poll":
                self._polls += 1
                return reply({"ready": self._polls >= 3})
        more = {"token": "tok-sensitive-123"} if path == "/login" else {}
        return reply({"path": path, "items": ["a", "b", "c", "d"], **more})

    def counts(self) -> Counter[str]:
        return Counter(f"{each.method} {each.path}" for each in self.server.requests)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    with made.server:
        yield made


@pytest.fixture(scope="module")
def cluster(temporal: Temporal) -> Iterator[Cluster]:
    with Cluster(temporal) as made:
        made.worker()
        yield made


@pytest.fixture(params=["memory", "history", "temporal"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "memory":
        return run
    if request.param == "temporal":
        cluster: Cluster = request.getfixturevalue("cluster")
        return cluster.ran

    def with_history(project: Any, **options: Any) -> Ran:
        return kept(project, tmp_path / "state", **options)

    return with_history


RETRY: JsonObject = {"attempts": 3, "backoff": {"first": "1ms"}}
EVERYTHING: list[JsonObject] = [
    request("list", path="/list", more={"output": "{{ response.body['items'] }}"}),
    request("odd", "POST", "/odd", more={"on_error": "continue"}),
    request("busy", "POST", "/busy", more={"retry": RETRY}),
    request("login", "POST", "/login", more={"sensitive": True, "output": "{{ response.body.token }}"}),
    request("use", path="/use", headers={"X-Token": "{{ actions.login.output }}"}),
    {
        **request("each", "POST", "/each/{{ item }}", json={"n": "{{ index }}"}),
        "for_each": "{{ actions.list.output }}",
        "concurrency": 3,
        "output": "{{ item }}-{{ response.body.path }}",
    },
    {
        **request("some", "POST", "/some/{{ item }}"),
        "for_each": ["x", "y"],
        "on_error": "continue",
        "output": "{{ item }}",
    },
    {
        **request("poll", path="/poll"),
        "repeat": {"until": "{{ response.body.ready }}", "every": "1ms", "at_most": 5},
    },
    {**request("left", path="/left"), "needs": ["list"]},
    {**request("right", "POST", "/right"), "needs": ["list"]},
    {"id": "both", "needs": ["left", "right"], "set": {"n": "{{ actions.list.output | length }}"}},
    {
        "id": "call",
        "needs": ["list"],
        "workflow": "inner",
        "with": {"of": "{{ actions.list.output | first }}"},
    },
    request("never", "POST", "/never", more={"if": "{{ actions.list.output | length > 9 }}"}),
]
BYE: JsonObject = {"finally": [request("bye", "POST", "/bye")]}
CLEANUP: JsonObject = {**BYE, "on_failure": [request("alarm", "POST", "/alarm")]}
OUTPUTS: JsonObject = {
    "each": "{{ actions.each.output }}",
    "some": "{{ actions.some.output }}",
    "left": "{{ actions.left.response.status }}",
    "n": "{{ actions.both.output.n }}",
    "called": "{{ actions.call.output.made }}",
}
INNER: JsonObject = {
    "inputs": {"of": {"type": "string"}},
    "actions": [request("in", "POST", "/in/{{ inputs.of }}", more={"output": "{{ response.body.path }}"})],
    "finally": [request("out", "POST", "/out")],
    "outputs": {"made": "{{ actions.in.output }}"},
}


def everything(root: Path, url: str, actions: list[JsonObject], **more: Any) -> Project:
    return make(
        root,
        {
            "connections.d/api.yaml": {"type": "none", "base_url": url, "shared": True},
            "workflows.d/main.yaml": {"actions": actions, "outputs": OUTPUTS, **more},
            "workflows.d/inner.yaml": INNER,
        },
    )


def test_everything_at_once(backend: Backend, desk: Desk, tmp_path: Path) -> None:
    desk.fail.update({"/odd": 1, "/busy": 2, "/some/x": 1})
    desk.delays.update({"/each/a": 0.05, "/left": 0.03})
    project = everything(tmp_path / "p", desk.server.url, EVERYTHING, **CLEANUP)
    ran = backend(project)
    assert ran.result.status.value == "succeeded", ran.result.error
    assert ran.result.outputs == {
        "each": ["a-/each/a", "b-/each/b", "c-/each/c", "d-/each/d"],
        "some": [None, "y"],
        "left": 200,
        "n": 4,
        "called": "/in/a",
    }
    assert ran.statuses == {
        "list": "succeeded", "odd": "failed", "busy": "succeeded", "login": "succeeded", "use": "succeeded", "each": "succeeded",
        "some": "failed", "poll": "succeeded", "left": "succeeded", "right": "succeeded", "both": "succeeded", "call": "succeeded",
        "never": "skipped", "on_failure/alarm": "skipped", "finally/bye": "succeeded",
    }  # fmt: skip
    assert desk.counts() == Counter(
        {"GET /list": 1, "POST /odd": 1, "POST /busy": 3, "POST /login": 1, "GET /use": 1, "POST /each/a": 1, "POST /each/b": 1,
         "POST /each/c": 1, "POST /each/d": 1, "POST /some/x": 1, "POST /some/y": 1, "GET /poll": 3, "GET /left": 1,
         "POST /right": 1, "POST /in/a": 1, "POST /out": 1, "POST /bye": 1}
    )  # fmt: skip
    used = next(each for each in desk.server.requests if each.path == "/use")
    assert used.header("X-Token") == "tok-sensitive-123"
    assert len(ran.action("busy").record["attempts"]) == 3
    assert "tok-sensitive" not in json.dumps(ran.result.to_json())


def test_a_failure_starts_nothing_new_and_cleans_up(backend: Backend, desk: Desk, tmp_path: Path) -> None:
    desk.fail.update({"/each/b": 1})
    actions = [
        {**request("each", "POST", "/each/{{ item }}"), "for_each": ["a", "b", "c"]},
        request("after", "POST", "/after"),
    ]
    project = simple(
        tmp_path / "p",
        actions,
        url=desk.server.url,
        **CLEANUP,
    )
    ran = backend(project)
    assert ran.failure[0] == "unexpected-status"
    assert [each.path for each in desk.server.requests] == ["/each/a", "/each/b", "/alarm", "/bye"]
    assert ran.statuses == {
        "each": "failed", "after": "skipped", "on_failure/alarm": "succeeded", "finally/bye": "succeeded",
    }  # fmt: skip


def test_a_timeout_ends_it(backend: Backend, desk: Desk, tmp_path: Path) -> None:
    cluster = isinstance(getattr(backend, "__self__", None), Cluster)
    timeout = 1.5 if cluster else 0.2  # a worker on a busy machine takes its time until it sends
    desk.delays["/slow"] = timeout + 0.8
    project = simple(
        tmp_path / "p",
        [request("slow", "POST", "/slow"), request("next", "POST", "/next")],
        url=desk.server.url,
        **BYE,
    )
    ran = backend(project, timeout=timeout)
    assert ran.result.status.value == "timed-out"
    # What ends before a worker hears that time is up has ended, and is kept.
    ended = {"failed", "succeeded"} if cluster else {"failed"}
    assert ran.statuses.pop("slow") in ended
    assert {key: status for key, status in ran.statuses.items() if key != "slow"} == {
        "next": "skipped",
        "finally/bye": "succeeded",
    }


# --- what only those can that remember


@pytest.fixture(params=["history", "temporal"])
def remembering(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Backend, Backend]:
    if request.param == "temporal":
        cluster: Cluster = request.getfixturevalue("cluster")
        return cluster.ran, cluster.again

    def first(project: Any, **options: Any) -> Ran:
        return kept(project, tmp_path / "state", **options)

    def again(project: Any, **options: Any) -> Ran:
        return resumed(project, tmp_path / "state", **options)

    return first, again


@pytest.mark.parametrize(
    ("remembering", "seed"),
    # On Temporal the tests that kill workers have timings of their own, too.
    [*(("history", seed) for seed in range(5)), ("temporal", 3)],
    indirect=["remembering"],
)
def test_a_resume_repeats_what_failed_and_nothing_else(
    remembering: tuple[Backend, Backend], desk: Desk, tmp_path: Path, seed: int
) -> None:
    """Under other timings than before: keys are paths, so nothing depends on what ended first."""
    first, again = remembering
    desk.fail.update({"/odd": 1, "/each/c": 1})
    desk.delays.update({f"/each/{item}": 0.02 * ((seed + at) % 4) for at, item in enumerate("abcd")})
    actions = EVERYTHING
    actions = [{**action, "idempotent": True} if action["id"] == "login" else action for action in EVERYTHING]
    project = everything(tmp_path / "p", desk.server.url, actions, **BYE)
    before = first(project)
    assert before.result.status.value == "failed"
    done = desk.counts()
    desk.delays = {f"/each/{item}": 0.02 * ((seed * 3 + at * 2) % 4) for at, item in enumerate("abcd")}
    after = again(project)
    assert after.result.status.value == "succeeded", after.result.error
    assert after.result.run_id == before.result.run_id
    assert after.result.started_at == before.result.started_at
    assert after.result.outputs["each"] == ["a-/each/a", "b-/each/b", "c-/each/c", "d-/each/d"]
    counts = desk.counts()
    # The token is kept nowhere: who made it is asked again, since that does no harm. `finally` belongs to each end.
    twice = {"POST /each/c", "POST /bye", "POST /login"}
    assert {name for name, count in counts.items() if count > 1} - {"GET /poll"} == twice
    assert counts["GET /poll"] == 3
    assert counts["POST /each/d"] == 1
    assert done["POST /each/a"] == counts["POST /each/a"] == 1


def test_called_workflows_go_on_where_they_failed(
    remembering: tuple[Backend, Backend], desk: Desk, tmp_path: Path
) -> None:
    """Calls in calls, and in items: what succeeded of them is kept, their `finally` belongs to each of their ends."""
    first, again = remembering
    desk.fail.update({"/two": 1, "/leaf/b": 1})
    leaves = {"for_each": ["a", "b", "c"], "workflow": "leaf", "with": {"of": "{{ item }}"}}
    workflows = {
        "main": {"actions": [request("one", "POST", "/one"), {"id": "call", "workflow": "middle"}], **BYE},
        "middle": {
            "actions": [request("one", "POST", "/middle"), {"id": "deep", "workflow": "inner"}, {"id": "leaves", **leaves}],
            "finally": [request("out", "POST", "/middle-out")],
            "outputs": {"leaves": "{{ actions.leaves.output | map(attribute='path') | list }}"},
        },
        "inner": {
            "actions": [request("two", "POST", "/before-two"), request("fails", "POST", "/two")],
            "finally": [request("out", "POST", "/inner-out")],
        },
        "leaf": {
            "inputs": {"of": {"type": "string"}},
            "actions": [request("leaf", "POST", "/leaf/{{ inputs.of }}")],
            "outputs": {"path": "{{ actions.leaf.output.path }}"},
        },
    }  # fmt: skip
    workflows["main"]["outputs"] = {"leaves": "{{ actions.call.output.leaves }}"}
    files: JsonObject = {f"workflows.d/{name}.yaml": each for name, each in workflows.items()}
    files["connections.d/api.yaml"] = {"type": "none", "base_url": desk.server.url, "shared": True}
    project = make(tmp_path / "p", files)
    assert "the workflow 'middle' failed: the workflow 'inner' failed:" in first(project).failure[1]
    done = Counter({"POST /one": 1, "POST /middle": 1, "POST /before-two": 1, "POST /two": 1, "POST /inner-out": 1,
                    "POST /middle-out": 1, "POST /bye": 1})  # fmt: skip
    assert desk.counts() == done
    assert "1 of 3 items failed" in again(project).failure[1]
    done += Counter({"POST /two": 1, "POST /inner-out": 1, "POST /leaf/a": 1, "POST /leaf/b": 1, "POST /middle-out": 1,
                     "POST /bye": 1})  # fmt: skip
    assert desk.counts() == done
    assert again(project).result.outputs == {"leaves": ["/leaf/a", "/leaf/b", "/leaf/c"]}
    done += Counter({"POST /leaf/b": 1, "POST /leaf/c": 1, "POST /middle-out": 1, "POST /bye": 1})
    assert desk.counts() == done


def test_a_repeated_call_goes_on_and_where_it_ran_out_begins_anew(
    remembering: tuple[Backend, Backend], desk: Desk, tmp_path: Path
) -> None:
    first, again = remembering
    desk.fail_at["/tick"] = 2
    until: JsonObject = {"until": "{{ response.body.ready }}", "every": "1ms", "at_most": 2}
    poller = {
        "actions": [request("sleep", "POST", "/tick"), request("poll", path="/poll")],
        "outputs": {"ready": "{{ actions.poll.output.ready }}"},
    }
    project = make(
        tmp_path / "p",
        {
            "connections.d/api.yaml": {"type": "none", "base_url": desk.server.url, "shared": True},
            "workflows.d/main.yaml": {"actions": [{"id": "sync", "workflow": "poller", "repeat": until}]},
            "workflows.d/poller.yaml": poller,
        },
    )
    assert "answered 500" in first(project).failure[1]
    assert desk.counts() == Counter({"POST /tick": 2, "GET /poll": 1})
    assert again(project).failure[0] == "timeout", "the second repetition is the last one"
    assert desk.counts() == Counter({"POST /tick": 3, "GET /poll": 2})
    assert again(project).result.status.value == "succeeded"
    assert desk.counts() == Counter({"POST /tick": 4, "GET /poll": 3})


def test_a_sensitive_output_is_made_again_where_that_does_no_harm(
    remembering: tuple[Backend, Backend], desk: Desk, tmp_path: Path
) -> None:
    """It is kept nowhere; what else the called workflow did that made it is not done again."""
    first, again = remembering
    desk.fail["/fails"] = 1
    login = request("login", path="/login", more={"sensitive": True, "output": "{{ response.body.token }}"})
    project = make(
        tmp_path / "p",
        {
            "connections.d/api.yaml": {"type": "none", "base_url": desk.server.url, "shared": True},
            "workflows.d/main.yaml": {
                "actions": [
                    {"id": "call", "workflow": "inner", "sensitive": True},
                    request("fails", "POST", "/fails"),
                    request("use", path="/use", headers={"X-Token": "{{ actions.call.output.token }}"}),
                ]
            },
            "workflows.d/inner.yaml": {
                "actions": [request("write", "POST", "/write"), login],
                "outputs": {"token": "{{ actions.login.output }}"},
            },
        },
    )
    assert first(project).failure[0] == "unexpected-status"
    after = again(project).result
    assert after.status.value == "succeeded", after.error
    assert desk.counts() == Counter({"POST /write": 1, "GET /login": 2, "POST /fails": 2, "GET /use": 1})
    assert desk.server.requests[-1].header("X-Token") == "tok-sensitive-123"


def test_files_are_those_of_the_run_and_a_second_resume_does_nothing(
    remembering: tuple[Backend, Backend], desk: Desk, tmp_path: Path
) -> None:
    first, again = remembering
    desk.fail["/b"] = 1
    project = make(
        tmp_path / "p",
        {
            "connections.d/api.yaml": {"type": "none", "base_url": desk.server.url, "shared": True},
            "workflows.d/main.yaml": {"actions": [request("a", "POST", "/a"), request("b", "POST", "/b")]},
        },
    )
    first(project)
    assert again(project).result.status.value == "succeeded"
    assert desk.counts() == Counter({"POST /a": 1, "POST /b": 2})
