"""Whole runs in this process: how they end, what is left behind, and what their result says."""

import asyncio
import json
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner import run as runs
from runner.backends import memory
from runner.errors import Exit, SecretsError
from runner.result import Status
from runner.run import DEFAULT_TIMEOUT, execute
from runner.secret_ref import ResolvedRef
from runner.secrets.env import EnvSource
from runner.sensitive import Redactor, Secret
from runner.watching import Stop
from tests.projects import Watched, finished, make, planned, request, run, simple
from tests.servers.http import Server

JsonObject = dict[str, Any]
CLEANUP: JsonObject = {"finally": [request("clean", path="/body/json")]}


# --- results


def test_a_run_that_succeeds(api: Server, tmp_path: Path) -> None:
    actions = [
        request("one", path="/body/json"),
        {"id": "two", "name": "Count", "set": {"n": "{{ actions.one.output['items'] | length }}"}},
        {"id": "three", "if": False, "fail": "never"},
    ]
    outputs = {"n": "{{ actions.two.output.n }}"}
    ran = run(
        simple(tmp_path, actions, url=api.url, outputs=outputs, inputs={"day": {"default": "mon"}}),
        user="ann",
    )
    result = ran.result
    assert (result.status, result.exit_code, result.error) == (Status.SUCCEEDED, Exit.DONE, None)
    assert result.outputs == {"n": 3}
    assert (result.workflow, result.user, result.environment) == ("main", "ann", None)
    assert result.inputs == {"day": "mon"}
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{8}", result.run_id)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", result.started_at)
    assert result.duration > 0
    assert ran.watched.events == [
        ("started", "one"),
        ("succeeded", "one"),
        ("started", "two"),
        ("succeeded", "two"),
        ("skipped", "three"),
    ]
    written = json.loads(json.dumps(result.to_json()))
    assert written["format"] == "runner.d/run/1"
    assert [action["status"] for action in written["actions"]] == ["succeeded", "succeeded", "skipped"]
    assert written["actions"][1]["name"] == "Count"
    assert written["actions"][2]["reason"] == "its condition is false"
    assert "error" not in written


def test_each_run_has_an_id_of_its_own(tmp_path: Path) -> None:
    project = simple(tmp_path, [{"id": "a", "set": {"id": "{{ run.id }}", "at": "{{ run.started_at }}"}}])
    first, second = run(project), run(project)
    assert first.result.run_id != second.result.run_id
    assert first.action("a").output == {"id": first.result.run_id, "at": first.result.started_at}


def test_a_run_that_fails(api: Server, tmp_path: Path) -> None:
    actions = [request("one", path="/status/404"), request("two")]
    ran = run(simple(tmp_path, actions, url=api.url, outputs={"x": "1"}))
    result = ran.result
    assert (result.status, result.exit_code) == (Status.FAILED, Exit.FAILED)
    assert result.outputs == {}
    assert ran.statuses == {"one": "failed", "two": "skipped"}
    assert api.count() == 1
    written = result.to_json()
    assert written["error"]["kind"] == "unexpected-status"
    assert written["actions"][0]["error"] == written["error"]
    assert written["actions"][0]["handled"] is False


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.SUCCEEDED, 0),
        (Status.FAILED, 1),
        (Status.TIMED_OUT, 5),
        (Status.INTERRUPTED, 130),
        (Status.TERMINATED, 143),
    ],
)
def test_exit_codes(status: Status, code: int, tmp_path: Path) -> None:
    from dataclasses import replace

    result = run(simple(tmp_path, [{"id": "a", "set": {"x": 1}}])).result
    assert int(replace(result, status=status).exit_code) == code


def test_secret_inputs_are_masked_in_the_result(api: Server, tmp_path: Path) -> None:
    project = simple(
        tmp_path,
        [
            request(
                "one",
                "POST",
                "/echo-error/500",
                json={"k": "{{ inputs.key }}"},
                more={"on_error": "continue"},
            )
        ],
        url=api.url,
        inputs={"key": {"secret": True}, "plain": {"default": 1}, "other": {"type": "string"}},
    )
    environ = {"RUNNER_INPUT_KEY": "a-secret-input"}
    ran = run(project, environ=environ, inputs=["other=has a-secret-input in it"])
    assert ran.result.inputs == {"key": "***", "plain": 1, "other": "has *** in it"}
    assert api.requests[0].json() == {"k": "a-secret-input"}
    assert "a-secret-input" not in json.dumps(ran.result.to_json()) + repr(ran)


