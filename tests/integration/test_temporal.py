"""Runs on a real Temporal server: the same results, nothing done twice, nothing secret on the way."""

import asyncio
import os
import random
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from runner.backends.temporal.address import parse
from runner.backends.temporal.connect import connect
from runner.errors import JsonObject, SecretsError, UsageError
from runner.plan import resolve
from runner.result import RunResult
from runner.sensitive import Redactor
from tests.canary import ENCODERS, Search
from tests.engines import RUNNER, Cluster, until
from tests.integration.vault_workspace import Workspace
from tests.projects import Ran, Watched, make, request, run, simple
from tests.servers.certificates import Authority
from tests.servers.hosted import KeyInFront
from tests.servers.http import Request, Response, Server, reply
from tests.servers.temporal import Temporal, TlsInFront

TOKEN = "tok&en/of=the+desk 42"
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Desk:
    """Counts, fails while it is told to, holds requests until it is told to go on, repeats the token it is sent."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.held: set[str] = set()
        self.slowness = 0.0
        self.peak = 0
        self._inside = 0
        self.go = threading.Event()
        self.times: list[float] = []
        self._polls = 0
        self.server = Server({"* /**": self._answer})

    def _answer(self, asked: Request) -> Response:
        self.times.append(time.monotonic())
        self._inside += 1
        self.peak = max(self.peak, self._inside)
        time.sleep(self.slowness)
        try:
            return self._answered(asked)
        finally:
            self._inside -= 1

    def _answered(self, asked: Request) -> Response:
        if asked.path in self.held:
            until(lambda: self.go.is_set() or asked.path not in self.held, 90)
        if asked.path in self.failing:
            return reply({"error": "told to"}, 500)
        if asked.path == "/poll":
            self._polls += 1
            return reply({"ready": self._polls >= 3})
        if asked.path.startswith("/big/"):
            return reply({"text": random.Random(asked.path).randbytes(int(asked.path[5:]) * 500_000).hex()})
        if asked.path == "/login":
            return reply({"session": "sess-0123456789-secret"})
        return reply({"path": asked.path, "seen": asked.header("x-session") is not None})

    def counts(self) -> Counter[str]:
        return Counter(f"{each.method} {each.path}" for each in self.server.requests)


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    with made.server:
        yield made
        made.go.set()


@pytest.fixture(scope="module")
def cluster(temporal: Temporal) -> Iterator[Cluster]:
    """With one worker, for all tests that leave it alive."""
    with Cluster(temporal, {"DESK_TOKEN": TOKEN}) as made:
        made.worker()
        yield made


@pytest.fixture
def empty(temporal: Temporal) -> Iterator[Cluster]:
    """Without a worker."""
    with Cluster(temporal) as made:
        yield made


BYE: Any = {"finally": [request("bye", "PUT", "/bye")]}
BEARER = {"type": "bearer", "auth": {"token": "env://DESK_TOKEN"}}


def everything(root: Path, url: str) -> Any:
    """A project that uses all that a workflow can do."""
    actions = [
        request("first"),
        {"id": "left", "needs": ["first"], "set": {"list": [1, 2, 3, 4, 5], "exact": "{{ 1.10 }}"}},
        request("right", path="/right", more={"needs": ["first"], "on_error": "continue"}),
        request("skipped", more={"if": False}),
        request(
            "each",
            "POST",
            "/items/{{ item }}",
            more={"needs": ["left"], "for_each": "{{ actions.left.output.list }}", "if": "{{ item != actions.left.output.list[1] }}", "concurrency": 3,
                  "output": "{{ response.body.path }}"},
        ),
        request("poll", path="/poll", more={"repeat": {"until": "{{ response.body.ready }}", "every": "10ms"}}),
        {"id": "pause", "wait": "20ms"},
        request("login", path="/login", more={"sensitive": True, "output": "{{ response.body.session }}"}),
        {"id": "call", "for_each": ["a", "b"], "workflow": "called", "with": {"name": "{{ item }}"}},
        request("use", path="/use", headers={"X-Session": "{{ actions.login.output }}"},
                more={"output": "{{ response.body.seen }}"}),
        {"id": "deep", "workflow": "deep", "with": {"key": "{{ actions.login.output }}"}, "sensitive": True},
        request("use_deep", path="/use", headers={"X-Session": "{{ actions.deep.output.session }}"},
                more={"output": "{{ response.body.seen }}"}),
    ]  # fmt: skip
    outputs = {
        "each": "{{ actions.each.output }}",
        "right": "{{ actions.right.status }}",
        "use": "{{ actions.use.output }}",
        "exact": "{{ actions.left.output.exact }}",
        "call": "{{ actions.call.output | map(attribute='path') | list }}",
        "use_deep": "{{ actions.use_deep.output }}",
    }
    api = {**BEARER, "base_url": url, "shared": True}
    called = {
        "inputs": {"name": {"type": "string"}},
        "actions": [request("post", "POST", "/called/{{ inputs.name }}")],
        "outputs": {"path": "{{ actions.post.output.path }}"},
    }
    deep = {
        "inputs": {"key": {"type": "string", "secret": True}},
        "actions": [
            request(
                "login", path="/login", more={"sensitive": True, "output": "{{ response.body.session }}"}
            ),
            {"id": "deeper", "workflow": "deeper", "with": {"key": "{{ inputs.key }}"}},
        ],
        "outputs": {"session": "{{ actions.login.output }}"},
    }
    deeper = {
        "inputs": {"key": {"type": "string", "secret": True}},
        "actions": [request("signed", "POST", "/signed", headers={"X-Session": "{{ inputs.key }}"})],
        **BYE,
    }
    main = {"actions": actions, "outputs": outputs, **BYE}
    workflows = {"main": main, "called": called, "deep": deep, "deeper": deeper}
    files = {f"workflows.d/{name}.yaml": each for name, each in workflows.items()}
    return make(root, {"connections.d/api.yaml": api, **files})


def shape(result: RunResult) -> Any:
    """What of a result is the same however it was run."""
    return (
        result.status,
        result.outputs,
        [
            (each.key, each.status, each.output, each.reason, each.error and each.error.kind)
            for each in result.actions
        ],
    )


def told(watched: Watched) -> list[tuple[str, str]]:
    """What somebody who follows a run is told of the ends of its actions; those inside of items may be over too soon."""
    return [(what, key) for what, key in watched.events if what != "started" and "[" not in key]


@dataclass(frozen=True)
class Both:
    """The same project, run in one process and on Temporal: results, what was told of each, requests of the one and of both."""

    here: Ran
    run_id: str
    there: RunResult
    watched: Watched
    alone: Counter[str]
    together: Counter[str]


@pytest.fixture(scope="module")
def both(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Both:
    desk = Desk()
    with desk.server:
        desk.failing.add("/right")
        project = everything(tmp_path_factory.mktemp("both"), desk.server.url)
        here = run(project, environ={"DESK_TOKEN": TOKEN})
        alone = desk.counts()
        desk._polls = 0
        watched = Watched()
        run_id = cluster.submit(project)
        there = cluster.follow(run_id, seen=watched)
        return Both(here, run_id, there, watched, alone, desk.counts())


def test_a_run_gives_what_it_gives_in_one_process(both: Both) -> None:
    """And those who follow it are told what they are told there."""
    here, there = both.here.result, both.there
    assert shape(there) == shape(here)
    assert sorted(told(both.watched)) == sorted(told(both.here.watched))
    assert both.watched.progress[-1] == both.here.watched.progress[-1]
    assert there.outputs["each"] == ["/items/1", None, "/items/3", "/items/4", "/items/5"]
    assert there.outputs["use"] is there.outputs["use_deep"] is True
    assert there.outputs["call"] == ["/called/a", "/called/b"]
    assert both.together == both.alone + both.alone


def test_no_secret_is_on_the_server(both: Both, cluster: Cluster, temporal: Temporal) -> None:
    """Neither in the run nor in what it calls, where secrets go in, are sent, and come out."""

    async def travelled(found: Any) -> dict[str, str]:
        texts = {}
        mine = f"WorkflowId = '{both.run_id}' OR WorkflowId STARTS_WITH '{both.run_id}/'"
        async for each in found.client.list_workflows(mine):
            handle = found.client.get_workflow_handle(each.id, run_id=each.run_id)
            said = []
            async for event in handle.fetch_history_events():
                said.append(str(event))
                for payload in _payloads(event):
                    said += [str(one) for one in await found.client.data_converter.decode([payload])]
            texts[each.id.removeprefix(both.run_id)] = "\n".join(said)
        return texts

    texts: dict[str, str] = cluster.ask(travelled)
    assert {"", "/deep", "/deep/deeper"} < set(texts)
    assert "/items/3" in "".join(texts.values()), "the search reads what travelled"
    assert "/signed" in texts["/deep/deeper"]
    secrets = (TOKEN, "sess-0123456789-secret")
    assert {name: Search(secrets).leaks(text) for name, text in texts.items()} == {name: [] for name in texts}
    store = temporal.kept()
    assert both.run_id.encode() in store, "the search reads the server's store"
    forms = {encode(secret).encode() for secret in secrets for encode in ENCODERS.values()}
    assert [form for form in forms if form in store] == []


def _payloads(message: Any) -> Iterator[Any]:
    """Find every payload in a message of the protocol."""
    from google.protobuf.message import Message

    if message.DESCRIPTOR.full_name == "temporal.api.common.v1.Payload":
        yield message
        return
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        if isinstance(value, Message):
            yield from _payloads(value)
        elif hasattr(value, "items"):
            for one in value.values():
                if isinstance(one, Message):
                    yield from _payloads(one)
        else:
            for one in value:
                yield from _payloads(one)


def test_with_a_key_the_server_cannot_read_and_others_neither(
    desk: Desk, temporal: Temporal, tmp_path: Path
) -> None:
    project = simple(tmp_path, [request("first", path="/unmistakable-path")], url=desk.server.url)
    with Cluster(temporal, {"RUNNER_ENGINE_KEY": KEY}) as cluster:
        cluster.worker()
        run_id = cluster.submit(project)
        assert cluster.follow(run_id).status == "succeeded"
        cluster.environ = {}
        with pytest.raises(UsageError, match="sealed, and there is no key"):
            cluster.ask(lambda found: found.state(run_id))
        cluster.environ = {"RUNNER_ENGINE_KEY": KEY[:-3] + "AA="}
        with pytest.raises(UsageError, match="another RUNNER_ENGINE_KEY"):
            cluster.ask(lambda found: found.state(run_id))
        cluster.environ = {"RUNNER_ENGINE_KEY": "short"}
        with pytest.raises(UsageError, match="32 bytes in base64"):
            cluster.ask(lambda found: found.state(run_id))


def test_of_two_workers_that_share_a_run_one_is_killed(desk: Desk, empty: Cluster, tmp_path: Path) -> None:
    """Items are shared out; those of the dead worker that were in flight, and no other, arrive twice."""
    held = {f"/items/{number}" for number in range(8, 16)}
    desk.held |= held
    actions = [
        {"id": "list", "set": {"numbers": "{{ range(24) | list }}"}},
        request(
            "each",
            "PUT",
            "/items/{{ item }}",
            more={"for_each": "{{ actions.list.output.numbers }}", "concurrency": 8,
                  "output": "{{ response.body.path }}"},
        ),
    ]  # fmt: skip
    outputs = {"paths": "{{ actions.each.output }}"}
    project = simple(tmp_path, actions, url=desk.server.url, outputs=outputs)
    first, second = empty.worker(), empty.worker()
    run_id = empty.submit(project)
    until(lambda: all(desk.counts()[f"PUT {path}"] for path in held))
    first.kill()
    desk.held.clear()
    desk.go.set()
    result = empty.follow(run_id)
    assert result.outputs == {"paths": [f"/items/{number}" for number in range(24)]}
    counts = desk.counts()
    assert len(counts) == 24
    assert {name for name, count in counts.items() if count > 1} <= {f"PUT {path}" for path in held}
    assert max(counts.values()) <= 2
    assert second.process.poll() is None


def test_resume_repeats_only_what_is_missing(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    """In an action, in the items of two slices, and in the steps of one item."""
    desk.failing |= {"/items/7", "/items/22"}
    actions = [
        request("first", "POST", "/first"),
        {"id": "list", "set": {"numbers": "{{ range(30) | list }}"}},
        request(
            "each",
            "POST",
            "/items/{{ item }}",
            more={"for_each": "{{ actions.list.output.numbers }}", "concurrency": 8,
                  "output": "{{ response.body.path }}"},
        ),
        request("last", "POST", "/last"),
    ]  # fmt: skip
    outputs = {"count": "{{ actions.each.output | length }}", "last": "{{ actions.each.output[29] }}"}
    project = simple(tmp_path, actions, url=desk.server.url, outputs=outputs)
    run_id = cluster.submit(project)
    failed = cluster.follow(run_id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert "items failed" in failed.error.message
    desk.failing.clear()
    done = cluster.resume(run_id)
    assert done.outputs == {"count": 30, "last": "/items/29"}
    counts = desk.counts()
    assert counts["POST /first"] == counts["POST /last"] == 1
    twice = {path for path, count in counts.items() if count > 1}
    assert twice <= {"POST /items/7", "POST /items/22"}
    assert all(count <= 2 for count in counts.values())
    assert len(counts) == 32


def waiting_call(root: Path, url: str) -> Any:
    """A workflow that calls one that calls one that waits."""
    workflows = {
        "main": {"actions": [request("first", "POST", "/first"), {"id": "call", "workflow": "outer"}], **BYE},
        "outer": {"actions": [{"id": "deep", "workflow": "inner"}], "finally": [request("out", "POST", "/outer-out")]},
        "inner": {
            "actions": [request("second", "POST", "/second"), {"id": "pause", "wait": "1h"}],
            "finally": [request("out", "POST", "/inner-out")],
        },
    }  # fmt: skip
    files: JsonObject = {f"workflows.d/{name}.yaml": each for name, each in workflows.items()}
    return make(root, {"connections.d/api.yaml": {"type": "none", "base_url": url, "shared": True}, **files})


ENDS = {"POST /first": 1, "POST /second": 1, "POST /inner-out": 1, "POST /outer-out": 1, "PUT /bye": 1}


def executions(cluster: Cluster, run_id: str) -> dict[str, tuple[str, str]]:
    """What the children of a run are, and how: by what their names have beside its own."""

    async def listing(found: Any) -> dict[str, tuple[str, str]]:
        listed = found.client.list_workflows(f"WorkflowId STARTS_WITH '{run_id}/'")
        return {
            each.id.removeprefix(f"{run_id}/"): (each.workflow_type, each.status.name)
            async for each in listed
        }

    found: dict[str, tuple[str, str]] = cluster.ask(listing)
    return found


def test_a_sensitive_output_that_cannot_be_made_again_ends_a_resume(
    desk: Desk, cluster: Cluster, tmp_path: Path
) -> None:
    desk.failing.add("/fails")
    login = request(
        "login", "POST", "/login", more={"sensitive": True, "output": "{{ response.body.session }}"}
    )
    actions = [
        login,
        request("fails", path="/fails"),
        request("use", headers={"X-S": "{{ actions.login.output }}"}),
    ]
    run_id = cluster.submit(simple(tmp_path, actions, url=desk.server.url))
    cluster.follow(run_id)
    refused = cluster.resume(run_id)
    assert refused.error is not None
    assert (
        "the sensitive output of 'login' is kept nowhere, and doing it again may do harm"
        in refused.error.message
    )
    assert desk.counts() == {"POST /login": 1, "GET /fails": 1}


def test_a_stop_lets_finally_run_in_called_workflows_too(
    desk: Desk, cluster: Cluster, tmp_path: Path
) -> None:
    """Called workflows are executions of their own, and tell how far they are; what is in flight gets a moment."""
    desk.held.add("/second")
    run_id = cluster.submit(waiting_call(tmp_path, desk.server.url))
    call = "runner.d call"
    expected = {"call": (call, "RUNNING"), "call/deep": (call, "RUNNING")}
    until(lambda: desk.counts()["POST /second"] == 1 and executions(cluster, run_id) == expected)

    async def ended(found: Any) -> list[str]:
        return [each.key for each in await found.so_far(run_id, await found.state(run_id))]

    assert cluster.ask(ended) == ["first"]
    cluster.ask(lambda found: found.stop(run_id))
    assert cluster.ask(lambda found: found.noted(run_id)).stopping
    desk.held.clear()
    result = cluster.follow(run_id)
    assert result.status == "terminated"
    inner = {each["id"]: each["status"] for each in result.actions[1].record["actions"][0]["actions"]}
    # The wait is not begun, or cut off where the stop arrived a moment later.
    assert inner.pop("pause") in ("skipped", "failed")
    assert inner == {"second": "succeeded", "out": "succeeded"}
    assert desk.counts() == ENDS
    assert [each.path for each in desk.server.requests[2:]] == ["/inner-out", "/outer-out", "/bye"]
    until(lambda: {status for _, status in executions(cluster, run_id).values()} == {"COMPLETED"})


def test_cancelled_by_temporal_itself_it_ends_in_order(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    """The run, and with it what it calls; or a called workflow, and with it the run."""
    project = waiting_call(tmp_path, desk.server.url)
    runs = {cancelled: cluster.submit(project) for cancelled in ("", "/call/deep")}
    until(lambda: desk.counts()["POST /second"] == 2)

    async def cancel(found: Any) -> None:
        for cancelled, run_id in runs.items():
            await found.client.get_workflow_handle(f"{run_id}{cancelled}").cancel()

    cluster.ask(cancel)
    for run_id in runs.values():
        assert cluster.follow(run_id).status == "terminated"
    assert desk.counts() == dict.fromkeys(ENDS, 2)

    async def status(found: Any) -> Any:
        return (await found.client.get_workflow_handle(runs[""]).describe()).status.name

    until(lambda: cluster.ask(status) == "FAILED")


def test_of_a_call_that_somebody_ended_nobody_knows(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    """Its execution is the witness: the run says so, ends in order, and asks before it calls again."""
    project = waiting_call(tmp_path, desk.server.url)
    run_id = cluster.submit(project)
    until(lambda: desk.counts()["POST /second"] == 1)

    async def end(found: Any) -> None:
        await found.client.get_workflow_handle(f"{run_id}/call/deep").terminate()

    cluster.ask(end)
    failed = cluster.follow(run_id)
    assert failed.error is not None
    assert "/call/deep' was ended from outside" in failed.error.message
    assert desk.counts() == {name: count for name, count in ENDS.items() if name != "POST /inner-out"}
    assert cluster.ask(lambda found: found.state(run_id))["unknown"] == ["call/deep"]


def test_histories_stay_short(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    """Items are in histories of their own, some in each of them: that of the run does not grow with their number."""
    never = [request(f"never{number}", more={"if": False}) for number in range(9)]
    files: JsonObject = {
        "connections.d/api.yaml": {"type": "none", "base_url": desk.server.url, "shared": True},
        "workflows.d/main.yaml": {
            "actions": [
                {"id": "list", "set": {"numbers": "{{ range(45) | list }}"}},
                {
                    "id": "each",
                    "for_each": "{{ actions.list.output.numbers }}",
                    "concurrency": 12,
                    "workflow": "ten",
                },
            ],
            "outputs": {"n": "{{ actions.each.output | length }}"},
        },
        "workflows.d/ten.yaml": {"actions": [request("one", path="/one"), *never]},
    }
    run_id = cluster.submit(make(tmp_path, files))
    assert cluster.follow(run_id).outputs == {"n": 45}
    assert desk.counts() == {"GET /one": 45}

    async def lengths(found: Any) -> dict[str, int]:
        listed = found.client.list_workflows(f"WorkflowId = '{run_id}' OR WorkflowId STARTS_WITH '{run_id}/'")
        return {each.id: each.history_length async for each in listed}

    until(lambda: len(cluster.ask(lengths)) == 4)
    found = cluster.ask(lengths)
    assert found.pop(run_id) < 80
    # An item counts as the ten actions that it may perform; a slice has 200 of them at most.
    assert sorted(name.rpartition("[")[2] for name in found) == ["0:20]", "20:40]", "40:45]"]
    # Temporal warns at 10,240 events and ends what has more than 51,200.
    assert max(found.values()) < 2000


def test_what_is_too_large_for_the_engine_fails_and_says_so(
    desk: Desk, cluster: Cluster, tmp_path: Path
) -> None:
    """The server would refuse it again and again; hexadecimal digits are half as much on their way."""
    goes_on = {"on_error": "continue"}
    inner = {"actions": [request("a", path="/big/3"), request("b", path="/big/3")]}
    both = {"x": "{{ actions.one.output.text ~ actions.two.output.text }}"}
    files: JsonObject = {
        "connections.d/api.yaml": {"type": "none", "base_url": desk.server.url, "shared": True},
        "workflows.d/main.yaml": {
            "actions": [
                request("too_much", "POST", "/big/5", more=goes_on),
                request("one", path="/big/3"),
                request("two", path="/big/3"),
                {"id": "both", "set": both, **goes_on},
                {"id": "call", "workflow": "inner"},
            ],
            "outputs": {"n": "{{ actions.one.output.text | length }}"},
        },
        "workflows.d/inner.yaml": {**inner, "outputs": {"n": "{{ actions.b.output.text | length }}"}},
    }
    project = make(tmp_path, files)
    result = cluster.run(project)
    assert result.outputs == {"n": 3_000_000}
    told = {each.id: each.error.message for each in result.actions if each.error is not None}
    assert {name: re.sub(r"\d\.\d", "N", message) for name, message in told.items()} == {
        "too_much": "it was done, and its result is N MB packed, and the engine takes 2 MB",
        "both": "what it reads of earlier actions, and its inputs, are N MB packed, and the engine takes 2 MB",
    }
    assert [each.output for each in result.actions[1:3]] == [None, None]
    assert "the outputs of actions are left out of the result" in result.warnings[0]
    assert desk.counts() == {"POST /big/5": 1, "GET /big/3": 4}
    plan = replace(
        resolve(project, "main", inputs={}, user=None),
        inputs={"x": random.Random(1).randbytes(2_500_000).hex()},
    )
    with pytest.raises(UsageError, match="the files and the inputs of the run are"):
        cluster.ask(lambda found: found.submit(project, plan, "never", 10.0))


def test_the_time_of_a_run_is_over(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    """Or only that of a called workflow, which is a failure of the call."""
    desk.held.add("/slow")
    slow = request("slow", path="/slow", more={"timeout": "1m", "for_each": [1]})
    calls = [{"id": "short", "workflow": "short", "on_error": "continue"}, {"id": "long", "workflow": "long"}]
    files: JsonObject = {
        "connections.d/api.yaml": {"type": "none", "base_url": desk.server.url, "shared": True},
        "workflows.d/main.yaml": {"actions": calls, **BYE},
        "workflows.d/short.yaml": {"actions": [slow], "timeout": "500ms"},
        "workflows.d/long.yaml": {"actions": [slow]},
    }
    watched = Watched()
    result = cluster.follow(cluster.submit(make(tmp_path, files), timeout=2.5), seen=watched)
    assert ("started", "long/slow[0]") in watched.events
    assert result.status == "timed-out"
    assert [each.status for each in result.actions] == ["failed", "failed", "succeeded"]
    assert result.actions[0].error is not None
    assert "the workflow 'short' failed: it took longer than its timeout" in result.actions[0].error.message


def test_a_rate_limit_holds_over_two_workers(desk: Desk, empty: Cluster, tmp_path: Path) -> None:
    actions = [
        {"id": "list", "set": {"numbers": "{{ range(40) | list }}"}},
        request(
            "each",
            path="/{{ item }}",
            more={"for_each": "{{ actions.list.output.numbers }}", "concurrency": 40},
        ),
    ]
    limits: JsonObject = {"rate_limit": {"requests": 10, "per": "500ms"}, "concurrency": 1}
    project = simple(tmp_path, actions, url=desk.server.url, connection=limits)
    desk.slowness = 0.02
    empty.worker()
    empty.worker()
    assert empty.run(project).status == "succeeded"
    assert desk.peak <= 2, "one at a time in each worker"
    times = sorted(desk.times)
    assert len(times) == 40
    # Ten in any half second; a tenth of one is what the way to the server may take on a loaded machine.
    windows = [sum(start <= each < start + 0.4 for each in times) for start in times]
    assert max(windows) <= 11
    assert times[-1] - times[0] > 1.4


def test_without_a_worker_people_are_told_and_with_wrong_secrets_too(
    desk: Desk, empty: Cluster, tmp_path: Path
) -> None:
    project = simple(tmp_path, [request("first")], url=desk.server.url, connection=BEARER)
    empty.worker()
    result = empty.run(project)
    assert result.exit_code == 4
    assert result.error is not None
    assert "DESK_TOKEN" in result.error.message
    assert desk.counts() == {}


def test_what_cannot_travel_is_refused(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    files: JsonObject = {"tls": {"ca": "ca.pem"}}
    project = simple(tmp_path, [request("a")], url=desk.server.url, connection=files)
    with pytest.raises(
        UsageError, match=r"`tls\.ca` of the connection 'api' is a file, and a worker has no files"
    ):
        cluster.submit(project)
    keys: dict[str, JsonObject] = {
        "save_to": {"save_to": "a.bin"},
        "body": {"method": "PUT", "body": {"file": "ca.pem"}},
        "multipart": {"method": "POST", "multipart": {"a": [{"value": "x"}, {"file": "ca.pem"}]}},
    }
    for key, fields in keys.items():
        request_: JsonObject = {"id": "a", "connection": "api", "request": {"path": "/", **fields}}
        project = simple(tmp_path / key, [request_], url=desk.server.url)
        with pytest.raises(UsageError, match=f"`{key}` of the action 'a' in 'main' is a file"):
            cluster.submit(project)


def test_tls_with_a_client_certificate_out_of_vault(
    temporal: Temporal, authority: Authority, stored: Workspace, desk: Desk, tmp_path: Path
) -> None:
    """The server's own CA from a file, certificate and key by secret references; without them nobody gets in."""
    issued = authority.client("worker")
    pem = {"cert": issued.certificate.read_text(), "key": issued.key.read_text()}
    stored.put("secret/temporal", pem)
    context = authority.server_context(require_client=True)
    project = simple(tmp_path, [request("first", path="/first")], url=desk.server.url)
    with TlsInFront(temporal.port, context) as front:
        trusting = {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.ca_file)}
        known = {
            **trusting,
            **stored.environ(VAULT_TOKEN=stored.token("reader")),
            "TEMPORAL_TLS_CLIENT_CERT_DATA": "vault://secret/temporal#cert",
            "TEMPORAL_TLS_CLIENT_KEY_DATA": "vault://secret/temporal#key",
        }
        with Cluster(temporal, known) as cluster:
            cluster.port = front.port
            cluster.worker()
            assert cluster.run(project).status == "succeeded"
            key = pem["key"].splitlines()[1]
            assert all(key not in line for worker in cluster.workers for line in worker.said)
            address = cluster.address
        for environ, message in (
            ({"TEMPORAL_TLS": "true"}, "not trusted"),
            (trusting, "cannot be reached"),
            ({}, "cannot be reached"),
            ({**trusting, "TEMPORAL_TLS_CLIENT_CERT_PATH": str(issued.certificate)}, "takes both"),
            ({**trusting, "TEMPORAL_TLS_CLIENT_CERT_PATH": "/nowhere.pem"}, "cannot be read"),
        ):
            with pytest.raises((SecretsError, UsageError), match=message) as caught:
                asyncio.run(connect(address, environ, Redactor()))
            assert "PRIVATE" not in str(caught.value)


