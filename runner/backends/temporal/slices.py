"""The items of a `for_each`, in child workflows of some hundred actions each: no history of Temporal grows without a bound."""

import asyncio

from runner.backends.temporal import SLICE
from runner.backends.temporal.children import Child
from runner.backends.temporal.scope import TemporalScope
from runner.errors import JsonObject
from runner.items import Block, Gathered
from runner.model import Action
from runner.project import Project
from runner.scope import StepFailedError

SLICE_OF = 200
"""Actions of one child workflow, of all its items together: some 1,500 events, where Temporal warns at 10,240."""

MOST_SLICES = 2000
"""Slices of one block: each takes about nine events in the history of the run."""

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
        workflow = self.execution.project.workflows[block.shared["workflow"]]
        action = next(each for each in workflow.every_action if each.key == block.shared["action"])
        size = max(1, SLICE_OF // weight(self.execution.project, action), -(-len(block) // MOST_SLICES))
        if block.concurrency > 1:
            size = min(size, max(1, -(-len(block) // 2)))
        self.starts = list(range(0, len(block), size))
        self.size = size
        self.at_once = max(1, min(AT_ONCE, block.concurrency, len(self.starts)))
        self.parts: dict[int, JsonObject] = {}
        self.open: dict[int, Child] = {}
        self.ended = False
        self.lost: StepFailedError | None = None

    async def run(self) -> JsonObject:
        """Go through the slices, some at a time, each started in its order."""
        waiting = list(self.starts)
        lanes = [self.block.concurrency // self.at_once] * self.at_once
        for extra in range(self.block.concurrency % self.at_once):
            lanes[extra] += 1
        self._tell()

        async def lane(width: int) -> None:
            while waiting and not self.ended:
                await self._slice(waiting.pop(0), width)

        await asyncio.gather(*(asyncio.create_task(lane(width)) for width in lanes))
        if self.lost is not None:
            raise self.lost
        for start in self.starts:  # what was not started has nothing but its place
            count = min(self.size, len(self.block) - start)
            self.parts.setdefault(start, Gathered(first=start, outputs=[None] * count).to_json())
        return Gathered.merged(self.parts[start] for start in self.starts).to_json()

    async def _slice(self, start: int, width: int) -> None:
        part = self.block[start : start + self.size]
        end = start + len(part)
        child = Child(
            self.scope, self.key, f"{self.key}[{start}:{end}]", lambda key: _within(key, self.key, start, end)
        )
        self.open[start] = child
        kept = {
            str(at): found
            for at, found in self.execution.remembered.items.get(self.key, {}).items()
            if start <= at < end and found[0] >= self.scope.floor
        }
        try:
            answer = await child.carry_out(SLICE, {"block": part.to_json(), "width": width, "kept": kept})
        except StepFailedError as problem:
            self.lost = self.lost or problem
            await self._halt()
            return
        finally:
            del self.open[start]
        self._keep(start, answer)
        gathered = answer["gathered"]
        self.parts[start] = gathered
        if gathered["stopped"] is not None or (gathered["failed"] and not self.block.goes_on):
            await self._halt()
        self._tell()

    def _tell(self) -> None:
        done = list(self.parts.values())
        counts = {
            "items": len(self.block),
            "done": sum(each["succeeded"] + each["failed"] + each["skipped"] for each in done),
            "failed": sum(each["failed"] for each in done),
        }
        self.scope.advanced(self.key, counts)

    def _keep(self, start: int, answer: JsonObject) -> None:
        """Remember the items that succeeded, as wholes."""
        kept = self.execution.remembered.items.setdefault(self.key, {})
        outputs = answer["gathered"]["outputs"]
        hidden = {"sensitive": True} if answer["gathered"]["sensitive"] else None
        for at, number in answer["succeeded"]:
            kept[at] = (
                number,
                {"status": "succeeded", "record": {}, **(hidden or {"output": outputs[at - start]})},
            )

    async def _halt(self) -> None:
        self.ended = True
        for child in list(self.open.values()):
            await child.tell(HALT)


def weight(project: Project, action: Action) -> int:
    """Say how many actions one item of an action is: more than one where it calls a workflow, waits, or repeats."""
    if action.kind == "workflow":
        each = sum(_weight_inside(project, inner) for inner in project.workflows[action.config].every_action)
    else:
        each = 2 if action.kind == "wait" else 1
    return max(1, each if action.repeat is None else action.repeat.at_most * (each + 1))


def _weight_inside(project: Project, action: Action) -> int:
    """Say likewise of an action of a called workflow: its own items are in slices of their own."""
    return weight(project, action) if action.for_each is None else _SLICES


_SLICES = 5
"""What a block weighs whose items are elsewhere."""


def _within(key: str, block: str, first: int, end: int) -> bool:
    """Tell whether a step belongs to the items `first` to `end` of a block: `page[17]`, `page[17]/send`, `page[17]#2`."""
    if not key.startswith(f"{block}["):
        return False
    number = key[len(block) + 1 :].partition("]")[0]
    return number.isdecimal() and first <= int(number) < end
