"""Runs in this process and remembers nothing: the stateless way."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from runner.engine import RunStoppedError, StepFailedError
from runner.errors import Failure, FailureKind, JsonObject
from runner.perform import Watcher, perform
from runner.result import ActionResult, Status
from runner.session import Session

GRACE = 10.0
"""Seconds that an action in flight gets to end after a signal: what it does then has a known outcome."""

CLEANUP_BUDGET = 300.0
"""Seconds for `on_failure` and `finally` together."""


class Observer(Protocol):
    """Watches a run, to show progress."""

    def started(self, key: str, data: JsonObject) -> None:
        """Be told that an action starts."""
        ...

    def retrying(self, key: str, data: JsonObject) -> None:
        """Be told that an attempt failed and when the next one starts."""
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
        self._event = asyncio.Event()

    def request(self, status: Status) -> None:
        """Ask once; what was asked first counts."""
        if self.status is None:
            self.status = status
            self._event.set()

    async def requested(self) -> None:
        """Wait until somebody asks."""
        await self._event.wait()


class MemoryScope:
    """A scope of one run in this process. `deadline` is in seconds of the event loop's clock."""

    def __init__(
        self, session: Session, observer: Observer, stop: Stop, deadline: float, *, final: bool = False
    ) -> None:
        self._session = session
        self._observer = observer
        self._stop = stop
        self._deadline = deadline
        self._final = final

    async def step(self, key: str, ref: JsonObject) -> JsonObject:
        """Perform the action; a signal lets it end within the grace, the deadline ends it at once."""
        self._check()
        self._observer.started(key, {})
        watcher = _Watcher(self._observer)
        task = asyncio.create_task(perform(ref, self._session, watcher))
        stopping = asyncio.create_task(self._stop.requested())
        try:
            await self._until(task, stopping)
            if not task.done():
                status = self._status()
                task.cancel()
                await asyncio.wait([task])
                raise RunStoppedError(status, _cancelled(status))
            result = task.result()
        finally:
            stopping.cancel()
            if not task.done():
                task.cancel()
            await asyncio.gather(task, stopping, return_exceptions=True)
        if result["status"] == "failed" and not ref["handled"]:
            raise StepFailedError(result)
        return result

    async def block(self, key: str, refs: Sequence[JsonObject]) -> list[JsonObject]:
        """Perform references one after another."""
        return [await self.step(f"{key}[{index}]", ref) for index, ref in enumerate(refs)]

    async def sleep(self, key: str, seconds: float) -> None:
        """Wait, unless the run is stopped first."""
        del key
        self._check()
        left = self._left()
        stopping = asyncio.create_task(self._stop.requested())
        try:
            if self._final:
                await asyncio.sleep(min(seconds, left))
            else:
                await asyncio.wait([stopping], timeout=min(seconds, left))
        finally:
            stopping.cancel()
        if left < seconds or (self._stop.status is not None and not self._final):
            raise RunStoppedError(self._status())

    async def wait(self, key: str, topic: str, timeout: float) -> JsonObject:  # noqa: ASYNC109 - the seam's signature
        """Refuse: a process that remembers nothing cannot be told anything later."""
        del topic, timeout
        raise StepFailedError(
            {
                "status": "failed",
                "error": Failure(kind=FailureKind.FAILED, message=f"'{key}' needs history").to_json(),
            }
        )

    def settled(self, result: ActionResult) -> None:
        """Tell the observer."""
        self._observer.finished(result)

    def cleanup(self, *, stopped: bool) -> "MemoryScope":
        """Give a scope that an earlier stop does not touch."""
        del stopped
        deadline = asyncio.get_running_loop().time() + CLEANUP_BUDGET
        return MemoryScope(self._session, self._observer, self._stop, deadline, final=True)

    async def _until(self, task: "asyncio.Task[JsonObject]", stopping: "asyncio.Task[None]") -> None:
        if self._final:
            await asyncio.wait([task], timeout=self._left())
            return
        await asyncio.wait([task, stopping], timeout=self._left(), return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and stopping.done():
            await asyncio.wait([task], timeout=min(GRACE, self._left()))

    def _left(self) -> float:
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    def _check(self) -> None:
        if self._left() <= 0 or (self._stop.status is not None and not self._final):
            raise RunStoppedError(self._status())

    def _status(self) -> Status:
        if self._stop.status is not None and not self._final:
            return self._stop.status
        return Status.TIMED_OUT


class _Watcher(Watcher):
    """Passes what happens inside a step on to the observer."""

    __slots__ = ("_observer",)

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def retrying(self, key: str, data: JsonObject) -> None:
        self._observer.retrying(key, data)


def _cancelled(status: Status) -> JsonObject:
    why = "the run's time was up" if status is Status.TIMED_OUT else f"the run was {status.value}"
    failure = Failure(
        kind=FailureKind.CANCELLED,
        message=f"it was in flight when {why}: whether the server acted is not known",
    )
    return {"status": "failed", "error": failure.to_json(), "record": {}}
