"""How fast, and how much at once, one connection is used: shared by all actions and items of a run.

Two bounds hold at the same time. Requests are spaced evenly (the generic cell rate algorithm, ITU-T I.371), after up to
`burst` at once; and a log of the last `requests` moments keeps any window of `per` seconds from holding more than that,
bursts included. Whoever waits is served in the order of arrival; one who gives up takes nothing away.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from runner.model import RateLimit

NOTICED = 1.0
"""Seconds of waiting that are worth telling."""

_LATE = 0.05
"""Seconds by which a sleep may end late without slowing the rate down: the spacing goes on from when it was due."""
_INSTANT = 1e-6
"""Shorter waits are none: a clock that counts from 1970 cannot tell them apart."""


class Throttle:
    """The queue in front of one connection. `clock` gives seconds, `sleep` waits for some."""

    def __init__(
        self,
        concurrency: int,
        rate: RateLimit | None,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._places = asyncio.Semaphore(concurrency)
        self._clock = clock
        self._sleep = sleep
        self._requests = rate.requests if rate is not None else None
        self._line = asyncio.Lock()
        self._queued = 0
        if rate is not None and self._requests is not None:
            self._per = rate.per
            self._interval = rate.per / self._requests
            self._ahead = (rate.burst - 1) * self._interval
            self._due = float("-inf")
            self._taken: deque[float] = deque(maxlen=self._requests)

    @asynccontextmanager
    async def turn(self, waiting: Callable[[float | None], None] | None = None) -> AsyncIterator[None]:
        """Wait for a turn and hold a place while a request is on its way.

        `waiting` is told the seconds that the rate limit is about to cost, where they are worth telling, and None where
        no place has become free for as long: nobody knows how long others take.
        """
        await self._placed(waiting)
        try:
            if self._requests is not None:
                await self._admitted(waiting)
            yield
        finally:
            self._places.release()

    async def _placed(self, waiting: Callable[[float | None], None] | None) -> None:
        told = None
        if waiting is not None and self._places.locked():
            told = asyncio.get_running_loop().call_later(NOTICED, waiting, None)
        try:
            await self._places.acquire()
        finally:
            if told is not None:
                told.cancel()

    async def _admitted(self, waiting: Callable[[float | None], None] | None) -> None:
        self._queued += 1
        try:
            expected = max(0.0, self._delay()) + (self._queued - 1) * self._interval
            if waiting is not None and expected >= NOTICED:
                waiting(expected)
            async with self._line:
                slept = False
                while (delay := self._delay()) > _INSTANT:
                    await self._sleep(delay)
                    slept = True
                now = self._clock()
                self._due = max(self._due, now - _LATE if slept else now) + self._interval
                self._taken.append(now)
        finally:
            self._queued -= 1

    def _delay(self) -> float:
        """Give the seconds until the next request may go."""
        allowed = self._due - self._ahead
        if len(self._taken) == self._requests:
            allowed = max(allowed, self._taken[0] + self._per)
        return allowed - self._clock()
