"""`for_each`: an item each, in order, stopped, failed, or done elsewhere."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.engine import Interpreter
from runner.errors import FailureKind, JsonObject
from runner.items import Block, Gathered
from runner.result import Status
from runner.scope import RunStoppedError
from tests.interpreter.script import RUN, Script, drive, failed, interpret, ok, project_of, reading, step
from tests.projects import planned

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
    assert ran.log == ["nap[0]", "nap[0]#sleep 1.0", "nap[1]", "nap[1]#sleep 2.0"]
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


def test_of_the_stops_of_slices_that_of_the_most_calls_counts() -> None:
    own, whole = Gathered(), Gathered()
    own.stop(RunStoppedError(Status.TIMED_OUT, depth=1))
    whole.stop(RunStoppedError(Status.TERMINATED))
    for parts in ([own, whole], [whole, Gathered(), own]):
        merged = Gathered.merged(part.to_json() for part in parts)
        assert merged.stopped == {"status": "terminated", "depth": 0}
