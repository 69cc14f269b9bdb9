"""What those who follow a run are told: of the run itself, and of what goes on in its children."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from runner.backends.temporal import results
from runner.errors import JsonObject, RunnerError
from runner.result import ActionResult
from runner.watching import Observer

Progress = Mapping[str, Any]
Ask = Callable[[str, int], Awaitable[Progress]]
"""Asks the execution of a name how far it is, with the number of settled actions that are known already."""

_MOST_ASKED = 32
"""Children of one execution that are asked, the oldest: more of them answer later than they are of use."""


class Following:
    """Tells an observer, if any, each thing once, in one round of a run; `finished` are the actions by key, as they ended."""

    def __init__(self, ask: Ask, observer: Observer | None) -> None:
        self._ask = ask
        self._observer = observer
        self._seen: Counter[str] = Counter()
        self.finished: dict[str, ActionResult] = {}
        self._started: set[str] = set()
        self._counts: dict[str, JsonObject] = {}
        self._warned = 0

    def seen(self, name: str) -> int:
        """Say how many settled actions of an execution are known."""
        return self._seen[name]

    async def tell(self, name: str, progress: Progress) -> None:
        """Tell what a run says of itself, and what its children say meanwhile."""
        counts: dict[str, JsonObject] = {}
        await self._tell(name, progress, counts)
        for key, count in counts.items():
            known = self._counts.get(key)
            if known is None or count["done"] > known["done"]:
                self._counts[key] = count
                if count["done"] and self._observer is not None:
                    self._observer.advanced(key, count)
        for text in progress["warnings"][self._warned :]:
            if self._observer is not None:
                self._observer.warned(text)
        self._warned = len(progress["warnings"])

    async def _tell(self, name: str, progress: Progress, counts: dict[str, JsonObject]) -> None:
        for key, count in progress["counts"].items():
            _add(counts, key, count)
        for key in progress["steps"]:
            if key not in self._started and self._observer is not None:
                self._started.add(key)
                self._observer.started(key, {})
        for each in progress["settled"]:
            self._tell_finished(results.unpack_action(each))
        self._seen[name] += len(progress["settled"])
        children = progress["children"][:_MOST_ASKED]
        answers = await asyncio.gather(*(self._of_child(child) for child in children))
        for child, answer in zip(children, answers, strict=True):
            if answer is not None:
                await self._tell(child, answer, counts)

    async def _of_child(self, name: str) -> Progress | None:
        try:
            return await self._ask(name, self._seen[name])
        except RunnerError:  # it does not answer now: what came of it is in the results
            return None

    def _tell_finished(self, result: ActionResult) -> None:
        """Tell how an action ended; of a call first how those inside of it did."""
        if result.key in self.finished:
            return
        for inner in results.inside(result):
            self._tell_finished(inner)
        self.finished[result.key] = result
        if self._observer is not None:
            self._observer.finished(result)


def _add(counts: dict[str, JsonObject], key: str, count: JsonObject) -> None:
    """Add what slices of a block say to what the block says of those that have ended."""
    known = counts.get(key)
    if known is None:
        counts[key] = dict(count)
    else:
        known["items"] = max(known["items"], count["items"])
        known["done"] += count["done"]
        known["failed"] += count["failed"]
