"""Runs on a real Temporal server: the same results, nothing done twice, nothing secret on the way."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.backends.temporal.address import parse
from runner.backends.temporal.connect import connect
from runner.errors import JsonObject, SecretsError, UsageError
from runner.result import RunResult
from runner.sensitive import Redactor
from tests.canary import ENCODERS, Search
from tests.engines import Cluster, until
from tests.integration.vault_workspace import Workspace
from tests.projects import make, request, run, simple
from tests.servers.certificates import Authority
from tests.servers.http import Request, Response, Server, reply
from tests.servers.temporal import Temporal, TlsInFront

TOKEN = "tok&en/of=the+desk 42"
KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Desk:
    """Counts, fails while it is told to, holds requests until it is told to go on, repeats the token it is sent."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.held: set[str] = set()
        self.go = threading.Event()
        self.times: list[float] = []
        self._polls = 0
        self.server = Server({"* /**": self._answer})

    def _answer(self, asked: Request) -> Response:
        self.times.append(time.monotonic())
        if asked.path in self.held:
            until(lambda: self.go.is_set() or asked.path not in self.held, 90)
        if asked.path in self.failing:
            return reply({"error": "told to"}, 500)
        if asked.path == "/poll":
            self._polls += 1
            return reply({"ready": self._polls >= 3})
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


@pytest.fixture
def cluster(temporal: Temporal) -> Iterator[Cluster]:
    with Cluster(temporal, {"DESK_TOKEN": TOKEN}) as made:
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
    ]  # fmt: skip
    outputs = {
        "each": "{{ actions.each.output }}",
        "right": "{{ actions.right.status }}",
        "use": "{{ actions.use.output }}",
        "exact": "{{ actions.left.output.exact }}",
        "call": "{{ actions.call.output | map(attribute='path') | list }}",
    }
    api = {**BEARER, "base_url": url, "shared": True}
    called = {
        "inputs": {"name": {"type": "string"}},
        "actions": [request("post", "POST", "/called/{{ inputs.name }}")],
        "outputs": {"path": "{{ actions.post.output.path }}"},
    }
    main = {"actions": actions, "outputs": outputs, **BYE}
    return make(
        root,
        {"connections.d/api.yaml": api, "workflows.d/main.yaml": main, "workflows.d/called.yaml": called},
    )


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


