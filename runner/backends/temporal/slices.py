"""The items of a `for_each`, in child workflows of some hundred each: no history of Temporal grows without a bound."""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError, FailureError

from runner.backends.temporal import SLICE
from runner.backends.temporal.scope import TemporalScope
from runner.errors import JsonObject
from runner.items import Block, Gathered
from runner.plan import Plan

SLICE_OF = 200
"""Items of one child workflow: some 1,500 events, where Temporal warns at 10,240."""

AT_ONCE = 16
"""Child workflows of one block that go on at the same time."""

HALT = "halt"
"""The signal that no item of a slice is to be started any more."""


async def in_slices(scope: TemporalScope, key: str, block: Block) -> JsonObject:
    """Perform a block in child workflows; gives what `Block.run` gives."""
    return await _Slicing(scope, key, block).run()


class _Slicing:
    """One block on its way."""

    def __init__(self, scope: TemporalScope, key: str, block: Block) -> None:
        self.scope = scope
        self.execution = scope.execution
        self.key = key
        self.block = block
        size = min(SLICE_OF, max(1, -(-len(block) // 2))) if block.concurrency > 1 else SLICE_OF
        self.starts = list(range(0, len(block), size))
        self.size = size
        self.at_once = max(1, min(AT_ONCE, block.concurrency, len(self.starts)))
        self.parts: dict[int, JsonObject] = {}
        self.open: dict[int, workflow.ChildWorkflowHandle[Any, Any]] = {}
        self.ended = False

    async def run(self) -> JsonObject:
        """Go through the slices, some at a time, each started in its order."""
        waiting = list(self.starts)
        lanes = [self.block.concurrency // self.at_once] * self.at_once
        for extra in range(self.block.concurrency % self.at_once):
            lanes[extra] += 1

        async def lane(width: int) -> None:
            while waiting and not self.ended:
                await self._slice(waiting.pop(0), width)

        await asyncio.gather(*(asyncio.create_task(lane(width)) for width in lanes))
        for start in self.starts:  # what was not started has nothing but its place
            count = min(self.size, len(self.block) - start)
            self.parts.setdefault(start, Gathered(first=start, outputs=[None] * count).to_json())
        return Gathered.merged(self.parts[start] for start in self.starts).to_json()

    async def _slice(self, start: int, width: int) -> None:
        part = self.block[start : start + self.size]
        handle = await self._start(start, part, width)
        self.open[start] = handle
        stopping = asyncio.create_task(self._pass_on(handle))
        try:
            answer: JsonObject = await handle
        except ChildWorkflowError as problem:
            raise _lost(problem) from None
        finally:
            stopping.cancel()
            del self.open[start]
        self._keep(start, answer)
        gathered = answer["gathered"]
        self.parts[start] = gathered
        if gathered["stopped"] is not None or (gathered["failed"] and not self.block.goes_on):
            await self._halt()
        done = list(self.parts.values())
        counts = {
            "items": len(self.block),
            "done": sum(each["succeeded"] + each["failed"] + each["skipped"] for each in done),
            "failed": sum(each["failed"] for each in done),
        }
        self.scope.advanced(self.key, counts)

    async def _start(
        self, start: int, part: Block, width: int
    ) -> "workflow.ChildWorkflowHandle[Any, JsonObject]":
        execution = self.execution
        given = {
            "plan": plan_data(execution.plan),
            "run": execution.run,
            "block": part.to_json(),
            "width": width,
            "deadlines": self.scope.deadlines,
            "final": self.scope.final,
            "depth": self.scope.depth,
            "queue": execution.queue,
            "round": execution.round,
            "floor": self.scope.floor,
            "kept": {
                str(at): found
                for at, found in execution.kept.get(self.key, {}).items()
                if start <= at < start + len(part) and found[0] >= self.scope.floor
            },
            "recorded": {
                key: found
                for key, found in execution.recorded.items()
                if _within(key, self.key, start, start + len(part))
            },
        }
        name = f"{self.key}[{start}:{start + len(part)}]"
        return await workflow.start_child_workflow(
            SLICE, given, id=f"{workflow.info().workflow_id}/{name}", result_type=dict, static_summary=name
        )

    def _keep(self, start: int, answer: JsonObject) -> None:
        """Remember what succeeded: whole items by index, steps of the others by key."""
        kept = self.execution.kept.setdefault(self.key, {})
        outputs = answer["gathered"]["outputs"]
        hidden = {"sensitive": True} if answer["gathered"]["sensitive"] else None
        for at, number in answer["succeeded"]:
            kept[at] = (
                number,
                {"status": "succeeded", "record": {}, **(hidden or {"output": outputs[at - start]})},
            )
        self.execution.recorded |= {
            key: (number, found) for key, (number, found) in answer["recorded"].items()
        }
        self.scope.newest.see(answer["newest"])
        self.execution.unknown += answer["unknown"]

    async def _pass_on(self, handle: "workflow.ChildWorkflowHandle[Any, Any]") -> None:
        """Tell a slice of a stop of the run."""
        await workflow.wait_condition(lambda: self.execution.stop is not None and not self.scope.final)
        assert self.execution.stop is not None
        with suppress(FailureError):  # it has ended by itself
            await handle.signal("stop", self.execution.stop.value)

    async def _halt(self) -> None:
        self.ended = True
        for handle in list(self.open.values()):
            with suppress(FailureError):  # it has ended by itself
                await handle.signal(HALT)


def plan_data(plan: Plan) -> JsonObject:
    """Give a plan as it travels; `documents.plan_of` makes it again."""
    return {
        "workflow": plan.workflow,
        "documents": dict(plan.documents),
        "inputs": plan.inputs,
        "environment": plan.environment,
        "user": plan.user,
    }


def _within(key: str, block: str, first: int, end: int) -> bool:
    """Tell whether a step belongs to the items `first` to `end` of a block: `page[17]`, `page[17]/send`, `page[17]#2`."""
    if not key.startswith(f"{block}["):
        return False
    number = key[len(block) + 1 :].partition("]")[0]
    return number.isdecimal() and first <= int(number) < end


def _lost(problem: ChildWorkflowError) -> BaseException:
    return ApplicationError(f"a slice of the run ended: {problem.cause or problem}", non_retryable=True)
