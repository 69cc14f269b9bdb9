"""Runs in this process and remembers nothing: the stateless way."""

import asyncio
from collections.abc import Sequence

from runner.errors import Failure, FailureKind, JsonObject
from runner.invocation import Invocation
from runner.items import Block
from runner.perform import Watcher, perform
from runner.result import ActionResult, Status
from runner.scope import RunStoppedError, StepFailedError
from runner.session import Session
from runner.watching import Observer, Stop

GRACE = 10.0
"""Seconds that an action in flight gets to end after a signal: what it does then has a known outcome."""

CLEANUP_BUDGET = 300.0
"""Seconds for `on_failure` and `finally` together."""


class MemoryScope:
    """A scope of one run in this process. `deadline` is in seconds of the event loop's clock.

    `depth` says how many calls deep it is, `outer` which deadlines hold beside its own: those of the calls around it, with
    their depths. A `final` one is that of `on_failure` and `finally`: no signal stops it.
    """

    def __init__(
        self,
        session: Session,
        observer: Observer,
        stop: Stop,
        deadline: float,
        *,
        final: bool = False,
        depth: int = 0,
        outer: Sequence[tuple[float, int]] = (),
    ) -> None:
        self._session = session
        self._observer = observer
        self._stop = stop
        self._final = final
        self._depth = depth
        self._deadlines = (*outer, (deadline, depth))
        self._deadline = min(self._deadlines)[0]

    async def step(self, key: str, ref: JsonObject) -> JsonObject:
        """Perform the action; a signal lets it end within the grace, the deadline ends it at once."""
        self._check()
        self._observer.started(key, {})
        loop = asyncio.get_running_loop()
        limit = asyncio.timeout_at(self._deadline)
        watcher = _Watcher(self._observer)

        def soon() -> None:
            if not limit.expired():
                limit.reschedule(min(self._deadline, loop.time() + GRACE))

        try:
            async with limit:
                if not self._final:
                    self._stop.listen(limit, soon)
                result = await perform(ref, self._session, watcher)
        except TimeoutError:
            if not limit.expired():
                raise
            stop = self._stopped()
            raise RunStoppedError(
                stop.status, _cancelled(stop.status, watcher.record), depth=stop.depth
            ) from None
        finally:
            self._stop.forget(limit)
        if result["status"] == "failed" and not ref["handled"]:
            raise StepFailedError(result)
        return result

    async def block(self, key: str, block: Block) -> JsonObject:
        """Perform the items here."""
        del key
        return await block.run(self)

    async def call(self, key: str, invocation: Invocation) -> JsonObject:
        """Interpret the called workflow here."""
        del key
        return await invocation.run(self)

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
            raise self._stopped()

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

    def advanced(self, key: str, counts: JsonObject) -> None:
        """Tell the observer."""
        self._observer.advanced(key, counts)

    def ran_out(self, key: str) -> None:
        """Remember nothing."""

    def called(self, key: str, timeout: float | None) -> "MemoryScope":
        """Give the scope of a called workflow."""
        del key
        deadline = float("inf") if timeout is None else asyncio.get_running_loop().time() + timeout
        return MemoryScope(
            self._session,
            self._observer,
            self._stop,
            deadline,
            final=self._final,
            depth=self._depth + 1,
            outer=self._deadlines,
        )

    def cleanup(self, *, stopped: bool) -> "MemoryScope":
        """Give a scope that an earlier stop does not touch. All that is cleaned up after one stop shares one budget."""
        now = asyncio.get_running_loop().time()
        deadline = now + CLEANUP_BUDGET
        if stopped or self._left() <= 0:
            deadline = self._stop.cleanup_until = min(self._stop.cleanup_until, deadline)
        return MemoryScope(self._session, self._observer, self._stop, deadline, final=True, depth=self._depth)

    def _left(self) -> float:
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    def _check(self) -> None:
        if self._left() <= 0 or (self._stop.status is not None and not self._final):
            raise self._stopped()

    def _stopped(self) -> RunStoppedError:
        """Say what stops this scope now."""
        if self._stop.status is not None and not self._final:
            return RunStoppedError(self._stop.status)
        now = asyncio.get_running_loop().time()
        over = [depth for deadline, depth in self._deadlines if deadline <= now]
        return RunStoppedError(Status.TIMED_OUT, depth=min(over, default=min(self._deadlines)[1]))


class _Watcher(Watcher):
    """Passes what happens inside a step on to the observer; `record` is what is known of a step that was given up."""

    __slots__ = ("_observer", "record")

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.record: JsonObject = {}

    def cut(self, record: JsonObject) -> None:
        self.record = record

    def retrying(self, key: str, data: JsonObject) -> None:
        self._observer.retrying(key, data)

    def queued(self, key: str, data: JsonObject) -> None:
        self._observer.queued(key, data)

    def paged(self, key: str, data: JsonObject) -> None:
        self._observer.paged(key, data)


def _cancelled(status: Status, record: JsonObject) -> JsonObject:
    why = "the run's time was up" if status is Status.TIMED_OUT else f"the run was {status.value}"
    failure = Failure(
        kind=FailureKind.CANCELLED,
        message=f"it was in flight when {why}: whether the server acted is not known",
    )
    return {"status": "failed", "error": failure.to_json(), "record": record}