def test_a_run_gives_what_it_gives_in_one_process(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    desk.failing.add("/right")
    project = everything(tmp_path, desk.server.url)
    here = run(project, environ={"DESK_TOKEN": TOKEN}).result
    alone = desk.counts()
    desk._polls = 0
    cluster.worker()
    there = cluster.run(project)
    assert shape(there) == shape(here)
    assert there.outputs["each"] == ["/items/1", None, "/items/3", "/items/4", "/items/5"]
    assert there.outputs["use"] is True
    assert there.outputs["call"] == ["/called/a", "/called/b"]
    assert desk.counts() == alone + alone


def test_no_secret_is_on_the_server(desk: Desk, cluster: Cluster, tmp_path: Path, temporal: Temporal) -> None:
    desk.failing.add("/right")
    cluster.worker()
    run_id = cluster.submit(everything(tmp_path, desk.server.url))
    cluster.follow(run_id)

    async def travelled() -> str:
        client = await connect(cluster.address, {}, Redactor())
        texts = []
        async for each in client.list_workflows(f"TaskQueue = '{cluster.queue}'"):
            handle = client.get_workflow_handle(each.id, run_id=each.run_id)
            async for event in handle.fetch_history_events():
                texts.append(str(event))
                for payload in _payloads(event):
                    texts += [str(one) for one in await client.data_converter.decode([payload])]
        return "\n".join(texts)

    text = asyncio.run(travelled())
    assert "/items/3" in text, "the search reads what travelled"
    secrets = (TOKEN, "sess-0123456789-secret")
    assert Search(secrets).leaks(text) == []
    store = temporal.kept()
    assert run_id.encode() in store, "the search reads the server's store"
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


def test_a_worker_dies_while_requests_are_in_flight(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    """Another worker does again what is harmless; of a POST nobody knows, so the run ends, and can be resumed."""
    desk.held |= {"/slow"}
    actions = [
        request("before", "POST", "/before"),
        request("get", path="/slow"),
        request("post", "POST", "/slow", more={"needs": ["before"]}),
        request("after", path="/after", more={"needs": ["get", "post"]}),
    ]
    outputs = {"paths": ["{{ actions.get.output.path }}", "{{ actions.after.output.path }}"]}
    project = simple(tmp_path, actions, url=desk.server.url, outputs=outputs)
    first = cluster.worker()
    run_id = cluster.submit(project)
    until(lambda: desk.counts()["POST /slow"] == desk.counts()["GET /slow"] == 1)
    first.kill()
    desk.held.clear()
    desk.go.set()
    cluster.worker()
    result = cluster.follow(run_id)
    assert result.status == "failed"
    assert result.error is not None
    assert "whether the server acted is not known" in result.error.message
    assert {each.id: each.status.value for each in result.actions} == {
        "before": "succeeded",
        "get": "succeeded",
        "post": "failed",
        "after": "skipped",
    }
    assert desk.counts() == {"POST /before": 1, "GET /slow": 2, "POST /slow": 1}
    assert cluster.ask(lambda found: found.state(run_id))["unknown"] == ["post"]
    assert cluster.resume(run_id).outputs == {"paths": ["/slow", "/after"]}
    assert desk.counts() == {"POST /before": 1, "GET /slow": 2, "POST /slow": 2, "GET /after": 1}


def test_of_two_workers_that_share_a_run_one_is_killed(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
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
    first, second = cluster.worker(), cluster.worker()
    run_id = cluster.submit(project)
    until(lambda: all(desk.counts()[f"PUT {path}"] for path in held))
    first.kill()
    desk.held.clear()
    desk.go.set()
    result = cluster.follow(run_id)
    assert result.outputs == {"paths": [f"/items/{number}" for number in range(24)]}
    counts = desk.counts()
    assert len(counts) == 24
    assert {name for name, count in counts.items() if count > 1} <= {f"PUT {path}" for path in held}
    assert max(counts.values()) <= 2
    assert second.process.poll() is None


def test_workers_die_in_calls_in_items_and_in_finally(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    """Two workers after each other, each in the middle of something; what had succeeded is not done again."""
    desk.held |= {"/inner", "/items/2", "/bye"}
    inner = {
        "actions": [request("one", "POST", "/one"), request("two", path="/inner")],
        "outputs": {"path": "{{ actions.two.output.path }}"},
    }
    main = {
        "actions": [
            request("first", "POST", "/first"),
            {"id": "call", "needs": ["first"], "workflow": "inner"},
            {
                **request("each", "PUT", "/items/{{ item }}"),
                "needs": ["first"],
                "for_each": [1, 2, 3],
                "output": "{{ item }}",
            },
            {"id": "both", "needs": ["call", "each"], "set": {"n": "{{ actions.each.output }}"}},
        ],
        "outputs": {"n": "{{ actions.both.output.n }}", "path": "{{ actions.call.output.path }}"},
        **BYE,
    }
    api = {"type": "none", "base_url": desk.server.url, "shared": True}
    project = make(
        tmp_path,
        {"connections.d/api.yaml": api, "workflows.d/main.yaml": main, "workflows.d/inner.yaml": inner},
    )
    worker = cluster.worker()
    run_id = cluster.submit(project)
    for waited in ({"GET /inner", "PUT /items/2"}, {"PUT /bye"}):
        until(lambda waited=waited: waited <= desk.counts().keys())  # type: ignore[misc]
        worker.kill()
        desk.held -= {name.partition(" ")[2] for name in waited}
        desk.go.set()
        desk.go.clear()
        worker = cluster.worker()
    assert cluster.follow(run_id).outputs == {"n": [1, 2, 3], "path": "/inner"}
    twice = {"GET /inner", "PUT /items/2", "PUT /bye"}
    assert {name: count for name, count in desk.counts().items() if count > 1} == dict.fromkeys(twice, 2)
    assert len(desk.counts()) == 7


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
    cluster.worker()
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


def test_a_stop_lets_finally_run_and_can_be_resumed(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    actions = [
        request("first", "POST", "/first"),
        {"id": "pause", "wait": "1h"},
        request("last", path="/last"),
    ]
    project = simple(tmp_path, actions, url=desk.server.url, **BYE)
    cluster.worker()
    run_id = cluster.submit(project)
    until(lambda: desk.counts()["POST /first"] == 1)
    cluster.ask(lambda found: found.stop(run_id))
    result = cluster.follow(run_id)
    assert result.status == "terminated"
    assert desk.counts() == {"POST /first": 1, "PUT /bye": 1}


def test_cancelled_by_temporal_itself_it_ends_in_order(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    actions = [request("first", "POST", "/first"), {"id": "pause", "wait": "1h"}]
    project = simple(tmp_path, actions, url=desk.server.url, **BYE)
    cluster.worker()
    run_id = cluster.submit(project)
    until(lambda: desk.counts()["POST /first"] == 1)

    async def cancel(found: Any) -> None:
        await found.client.get_workflow_handle(run_id).cancel()

    async def status(found: Any) -> Any:
        return (await found.client.get_workflow_handle(run_id).describe()).status.name

    cluster.ask(cancel)
    until(lambda: cluster.ask(status) == "FAILED")
    assert desk.counts() == {"POST /first": 1, "PUT /bye": 1}


def test_histories_stay_short(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    """Items are in histories of their own, each a part of them: that of the run does not grow with their number."""
    actions = [
        {"id": "list", "set": {"numbers": "{{ range(420) | list }}"}},
        request(
            "each",
            path="/{{ item }}",
            more={"for_each": "{{ actions.list.output.numbers }}", "concurrency": 64},
        ),
    ]
    project = simple(
        tmp_path, actions, url=desk.server.url, outputs={"n": "{{ actions.each.output | length }}"}
    )
    cluster.worker()
    run_id = cluster.submit(project)
    assert cluster.follow(run_id).outputs == {"n": 420}

    async def lengths(found: Any) -> dict[str, int]:
        listed = found.client.list_workflows(f"TaskQueue = '{cluster.queue}'")
        return {each.id: each.history_length async for each in listed}

    until(lambda: len(cluster.ask(lengths)) == 4)
    found = cluster.ask(lengths)
    assert found.pop(run_id) < 80
    assert sorted(name.rpartition("[")[2] for name in found) == ["0:200]", "200:400]", "400:420]"]
    # Temporal warns at 10,240 events and ends what has more than 51,200.
    assert max(found.values()) < 2000


def test_the_time_of_a_run_is_over(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    desk.held.add("/slow")
    project = simple(
        tmp_path, [request("slow", path="/slow", more={"timeout": "1m"})], url=desk.server.url,
        **BYE,
    )  # fmt: skip
    cluster.worker()
    result = cluster.run(project, timeout=1.0)
    assert result.status == "timed-out"
    assert [each.status for each in result.actions] == ["failed", "succeeded"]


def test_a_rate_limit_holds_over_two_workers(desk: Desk, cluster: Cluster, tmp_path: Path) -> None:
    actions = [
        {"id": "list", "set": {"numbers": "{{ range(40) | list }}"}},
        request(
            "each",
            path="/{{ item }}",
            more={"for_each": "{{ actions.list.output.numbers }}", "concurrency": 40},
        ),
    ]
    project = simple(
        tmp_path, actions, url=desk.server.url, connection={"rate_limit": {"requests": 10, "per": "500ms"}}
    )
    cluster.worker()
    cluster.worker()
    assert cluster.run(project).status == "succeeded"
    times = sorted(desk.times)
    assert len(times) == 40
    # Ten in any half second; a tenth of one is what the way to the server may take on a loaded machine.
    windows = [sum(start <= each < start + 0.4 for each in times) for start in times]
    assert max(windows) <= 11
    assert times[-1] - times[0] > 1.4


def test_without_a_worker_people_are_told_and_with_wrong_secrets_too(
    desk: Desk, cluster: Cluster, tmp_path: Path
) -> None:
    project = simple(tmp_path, [request("first")], url=desk.server.url, connection=BEARER)
    cluster.environ = {}
    cluster.worker()
    result = cluster.run(project)
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


def test_nobody_is_there() -> None:
    with pytest.raises(SecretsError, match="cannot be reached"):
        asyncio.run(connect(parse("temporal://127.0.0.1:9/default"), {}, Redactor()))
