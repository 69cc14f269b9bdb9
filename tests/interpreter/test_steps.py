"""Which step comes when, under which key, and what it is given."""

from pathlib import Path

from runner.result import Status
from tests.interpreter.script import THREE, failed, interpret, ok, reading, step


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
