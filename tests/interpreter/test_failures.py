"""The first failure, what handles it, `on_failure` and `finally`."""

from pathlib import Path

from runner.errors import FailureKind
from runner.result import Status
from tests.interpreter.script import THREE, failed, interpret, ok, step


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
