"""Runs on the engine, seen from a command: submit, follow, stop, resume, list."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from runner.backends.temporal import RUN, listing, results
from runner.backends.temporal.address import Address
from runner.backends.temporal.codec import too_large
from runner.backends.temporal.connect import API_KEY, connect, not_let_in
from runner.backends.temporal.documents import plan_data, plan_of, project_of, reached, unfit
from runner.backends.temporal.following import Following
from runner.backends.temporal.listing import OVER, Noted
from runner.errors import JsonObject, SecretsError, UsageError
from runner.history.runs import CRASHED, Filter
from runner.plan import Plan
from runner.project import Project
from runner.result import ActionResult, RunResult, Status
from runner.sensitive import Redactor
from runner.watching import Observer, Stop

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowHandle

_ASKED_AFTER = 0.05
_ASKED_EVERY = 0.25
"""Seconds until the second look at a run, and between two later ones; longer ones where nothing happens."""

_SLOWEST = 2.0
_ANSWERED_WITHIN = timedelta(seconds=10)
_CHILD_ANSWERS_WITHIN = timedelta(seconds=3)


class Engine:
    """The engine, as one command sees it."""

    def __init__(self, client: "Client", address: Address) -> None:
        self.client = client
        self._address = address

    async def submit(
        self,
        project: Project,
        plan: Plan,
        run_id: str,
        timeout: float,  # noqa: ASYNC109 - the run's own time
        lock: JsonObject | None = None,
    ) -> None:
        """Start a run; `lock` is that of `concurrency`. Raises UsageError for what cannot travel."""
        travelling = replace(plan, documents=reached(project, plan.workflow))
        if problem := unfit(project, plan):
            raise UsageError(problem[0], help=problem[1])
        given = {
            "plan": plan_data(travelling),
            "digest": travelling.digest,
            "timeout": timeout,
            "lock": lock,
        }
        if size := too_large(given):
            raise UsageError(
                f"the files and the inputs of the run are {size}",
                help="keep large data elsewhere, and let a request of the workflow get it",
            )
        await self.client.start_workflow(
            RUN,
            given,
            id=run_id,
            task_queue=self._address.task_queue,
            memo={"workflow": plan.workflow, "user": plan.user, "environment": plan.environment},
            static_summary=plan.workflow,
        )

    async def follow(self, run_id: str, observer: Observer, stop: Stop, *, round_: int = 1) -> RunResult:
        """Tell the observer what happens until the run, or its round, ends; a stop is passed on to it."""
        handle = self.client.get_workflow_handle(run_id)
        told = asyncio.create_task(self._pass_on(handle, stop))
        following = Following(self._of_child, observer)
        wait = _ASKED_AFTER
        try:
            while True:
                progress = await self._progress(handle, following.seen(run_id), observer)
                if progress["round"] >= round_:
                    await following.tell(run_id, progress)
                    if progress["phase"] in OVER and progress["result"] is not None:
                        return results.unpack(progress["result"])
                if wait >= _SLOWEST and (await self.noted(run_id)).status == CRASHED:
                    raise SecretsError(
                        f"the run '{run_id}' was ended from outside",
                        help="look at it in Temporal's own interface",
                    )
                wait = _ASKED_EVERY if progress["settled"] else min(wait * 1.2, _SLOWEST)
                await asyncio.sleep(wait)
        finally:
            told.cancel()
            await asyncio.gather(told, return_exceptions=True)

    async def state(self, run_id: str) -> Mapping[str, Any]:
        """Say how a run is: what its `progress` says, and whether it was ended from outside."""
        state = await self._ask(self.client.get_workflow_handle(run_id), 0)
        if state["phase"] not in OVER and (await self.noted(run_id)).status == CRASHED:
            return {**state, "phase": CRASHED}
        return state

    async def so_far(self, run_id: str, state: Mapping[str, Any]) -> list[ActionResult]:
        """Give the actions of a run that have ended, from its `state` and that of its children."""
        following = Following(self._of_child, None)
        await following.tell(run_id, state)
        return list(following.finished.values())

    async def files(self, run_id: str) -> tuple[Project, Plan]:
        """Give the project and the plan of a run, as they are in its first event."""
        handle = self.client.get_workflow_handle(run_id)
        async for event in handle.fetch_history_events(page_size=1):
            started = event.workflow_execution_started_event_attributes
            (given,) = await self.client.data_converter.decode(started.input.payloads)
            plan = plan_of(given["plan"])
            return project_of(plan), plan
        raise UsageError(f"the engine knows no run '{run_id}'")

    async def resume(self, run_id: str) -> int:
        """Let a run go on; gives the number of the round that begins. Raises UsageError where that cannot be any more."""
        if not (await self.noted(run_id)).open:
            raise UsageError(
                f"the run {run_id} can be resumed no more: its execution has ended",
                help="start a new run: `runner run`",
            )
        handle = self.client.get_workflow_handle(run_id)
        state = await self._ask(handle, 0)
        await handle.signal("resume")
        return int(state["round"]) + 1

    async def stop(self, run_id: str) -> None:
        """Stop a run in order: what is in flight gets a moment, `finally` runs, and it can be resumed.

        Raises UsageError where it does not go on.
        """
        run = await self.noted(run_id)
        if not run.goes_on:
            raise UsageError(f"the run {run_id} does not go on: it has ended, {run.status}")
        await self.client.get_workflow_handle(run_id).signal("stop", Status.TERMINATED.value)
        await listing.until_stopping(self.client, run_id)

    async def runs(self, wanted: Filter) -> list[Noted]:
        """List runs as the history does, the newest first."""
        return await listing.select(self.client, self._address, wanted)

    async def noted(self, run_id: str) -> Noted:
        """Say how a run is, without a worker; raises UsageError where there is none."""
        return await listing.noted(self.client, run_id)

    async def delete(self, run_ids: Sequence[str]) -> None:
        """Delete runs that do not go on, with their children, or none; raises UsageError and RunBusyError."""
        await listing.delete(self.client, self._address, run_ids)

    async def _of_child(self, name: str, since: int) -> Mapping[str, Any]:
        return await self._ask(self.client.get_workflow_handle(name), since, _CHILD_ANSWERS_WITHIN)

    async def _progress(
        self, handle: "WorkflowHandle[Any, Any]", since: int, observer: Observer
    ) -> Mapping[str, Any]:
        """Ask the run; as long as no worker answers, say so once and go on asking."""
        waited = time.monotonic()
        told = False
        while True:
            try:
                return await self._ask(handle, since)
            except SecretsError:
                if not told and time.monotonic() - waited > 5:
                    told = True
                    observer.warned(
                        f"no worker answers on the task queue '{self._address.task_queue}': "
                        "`runner worker --engine ...` starts one"
                    )
                await asyncio.sleep(1)

    async def _ask(
        self, handle: "WorkflowHandle[Any, Any]", since: int, within: timedelta = _ANSWERED_WITHIN
    ) -> Mapping[str, Any]:
        from temporalio.client import RPCError, WorkflowQueryFailedError
        from temporalio.service import RPCStatusCode

        try:
            answer: Mapping[str, Any] = await handle.query(
                "progress", since, result_type=dict, rpc_timeout=within
            )
        except WorkflowQueryFailedError:
            raise UsageError(
                f"the run '{handle.id}' does not understand the question: "
                "its worker has another RUNNER_ENGINE_KEY, or another version of runner.d",
                help="set RUNNER_ENGINE_KEY to the key of the workers; `runner version` says the version",
            ) from None
        except RPCError as problem:
            if problem.status == RPCStatusCode.NOT_FOUND:
                raise UsageError(
                    f"the engine knows no run '{handle.id}'", help="`runner runs --engine ...` lists them"
                ) from None
            raise SecretsError(
                f"no worker answers for the run '{handle.id}'", help="start one: `runner worker --engine ...`"
            ) from None
        return answer

    async def _pass_on(self, handle: "WorkflowHandle[Any, Any]", stop: Stop) -> None:
        await stop.requested()
        assert stop.status is not None
        await handle.signal("stop", stop.status.value)


@asynccontextmanager
async def engine(address: Address, environ: Mapping[str, str], redactor: Redactor) -> AsyncIterator[Engine]:
    """Connect to the engine; raises UsageError and SecretsError in place of errors of the library."""
    from temporalio.service import RPCError, RPCStatusCode

    client = await connect(address, environ, redactor)
    try:
        yield Engine(client, address)
    except RPCError as problem:
        if problem.status in (RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED):
            unknown = problem.status is RPCStatusCode.UNAUTHENTICATED
            raise not_let_in(address, given=bool(environ.get(API_KEY)), known=not unknown) from None
        raise SecretsError(
            f"the engine {address} refuses: {problem.status.name.lower().replace('_', ' ')}",
            help="look at its log; `runner version` says which package of Temporal this is",
        ) from None
