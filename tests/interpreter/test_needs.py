"""`needs`: what runs beside what."""

from pathlib import Path

import pytest

from runner.errors import FailureKind
from runner.result import Status
from runner.scope import RunStoppedError
from tests.interpreter.script import failed, interpret, reading, step


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