def test_a_hosted_cluster_asks_for_a_key(
    temporal: Temporal, authority: Authority, stored: Workspace, desk: Desk, tmp_path: Path
) -> None:
    """The key is read from Vault, anew when it was changed there; without a valid one commands and workers say so and end."""
    old, new = "ak_old-0123456789abcdef", "ak_new-0123456789abcdef"
    stored.put("secret/cloud", {"key": old})
    project = simple(tmp_path, [request("first", path="/first")], url=desk.server.url)
    trusting = {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(authority.ca_file)}
    vault = {
        **stored.environ(VAULT_TOKEN=stored.token("reader")),
        "TEMPORAL_API_KEY": "vault://secret/cloud#key",
    }
    with (
        KeyInFront(temporal.port, authority.server_context(), old) as front,
        Cluster(temporal, {**trusting, **vault}) as cluster,
    ):
        cluster.port = front.port
        worker = cluster.worker()
        assert cluster.run(project).status == "succeeded"
        assert front.refused == []

        def listed(*words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
            return subprocess.run(
                [RUNNER, "runs", "--engine", cluster.url, *words],
                env={"PATH": os.defpath, **trusting, **environ},
                capture_output=True,
                encoding="utf-8",
                timeout=60,
                check=False,
            )

        said = [listed("-vv", TEMPORAL_API_KEY=old)]
        assert (said[-1].returncode, "succeeded" in said[-1].stdout) == (0, True)
        said += [listed("-vv", TEMPORAL_API_KEY=new), listed()]
        for refused, message in zip(
            said[1:], ("does not accept the API key", "asks for an API key"), strict=True
        ):
            assert (refused.returncode, message in refused.stderr) == (4, True), refused.stderr
            assert "= help: set TEMPORAL_API_KEY" in refused.stderr
        front.key = new
        until(lambda: "DescribeNamespace" in front.refused)
        stored.put("secret/cloud", {"key": new})
        assert cluster.run(project).status == "succeeded"
        front.key = "another"
        assert worker.process.wait(30) == 4
    worker.kill()
    told = "".join(worker.said)
    assert "does not accept the API key" in told
    assert "\x1b" not in told, "what the library's threads log goes the way of all logs"
    everything_said = told + "".join(each.stdout + each.stderr for each in said)
    assert Search((old, new)).leaks(everything_said) == []


def test_names_are_no_longer_than_the_server_takes(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    long = "a" * 700
    files: JsonObject = {
        "connections.d/api.yaml": {"type": "none", "base_url": desk.server.url, "shared": True},
        "workflows.d/main.yaml": {"actions": [{"id": f"{long}{at}", "workflow": "inner"} for at in (1, 2)]},
        "workflows.d/inner.yaml": {"actions": [request(long, path="/one")]},
    }
    assert cluster.run(make(tmp_path, files)).status == "succeeded"
    assert desk.counts() == {"GET /one": 2}


def test_nobody_is_there() -> None:
    with pytest.raises(SecretsError, match="cannot be reached"):
        asyncio.run(connect(parse("temporal://127.0.0.1:9/default"), {}, Redactor()))