def test_warnings_are_told_once_and_cleaned(tmp_path: Path) -> None:
    connection = {"type": "bearer", "auth": {"token": "env://SHORT"}}
    ran = run(
        simple(
            tmp_path, [{"id": "a", "set": {"x": 1}}, request("b", more={"if": False})], connection=connection
        ),
        environ={"SHORT": "12345"},
    )
    assert len(ran.result.warnings) == 1
    assert "under 6 characters" in ran.result.warnings[0]
    assert list(ran.result.warnings) == ran.watched.warnings


# --- missing secrets


def test_missing_secrets_end_a_run_before_anything_is_sent(api: Server, tmp_path: Path) -> None:
    connection = {"type": "bearer", "auth": {"token": "env://NONE"}}
    project = simple(
        tmp_path,
        [request("one")],
        url=api.url,
        connection=connection,
        **CLEANUP,
    )
    watched = Watched()
    with pytest.raises(SecretsError) as caught:
        run(project, watched=watched)
    assert caught.value.exit_code is Exit.UNAVAILABLE
    assert api.requests == ()
    assert watched.events == []


# --- timeouts


@pytest.mark.parametrize(("of_workflow", "of_run"), [("50ms", None), ("1h", 0.05), (None, 0.05)])
def test_the_timeout_of_a_run(
    of_workflow: str | None, of_run: float | None, api: Server, tmp_path: Path
) -> None:
    workflow: JsonObject = {
        "finally": [request("clean", path="/body/json")],
        "on_failure": [request("tell", path="/body/json")],
    }
    if of_workflow:
        workflow["timeout"] = of_workflow
    ran = run(
        simple(tmp_path, [request("slow", "POST", "/hold"), request("next")], url=api.url, **workflow),
        timeout=of_run,
    )
    assert (ran.result.status, ran.result.exit_code) == (Status.TIMED_OUT, Exit.TIMEOUT)
    assert ran.failure == ("timeout", "the run took longer than its timeout")
    assert ran.statuses == {
        "slow": "failed",
        "next": "skipped",
        "on_failure/tell": "succeeded",
        "finally/clean": "succeeded",
    }
    slow = ran.action("slow").error
    assert slow is not None
    assert (
        slow.message == "it was in flight when the run's time was up: whether the server acted is not known"
    )
    assert ran.action("slow").record["request"]["url"] == f"{api.url}/hold", "which write it was is known"
    assert ran.action("slow").record["duration"] > 0
    assert api.count("POST", "/hold") == 1


def test_the_default_timeout_is_an_hour() -> None:
    assert DEFAULT_TIMEOUT == 3600


def test_a_wait_between_attempts_ends_with_the_run(api: Server, tmp_path: Path) -> None:
    ran = run(
        simple(tmp_path, [request("one", path="/retry-after/429/seconds/60")], url=api.url), timeout=0.2
    )
    assert ran.result.status is Status.TIMED_OUT
    assert api.count() == 1


# --- stops


def stopping(status: Status, when: str) -> tuple[Any, Watched]:
    """Make a stop that is requested when an action starts."""
    held: list[Stop] = []
    watched = Watched()

    def start(key: str) -> None:
        if key == when:
            asyncio.get_running_loop().call_later(0.03, held[0].request, status)

    watched.when_started = start
    return held.append, watched


@pytest.mark.parametrize(("status", "code"), [(Status.INTERRUPTED, 130), (Status.TERMINATED, 143)])
def test_a_stop_lets_what_is_in_flight_end_and_then_cleans_up(
    status: Status, code: int, api: Server, tmp_path: Path
) -> None:
    stop, watched = stopping(status, "slow")
    actions = [request("slow", "POST", "/slow/0.15"), request("next")]
    workflow: JsonObject = {
        "finally": [request("clean", path="/body/json")],
        "on_failure": [request("tell")],
        "outputs": {"x": "1"},
    }
    ran = run(simple(tmp_path, actions, url=api.url, **workflow), stop=stop, watched=watched)
    assert (ran.result.status, int(ran.result.exit_code)) == (status, code)
    assert ran.statuses == {
        "slow": "succeeded",
        "next": "skipped",
        "on_failure/tell": "skipped",
        "finally/clean": "succeeded",
    }
    assert ran.failure == ("cancelled", f"the run was {status.value}")
    assert ran.result.outputs == {}
    assert [request.path for request in api.requests] == ["/slow/0.15", "/body/json"]


