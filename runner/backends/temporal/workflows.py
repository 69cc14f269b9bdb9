"""A run, as Temporal runs it: its rounds, its lock, and the time in which it can be resumed.

Not in Temporal's sandbox: the interpreter varies with nothing, which the architecture test holds, and reading a project
imports what the sandbox would import anew for every run.
"""

import asyncio
import hashlib
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, WorkflowAlreadyStartedError

from runner.backends.temporal import (
    KEPT_OPEN,
    LOCK,
    LOST_AFTER,
    PREPARE,
    RELEASE,
    RUN,
    results,
)
from runner.backends.temporal.documents import plan_of, project_of
from runner.backends.temporal.elsewhere import Children
from runner.backends.temporal.scope import EMPTY, Execution, TemporalScope, harmless
from runner.engine import Interpreter, Outcome
from runner.errors import Failure, FailureKind, JsonObject
from runner.history.keeping import Needs
from runner.history.keys import action_of
from runner.result import Status

_QUEUED = 2.0
"""Seconds between two looks at a lock that another run holds."""


@workflow.defn(name=RUN, sandboxed=False)
class RunWorkflow:
    """One run of a workflow. What did not succeed stays open for a while, to be resumed.

    It is given `plan`, the `digest` of its files, `timeout`, the seconds for one round, `lock` where the workflow has
    `concurrency` (its `key` and `on_conflict`), and where a schedule started it `trigger`, the workflow that wants to know
    when the first round is over.
    """

    def __init__(self) -> None:
        self.phase = "waiting"
        self.execution: Execution | None = None
        self.result: JsonObject | None = None
        self.resumed = False
        self.closed = False
        self.stopped: Status | None = None
        self.rounds = 0
        self.warnings: list[str] = []
        self.lock: workflow.ChildWorkflowHandle[Any, Any] | None = None

    @workflow.run
    async def run(self, given: JsonObject) -> JsonObject:
        """Run the plan; gives the result where it succeeded, and fails with it otherwise when nobody resumes it."""
        plan = plan_of(given["plan"])
        project = project_of(plan)
        info = workflow.info()
        run: JsonObject = {
            "id": info.workflow_id,
            "workflow": plan.workflow,
            "started_at": _written(info.start_time),
            "user": plan.user,
            "digest": given["digest"],
        }
        self.execution = Execution(project, plan, run, Children())
        try:
            while True:
                self.rounds += 1
                outcome = await self._round(given["timeout"], given.get("lock"))
                await self._release()
                duration = workflow.time() - info.start_time.timestamp()
                packed = results.pack(plan, run, outcome, self.warnings, duration)
                self.result = results.bounded(packed)
                self._note(self.result["status"], duration)
                await self._tell(given.get("trigger"))
                if self.phase in (Status.SUCCEEDED, Status.SKIPPED):
                    return self.result
                if _never_began(outcome) or not await self._resumed():
                    break
        except asyncio.CancelledError:
            self.phase = Status.TERMINATED.value
            raise
        raise ApplicationError(f"the run {self.phase}", self.result, type="RunFailed", non_retryable=True)

    def _note(self, phase: str, duration: float | None) -> None:
        """Say how the run is: to those who ask it, and in the lists of the server."""
        self.phase = phase
        workflow.upsert_memo({"status": phase, "duration": duration, "stopping": None})

    async def _tell(self, trigger: str | None) -> None:
        if trigger is not None and self.rounds == 1:
            with suppress(FailureError):  # somebody has ended it
                await workflow.get_external_workflow_handle(trigger).signal("ended", self.phase)

    async def _round(self, budget: float, lock: JsonObject | None) -> Outcome:
        """Interpret the workflow once, from the beginning, with what is remembered."""
        execution = self.execution
        assert execution is not None
        self.result = None
        if self.rounds > 1:
            self._note("running", None)
        execution.begin(self.rounds)
        execution.stop = self.stopped
        work = asyncio.create_task(self._alone(execution, budget, lock))
        while not work.done():
            try:
                await workflow.wait_condition(work.done)
            except asyncio.CancelledError:  # somebody cancels the execution: it ends in order, as at a signal
                if self.closed:
                    raise
                self.closed = True
                self._stop(Status.TERMINATED)
        return work.result()

    async def _alone(self, execution: Execution, budget: float, lock: JsonObject | None) -> Outcome:
        """Interpret while this run alone holds its lock, where there is one."""
        deadline = workflow.time() + budget
        refused = await self._enter(lock, deadline) if lock is not None else None
        if refused is not None:
            return refused
        try:
            return await self._prepared(execution, max(0.0, deadline - workflow.time()), deadline)
        finally:
            if self.lock is not None:
                await self.lock.signal("release")
                await self.lock
                self.lock = None

    async def _enter(self, lock: JsonObject, deadline: float) -> Outcome | None:
        """Take the lock: an execution whose name only one can have. Gives the outcome of a run that may not start."""
        key = lock["key"].encode("utf-8", "backslashreplace")
        name = f"runner.d/lock/{hashlib.sha256(key).hexdigest()[:32]}"
        while True:
            try:
                self.lock = await workflow.start_child_workflow(
                    LOCK,
                    workflow.info().workflow_id,
                    id=name,
                    parent_close_policy=workflow.ParentClosePolicy.TERMINATE,
                    static_summary=key.decode(),
                )
            except WorkflowAlreadyStartedError:
                reason = f"another run holds the lock '{lock['key']}': not started, nothing was sent"
                if lock["on_conflict"] == "skip":
                    self.warnings.append(f"skipped: {reason}")
                    return Outcome(Status.SKIPPED)
                if lock["on_conflict"] == "fail":
                    return _not_started(FailureKind.LOCKED, reason, "start it again when that one has ended")
            else:
                return None
            self.phase = "queued"
            wait = min(_QUEUED, deadline - workflow.time())
            with suppress(TimeoutError):
                await workflow.wait_condition(lambda: self.stopped is not None, timeout=max(0.0, wait))
            if self.stopped is not None:
                return _not_started(
                    FailureKind.CANCELLED, f"the run was {self.stopped.value} while it waited", None
                )
            if workflow.time() >= deadline:
                reason = f"another run still held the lock '{lock['key']}': not started, nothing was sent"
                return _not_started(FailureKind.LOCKED, reason, "raise `timeout`, or start it again")

    async def _prepared(self, execution: Execution, budget: float, deadline: float) -> Outcome:
        self.phase = "running"
        found = execution.project.workflows[execution.plan.workflow]
        prepared = await self._prepare(budget)
        if isinstance(prepared, Outcome):
            return prepared
        scope = TemporalScope(execution, deadline)
        try:
            return await Interpreter(
                execution.project, found, execution.plan, execution.run, scope
            ).interpret()
        finally:
            scope.close()

    async def _prepare(self, budget: float) -> JsonObject | Outcome:
        """Let a worker read the secrets; a run whose outputs are sensitive stays with that worker."""
        execution = self.execution
        assert execution is not None
        try:
            answer: JsonObject = await workflow.execute_activity(
                PREPARE,
                {"run": execution.run, "timeout": budget},
                start_to_close_timeout=timedelta(seconds=120),
                heartbeat_timeout=timedelta(seconds=LOST_AFTER),
                retry_policy=RetryPolicy(maximum_attempts=5),
                result_type=dict,
            )
        except ActivityError as problem:
            cause = problem.cause
            message = (
                cause.message if isinstance(cause, ApplicationError) else "no worker could prepare the run"
            )
            return _not_started(FailureKind.FAILED, message, None)
        execution.lost_after = answer["lost_after"]
        for warning in answer["warnings"]:
            if warning not in self.warnings:
                self.warnings.append(warning)
        if answer["problem"] is not None:
            return _not_started(FailureKind.SECRET_UNAVAILABLE, answer["problem"], answer["help"])
        if answer["pinned"]:
            gone = self._forget_sensitive() if self.rounds > 1 else None
            if gone is not None:
                return _not_started(FailureKind.FAILED, *gone)
            execution.queue = answer["queue"]
        return answer

    def _forget_sensitive(self) -> tuple[str, str] | None:
        """Forget results whose sensitive output was held for an earlier round; says why, where that may not be repeated."""
        execution = self.execution
        assert execution is not None
        remembered = execution.remembered
        gone = [key for key, (_, result) in remembered.steps.items() if result.get("sensitive")]
        gone += [
            key
            for key, found in remembered.items.items()
            if any(each.get("sensitive") for _, each in found.values())
        ]
        read = set()
        for key in gone:
            found = action_of(execution.project, execution.plan.workflow, key)
            if found is not None and not Needs(found[0]).output(found[1].id):
                continue
            if found is None or not harmless(execution.project, found[1]):
                return (
                    f"the sensitive output of '{key}' is kept nowhere, and doing it again may do harm",
                    "run the workflow anew; `idempotent: true` says of an action that repeating it is harmless",
                )
            read.add(key)
        remembered.forget(lambda key: key in read)
        return None

    async def _release(self) -> None:
        """Let the worker that was set apart close its session."""
        execution = self.execution
        if execution is None or execution.queue is None:
            return
        with suppress(ActivityError):  # the worker is gone, and the session with it
            await workflow.execute_activity(
                RELEASE,
                execution.run["id"],
                task_queue=execution.queue,
                schedule_to_close_timeout=timedelta(seconds=20),
                retry_policy=RetryPolicy(maximum_attempts=1),
            )

    async def _resumed(self) -> bool:
        """Wait for the wish to resume; False where nobody has it in time."""
        self.resumed = False
        if self.closed:
            return False
        try:
            await workflow.wait_condition(lambda: self.resumed, timeout=KEPT_OPEN)
        except TimeoutError:
            return False
        return self.resumed

    def _stop(self, status: Status) -> None:
        if self.stopped is None:
            workflow.upsert_memo({"stopping": status.value})
        self.stopped = self.stopped or status
        if self.execution is not None:
            self.execution.stop = self.execution.stop or status

    @workflow.signal
    def stop(self, status: str) -> None:
        """Stop the run in order: what is in flight gets a moment, `finally` runs."""
        self._stop(Status(status))

    @workflow.signal
    def resume(self) -> None:
        """Go on with a run that did not succeed."""
        self.resumed, self.stopped = True, None

    @workflow.query
    def progress(self, since: int) -> JsonObject:
        """Say how far it is: `phase`, `round`, `result`, and what `Execution.progress` says."""
        execution = self.execution
        return {
            "phase": self.phase,
            "round": self.rounds,
            "result": self.result,
            "unknown": list(execution.unknown) if execution else [],
            "warnings": self.warnings,
            **(execution.progress(since) if execution else EMPTY),
        }


def _never_began(outcome: Outcome) -> bool:
    return outcome.error is not None and outcome.error.kind is FailureKind.LOCKED


def _not_started(kind: FailureKind, message: str, remedy: str | None) -> Outcome:
    return Outcome(Status.FAILED, error=Failure(kind=kind, message=message, help=remedy))


def _written(moment: datetime) -> str:
    from runner.perform import moment as written

    return written(moment.timestamp())
