"""One list of actions on its way: which may start, and when none may any more."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from runner.model import Action
from runner.order import Order
from runner.scope import RunStoppedError


class Course:
    """Runs a list in its order: what may start does, in the order of the file.

    `perform` does an action and tells whether the list goes on after it; `skip` records one that is not started, with
    the reason. The first failure, or a stop, starts nothing new; what runs then ends. It waits for its own tasks and for
    nothing else.
    """

    def __init__(
        self,
        actions: Sequence[Action],
        order: Order,
        perform: Callable[[Action], Awaitable[bool]],
        skip: Callable[[Action, str], None],
    ) -> None:
        self._order = order
        self._perform = perform
        self._skip = skip
        self._waiting = {action.id: action for action in actions}
        self._unmet = {action.id: set(order.direct(action)) for action in actions}
        self._after: dict[str, list[Action]] = {}
        for action in actions:
            for name in self._unmet[action.id]:
                self._after.setdefault(name, []).append(action)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failed: str | None = None
        self._stop: RunStoppedError | None = None
        self._end: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Run the list; raises the RunStoppedError that ended it, after everything that ran has ended."""
        self._end = asyncio.get_running_loop().create_future()
        try:
            self._advance([action for action in self._waiting.values() if not self._unmet[action.id]])
            await self._end
        finally:  # where it is cancelled, or a bug came through
            left = list(self._running.values())
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        if self._stop is not None:
            raise self._stop

    def _advance(self, ready: Sequence[Action]) -> None:
        """Start what may start; after a failure or a stop, skip the rest."""
        assert self._end is not None
        if self._failed is not None or self._stop is not None:
            waiting, self._waiting = self._waiting, {}
            for action in waiting.values():
                self._skip(action, self._reason(action))
        else:
            for action in ready:
                del self._waiting[action.id]
                self._running[action.id] = asyncio.create_task(self._one(action))
        if not self._running and not self._end.done():
            assert not self._waiting, "a cycle of `needs` came through the checks"
            self._end.set_result(None)

    def _freed(self, ended: Action) -> Iterator[Action]:
        """Give the actions that waited for this one only."""
        for action in self._after.get(ended.id, ()):
            self._unmet[action.id].discard(ended.id)
            if not self._unmet[action.id] and action.id in self._waiting:
                yield action

    def _reason(self, action: Action) -> str:
        if self._stop is not None:
            return "the run was stopped"
        if self._failed is not None and self._order.is_before(self._failed, action):
            return "an action before it failed"
        return f"'{self._failed}' failed"

    async def _one(self, action: Action) -> None:
        assert self._end is not None
        try:
            try:
                if not await self._perform(action):
                    self._failed = self._failed or action.id
            except RunStoppedError as stop:
                if self._stop is None or stop.depth < self._stop.depth:
                    self._stop = stop
            del self._running[action.id]
            self._advance(list(self._freed(action)))
        except BaseException as problem:
            if self._end.done():
                raise
            self._end.set_exception(problem)
