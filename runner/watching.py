"""Who watches a run from outside, and how it is asked to stop: what every backend is given by those who start it."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from runner.errors import JsonObject
from runner.result import ActionResult, Status


class Observer(Protocol):
    """Watches a run, to show progress."""

    def started(self, key: str, data: JsonObject) -> None:
        """Be told that an action starts."""
        ...

    def retrying(self, key: str, data: JsonObject) -> None:
        """Be told that an attempt failed and when the next one starts."""
        ...

    def advanced(self, key: str, counts: JsonObject) -> None:
        """Be told how far a `for_each` is: `items`, `done`, `failed`."""
        ...

    def queued(self, key: str, data: JsonObject) -> None:
        """Be told that a connection makes a request wait: `wait` seconds for its rate limit, or None for a free place."""
        ...

    def paged(self, key: str, data: JsonObject) -> None:
        """Be told that a page was read: `page`, its number, and `items` of all pages so far."""
        ...

    def finished(self, result: ActionResult) -> None:
        """Be told how an action ended."""
        ...

    def warned(self, text: str) -> None:
        """Be told a warning."""
        ...


class Stop:
    """The wish to stop a run, made from a signal handler."""

    def __init__(self) -> None:
        self.status: Status | None = None
        self.cleanup_until = float("inf")
        self._event = asyncio.Event()
        self._listeners: dict[object, Callable[[], None]] = {}

    def request(self, status: Status) -> None:
        """Ask once; what was asked first counts."""
        if self.status is None:
            self.status = status
            self._event.set()
            for listener in list(self._listeners.values()):
                listener()

    async def requested(self) -> None:
        """Wait until somebody asks."""
        await self._event.wait()

    def listen(self, owner: object, listener: Callable[[], None]) -> None:
        """Call `listener` when somebody asks, until `forget`; at once where somebody has."""
        self._listeners[owner] = listener
        if self.status is not None:
            listener()

    def forget(self, owner: object) -> None:
        """Call it no longer."""
        self._listeners.pop(owner, None)
