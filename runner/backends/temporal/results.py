"""Results of runs on their way between a worker and a command: plain data that loses nothing."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from runner.backends.temporal.codec import too_large
from runner.engine import Outcome
from runner.errors import Failure, FailureKind, JsonObject
from runner.plan import Plan
from runner.result import ActionResult, RunResult, Status

_OF_ACTIONS = tuple(each.name for each in fields(ActionResult))


def pack_action(result: ActionResult, *, output: bool = True) -> JsonObject:
    """Give the result of an action as JSON; without outputs where those who follow a run are told."""
    data = {name: _packed(getattr(result, name)) for name in _OF_ACTIONS}
    return data if output else {**data, "output": None, "record": without_outputs(data["record"])}


def without_outputs(record: JsonObject) -> JsonObject:
    """Leave the outputs out of what a record says of called workflows."""
    if "actions" not in record:
        return record
    return {
        **record,
        "actions": [
            {name: value for name, value in without_outputs(each).items() if name != "output"}
            for each in record["actions"]
        ],
    }


def unpack_action(data: JsonObject) -> ActionResult:
    """Make the result of an action again."""
    error = Failure.from_json(data["error"]) if data["error"] else None
    return ActionResult(**{**data, "status": Status(data["status"]), "error": error})


def inside(result: ActionResult) -> Iterator[ActionResult]:
    """Give the actions of a called workflow, from what the record of the call says of them."""
    repetition = result.record.get("repetitions")
    call = f"{result.key}#{repetition}" if repetition else result.key
    for data in result.record.get("actions", ()):
        own = data["id"] if data["section"] == "actions" else f"{data['section']}/{data['id']}"
        yield ActionResult(
            key=f"{call}/{own}",
            **{name: data[name] for name in _OF_ACTIONS if name in data and name not in ("status", "error")},
            status=Status(data["status"]),
            error=Failure.from_json(data["error"]) if "error" in data else None,
            record={name: value for name, value in data.items() if name not in _OF_ACTIONS},
        )


def pack(plan: Plan, run: JsonObject, outcome: Outcome, warnings: list[str], duration: float) -> JsonObject:
    """Give the result of a run as JSON."""
    return {
        "run_id": run["id"],
        "workflow": plan.workflow,
        "status": outcome.status.value,
        "started_at": run["started_at"],
        "duration": round(duration, 6),
        "user": plan.user,
        "environment": plan.environment,
        "inputs": plan.inputs,
        "actions": [pack_action(each) for each in outcome.results],
        "outputs": outcome.outputs,
        "error": outcome.error.to_json() if outcome.error else None,
        "warnings": warnings,
    }


def bounded(result: JsonObject) -> JsonObject:
    """Leave the outputs of its actions out of the result of a run that is too large to travel, then those of the run."""
    size = too_large(result)
    if size is None:
        return result
    actions = [
        {**each, "output": None, "record": without_outputs(each["record"])} for each in result["actions"]
    ]
    left_out = f"the outputs of actions are left out of the result, which is {size}"
    result = {**result, "actions": actions, "warnings": [*result["warnings"], left_out]}
    size = too_large(result)
    if size is None:
        return result
    failure = Failure(
        kind=FailureKind.LIMIT, message=f"the outputs of the run are {size}", help="give less with `outputs`"
    )
    failed = {"status": Status.FAILED.value, "error": failure.to_json()}
    return {**result, "outputs": {}, **(failed if result["status"] == Status.SUCCEEDED.value else {})}


def unpack(data: JsonObject) -> RunResult:
    """Make the result of a run again."""
    return RunResult(
        **{
            **data,
            "status": Status(data["status"]),
            "actions": tuple(map(unpack_action, data["actions"])),
            "error": Failure.from_json(data["error"]) if data["error"] else None,
            "warnings": tuple(data["warnings"]),
        }
    )


def _packed(value: Any) -> Any:
    if isinstance(value, Failure):
        return value.to_json()
    return value.value if isinstance(value, Status) else value
