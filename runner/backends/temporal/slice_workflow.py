"""A slice of the items of one action of a run, in an execution of its own."""

from typing import Any

from temporalio import workflow

from runner.backends.temporal import SLICE
from runner.backends.temporal.documents import plan_of, project_of
from runner.backends.temporal.scope import Execution, TemporalScope
from runner.engine import Interpreter
from runner.errors import JsonObject
from runner.items import Block
from runner.result import Status


@workflow.defn(name=SLICE, sandboxed=False)
class SliceWorkflow:
    """Some items of one action of a run. What it is given is made by `slices`."""

    def __init__(self) -> None:
        self.execution: Execution | None = None
        self.halted = False
        self.stopped: Status | None = None

    @workflow.run
    async def run(self, given: JsonObject) -> JsonObject:
        """Perform the items.

        Gives what came of them, `succeeded` (index and round of each that did), the steps of the others in `recorded`,
        the `newest` round in which anything was done, and the steps of `unknown` outcome.
        """
        plan = plan_of(given["plan"])
        self.execution = execution = Execution(
            project_of(plan),
            plan,
            given["run"],
            round=given["round"],
            queue=given["queue"],
            stop=self.stopped,
        )
        execution.recorded |= {key: (number, found) for key, (number, found) in given["recorded"].items()}
        scope = _scope(execution, given)
        work = _Work(execution, scope, given)
        try:
            gathered = await work.block.run(scope, lambda: self.halted)
        finally:
            scope.close()
        done = {f"{work.block.key}[{at}]" for at in work.succeeded}
        return {
            "gathered": gathered,
            "succeeded": sorted(work.succeeded.items()),
            "newest": scope.newest.execution,
            "recorded": {
                key: found
                for key, found in execution.recorded.items()
                if key[: key.index("]", len(work.block.key)) + 1] not in done
            },
            "unknown": execution.unknown,
        }

    @workflow.signal
    def halt(self) -> None:
        """Start no item any more."""
        self.halted = True

    @workflow.signal
    def stop(self, status: str) -> None:
        """Stop, as the run does."""
        self.stopped = Status(status)
        if self.execution is not None:
            self.execution.stop = self.execution.stop or self.stopped


class _Work:
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


def _scope(execution: Execution, given: JsonObject) -> TemporalScope:
    deadlines = [(deadline, depth) for deadline, depth in given["deadlines"]]
    own = deadlines[-1] if deadlines else (float("inf"), given["depth"])
    return TemporalScope(
        execution,
        own[0],
        final=given["final"],
        depth=given["depth"],
        outer=tuple(deadlines[:-1]),
        floor=given["floor"],
    )
