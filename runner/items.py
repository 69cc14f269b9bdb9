"""The items of a `for_each`: performed a few at a time in their order, and what is kept of them.

Outputs are kept. Of single items only counts, times, the first few and the failed ones are: a report stays small however
many items there were, and so does memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import field, fields
from typing import Any, overload

from runner.errors import Failure, FailureKind, JsonObject
from runner.frozen import dataclass
from runner.result import Status
from runner.scope import RunStoppedError, Scope

SAMPLED = 3
"""How many items are listed in a report for their own sake: the first ones."""

MOST_FAILED_LISTED = 100
"""How many failed items are listed in a report with what was sent and answered."""

MOST_ERRORS = 1000
"""How many failed items templates see under `actions.ID.error.failed`."""


class Block(Sequence[JsonObject]):
    """The items of one action, as references that are made when they are asked for.

    `key` is the path of the action; the key of item 17 is `key[17]`. `first` is the index of the first item, for a
    slice. `once` performs one reference in a scope. `goes_on` says that a failed item keeps no other from starting.
    """

    def __init__(
        self,
        key: str,
        shared: JsonObject,
        items: Sequence[Any],
        once: Callable[[JsonObject, Scope], Awaitable[JsonObject]],
        *,
        first: int = 0,
        concurrency: int = 1,
        goes_on: bool = False,
    ) -> None:
        self.key = key
        self.shared = shared
        self.items = items
        self.first = first
        self.concurrency = concurrency
        self.goes_on = goes_on
        self.once = once

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, at: int) -> JsonObject: ...

    @overload
    def __getitem__(self, at: slice) -> "Block": ...

    def __getitem__(self, at: int | slice) -> "JsonObject | Block":
        if isinstance(at, slice):
            start, _, step = at.indices(len(self.items))
            assert step == 1, "a slice of items is a stretch of them"
            return Block(
                self.key,
                self.shared,
                self.items[at],
                self.once,
                first=self.first + start,
                concurrency=self.concurrency,
                goes_on=self.goes_on,
            )
        index = self.first + (at if at >= 0 else len(self.items) + at)
        return {**self.shared, "key": f"{self.key}[{index}]", "item": self.items[at], "index": index}

    def to_json(self) -> JsonObject:
        """Give the block as JSON without secrets: `Interpreter.block_of` makes it again, in another process too."""
        return {"key": self.key, "shared": self.shared, "items": list(self.items), "first": self.first}

    async def run(self, scope: Scope, halted: Callable[[], bool] = lambda: False) -> JsonObject:
        """Perform the items in `scope`, at most `concurrency` at a time, each started in its order.

        The first failure that nobody handles starts no new item, nor does a stop; what runs then ends and is kept.
        Nor does `halted`, which is asked before each item. Gives a `Gathered` as JSON; a stop is in it, and not raised.
        """
        course = _Course(self, scope, halted)
        width = min(self.concurrency, len(self.items))
        if width <= 1:
            await course.work()
        else:
            workers = [asyncio.create_task(course.work()) for _ in range(width)]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
        return course.gathered.to_json()


class _Course:
    """A block on its way: which item is next, and whether there is a next one."""

    def __init__(self, block: Block, scope: Scope, halted: Callable[[], bool]) -> None:
        self.block = block
        self.scope = scope
        self.gathered = Gathered(first=block.first, outputs=[None] * len(block))
        self.halted = halted
        self.next = 0
        self.ended = False

    async def work(self) -> None:
        """Take one item after another until there is none, or none may be started."""
        block, gathered = self.block, self.gathered
        while self.next < len(block) and not self.ended and not self.halted():
            at, self.next = self.next, self.next + 1
            try:
                result = await block.once(block[at], self.scope)
            except RunStoppedError as stop:
                self.ended = True
                gathered.stop(stop)
                if stop.result is None:
                    continue  # it was not begun
                result = stop.result
            gathered.add(block.first + at, result)
            self.ended = self.ended or (result["status"] == "failed" and not block.goes_on)
            counts = {"items": len(block), "done": gathered.done, "failed": gathered.failed}
            self.scope.advanced(block.key, counts)


@dataclass(slots=True, kw_only=True)
class Gathered:
    """What came of a block, or of a slice of it. `seconds` and `longest` add up the times of single items.

    `outputs` has null for an item that was skipped, failed or was not started. `failure` is that of the first failed
    item. `stopped` says what stopped it, as status and depth.
    """

    first: int = 0
    outputs: list[Any] = field(default_factory=list)
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    sensitive: bool = False
    failure: JsonObject | None = None
    errors: list[JsonObject] = field(default_factory=list)
    listed: list[JsonObject] = field(default_factory=list)
    stopped: JsonObject | None = None

    @property
    def done(self) -> int:
        """How many items have ended."""
        return self.succeeded + self.failed + self.skipped

    def to_json(self) -> JsonObject:
        """Give it as JSON, without a copy of the outputs."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def merged(cls, parts: Iterable[Mapping[str, Any]]) -> "Gathered":
        """Put the slices of a block together, in their order."""
        whole = cls()
        for part in parts:
            whole.outputs += part["outputs"]
            for name in ("succeeded", "failed", "skipped", "seconds"):
                setattr(whole, name, getattr(whole, name) + part[name])
            whole.longest = max(whole.longest, part["longest"])
            whole.sensitive = whole.sensitive or part["sensitive"]
            whole.failure = whole.failure or part["failure"]
            if part["stopped"] is not None:
                whole._stop(part["stopped"])
            whole.errors += part["errors"][: MOST_ERRORS - len(whole.errors)]
            for item in part["listed"]:
                whole._list(item)
        return whole

    def add(self, index: int, result: JsonObject) -> None:
        """Keep of an item what is kept."""
        status = result["status"]
        record = result.get("record") or {}
        took = float(record.get("duration") or 0.0)
        self.seconds += took
        self.longest = max(self.longest, took)
        self.sensitive = self.sensitive or bool(result.get("sensitive"))
        if status == "succeeded":
            self.succeeded += 1
            self.outputs[index - self.first] = result.get("output")
        elif status == "skipped":
            self.skipped += 1
        else:
            self.failed += 1
            error = {"index": index, **result["error"]}
            if self.failure is None or index < self.failure["index"]:
                self.failure = error
            if len(self.errors) < MOST_ERRORS:
                self.errors.append({name: error[name] for name in ("index", "kind", "message")})
        if index < SAMPLED or status == "failed":
            shown = {"index": index, "status": status, **record}
            if status == "failed":
                shown["error"] = result["error"]
            self._list(shown)

    def _list(self, shown: JsonObject) -> None:
        failed = sum(item["status"] == "failed" for item in self.listed)
        if shown["status"] != "failed" or failed < MOST_FAILED_LISTED:
            self.listed.append(shown)

    def stop(self, stop: RunStoppedError) -> None:
        """Keep what stopped the block."""
        self._stop({"status": stop.status.value, "depth": stop.depth})

    def _stop(self, stopped: JsonObject) -> None:
        """Of several stops what concerns more calls counts most."""
        if self.stopped is None or stopped["depth"] < self.stopped["depth"]:
            self.stopped = stopped

    def result(self, count: int) -> JsonObject:
        """Give the result of the whole action."""
        shown: JsonObject = {
            "count": count,
            **{name: getattr(self, name) for name in ("succeeded", "failed", "skipped")},
            "not_started": count - self.done,
            "seconds": round(self.seconds, 6),
            "longest": round(self.longest, 6),
            "listed": sorted(self.listed, key=lambda item: int(item["index"])),
        }
        result: JsonObject = {"status": "succeeded", "record": {"items": shown}}
        if self.sensitive:
            result["sensitive"] = True
        else:
            result["output"] = self.outputs
        if self.failure is not None or self.stopped is not None:
            result |= {"status": "failed", "error": self._failure(count).to_json()}
            result["error"]["failed"] = sorted(self.errors, key=lambda error: int(error["index"]))
        return result

    def _failure(self, count: int) -> Failure:
        """Say which items failed, and with what; the place is that of the first."""
        left = count - self.done
        rest = f"; {left} {'was' if left == 1 else 'were'} not started" if left else ""
        if self.failure is None:
            assert self.stopped is not None
            status = Status(self.stopped["status"])
            why = "its time was up" if status is Status.TIMED_OUT else f"the run was {status.value}"
            return Failure(
                kind=FailureKind.CANCELLED, message=f"{why} after {self.done} of {count} items{rest}"
            )
        told = sorted(self.errors, key=lambda error: int(error["index"]))[:3]
        said = "; ".join(f"item {error['index']}: {error['message']}" for error in told)
        more = f"; and {self.failed - len(told)} more" if self.failed > len(told) else ""
        first = Failure.from_json(self.failure)
        return Failure(
            kind=first.kind,
            message=f"{self.failed} of {count} items failed: {said}{more}{rest}",
            help=first.help,
            span=first.span,
        )
