"""`if`: what counts as true, and what a skipped action leaves behind."""

from pathlib import Path

import pytest

from runner.errors import FailureKind
from runner.result import Status
from tests.interpreter.script import interpret, ok, step


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