def test_what_does_not_end_in_time_is_cancelled_with_an_unknown_outcome(
    api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "GRACE", 0.1)
    stop, watched = stopping(Status.TERMINATED, "slow")
    actions = [request("slow", "POST", "/hold"), request("next")]
    ran = run(
        simple(tmp_path, actions, url=api.url, **CLEANUP),
        stop=stop,
        watched=watched,
    )
    error = ran.action("slow").error
    assert error is not None
    assert error.kind.value == "cancelled"
    assert "whether the server acted is not known" in error.message
    assert ran.statuses["finally/clean"] == "succeeded"


def test_a_stop_between_attempts(api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GRACE", 0.05)
    stop, watched = stopping(Status.INTERRUPTED, "one")
    ran = run(
        simple(tmp_path, [request("one", path="/retry-after/503/seconds/60")], url=api.url),
        stop=stop,
        watched=watched,
    )
    assert ran.result.status is Status.INTERRUPTED
    assert api.count() == 1


class Slow(EnvSource):
    """A secret source that takes its time and is then gone."""

    begun = threading.Event()

    async def read(self, refs: Sequence[ResolvedRef]) -> dict[ResolvedRef, Secret]:
        self.begun.set()
        await asyncio.sleep(30)
        return {}


@pytest.mark.parametrize("end", ["stop", "timeout"])
def test_a_stop_while_secrets_are_read(
    end: str, api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.secrets.env.EnvSource", Slow)
    connection = {"type": "bearer", "auth": {"token": "env://TOKEN"}}
    project = simple(tmp_path, [request("one")], url=api.url, connection=connection, **CLEANUP)

    def soon(stop: Stop) -> None:
        if end == "stop":
            asyncio.get_running_loop().call_later(0.03, stop.request, Status.TERMINATED)

    ran = run(project, stop=soon, timeout=0.1 if end == "timeout" else None)
    assert ran.result.status is (Status.TERMINATED if end == "stop" else Status.TIMED_OUT)
    assert ran.result.actions == ()
    assert "nothing was sent" in ran.failure[1]
    assert ran.result.duration < 10, "nobody waits for a source that hangs"
    assert api.requests == ()


def test_cancelling_the_whole_run_closes_everything(api: Server, tmp_path: Path) -> None:
    """A second signal does this."""
    project = simple(tmp_path, [request("slow", path="/hold")], url=api.url)
    watched = Watched()

    async def whole() -> None:
        begun = asyncio.Event()
        watched.when_started = lambda _: begun.set()
        task = asyncio.create_task(
            execute(project, planned(project), environ={}, redactor=Redactor(), observer=watched)
        )
        await begun.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    finished(whole())


# --- finally


def test_a_second_failure_in_finally_does_not_hide_the_first(api: Server, tmp_path: Path) -> None:
    workflow: JsonObject = {
        "finally": [request("clean", path="/status/500"), request("last")],
        "on_failure": [{"id": "tell", "set": {"why": "{{ error.message }} in {{ error.action }}"}}],
    }
    ran = run(simple(tmp_path, [request("one", path="/status/404")], url=api.url, **workflow))
    assert ran.failure == ("unexpected-status", "the server answered 404 Not Found")
    assert ran.action("on_failure/tell").output == {"why": "the server answered 404 Not Found in one"}
    assert ran.statuses == {
        "one": "failed",
        "on_failure/tell": "succeeded",
        "finally/clean": "failed",
        "finally/last": "skipped",
    }


def test_finally_fails_a_run_that_went_well(api: Server, tmp_path: Path) -> None:
    workflow: JsonObject = {"finally": [request("clean", path="/status/500")]}
    ran = run(simple(tmp_path, [request("one", path="/body/json")], url=api.url, **workflow))
    assert (ran.result.status, ran.failure[0]) == (Status.FAILED, "unexpected-status")


def test_finally_sees_no_error_after_success(tmp_path: Path) -> None:
    workflow: JsonObject = {
        "actions": [{"id": "a", "set": {"x": 1}}],
        "finally": [
            {"id": "quiet", "if": "{{ error }}", "set": {"x": 1}},
            {"id": "clean", "if": "{{ not error }}", "set": {"why": "{{ error }}"}},
        ],
    }
    ran = run(make(tmp_path, {"workflows.d/main.yaml": workflow}))
    assert ran.statuses == {"a": "succeeded", "finally/quiet": "skipped", "finally/clean": "succeeded"}
    assert ran.action("finally/clean").output == {"why": None}


def test_the_module_has_no_state(tmp_path: Path) -> None:
    """Two runs in one process share nothing but the code."""
    before = dict(vars(runs))
    run(simple(tmp_path, [{"id": "a", "set": {"x": 1}}]))
    assert dict(vars(runs)) == before
