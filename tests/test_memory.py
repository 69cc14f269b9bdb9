"""The stateless backend: how long an action in flight may take after a stop, and what a run leaves behind."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest

from runner.backends import memory
from runner.backends.memory import CLEANUP_BUDGET, GRACE, MemoryScope
from runner.errors import Failure, FailureKind
from runner.items import Block
from runner.result import Status
from runner.scope import RunStoppedError, StepFailedError
from runner.session import Session
from runner.watching import Stop
from tests.projects import Watched, finished

JsonObject = dict[str, Any]
REF: JsonObject = {"handled": False}
DONE: JsonObject = {"status": "succeeded", "output": 1, "record": {}}
BROKEN: JsonObject = {
    "status": "failed",
    "error": Failure(kind=FailureKind.CONNECTION, message="no").to_json(),
    "record": {},
}


class Work:
    """Stands in for performing an action: takes as long as it is told, and knows whether it was cancelled."""

    def __init__(self, seconds: float = 0.0, result: JsonObject = DONE) -> None:
        self.seconds = seconds
        self.result = result
        self.begun = asyncio.Event()
        self.cancelled = False

    async def __call__(self, ref: JsonObject, session: object, watcher: Any) -> JsonObject:
        self.begun.set()
        watcher.retrying("key", {"attempt": 1, "wait": 0.0, "why": "it failed"})
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return self.result


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GRACE", 0.15)


def with_scope(
    monkeypatch: pytest.MonkeyPatch,
    test: Callable[[MemoryScope, Stop, Watched], Awaitable[Any]],
    work: Work | None = None,
    *,
    left: float = 60.0,
    final: bool = False,
) -> Any:
    """Run a test in a scope with so many seconds left; no task may be left behind."""

    async def whole() -> Any:
        monkeypatch.setattr(memory, "perform", work or Work())
        stop, watched = Stop(), Watched()
        deadline = asyncio.get_running_loop().time() + left
        scope = MemoryScope(cast("Session", None), watched, stop, deadline, final=final)
        try:
            return await test(scope, stop, watched)
        finally:
            await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    return finished(whole())


async def stopped(work: Awaitable[Any]) -> RunStoppedError:
    try:
        result = await work
    except RunStoppedError as stop:
        return stop
    raise AssertionError(f"not stopped: {result}")


def test_the_times_that_people_are_promised() -> None:
    assert (GRACE, CLEANUP_BUDGET) == (10.0, 300.0)


def test_a_step_gives_its_result_and_tells_the_observer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scope: MemoryScope, _: Stop, watched: Watched) -> None:
        assert await scope.step("a", REF) == DONE
        assert watched.events == [("started", "a"), ("retrying", "key")]

    with_scope(monkeypatch, test)


def test_a_failure_is_raised_unless_the_workflow_handles_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scope: MemoryScope, *_: Any) -> None:
        assert await scope.step("a", {"handled": True}) == BROKEN
        with pytest.raises(StepFailedError) as caught:
            await scope.step("a", REF)
        assert caught.value.result == BROKEN
        assert not isinstance(caught.value, Exception)

    with_scope(monkeypatch, test, Work(result=BROKEN))


def test_a_bug_in_a_step_comes_through_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> JsonObject:
        raise KeyError("a bug")

    async def test(scope: MemoryScope, *_: Any) -> None:
        with pytest.raises(KeyError, match="a bug"):
            await scope.step("a", REF)

    with_scope(monkeypatch, test, cast("Work", broken))


# --- stops


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.TERMINATED])
def test_an_action_in_flight_may_end_within_the_grace(
    status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(0.05)

    async def test(scope: MemoryScope, stop: Stop, _: Watched) -> None:
        task = asyncio.create_task(scope.step("a", REF))
        await work.begun.wait()
        stop.request(status)
        assert await task == DONE
        assert (await stopped(scope.step("b", REF))).status is status

    with_scope(monkeypatch, test, work)
    assert not work.cancelled


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.TERMINATED])
def test_after_the_grace_it_is_cancelled_and_its_outcome_is_unknown(
    status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(30)

    async def test(scope: MemoryScope, stop: Stop, _: Watched) -> RunStoppedError:
        task = asyncio.create_task(stopped(scope.step("a", {"handled": True})))
        await work.begun.wait()
        stop.request(status)
        return await task

    began = time.monotonic()
    error = with_scope(monkeypatch, test, work)
    assert 0.1 < time.monotonic() - began < 5
    assert work.cancelled
    assert error.status is status
    assert error.result["status"] == "failed"
    assert error.result["error"] == {
        "kind": "cancelled",
        "message": f"it was in flight when the run was {status.value}: whether the server acted is not known",
    }


def test_the_grace_does_not_reach_beyond_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "GRACE", 30.0)
    work = Work(30)

    async def test(scope: MemoryScope, stop: Stop, _: Watched) -> RunStoppedError:
        task = asyncio.create_task(stopped(scope.step("a", REF)))
        await work.begun.wait()
        stop.request(Status.TERMINATED)
        return await task

    began = time.monotonic()
    assert with_scope(monkeypatch, test, work, left=0.1).status is Status.TERMINATED
    assert time.monotonic() - began < 5


def test_the_deadline_ends_an_action_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(30)
    error = with_scope(monkeypatch, lambda scope, *_: stopped(scope.step("a", REF)), work, left=0.05)
    assert work.cancelled
    assert error.status is Status.TIMED_OUT
    assert error.result["error"]["message"] == (
        "it was in flight when the run's time was up: whether the server acted is not known"
    )


@pytest.mark.parametrize(
    ("left", "request_stop", "status"), [(0.0, False, Status.TIMED_OUT), (60.0, True, Status.TERMINATED)]
)
def test_nothing_starts_after_a_stop(
    left: float, request_stop: bool, status: Status, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()

    async def test(scope: MemoryScope, stop: Stop, watched: Watched) -> None:
        if request_stop:
            stop.request(Status.TERMINATED)
        for error in (await stopped(scope.step("a", REF)), await stopped(scope.sleep("a#sleep", 0.0))):
            assert error.status is status
            assert error.result is None
        assert watched.events == []

    with_scope(monkeypatch, test, work, left=left)
    assert not work.begun.is_set()


def test_the_first_wish_to_stop_counts() -> None:
    async def test() -> None:
        stop = Stop()
        stop.request(Status.INTERRUPTED)
        stop.request(Status.TERMINATED)
        await stop.requested()
        assert stop.status is Status.INTERRUPTED

    asyncio.run(test())


def test_cancelling_the_run_leaves_no_step_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(30)

    async def test(scope: MemoryScope, *_: Any) -> None:
        task = asyncio.create_task(scope.step("a", REF))
        await work.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with_scope(monkeypatch, test, work)
    assert work.cancelled


# --- waits


def test_a_wait_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with_scope(monkeypatch, lambda scope, *_: scope.sleep("a#sleep", 0.05))
    assert 0.04 < time.monotonic() - began < 5


@pytest.mark.parametrize("left", [60.0, 5.0])
def test_a_stop_ends_a_wait_at_once(left: float, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scope: MemoryScope, stop: Stop, _: Watched) -> RunStoppedError:
        task = asyncio.create_task(stopped(scope.sleep("a#sleep", 30)))
        await asyncio.sleep(0)
        stop.request(Status.INTERRUPTED)
        return await task

    began = time.monotonic()
    assert with_scope(monkeypatch, test, left=left).status is Status.INTERRUPTED
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("final", [False, True])
def test_a_wait_does_not_outlast_the_deadline(final: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    error = with_scope(
        monkeypatch, lambda scope, *_: stopped(scope.sleep("a#sleep", 30)), left=0.05, final=final
    )
    assert error.status is Status.TIMED_OUT
    assert time.monotonic() - began < 5


# --- cleanup


def test_cleanup_is_not_stopped_by_what_stopped_the_run_and_has_its_own_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test(scope: MemoryScope, stop: Stop, _: Watched) -> None:
        stop.request(Status.TERMINATED)
        await stopped(scope.step("a", REF))
        cleanup = scope.cleanup(stopped=True)
        assert await cleanup.step("finally/clean", REF) == DONE
        began = time.monotonic()
        await cleanup.sleep("finally/clean#sleep", 0.05)
        assert time.monotonic() - began >= 0.04
        stop.request(Status.INTERRUPTED)
        assert await cleanup.step("finally/more", REF) == DONE

    with_scope(monkeypatch, test, Work(0.01), left=0.0)


def test_a_stop_in_the_middle_of_cleanup_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work(0.25)

    async def test(scope: MemoryScope, stop: Stop, _: Watched) -> None:
        task = asyncio.create_task(scope.cleanup(stopped=False).step("finally/clean", REF))
        await work.begun.wait()
        stop.request(Status.INTERRUPTED)
        assert await task == DONE

    with_scope(monkeypatch, test, work)


def test_cleanup_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CLEANUP_BUDGET", 0.1)
    work = Work(30)

    async def test(scope: MemoryScope, stop: Stop, _: Watched) -> None:
        stop.request(Status.INTERRUPTED)
        cleanup = scope.cleanup(stopped=True)
        first = await stopped(cleanup.step("finally/clean", REF))
        assert first.status is Status.TIMED_OUT
        assert "the run's time was up" in (first.result or {})["error"]["message"]
        assert (await stopped(cleanup.step("finally/next", REF))).result is None

    with_scope(monkeypatch, test, work)
    assert work.cancelled


# --- what comes later


def test_a_block_performs_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scope: MemoryScope, _: Stop, watched: Watched) -> None:
        block = Block("page", REF, ["a", "b"], lambda ref, inside: inside.step(ref["key"], ref))
        gathered = await scope.block("page", block)
        assert (gathered["outputs"], gathered["succeeded"], gathered["stopped"]) == ([1, 1], 2, None)
        assert [key for event, key in watched.events if event == "started"] == ["page[0]", "page[1]"]

    with_scope(monkeypatch, test)


def test_nothing_can_be_told_to_a_process_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(scope: MemoryScope, *_: Any) -> None:
        with pytest.raises(StepFailedError) as caught:
            await scope.wait("approve", "topic", 1.0)
        assert "needs history" in caught.value.result["error"]["message"]

    with_scope(monkeypatch, test)


def test_the_directory_of_a_run_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with_scope(monkeypatch, lambda scope, *_: scope.step("a", REF))
    assert list(tmp_path.iterdir()) == []
