"""Rate limits that hold over all workers: one Temporal workflow for each limit says who may go when.

A worker asks it for turns, several at a time, and waits as long as it says. So however many workers there are, no more
requests are begun in any period than the limit permits; waits are relative, no clock is compared with another.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

from runner.backends.temporal import LIMIT
from runner.errors import Failure, FailureError, FailureKind, JsonObject
from runner.model import RateLimit
from runner.throttle import Throttle

_IDLE = timedelta(minutes=10)
_MOST_ASKED = 100
"""Turns that are asked for in one message."""

_LONG = 3000
"""Events of a history after which the limiter begins a new one."""


@workflow.defn(name=LIMIT, sandboxed=False)
class LimitWorkflow:
    """Gives turns: evenly spaced after `burst` at once, and never more than `requests` in any `per` seconds."""

    def __init__(self) -> None:
        self.due = float("-inf")
        self.taken: deque[float] = deque()
        self.asked = False
        self.limit: JsonObject | None = None

    @workflow.run
    async def run(self, given: JsonObject) -> None:
        """Give turns until nobody has asked for a while."""
        self._begin(given)
        while True:
            self.asked = False
            try:
                await workflow.wait_condition(lambda: self.asked, timeout=_IDLE)
            except TimeoutError:
                return
            if workflow.info().get_current_history_length() > _LONG:
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new({**given, "due": self.due, "taken": list(self.taken)})

    @workflow.update
    async def turns(self, given: JsonObject) -> list[float]:
        """Give, for each of `count` turns, the seconds until it comes."""
        self._begin(given)
        self.asked = True
        now = workflow.time()
        return [self._next(given) - now for _ in range(given["count"])]

    def _begin(self, given: JsonObject) -> None:
        if self.limit is None:
            self.limit = given
            self.due = given.get("due", float("-inf"))
            self.taken = deque(given.get("taken", ()), maxlen=given["requests"])

    def _next(self, given: JsonObject) -> float:
        interval: float = given["per"] / given["requests"]
        allowed = self.due - (given["burst"] - 1) * interval
        if len(self.taken) == given["requests"]:
            allowed = max(allowed, self.taken[0] + given["per"])
        at: float = max(workflow.time(), allowed)
        self.due = max(self.due, at) + interval
        self.taken.append(at)
        return at


class SharedThrottle(Throttle):
    """The queue in front of one connection of a worker, whose turns come from the limiter of all workers."""

    def __init__(
        self,
        concurrency: int,
        rate: RateLimit,
        *,
        client: Client,
        queue: str,
        name: str,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(concurrency, None, clock=clock, sleep=asyncio.sleep)
        self._rate = rate
        self._client = client
        self._queue = queue
        said = f"{name}\n{rate.requests}\n{rate.per}\n{rate.burst}"
        self._id = f"runner.d/limit/{hashlib.sha256(said.encode()).hexdigest()[:32]}"
        self._waiting: deque[asyncio.Future[float]] = deque()
        self._asking: asyncio.Task[None] | None = None
        self._requests = rate.requests

    async def _admitted(self, waiting: Callable[[float], None] | None) -> None:
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        delay = await turn
        if waiting is not None and delay >= 1.0:
            waiting(delay)
        await asyncio.sleep(delay)

    async def _ask(self) -> None:
        """Ask for the turns of all who wait, as often as somebody waits."""
        while self._waiting:
            turns = [self._waiting.popleft() for _ in range(min(_MOST_ASKED, len(self._waiting)))]
            turns = [turn for turn in turns if not turn.done()]
            if not turns:
                continue
            rate = self._rate
            given = {"requests": rate.requests, "per": rate.per, "burst": rate.burst, "count": len(turns)}
            try:
                delays: list[float] = await self._client.execute_update_with_start_workflow(
                    "turns",
                    given,
                    start_workflow_operation=WithStartWorkflowOperation(
                        LIMIT,
                        given,
                        id=self._id,
                        task_queue=self._queue,
                        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    ),
                    result_type=list,
                )
            except Exception as problem:  # whatever the server says: those who wait must hear of it
                for turn in turns:
                    if not turn.done():
                        turn.set_exception(_no_turn(problem))
                continue
            for turn, delay in zip(turns, delays, strict=True):
                if not turn.done():
                    turn.set_result(delay)


def _no_turn(problem: Exception) -> FailureError:
    message = f"it was not sent: the engine gave no turn under the `rate_limit` ({type(problem).__name__})"
    remedy = "see whether the engine is well; `runner runs resume` then goes on with this action"
    return FailureError(Failure(kind=FailureKind.CONNECTION, message=message, help=remedy))
