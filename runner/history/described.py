"""Runs of the history as JSON data, from which lists and timelines are shown.

- `runner.d/runs/1`: `{"format", "runs": [...]}`, the newest run first. A run has `run` (its id), `workflow`, `status`
  (`running`, `crashed`, `succeeded`, `failed`, `timed-out`, `interrupted`, `terminated`, `skipped`), `started_at`, `duration`
  (seconds of all executions that ended), `user`, `environment`, `commit` (null outside of git), `digest` (SHA-256 of the
  files) and `executions` (how many processes worked at it: 1, and one per resume).
- `runner.d/run-history/1`: the same keys of one run, and `inputs` (without secret ones), `give_again` (names of the inputs that
  a resume must be given), `executions` (a list: `number`, `started_at`, `host`, `pid`, `version`, `digest` of the files, and once it ended `status`,
  `ended_at`, `duration`, and where they apply `error` and `warnings`), `actions` (the timeline, in the order in which they
  ended: `execution`, `key`, `kind`, `status`, and where they apply `name`, `connection`, `reason`, `error`, `handled`,
  `started_at`, `duration`, `request`, `response`, `attempts`, `items`, `from_history`) and `open` (steps without a known end:
  `key`, `unknown`, which says that it may have happened and that doing it again would do harm).
"""

from runner.errors import JsonObject
from runner.history.runs import Execution, History, Run


def listed(history: History, runs: list[Run]) -> JsonObject:
    """Give a list of runs."""
    return {
        "format": "runner.d/runs/1",
        "runs": [_with_count(run, history.executions(run.number)) for run in runs],
    }


def shown(history: History, run: Run) -> JsonObject:
    """Give everything that is known of one run."""
    executions = history.executions(run.number)
    return {
        "format": "runner.d/run-history/1",
        **_run(run, executions),
        "inputs": run.facts["inputs"],
        "give_again": run.facts["again"],
        "executions": [_execution(each) for each in executions],
        "actions": [
            {"execution": execution, **event} for execution, event in history.events(run.number)
        ],
        "open": [
            {"key": step.key, "unknown": step.unknown} for step in history.steps(run.number, "started", "unknown")
        ],
    }  # fmt: skip


def _with_count(run: Run, executions: list[Execution]) -> JsonObject:
    return {**_run(run, executions), "executions": len(executions)}


def _run(run: Run, executions: list[Execution]) -> JsonObject:
    durations = [each.ended["duration"] for each in executions if each.ended]
    return {
        "run": run.id,
        "workflow": run.workflow,
        "status": run.status,
        "started_at": run.started_at,
        "duration": round(sum(durations), 6) if durations else None,
        "user": run.facts["user"],
        "environment": run.facts["environment"],
        "commit": run.facts["commit"],
        "digest": run.digest,
    }


def _execution(execution: Execution) -> JsonObject:
    return {
        "number": execution.number,
        "started_at": execution.started_at,
        **execution.facts,
        **(execution.ended or {}),
    }
