"""What the server itself knows of runs, without a worker: how each of them is, lists of them, and how they are deleted.

A run notes in its memo how it ended (`status`, `duration`) and that it was asked to stop (`stopping`), because its
execution goes on after that: what did not succeed can be resumed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from runner.backends.temporal import RUN
from runner.errors import JsonObject, UsageError
from runner.frozen import dataclass
from runner.history.runs import CRASHED, RUNNING, Filter, RunBusyError
from runner.result import Status

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowExecution

    from runner.backends.temporal.address import Address

OVER = frozenset(each.value for each in Status)
"""What a run says of itself when it has ended."""

_PATIENCE = 30.0
"""Seconds that a run that was asked to stop gets to end before it is deleted."""

_STRETCHES = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30), None)
"""How far back lists look, one stretch after the other: the server does not list by the time at which runs began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A run as the server has it; `status` is one of those of the history, `memo` what the run noted of itself.

    `open` says that its execution has not ended: it goes on, or can be resumed.
    """

    id: str
    status: str
    open: bool
    started_at: datetime
    memo: JsonObject

    @property
    def goes_on(self) -> bool:
        """Whether it is being performed: not ended, and not waiting to be resumed."""
        return self.status == RUNNING

    @property
    def stopping(self) -> bool:
        """Whether it goes on although it was asked to stop."""
        return self.goes_on and bool(self.memo.get("stopping"))

    def to_json(self) -> JsonObject:
        """Give what a list shows of it."""
        return {
            "run": self.id,
            "started_at": f"{self.started_at:%Y-%m-%dT%H:%M:%S}Z",
            "workflow": str(self.memo.get("workflow")),
            "status": self.status,
            "duration": self.memo.get("duration"),
            "user": self.memo.get("user"),
            "environment": self.memo.get("environment"),
        }


async def noted(client: "Client", run_id: str) -> Noted:
    """Say how a run is; raises UsageError where there is none."""
    from temporalio.service import RPCError, RPCStatusCode

    try:
        found = await client.get_workflow_handle(run_id).describe()
    except RPCError as problem:
        if problem.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
            raise
    else:
        if found.workflow_type == RUN:
            return await _read(found)
    raise UsageError(f"the engine knows no run '{run_id}'", help="`runner runs --engine ...` lists them")


async def select(client: "Client", address: "Address", wanted: Filter) -> list[Noted]:
    """List runs of a task queue, the newest first."""
    found: list[Noted] = []
    async for each in _newest_first(client, address, wanted.since):
        if wanted.limit is not None and len(found) >= wanted.limit:
            break
        if wanted.workflow is not None and each.memo.get("workflow") != wanted.workflow:
            continue
        if not wanted.statuses or each.status in wanted.statuses:
            found.append(each)
    return found


async def until_stopping(client: "Client", run_id: str) -> None:
    """Wait until a run has taken note that it is to stop; not for long, where no worker is there to note it."""
    await _until(client, run_id, 5.0, lambda run: run.stopping or not run.goes_on)


async def delete(client: "Client", address: "Address", run_ids: Sequence[str]) -> None:
    """Delete runs with their children; raises UsageError where one is not there, RunBusyError where one goes on.

    Then none is deleted. One that was asked to stop gets a while. A run itself comes after its children: what went wrong
    half way can be tried again. The server may take half a minute to let a run disappear.
    """
    for run_id in run_ids:
        run = await noted(client, run_id)
        if run.stopping:
            run = await _until(client, run_id, _PATIENCE, lambda run: not run.goes_on)
        if run.stopping:
            raise RunBusyError(
                f"the run {run_id} was asked to stop, and what it does at its end takes its time",
                help="try again when `runner runs show` says how it ended",
            )
        if run.goes_on:
            raise RunBusyError(f"the run {run_id} goes on", help=f"`runner runs cancel {run_id}` stops it")
    for run_id in run_ids:
        children = client.list_workflows(f"WorkflowId STARTS_WITH '{run_id}/'")
        for name in [*[each.id async for each in children], run_id]:
            await _delete(client, address, name)


async def _delete(client: "Client", address: "Address", name: str) -> None:
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
    from temporalio.service import RPCError, RPCStatusCode

    try:
        await client.workflow_service.delete_workflow_execution(
            DeleteWorkflowExecutionRequest(
                namespace=address.namespace, workflow_execution=WorkflowExecution(workflow_id=name)
            )
        )
    except RPCError as problem:
        if problem.status != RPCStatusCode.NOT_FOUND:  # the list of children is not always up to date
            raise


async def _until(client: "Client", run_id: str, seconds: float, condition: Callable[[Noted], bool]) -> Noted:
    """Look at a run until something is true of it, or the time is up; gives what was seen last."""
    end = time.monotonic() + seconds
    while True:
        run = await noted(client, run_id)
        if condition(run) or time.monotonic() >= end:
            return run
        await asyncio.sleep(0.1)


async def _newest_first(client: "Client", address: "Address", since: str | None) -> AsyncIterator[Noted]:
    now = datetime.now(UTC)
    least = None if since is None else datetime.fromisoformat(since)
    before: datetime | None = None
    for stretch in _STRETCHES:
        after = least if stretch is None else now - stretch
        after = max(filter(None, (after, least)), default=None)
        terms = [f"WorkflowType = '{RUN}'", f"TaskQueue = '{address.task_queue}'"]
        terms += [f"StartTime >= '{after.isoformat()}'"] if after else []
        terms += [f"StartTime < '{before.isoformat()}'"] if before else []
        found = [await _read(each) async for each in client.list_workflows(" AND ".join(terms))]
        for each in sorted(found, key=lambda run: run.started_at, reverse=True):
            yield each
        if after is not None and after == least:
            return
        before = after


async def _read(found: "WorkflowExecution") -> Noted:
    from temporalio.client import WorkflowExecutionStatus

    memo = dict(await found.memo())
    is_open = found.status is WorkflowExecutionStatus.RUNNING
    ended = memo.get("status")
    status = str(ended) if ended in OVER else RUNNING if is_open else CRASHED
    return Noted(id=found.id, status=status, open=is_open, started_at=found.start_time, memo=memo)
