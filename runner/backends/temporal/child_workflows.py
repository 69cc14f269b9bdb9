"""Parts of a run, as Temporal runs them in executions of their own: a called workflow, a slice of the items of an action."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from temporalio import workflow

from runner.backends.temporal import CALL, SLICE, results
from runner.backends.temporal.codec import too_large
from runner.backends.temporal.documents import plan_of, project_of
from runner.backends.temporal.elsewhere import Children, ChildrenOfSlice
from runner.backends.temporal.remembered import Belongs, Remembered
from runner.backends.temporal.scope import EMPTY, Elsewhere, Execution, TemporalScope
from runner.engine import Interpreter
from runner.errors import JsonObject
from runner.items import Block
from runner.result import Status


class _Part:
    """What they have in common. What they are given, and what is taken of their answers, is in `children`."""

    def __init__(self) -> None:
        self.execution: Execution | None = None
        self.stopped: Status | None = None
        self.cancelled = False

    def begin(self, given: JsonObject, elsewhere: Elsewhere) -> tuple[Execution, TemporalScope]:
        """Know what the run knows of this part."""
        plan = plan_of(given["plan"])
        self.execution = execution = Execution(
            project_of(plan),
            plan,
            given["run"],
            elsewhere,
            round=given["round"],
            remembered=Remembered.from_json(given["remembered"]),
            queue=given["queue"],
            lost_after=given["lost_after"],
            stop=self.stopped,
        )
        return execution, TemporalScope.from_json(execution, given)

    async def in_order(self, scope: TemporalScope, work: Coroutine[Any, Any, JsonObject]) -> JsonObject:
        """Let the work end in order where somebody cancels the execution: as at a signal."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                try:
                    await workflow.wait_condition(task.done)
                except asyncio.CancelledError:
                    if self.cancelled:
                        raise
                    self.cancelled = True
                    self.stop(Status.TERMINATED.value)
            return task.result()
        finally:
            scope.close()

    def answer(self, scope: TemporalScope, belongs: Belongs | None) -> JsonObject:
        """Say what every part says at its end.

        That is what is to be remembered of it (None of one that is whole), the newest round in which anything was done, and
        the steps of unknown outcome.
        """
        assert self.execution is not None
        assert scope.newest.outer is not None
        return {
            "remembered": self.execution.remembered.part(belongs) if belongs else None,
            "newest": scope.newest.outer.execution,
            "unknown": self.execution.unknown,
        }

    @workflow.signal
    def stop(self, status: str) -> None:
        """Stop, as the run does."""
        self.stopped = self.stopped or Status(status)
        if self.execution is not None:
            self.execution.stop = self.execution.stop or self.stopped

    @workflow.query
    def progress(self, since: int) -> JsonObject:
        """Say how far it is, as the run does."""
        return self.execution.progress(since) if self.execution is not None else EMPTY


@workflow.defn(name=CALL, sandboxed=False)
class CallWorkflow(_Part):
    """A workflow that another one calls."""

    @workflow.run
    async def run(self, given: JsonObject) -> JsonObject:
        """Interpret it; gives what it `returned`, and what every part gives. One that succeeded is remembered as a whole."""
        execution, scope = self.begin(given, Children())
        invocation = Interpreter.invocation_of(
            execution.project, execution.plan, execution.run, given["invocation"]
        )
        returned = await self.in_order(scope, invocation.within(scope))
        whole = returned["error"] is None and execution.queue is None
        answer = {"returned": returned, **self.answer(scope, None if whole else _all)}
        return (
            answer
            if too_large(answer) is None
            else _fitting({**answer, "returned": results.without_outputs(returned)})
        )


@workflow.defn(name=SLICE, sandboxed=False)
class SliceWorkflow(_Part):
    """Some items of one action of a run."""

    def __init__(self) -> None:
        super().__init__()
        self.halted = False

    @workflow.run
    async def run(self, given: JsonObject) -> JsonObject:
        """Perform the items.

        Gives what came of them, `succeeded` (index and round of each that did), and what every part gives; of items that
        succeeded nothing else is remembered.
        """
        execution, scope = self.begin(given, ChildrenOfSlice())
        items = _Items(execution, scope, given)
        gathered = await self.in_order(scope, items.block.run(scope, lambda: self.halted))
        done = {f"{items.block.key}[{at}]" for at in items.succeeded} if execution.queue is None else set()
        return _fitting(
            {
                "gathered": gathered,
                "succeeded": sorted(items.succeeded.items()),
                **self.answer(scope, lambda key: key[: key.index("]", len(items.block.key)) + 1] not in done),
            }
        )

    @workflow.signal
    def halt(self) -> None:
        """Start no item any more."""
        self.halted = True


class _Items:
    """The items, of which those that an earlier round did are known."""

    def __init__(self, execution: Execution, scope: TemporalScope, given: JsonObject) -> None:
        self._round = execution.round
        self._scope = scope
        self._kept: dict[int, tuple[int, JsonObject]] = {
            int(at): (number, found) for at, (number, found) in given["kept"].items()
        }
        self.succeeded: dict[int, int] = {at: number for at, (number, _) in self._kept.items()}
        block = Interpreter.block_of(execution.project, execution.plan, scope, given["block"])
        self._once = block.once
        self.block = Block(
            block.key,
            block.shared,
            block.items,
            self._item,
            first=block.first,
            concurrency=given["width"],
            goes_on=block.goes_on,
        )

    async def _item(self, ref: JsonObject, scope: Any) -> JsonObject:
        at = ref["index"]
        if at in self._kept:
            number, known = self._kept[at]
            self._scope.newest.see(number)
            return known
        result = await self._once(ref, scope)
        if result["status"] == "succeeded":
            self.succeeded[at] = self._round
        return result


def _fitting(answer: JsonObject) -> JsonObject:
    """Give an answer, or how much it is where that is too much."""
    size = too_large(answer)
    return answer if size is None else {"too_large": size}


def _all(_: str) -> bool:
    return True
