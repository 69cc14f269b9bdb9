"""What came of a run: plain data, cleaned of secrets, from which every report is made."""

from dataclasses import field
from enum import StrEnum
from typing import Any

from runner.errors import Exit, Failure, FailureKind, JsonObject
from runner.frozen import dataclass


class Status(StrEnum):
    """How an action or a run ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    TIMED_OUT = "timed-out"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"


EXIT_CODES = {
    Status.SUCCEEDED: Exit.DONE,
    Status.SKIPPED: Exit.DONE,
    Status.FAILED: Exit.FAILED,
    Status.TIMED_OUT: Exit.TIMEOUT,
    Status.INTERRUPTED: Exit.INTERRUPTED,
    Status.TERMINATED: Exit.TERMINATED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResult:
    """How one action ended.

    `key` is its stable path (`search`, `finally/notify`); `record` is what `perform` recorded of it: `request`
    (method, url, headers, body as shown), `response` (status, allowed headers, on failure the cleaned body),
    `attempts`, `started_at`, `duration` in seconds. Of a `for_each` it is `items`: `count`, `succeeded`, `failed`,
    `skipped`, `not_started`, `seconds` (of all items together), `longest`, and `listed`, the records of the first and the
    failed items. Of a call it is `workflow` and `actions`, the results of the called workflow; of a polled action it has
    `repetitions`. `output` is absent for a sensitive action; a failed `for_each` has one, with null for what failed.
    """

    key: str
    id: str
    section: str
    kind: str
    status: Status
    name: str | None = None
    connection: str | None = None
    output: Any = None
    sensitive: bool = False
    error: Failure | None = None
    handled: bool = False
    reason: str | None = None
    record: JsonObject = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """Give the action as it stands in the JSON report."""
        data: JsonObject = {
            "id": self.id,
            "section": self.section,
            "kind": self.kind,
            "status": self.status.value,
        }
        for name in ("name", "connection", "reason"):
            if getattr(self, name):
                data[name] = getattr(self, name)
        if self.status is Status.SUCCEEDED or self.output is not None:
            data["output"] = "***" if self.sensitive else self.output
        if self.error:
            data["error"] = self.error.to_json()
            data["handled"] = self.handled
        data.update(self.record)
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended. Times are ISO 8601 in UTC, durations seconds; `outputs` has `***` where one is secret."""

    run_id: str
    workflow: str
    status: Status
    started_at: str
    duration: float
    user: str | None = None
    environment: str | None = None
    inputs: JsonObject = field(default_factory=dict)
    actions: tuple[ActionResult, ...] = ()
    outputs: JsonObject = field(default_factory=dict)
    error: Failure | None = None
    warnings: tuple[str, ...] = ()

    @property
    def exit_code(self) -> Exit:
        """The exit code of the process that ran it."""
        if self.status is Status.FAILED and self.error:
            of_kind = {
                FailureKind.SECRET_UNAVAILABLE: Exit.UNAVAILABLE,
                FailureKind.HISTORY: Exit.UNAVAILABLE,
                FailureKind.LOCKED: Exit.LOCKED,
            }
            return of_kind.get(self.error.kind, Exit.FAILED)
        return EXIT_CODES[self.status]

    def to_json(self) -> JsonObject:
        """Give the run as `--report json` writes it; `format` is the version of this form."""
        data: JsonObject = {
            "format": "runner.d/run/1",
            "run": self.run_id,
            "workflow": self.workflow,
            "status": self.status.value,
            "started_at": self.started_at,
            "duration": round(self.duration, 6),
            "user": self.user,
            "environment": self.environment,
            "inputs": self.inputs,
            "actions": [action.to_json() for action in self.actions],
            "outputs": self.outputs,
            "warnings": list(self.warnings),
        }
        if self.error:
            data["error"] = self.error.to_json()
        return data
