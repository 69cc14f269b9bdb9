"""The queue in front of a connection: exact in any window, evenly spaced, fair, and deaf to those who give up."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model import RateLimit
from runner.throttle import Throttle


class Time:
    """A clock that sleepers share: it jumps to the next one who is due when nobody else has anything to do."""

    def __init__(self, late: float = 0.0) -> None:
        self.now = 1000.0
        self.late = late
        self.sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        entry = (self.now + seconds + self.late, len(self.sleepers), future)
        self.sleepers.append(entry)
        try:
            await future
        finally:
            self.sleepers = [item for item in self.sleepers if item is not entry]

    async def run(self, work: Awaitable[Any]) -> Any:
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if not task.done():
                assert self.sleepers, "everybody waits for somebody else"
                due, _, future = min(self.sleepers, key=lambda item: item[:2])
                self.now = max(self.now, due)
                if not future.done():
                    future.set_result(None)
        return task.result()


def throttle(time: Time, concurrency: int = 64, **rate: Any) -> Throttle:
    limit = RateLimit(**rate) if rate else None
    return Throttle(concurrency, limit, clock=lambda: time.now, sleep=time.sleep)


def moments(
    count: int, *, late: float = 0.0, lasts: float = 0.0, **rate: Any
) -> tuple[list[float], list[int]]:
    """Send requests that all come at once; gives when each went out, from 0, and in which order."""
    time = Time(late)
    queue = throttle(time, **rate)
    went: list[float] = []
    order: list[int] = []

    async def one(number: int) -> None:
        async with queue.turn():
            went.append(time.now - 1000.0)
            order.append(number)
            if lasts:
                await time.sleep(lasts)

    async def everyone() -> None:
        await asyncio.gather(*(one(number) for number in range(count)))

    asyncio.run(time.run(everyone()))
    return went, order


def most_in_a_window(went: list[float], per: float) -> int:
    return max(sum(start <= other < start + per - 1e-6 for other in went) for start in went)


def test_requests_are_spaced_evenly() -> None:
    went, order = moments(10, requests=10, per=5.0)
    assert went == pytest.approx([0.5 * number for number in range(10)])
    assert order == [*range(10)]


def test_a_burst_goes_out_at_once_and_is_paid_for_within_the_window() -> None:
    went, _ = moments(14, requests=6, per=6.0, burst=3)
    assert went == pytest.approx([0, 0, 0, 1, 2, 3, 6, 6, 6, 7, 8, 9, 12, 12])


@settings(max_examples=60, deadline=None)
@given(
    requests=st.integers(1, 20),
    per=st.floats(0.01, 3600.0),
    part=st.floats(0.0, 1.0),
    count=st.integers(1, 70),
    late=st.sampled_from([0.0, 0.0005, 0.03, 2.0]),
)
def test_no_window_ever_holds_more(requests: int, per: float, part: float, count: int, late: float) -> None:
    burst = max(1, round(part * requests))
    went, order = moments(count, requests=requests, per=per, burst=burst, late=late)
    assert most_in_a_window(went, per) <= requests
    assert order == [*range(count)]
    assert went == sorted(went)


def test_sleeps_that_end_late_do_not_slow_the_rate_down() -> None:
    went, _ = moments(101, requests=1000, per=1.0, late=0.001)
    assert went[-1] == pytest.approx(0.1, abs=0.003)


def test_no_more_than_the_places_are_taken_at_once() -> None:
    went, order = moments(9, concurrency=3, lasts=2.0)
    assert went == [0, 0, 0, 2, 2, 2, 4, 4, 4]
    assert order == [*range(9)]


def test_who_finds_no_free_place_is_told_once_and_only_after_a_while() -> None:
    async def whole() -> list[float | None]:
        told: list[float | None] = []
        reached = asyncio.Event()

        def waiting(seconds: float | None) -> None:
            told.append(seconds)
            reached.set()

        async def third() -> None:
            async with queue.turn(waiting):
                pass

        queue = Throttle(1, None, clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)
        async with queue.turn(waiting):
            gives_up, waits = asyncio.create_task(third()), asyncio.create_task(third())
            await asyncio.sleep(0)
            gives_up.cancel()
            assert told == []
            await asyncio.wait_for(reached.wait(), 60)
        await waits
        await third()
        return told

    assert asyncio.run(whole()) == [None]


def test_who_gives_up_takes_no_turn_and_blocks_nobody() -> None:
    time = Time()
    queue = throttle(time, 2, requests=1, per=10.0)
    went: list[tuple[str, float]] = []

    async def one(name: str) -> None:
        async with queue.turn():
            went.append((name, time.now - 1000.0))

    async def whole() -> None:
        tasks = {name: asyncio.create_task(one(name)) for name in "abcdef"}
        await time.sleep(1.0)
        for name in "bde":  # b is at the head and asleep, d and e are in line for a place
            tasks[name].cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)

    asyncio.run(time.run(whole()))
    assert went == [("a", 0.0), ("c", 10.0), ("f", 20.0)]


def test_a_long_wait_is_told_and_a_short_one_is_not() -> None:
    time = Time()
    queue = throttle(time, requests=10, per=5.0)
    told: list[float | None] = []

    async def one() -> None:
        async with queue.turn(told.append):
            pass

    async def everyone() -> None:
        await asyncio.gather(*(one() for _ in range(5)))

    asyncio.run(time.run(everyone()))
    assert told == pytest.approx([1.0, 1.5, 2.0])
