"""Waits, and a run that is stopped in the middle of something."""

from pathlib import Path

import pytest

from runner.errors import FailureKind
from runner.result import Status
from runner.scope import RunStoppedError
from tests.interpreter.script import THREE, failed, interpret, ok, reading, step


def test_a_wait_is_the_scopes(tmp_path: Path) -> None:
    ran = interpret(
        tmp_path,
        {"actions": [{"id": "pause", "wait": "30s"}, reading("b", "{{ actions.pause.status }}")]},
        {"pause": ok({"seconds": 30.0})},
    )
    assert ran.log == ["pause", "pause#sleep 30.0", "b"]
    assert ran.script.refs["b"]["actions"]["pause"] == {"status": "succeeded", "output": None}


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
    answers = {"pause": ok({"seconds": 30.0}), "pause#sleep": RunStoppedError(Status.INTERRUPTED)}
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
