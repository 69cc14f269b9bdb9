"""The interpreter against a scope that follows a script: order, conditions, failures, stops, and nothing of its own."""

import asyncio
import builtins
import json
import os
import random
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest

from runner.engine import Interpreter, Outcome
from runner.errors import Failure, FailureKind
from runner.items import Block, Gathered
from runner.project import Project
from runner.result import ActionResult, Status
from runner.scope import RunStoppedError, StepFailedError
from tests.projects import make, planned

JsonObject = dict[str, Any]
RUN = {"id": "run-1", "workflow": "main", "started_at": "2026-01-01T00:00:00Z", "user": "ann", "digest": "d1"}


def ok(output: Any = None, **more: Any) -> JsonObject:
    return {"status": "succeeded", "output": output, "record": {}, **more}


def failed(message: str = "it broke", kind: FailureKind = FailureKind.CONNECTION) -> JsonObject:
    return {"status": "failed", "error": Failure(kind=kind, message=message).to_json(), "record": {}}


@dataclass
class Script:
    """A scope whose steps give what the script says for their key; anything else succeeds with its key."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    refs: dict[str, JsonObject] = field(default_factory=dict)
    settled_results: list[ActionResult] = field(default_factory=list)
    stopped: bool | None = None
    parent: Self | None = None
    progress: list[tuple[str, int, int, int]] = field(default_factory=list)
    held: Sequence[str] = ()
    depth: int = 0
    timeout: float | None = None

    async def step(self, key: str, ref: JsonObject) -> JsonObject:
        self.log.append(("" if self.parent is None else "cleanup:") + key)
        self.refs[key] = ref
        answer = self.answers.get(key, ok(key))
        for _ in range(20 if key in self.held else 0):  # the others get their turns first
            await asyncio.sleep(0)
        if isinstance(answer, BaseException):
            raise answer
        if answer["status"] == "failed" and not ref["handled"]:
            raise StepFailedError(answer)
        return dict(answer)

    async def block(self, key: str, block: Block) -> JsonObject:
        return await block.run(self)

    def advanced(self, key: str, counts: JsonObject) -> None:
        self.progress.append((key, counts["done"], counts["failed"], counts["items"]))

    def called(self, key: str, timeout: float | None) -> "Script":
        return replace(self, parent=self.parent, depth=self.depth + 1, timeout=timeout)

    async def sleep(self, key: str, seconds: float) -> None:
        self.log.append(f"{key} {seconds}")
        answer = self.answers.get(key)
        if isinstance(answer, BaseException):
            raise answer

    async def wait(self, key: str, topic: str, timeout: float) -> JsonObject:  # noqa: ASYNC109 - the seam's signature
        raise AssertionError(key)

    def settled(self, result: ActionResult) -> None:
        self.settled_results.append(result)

    def cleanup(self, *, stopped: bool) -> "Script":
        assert self.stopped is None, "one cleanup scope for the run"
        self.stopped = stopped
        return Script(self.answers, self.log, self.refs, self.settled_results, stopped, self)


@dataclass
class Interpreted:
    outcome: Outcome
    script: Script

    @property
    def log(self) -> list[str]:
        return self.script.log

    @property
    def statuses(self) -> dict[str, str]:
        return {item.key: item.status.value for item in self.outcome.results}

    @property
    def reasons(self) -> dict[str, str | None]:
        return {item.key: item.reason for item in self.outcome.results if item.reason}

    def result(self, key: str) -> ActionResult:
        return next(item for item in self.outcome.results if item.key == key)


class Timeless(asyncio.SelectorEventLoop):
    """A loop without timers: the interpreter may wait for its scope and its own tasks, and for nothing else."""

    def call_at(self, *args: Any, **more: Any) -> Any:  # type: ignore[override]
        raise AssertionError("it waits for a time")


def drive(work: Any) -> Any:
    with asyncio.Runner(loop_factory=Timeless) as runner:
        return runner.run(work)


def interpret(
    root: Path,
    workflow: JsonObject,
    answers: Mapping[str, Any] | None = None,
    held: Sequence[str] = (),
    **inputs: Any,
) -> Interpreted:
    project = project_of(root, workflow)
    script = Script(answers or {}, held=held)
    plan = planned(project, input_file=inputs, user="ann")
    interpreter = Interpreter(project, project.workflows["main"], plan, dict(RUN), script)
    return Interpreted(drive(interpreter.interpret()), script)


def project_of(root: Path, workflow: JsonObject) -> Project:
    return make(root, {"runner.yaml": {"vars": {"site": "eu"}}, "workflows.d/main.yaml": workflow})


def step(id: str, **more: Any) -> JsonObject:
    return {"id": id, "request": {"url": "http://127.0.0.1:9/"}, **more}


def reading(id: str, text: str, **more: Any) -> JsonObject:
    """Make an action that sends what a template gives."""
    return step(id, **more, request={"url": "http://127.0.0.1:9/", "headers": {"X-Read": text}})


THREE = [step("a"), step("b"), step("c")]


# --- order


def test_actions_run_as_written(tmp_path: Path) -> None:
    ran = interpret(tmp_path, {"actions": [step("c"), step("a"), step("b")]})
    assert ran.log == ["c", "a", "b"]
    assert ran.statuses == {"c": "succeeded", "a": "succeeded", "b": "succeeded"}
    assert ran.outcome.status is Status.SUCCEEDED
    assert ran.outcome.error is None
    assert [result.key for result in ran.script.settled_results] == ["c", "a", "b"]


def test_keys_are_paths_and_not_positions(tmp_path: Path) -> None:
    workflow = {"actions": THREE, "on_failure": [step("tell")], "finally": [step("clean")]}
    ran = interpret(tmp_path, workflow, {"a": failed()})
    assert list(ran.statuses) == ["a", "b", "c", "on_failure/tell", "finally/clean"]


def test_what_a_step_is_given(tmp_path: Path) -> None:
    workflow = {
        "inputs": {"n": {"type": "integer"}, "token": {"secret": True}},
        "vars": {"twice": "{{ inputs.n * 2 }}", "at": "{{ vars.site }}"},
        "actions": [
            step("other"),
            step("a"),
            reading(
                "b", "{{ actions.a.output.id }}", on_error="continue", **{"if": "{{ actions.other.output }}"}
            ),
        ],
    }
    ran = interpret(tmp_path, workflow, {"a": ok({"id": 7})}, n=3, token="a secret input")
    assert ran.script.refs["b"] == {
        "document": "d1",
        "workflow": "main",
        "action": "b",
        "key": "b",
        "handled": True,
        "inputs": {"n": 3},
        "vars": {"site": "eu", "twice": 6, "at": "eu"},
        "actions": {"a": {"status": "succeeded", "output": {"id": 7}}},  # what it reads, and no more
        "run": {"id": "run-1", "workflow": "main", "started_at": "2026-01-01T00:00:00Z", "user": "ann"},
    }
    assert ran.script.refs["a"]["handled"] is False
    assert ran.script.refs["a"]["actions"] == {}  # what a step was given does not change afterwards


# --- conditions


@pytest.mark.parametrize(
    ("condition", "runs"),
    [
        (True, True),
        (False, False),
        ("{{ inputs.yes }}", True),
        ("{{ not inputs.yes }}", False),
        ("{{ inputs.list }}", False),
        ("{{ inputs.list | length == 0 }}", True),
        ("{{ inputs.word }}", True),
        ("{{ inputs.zero }}", False),
        ("{{ none }}", False),
        ("false", False),
        ("False", False),
        ("", False),
        ("  false  ", False),
        ("{{ inputs.no_text }}", False),
        ("no", True),
        ("is {{ inputs.no_text }}", True),
        ("{{ vars.site == 'eu' }}", True),
        ("{{ run.user == 'ann' }}", True),
        ("{{ environment is none }}", True),
    ],
)
def test_if(condition: bool | str, runs: bool, tmp_path: Path) -> None:
    inputs = {"yes": True, "list": [], "word": "text", "zero": 0, "no_text": "false"}
    workflow = {
        "inputs": {name: {"default": value} for name, value in inputs.items()},
        "actions": [step("a", **{"if": condition}), step("b")],
    }
    ran = interpret(tmp_path, workflow)
    assert ran.log == (["a", "b"] if runs else ["b"])
    assert ran.outcome.status is Status.SUCCEEDED
    if not runs:
        assert ran.reasons == {"a": "its condition is false"}


def test_a_skipped_action_gives_null_through_default_and_an_error_otherwise(tmp_path: Path) -> None:
    workflow = {
        "actions": [
            step("a", **{"if": False}),
            step("b", **{"if": "{{ actions.a.output.id | default(7) == 7 }}"}),
            step("c", **{"if": "{{ actions.a.status == 'skipped' }}"}),
        ],
        "outputs": {"id": "{{ actions.a.output.id | default(none) }}"},
    }
    ran = interpret(tmp_path, workflow)
    assert ran.log == ["b", "c"]
    assert ran.outcome.outputs == {"id": None}

    workflow["actions"].append(step("d", **{"if": "{{ actions.a.output.id == 7 }}"}))  # type: ignore[attr-defined]
    ran = interpret(tmp_path / "other", workflow)
    assert ran.outcome.error is not None
    assert ran.outcome.error.kind is FailureKind.RENDER
    assert "skipped" in ran.outcome.error.message
    assert ran.outcome.error.span is not None
    assert ran.outcome.error.span.path == "workflows.d/main.yaml"
    assert "d" not in ran.log
    assert ran.statuses["d"] == "failed"


def test_a_condition_that_fails_can_be_handled(tmp_path: Path) -> None:
    first = step("a", **{"if": False})
    broken = step("b", on_error="continue", **{"if": "{{ actions.a.output.id }}"})
    ran = interpret(tmp_path, {"actions": [first, broken, step("c")]})
    assert ran.log == ["c"]
    assert ran.outcome.status is Status.SUCCEEDED
    assert ran.result("b").handled


def test_conditions_see_outputs_and_responses_in_any_case(tmp_path: Path) -> None:
    response = {"status": 201, "headers": {"x-total": "5"}}
    conditions = [
        "{{ actions.a.output.n == 3 }}",
        "{{ actions.a.response.status == 201 }}",
        "{{ actions.a.response.headers['X-Total'] == '5' }}",
        "{{ 'X-TOTAL' in actions.a.response.headers }}",
    ]
    actions = [step("a"), *(step(f"c{index}", **{"if": text}) for index, text in enumerate(conditions))]
    outputs = {"total": "{{ actions.a.response.headers['X-Total'] }}"}
    ran = interpret(
        tmp_path, {"actions": actions, "outputs": outputs}, {"a": ok({"n": 3}, response=response)}
    )
    assert ran.log == ["a", "c0", "c1", "c2", "c3"]
    assert ran.outcome.outputs == {"total": "5"}


# --- failures


def test_the_first_failure_starts_no_new_action(tmp_path: Path) -> None:
    ran = interpret(tmp_path, {"actions": THREE, "outputs": {"x": "1"}}, {"b": failed("no answer")})
    assert ran.log == ["a", "b"]
    assert ran.statuses == {"a": "succeeded", "b": "failed", "c": "skipped"}
    assert ran.reasons == {"c": "an action before it failed"}
    assert ran.outcome.status is Status.FAILED
    assert ran.outcome.error is not None
    assert (ran.outcome.error.kind, ran.outcome.error.message) == (FailureKind.CONNECTION, "no answer")
    assert ran.outcome.outputs == {}


def test_a_handled_failure_is_a_result(tmp_path: Path) -> None:
    actions = [step("a", on_error="continue"), step("b", **{"if": "{{ actions.a.status == 'failed' }}"})]
    outputs = {"why": "{{ actions.a.error.message }}", "kind": "{{ actions.a.error.kind }}"}
    ran = interpret(tmp_path, {"actions": actions, "outputs": outputs}, {"a": failed("no answer")})
    assert ran.log == ["a", "b"]
    assert ran.outcome.status is Status.SUCCEEDED
    assert ran.outcome.error is None
    assert ran.outcome.outputs == {"why": "no answer", "kind": "connection"}
    assert ran.result("a").handled


def test_on_failure_and_finally_know_the_error(tmp_path: Path) -> None:
    workflow = {
        "actions": [step("a"), step("b")],
        "on_failure": [step("tell", **{"if": "{{ error.kind == 'connection' and error.action == 'b' }}"})],
        "finally": [step("clean", **{"if": "{{ error.message == 'no answer' }}"})],
    }
    ran = interpret(tmp_path, workflow, {"b": failed("no answer")})
    assert ran.log == ["a", "b", "cleanup:on_failure/tell", "cleanup:finally/clean"]
    error = {"kind": "connection", "message": "no answer", "action": "b"}
    assert ran.script.refs["on_failure/tell"]["error"] == error
    assert ran.script.refs["finally/clean"]["error"] == error
    assert "error" not in ran.script.refs["b"]
    assert ran.script.stopped is False


def test_finally_runs_after_success_without_an_error(tmp_path: Path) -> None:
    workflow = {
        "actions": [step("a")],
        "on_failure": [step("tell")],
        "finally": [step("clean", **{"if": "{{ error is none }}"})],
    }
    ran = interpret(tmp_path, workflow)
    assert ran.log == ["a", "cleanup:finally/clean"]
    assert ran.script.refs["finally/clean"]["error"] is None
    assert ran.reasons == {"on_failure/tell": "the run did not fail"}


def test_the_first_failure_wins_and_a_failing_on_failure_does_not_stop_finally(tmp_path: Path) -> None:
    workflow = {
        "actions": THREE,
        "on_failure": [step("tell"), step("more")],
        "finally": [step("clean"), step("last")],
    }
    answers = {"a": failed("first"), "on_failure/tell": failed("second"), "finally/clean": failed("third")}
    ran = interpret(tmp_path, workflow, answers)
    assert ran.log == ["a", "cleanup:on_failure/tell", "cleanup:finally/clean"]
    assert ran.outcome.error is not None
    assert ran.outcome.error.message == "first"
    assert ran.statuses["on_failure/more"] == ran.statuses["finally/last"] == "skipped"
    assert ran.script.refs["finally/clean"]["error"]["message"] == "first"


def test_a_failing_finally_fails_the_run(tmp_path: Path) -> None:
    workflow = {
        "actions": [step("a")],
        "finally": [step("clean"), step("last")],
        "on_failure": [step("tell")],
    }
    ran = interpret(tmp_path, workflow, {"finally/clean": failed("third")})
    assert ran.outcome.status is Status.FAILED
    assert ran.outcome.error is not None
    assert ran.outcome.error.message == "third"
    assert "cleanup:on_failure/tell" not in ran.log
    assert ran.statuses["finally/last"] == "skipped"


def test_handled_failures_in_finally_let_it_go_on(tmp_path: Path) -> None:
    workflow = {"actions": [step("a")], "finally": [step("clean", on_error="continue"), step("last")]}
    ran = interpret(tmp_path, workflow, {"finally/clean": failed()})
    assert ran.log[-1] == "cleanup:finally/last"
    assert ran.outcome.status is Status.SUCCEEDED


def test_outputs_that_cannot_be_computed_fail_the_run(tmp_path: Path) -> None:
    workflow = {
        "actions": [step("a")],
        "outputs": {"fine": 1, "x": "{{ actions.a.output.missing }}"},
        "on_failure": [step("tell", **{"if": "{{ error.action is none }}"})],
        "finally": [step("clean")],
    }
    ran = interpret(tmp_path, workflow, {"a": ok({"id": 1})})
    assert ran.outcome.status is Status.FAILED
    assert ran.outcome.outputs == {}
    assert ran.outcome.error is not None
    assert "missing" in ran.outcome.error.message
    assert ran.log == ["a", "cleanup:on_failure/tell", "cleanup:finally/clean"]


def test_variables_that_cannot_be_computed_fail_the_run_before_anything_is_done(tmp_path: Path) -> None:
    workflow = {
        "inputs": {"d": {"default": {}}},
        "vars": {"x": "{{ inputs.d.missing }}"},
        "actions": [step("a")],
        "finally": [step("clean")],
    }
    ran = interpret(tmp_path, workflow)
    assert ran.log == ["cleanup:finally/clean"]
    assert ran.outcome.status is Status.FAILED


# --- outputs


def test_outputs_keep_their_types(tmp_path: Path) -> None:
    outputs = {
        "number": "{{ actions.a.output.n }}",
        "list": ["{{ actions.a.output.n }}", "n={{ actions.a.output.n }}"],
        "plain": 5,
        "none": None,
    }
    ran = interpret(tmp_path, {"actions": [step("a")], "outputs": outputs}, {"a": ok({"n": 3})})
    assert ran.outcome.outputs == {"number": 3, "list": [3, "n=3"], "plain": 5, "none": None}


def test_what_a_secret_flows_into_is_masked_in_the_outputs(tmp_path: Path) -> None:
    workflow = {
        "inputs": {"token": {"secret": True}},
        "actions": [step("login", sensitive=True), reading("b", "{{ actions.login.status }}")],
        "outputs": {
            "whole": "{{ actions.login.output }}",
            "part": "Bearer {{ actions.login.output.token }}",
            "input": "{{ inputs.token }}",
            "status": "{{ actions.login.status }}",
            "other": "{{ actions.b.output }}",
        },
    }
    answers = {"login": {"status": "succeeded", "sensitive": True, "record": {}}}
    ran = interpret(tmp_path, workflow, answers, token="a secret input")
    assert ran.outcome.outputs == {
        "whole": "***",
        "part": "Bearer ***",
        "input": "***",
        "status": "succeeded",
        "other": "b",
    }
    assert ran.result("login").sensitive
    assert ran.script.refs["b"]["actions"] == {
        "login": {"status": "succeeded", "sensitive": {"key": "login"}}
    }


# --- waits


def test_a_wait_is_the_scopes(tmp_path: Path) -> None:
    ran = interpret(
        tmp_path,
        {"actions": [{"id": "pause", "wait": "30s"}, reading("b", "{{ actions.pause.status }}")]},
        {"pause": ok({"seconds": 30.0})},
    )
    assert ran.log == ["pause", "pause/sleep 30.0", "b"]
    assert ran.script.refs["b"]["actions"]["pause"] == {"status": "succeeded", "output": None}


# --- stops


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.TERMINATED, Status.TIMED_OUT])
def test_a_stop_ends_the_actions_and_still_cleans_up(status: Status, tmp_path: Path) -> None:
    workflow = {
        "actions": THREE,
        "outputs": {"x": "1"},
        "on_failure": [step("tell")],
        "finally": [step("clean", **{"if": "{{ error.action is none }}"})],
    }
    unknown = failed("it was in flight", FailureKind.CANCELLED)
    ran = interpret(tmp_path, workflow, {"b": RunStoppedError(status, unknown)})
    timed_out = status is Status.TIMED_OUT
    cleanup = ["cleanup:on_failure/tell"] if timed_out else []
    assert ran.log == ["a", "b", *cleanup, "cleanup:finally/clean"]
    assert ran.outcome.status is status
    assert ran.outcome.outputs == {}
    assert ran.outcome.error is not None
    assert ran.outcome.error.kind is (FailureKind.TIMEOUT if timed_out else FailureKind.CANCELLED)
    assert ran.script.stopped is not timed_out
    assert ran.statuses["b"] == "failed"
    failure = ran.result("b").error
    assert failure is not None
    assert failure.message == "it was in flight"
    stopped = {"c": "the run was stopped"}
    assert ran.reasons == (stopped if timed_out else {**stopped, "on_failure/tell": "the run was stopped"})


def test_an_action_that_a_stop_kept_from_starting_is_skipped(tmp_path: Path) -> None:
    ran = interpret(tmp_path, {"actions": THREE}, {"b": RunStoppedError(Status.TERMINATED)})
    assert ran.statuses == {"a": "succeeded", "b": "skipped", "c": "skipped"}
    assert ran.reasons == {"b": "the run was stopped", "c": "the run was stopped"}


def test_a_stop_in_a_wait_fails_the_wait(tmp_path: Path) -> None:
    answers = {"pause": ok({"seconds": 30.0}), "pause/sleep": RunStoppedError(Status.INTERRUPTED)}
    ran = interpret(tmp_path, {"actions": [{"id": "pause", "wait": "30s"}, step("b")]}, answers)
    assert ran.outcome.status is Status.INTERRUPTED
    assert ran.statuses == {"pause": "failed", "b": "skipped"}
    error = ran.result("pause").error
    assert error is not None
    assert error.message == "the run was stopped before it ended"


def test_a_stop_is_not_handled_by_on_error(tmp_path: Path) -> None:
    actions = [step("a", on_error="continue"), step("b")]
    stop = RunStoppedError(Status.TIMED_OUT, failed("in flight", FailureKind.CANCELLED))
    ran = interpret(tmp_path, {"actions": actions}, {"a": stop})
    assert ran.log == ["a"]
    assert ran.outcome.status is Status.TIMED_OUT


def test_a_cleanup_without_time_left_times_out_and_hides_no_failure(tmp_path: Path) -> None:
    workflow = {"actions": [step("a")], "finally": [step("clean"), step("last")]}
    stop = RunStoppedError(Status.TIMED_OUT)
    ran = interpret(tmp_path, workflow, {"finally/clean": stop})
    assert ran.outcome.status is Status.TIMED_OUT
    assert ran.outcome.error is not None
    assert "`finally` took longer" in ran.outcome.error.message
    assert ran.statuses["finally/last"] == "skipped"

    ran = interpret(tmp_path / "b", workflow, {"a": failed("first"), "finally/clean": stop})
    assert ran.outcome.status is Status.FAILED
    assert ran.outcome.error is not None
    assert ran.outcome.error.message == "first"


# --- needs


def test_needs_replace_the_written_order_and_start_in_the_order_of_the_file(tmp_path: Path) -> None:
    actions = [step("a"), step("b", needs=[]), step("c", needs=["a", "b"]), step("d", needs=["a"]), step("e")]
    ran = interpret(tmp_path, {"actions": actions})
    assert ran.log == ["a", "b", "d", "c", "e"]
    assert list(ran.statuses) == ["a", "b", "c", "d", "e"]  # reported as written


def test_a_failure_starts_nothing_and_what_runs_is_kept(tmp_path: Path) -> None:
    actions = [step("a"), step("b", needs=[]), step("c", needs=["b"]), step("d", needs=["a"])]
    ran = interpret(
        tmp_path,
        {"actions": actions, "finally": [step("clean", **{"if": "{{ actions.b.output == 'b' }}"})]},
        {"a": failed("no")},
        held=["b"],
    )
    assert ran.log == ["a", "b", "cleanup:finally/clean"]
    assert ran.statuses == {
        "a": "failed",
        "b": "succeeded",
        "c": "skipped",
        "d": "skipped",
        "finally/clean": "succeeded",
    }
    assert ran.reasons == {"c": "'a' failed", "d": "an action before it failed"}


def test_an_action_sees_what_has_certainly_ended_and_not_what_happens_to_have(tmp_path: Path) -> None:
    text = "{{ actions | list | join }}"
    actions = [
        step("a"),
        step("b", needs=[]),
        reading("c", text, needs=["a"]),
        reading("d", text, needs=["c", "b"]),
    ]
    actions.append(step("e", needs=["a"], **{"if": "{{ actions | list == ['a'] }}"}))
    ran = interpret(tmp_path, {"actions": actions}, held=["a"])  # b has ended when c and e begin
    assert list(ran.script.refs["c"]["actions"]) == ["a"]
    assert list(ran.script.refs["d"]["actions"]) == ["a", "b", "c"]
    assert ran.statuses["e"] == "succeeded"


def test_a_skipped_action_counts_as_done_and_needs_work_in_finally(tmp_path: Path) -> None:
    workflow = {
        "actions": [step("a", **{"if": False}), step("b", needs=["a"])],
        "finally": [step("last", needs=["first"]), step("first", needs=["a"])],
    }
    ran = interpret(tmp_path, workflow)
    assert ran.log == ["b", "cleanup:finally/first", "cleanup:finally/last"]


def test_a_bug_in_one_action_ends_the_others_and_comes_through(tmp_path: Path) -> None:
    actions = [step("a"), step("b", needs=[])]
    with pytest.raises(KeyError, match="a bug"):
        interpret(tmp_path, {"actions": actions}, {"b": KeyError("a bug")}, held=["a"])


def test_a_stop_while_several_run_keeps_what_each_of_them_came_to(tmp_path: Path) -> None:
    actions = [step("a"), step("b", needs=[]), step("c", needs=[]), step("d")]
    stop = RunStoppedError(Status.TERMINATED, failed("in flight", FailureKind.CANCELLED))
    ran = interpret(tmp_path, {"actions": actions}, {"a": stop}, held=["b"])
    assert ran.outcome.status is Status.TERMINATED
    assert ran.statuses == {"a": "failed", "b": "succeeded", "c": "succeeded", "d": "skipped"}


# --- for_each

EACH = {"for_each": "{{ inputs.list }}"}
INPUT = {"list": {"default": ["x", "y", "z"]}}


def test_each_item_is_a_step_of_its_own_and_the_outputs_keep_their_order(tmp_path: Path) -> None:
    workflow = {
        "inputs": INPUT,
        "actions": [step("page", **EACH, concurrency=2), reading("b", "{{ actions.page.output }}")],
        "outputs": {"all": "{{ actions.page.output }}"},
    }
    ran = interpret(tmp_path, workflow, {"page[0]": ok("first")}, held=["page[0]"])
    assert ran.log == ["page[0]", "page[1]", "page[2]", "b"]
    assert ran.outcome.outputs == {"all": ["first", "page[1]", "page[2]"]}
    ref = ran.script.refs["page[1]"]
    assert (ref["item"], ref["index"], ref["action"], ref["key"]) == ("y", 1, "page", "page[1]")
    state = {"status": "succeeded", "output": ["first", "page[1]", "page[2]"]}
    assert ran.script.refs["b"]["actions"] == {"page": state}
    assert ran.script.progress == [("page", 1, 0, 3), ("page", 2, 0, 3), ("page", 3, 0, 3)]
    items = ran.result("page").record["items"]
    assert (items["count"], items["succeeded"], items["not_started"]) == (3, 3, 0)


@pytest.mark.parametrize(
    ("given", "items"),
    [
        ({"k": 1, "l": 2}, [{"key": "k", "value": 1}, {"key": "l", "value": 2}]),
        ([[1], {"a": 1}], [[1], {"a": 1}]),
        ([], []),
        ({}, []),
    ],
)
def test_lists_mappings_and_nothing(given: Any, items: list[Any], tmp_path: Path) -> None:
    workflow = {"inputs": {"list": {"default": given}}, "actions": [step("page", **EACH)]}
    ran = interpret(tmp_path, workflow)
    assert [ran.script.refs[f"page[{index}]"]["item"] for index in range(len(items))] == items
    assert ran.result("page").output == [f"page[{index}]" for index in range(len(items))]
    assert ran.outcome.status is Status.SUCCEEDED


@pytest.mark.parametrize(("given", "what"), [("text", "text"), (5, "a number"), (None, "null")])
def test_what_is_no_list_fails_the_action(given: Any, what: str, tmp_path: Path) -> None:
    workflow = {"inputs": {"list": {"default": given}}, "actions": [step("page", **EACH)]}
    ran = interpret(tmp_path, workflow)
    assert ran.log == []
    assert ran.outcome.error is not None
    assert ran.outcome.error.message == f"`for_each` takes a list or a mapping, and this is {what}"


def test_too_many_items_name_the_limit(tmp_path: Path) -> None:
    workflow = {"limits": {"items": 2}, "inputs": INPUT, "actions": [step("page", **EACH)]}
    ran = interpret(tmp_path, workflow)
    assert ran.log == []
    assert ran.outcome.error is not None
    assert "3 items, more than the 2 that are allowed" in ran.outcome.error.message
    assert "`limits.items`" in str(ran.outcome.error.help)


def test_the_first_failed_item_starts_no_other_and_what_runs_is_kept(tmp_path: Path) -> None:
    workflow = {
        "inputs": {"list": {"default": list(range(5))}},
        "actions": [step("page", **EACH, concurrency=2), step("b")],
        "finally": [step("undo", for_each="{{ actions.page.output | select | list }}")],
    }
    ran = interpret(tmp_path, workflow, {"page[1]": failed("no")}, held=["page[0]"])
    assert ran.log == ["page[0]", "page[1]", "cleanup:finally/undo[0]"]
    assert ran.statuses == {"page": "failed", "b": "skipped", "finally/undo": "succeeded"}
    assert ran.outcome.error is not None
    assert ran.outcome.error.message == "1 of 5 items failed: item 1: no; 3 were not started"
    assert ran.script.refs["finally/undo[0]"]["item"] == "page[0]"
    listed = ran.result("page").record["items"]["listed"]
    assert [(item["index"], item["status"]) for item in listed] == [(0, "succeeded"), (1, "failed")]


def test_the_first_failed_item_is_the_one_with_the_lowest_index(tmp_path: Path) -> None:
    workflow = {"inputs": INPUT, "actions": [step("page", **EACH, concurrency=3)]}
    answers = {"page[0]": failed("late", FailureKind.TIMEOUT), "page[1]": failed("early")}
    ran = interpret(tmp_path, workflow, answers, held=["page[0]"])
    assert ran.outcome.error is not None
    assert ran.outcome.error.kind is FailureKind.TIMEOUT
    assert ran.outcome.error.message == (
        "2 of 3 items failed: item 0: late; item 1: early; 1 was not started"
    )


def test_on_error_continue_gives_null_for_failed_items_and_their_errors(tmp_path: Path) -> None:
    workflow = {
        "inputs": INPUT,
        "actions": [step("page", **EACH, on_error="continue")],
        "outputs": {
            "all": "{{ actions.page.output }}",
            "status": "{{ actions.page.status }}",
            "errors": "{{ actions.page.error.failed }}",
        },
    }
    ran = interpret(tmp_path, workflow, {"page[1]": failed("no")})
    assert ran.outcome.status is Status.SUCCEEDED
    assert ran.outcome.outputs == {
        "all": ["page[0]", None, "page[2]"],
        "status": "failed",
        "errors": [{"index": 1, "kind": "connection", "message": "no"}],
    }
    assert ran.result("page").handled


def test_a_condition_over_the_item_is_judged_for_each(tmp_path: Path) -> None:
    workflow = {
        "inputs": INPUT,
        "actions": [
            step("odd", **EACH, **{"if": "{{ index % 2 == 1 and item != '' }}"}),
            step("none", **EACH, **{"if": "{{ actions.odd.output | length > 3 }}"}),
        ],
    }
    ran = interpret(tmp_path, workflow)
    assert ran.log == ["odd[1]"]
    assert ran.result("odd").output == [None, "odd[1]", None]
    assert ran.statuses == {"odd": "succeeded", "none": "skipped"}


def test_items_wait_each_for_itself(tmp_path: Path) -> None:
    nap = {"id": "nap", "for_each": ["1s", "2s"], "wait": "{{ item }}"}
    answers = {"nap[0]": ok({"seconds": 1.0}), "nap[1]": ok({"seconds": 2.0})}
    ran = interpret(tmp_path, {"actions": [nap]}, answers)
    assert ran.log == ["nap[0]", "nap[0]/sleep 1.0", "nap[1]", "nap[1]/sleep 2.0"]
    assert ran.result("nap").output == [None, None]


@pytest.mark.parametrize("begun", [True, False])
def test_a_stop_loses_no_item(begun: bool, tmp_path: Path) -> None:
    result = failed("in flight", FailureKind.CANCELLED) if begun else None
    ran = interpret(
        tmp_path,
        {"inputs": INPUT, "actions": [step("page", **EACH, concurrency=2)]},
        {"page[1]": RunStoppedError(Status.TERMINATED, result)},
        held=["page[0]"],
    )
    assert ran.outcome.status is Status.TERMINATED
    page = ran.result("page")
    assert page.error is not None
    counts = page.record["items"]
    assert (counts["succeeded"], counts["failed"], counts["not_started"]) == (1, int(begun), 2 - begun)
    expected = "1 of 3 items failed: item 1: in flight; 1 was not started"
    assert page.error.message == (
        expected if begun else "the run was terminated after 1 of 3 items; 2 were not started"
    )


def test_a_block_can_be_made_again_elsewhere_and_its_slices_put_together(tmp_path: Path) -> None:
    workflow = {
        "inputs": INPUT,
        "vars": {"v": 1},
        "actions": [
            step("a"),
            step("page", **EACH, on_error="continue", **{"if": "{{ item != 'x' and actions.a.output }}"}),
        ],
    }

    @dataclass
    class Elsewhere(Script):
        async def block(self, key: str, block: Block) -> JsonObject:
            parts = []
            for start in range(0, len(block), 2):
                data = json.loads(json.dumps(block[start : start + 2].to_json()))
                made = Interpreter.block_of(project, plan, self, data)
                parts.append(json.loads(json.dumps(await made.run(self))))
            return Gathered.merged(parts).to_json()

    project = project_of(tmp_path, workflow)
    plan = planned(project)
    outcomes = []
    for kind in (Script, Elsewhere):
        script = kind({"page[2]": failed("no")})
        interpreter = Interpreter(project, project.workflows["main"], plan, dict(RUN), script)
        outcomes.append((drive(interpreter.interpret()).results, script.log, script.refs))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][0][1].output == [None, "page[1]", None]


# --- repeat


def polled(tmp_path: Path, done_at: int, **answers: Any) -> Interpreted:
    poll = step("poll", repeat={"until": "{{ response.body.ready }}", "every": "5s", "at_most": 3})
    given = {f"poll#{number}": ok(number, done=number == done_at) for number in (1, 2, 3)}
    workflow = {"actions": [poll, step("b", **{"if": "{{ actions.poll.output }}"})]}
    return interpret(tmp_path, workflow, {**given, **answers})


def test_it_is_repeated_until_it_is_done(tmp_path: Path) -> None:
    ran = polled(tmp_path, 2)
    assert ran.log == ["poll#1", "poll#1/sleep 5.0", "poll#2", "b"]
    assert ran.result("poll").output == 2
    assert ran.result("poll").record["repetitions"] == 2


def test_repeated_as_often_as_it_may_it_fails_and_names_the_key(tmp_path: Path) -> None:
    ran = polled(tmp_path, 0)
    assert ran.log == ["poll#1", "poll#1/sleep 5.0", "poll#2", "poll#2/sleep 5.0", "poll#3"]
    error = ran.result("poll").error
    assert error is not None
    assert (error.kind, error.message) == ("timeout", "`until` was not true in 3 repetitions, 5s apart")
    assert "`repeat.at_most`" in str(error.help)


def test_a_repetition_that_fails_ends_it_and_so_does_a_stop_in_between(tmp_path: Path) -> None:
    ran = polled(tmp_path, 3, **{"poll#2": failed("no")})
    assert ran.log == ["poll#1", "poll#1/sleep 5.0", "poll#2"]
    assert ran.statuses == {"poll": "failed", "b": "skipped"}
    ran = polled(tmp_path / "b", 3, **{"poll#1/sleep": RunStoppedError(Status.TERMINATED)})
    assert ran.outcome.status is Status.TERMINATED
    assert ran.statuses == {"poll": "failed", "b": "skipped"}


def test_items_are_repeated_each_for_itself(tmp_path: Path) -> None:
    repeat = {"until": "{{ response.body.ready }}", "every": "1s", "at_most": 9}
    answers = {"page[0]#1": ok(1, done=False), "page[0]#2": ok(2, done=True), "page[1]#1": ok(3, done=True)}
    workflow = {"inputs": {"list": {"default": ["x", "y"]}}, "actions": [step("page", **EACH, repeat=repeat)]}
    ran = interpret(tmp_path, workflow, answers)
    assert ran.log == ["page[0]#1", "page[0]#1/sleep 1.0", "page[0]#2", "page[1]#1"]
    assert ran.result("page").output == [2, 3]


# --- nothing of its own


def test_it_reads_no_clock_no_chance_no_environment_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = {
        "inputs": {"n": {"default": 3}},
        "vars": {"v": "{{ inputs.n }}"},
        "actions": [
            step("a", **{"if": "{{ inputs.n == 3 }}"}),
            {"id": "pause", "wait": "1s"},
            step("b", on_error="continue"),
            step("c"),
        ],
        "outputs": {"x": "{{ run.id }} {{ vars.v }}"},
        "on_failure": [step("tell")],
        "finally": [step("clean")],
    }
    project = project_of(tmp_path, workflow)
    answers = {"pause": ok({"seconds": 1.0}), "b": failed(), "c": failed()}
    plan = planned(project)
    # Jinja is imported before: that reads files.
    drive(Interpreter(project, project.workflows["main"], plan, dict(RUN), Script(answers)).interpret())

    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("the interpreter must not look at this")

    class Environ:
        __getitem__ = __contains__ = __iter__ = get = keys = forbidden

    interpreter = Interpreter(project, project.workflows["main"], plan, dict(RUN), Script(answers))

    async def watched() -> Outcome:
        with monkeypatch.context() as patched:
            # `monotonic` bounds the time of a rendering and changes no result.
            for module, names in (
                (time, ("time", "time_ns", "perf_counter", "sleep", "gmtime", "strftime")),
                (random, ("random", "choice", "getrandbits")),
                (os, ("getenv", "urandom", "getpid")),
                (socket, ("socket", "getaddrinfo")),
                (builtins, ("open",)),
            ):
                for name in names:
                    patched.setattr(module, name, forbidden)
            patched.setattr(os, "environ", Environ())
            return await interpreter.interpret()

    outcome = drive(watched())
    assert outcome.status is Status.FAILED
    assert [result.key for result in outcome.results] == [
        "a",
        "pause",
        "b",
        "c",
        "on_failure/tell",
        "finally/clean",
    ]


def test_the_same_script_gives_the_same_outcome(tmp_path: Path) -> None:
    workflow = {
        "actions": THREE,
        "outputs": {"x": "{{ actions.c.output }} {{ run.id }}"},
        "finally": [step("clean")],
    }
    first, second = (interpret(tmp_path, workflow, {"b": ok([1, 2])}) for _ in range(2))
    assert first.outcome == second.outcome
    assert first.script.refs == second.script.refs
