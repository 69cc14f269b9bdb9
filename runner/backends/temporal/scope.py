"""The seam on Temporal: runs inside a Temporal workflow, where time and order are recorded.

A step is an activity. What succeeded is remembered by its key, in the workflow itself, so that a run that failed goes on
where it stopped: in the same execution, after a message that says so.
"""

import asyncio
from dataclasses import field
from datetime import timedelta
from typing import Protocol, Self

from temporalio import exceptions, workflow
from temporalio.common import RetryPolicy

from runner.backends.temporal import LOST_AFTER, PERFORM, named, results
from runner.backends.temporal.codec import too_large
from runner.backends.temporal.remembered import Remembered
from runner.endings import Newest
from runner.errors import Failure, FailureKind, JsonObject
from runner.frozen import dataclass
from runner.history import keeping
from runner.invocation import Invocation
from runner.items import Block
from runner.model import Action
from runner.plan import Plan
from runner.project import Project
from runner.result import ActionResult, Status
from runner.scope import RunStoppedError, StepFailedError

GRACE = 10.0
"""Seconds that an action in flight gets to end after a stop."""

CLEANUP_BUDGET = 300.0
"""Seconds for `on_failure` and `finally` together."""

PINNED_WAIT = 60.0
"""Seconds in which the one worker that holds sensitive outputs must take a step."""

_NEVER = float("inf")
_NOT_TAKEN = exceptions.TimeoutType.SCHEDULE_TO_START


class Elsewhere(Protocol):
    """What takes parts of a run to executions of their own."""

    async def block(self, scope: "TemporalScope", key: str, block: Block) -> JsonObject:
        """Give what `Block.run` gives."""
        ...

    async def call(self, scope: "TemporalScope", key: str, invocation: Invocation) -> JsonObject:
        """Give what `Invocation.run` gives."""
        ...


@dataclass(slots=True)
class Execution:
    """What one Temporal workflow knows of its run, over every resume; a resume begins a new `round`.

    `unknown` names the steps that were in flight when their worker died and that must not simply be sent again. `queue` is
    the one of a worker where sensitive outputs are held, `lost_after` the seconds after which a silent worker is dead. For those who follow the run: what has `settled`, how far blocks
    are, and the `open` steps and children.
    """

    project: Project
    plan: Plan
    run: JsonObject
    elsewhere: Elsewhere
    round: int = 1
    remembered: Remembered = field(default_factory=Remembered)
    unknown: list[str] = field(default_factory=list)
    stop: Status | None = None
    queue: str | None = None
    lost_after: float = LOST_AFTER
    settled: list[ActionResult] = field(default_factory=list)
    counts: dict[str, JsonObject] = field(default_factory=dict)
    open_steps: list[str] = field(default_factory=list)
    open_children: list[str] = field(default_factory=list)

    def begin(self, number: int) -> None:
        """Begin a round: what it took over counts, how the one before it ended does not."""
        self.round = number
        self.stop = None
        self.settled.clear()
        self.counts.clear()
        self.unknown.clear()
        self.remembered.begin()

    def progress(self, since: int) -> JsonObject:
        """Say what ended after the first `since` actions, how far blocks are, what goes on."""
        return {
            "settled": [results.pack_action(each, output=False) for each in self.settled[since:]],
            "counts": self.counts,
            "steps": self.open_steps,
            "children": self.open_children,
        }


EMPTY: JsonObject = {"settled": [], "counts": {}, "steps": [], "children": []}
"""What an execution that has not begun says of its progress."""


class TemporalScope:
    """A scope of one run on Temporal; deadlines are seconds of the workflow's clock. See `MemoryScope` for the rest."""

    def __init__(
        self,
        execution: Execution,
        deadline: float,
        *,
        final: bool = False,
        depth: int = 0,
        outer: tuple[tuple[float, int], ...] = (),
        newest: Newest | None = None,
        floor: int = 0,
    ) -> None:
        self.execution = execution
        self.newest = newest or Newest()
        self.floor = floor
        self.final = final
        self.depth = depth
        self._deadlines = (*outer, (deadline, depth))
        self.deadline = min(self._deadlines)[0]
        self._over = False
        self._timer: asyncio.Task[None] | None = None

    async def step(self, key: str, ref: JsonObject) -> JsonObject:
        """Perform the action on some worker, or give its recorded result."""
        known = self.execution.remembered.steps.get(key)
        if known is not None and known[0] >= self.floor:
            number, result = known
            self.newest.see(number)
            if number < self.execution.round and self._action(ref).kind not in keeping.PURE:
                result = {**result, "record": {**result["record"], "from_history": True}}
        else:
            self._check()
            self.newest.see(self.execution.round)
            if self.floor > 1:  # another ending of the run has idempotency keys of its own
                ref = {**ref, "step": f"{key}@{self.floor}"}
            result = await self._perform(key, ref)
            certain = not result.pop("lost", False)
            if certain and (result["status"] != "failed" or ref["handled"]):
                self.execution.remembered.steps[key] = (self.execution.round, result)
        if result["status"] == "failed" and not ref["handled"]:
            raise StepFailedError(result)
        return result

    async def block(self, key: str, block: Block) -> JsonObject:
        """Perform the items in child workflows."""
        return await self.execution.elsewhere.block(self, key, block)

    async def call(self, key: str, invocation: Invocation) -> JsonObject:
        """Interpret a called workflow in a child workflow."""
        return await self.execution.elsewhere.call(self, key, invocation)

    async def sleep(self, key: str, seconds: float) -> None:
        """Wait by a timer of Temporal."""
        slept = self.execution.remembered.slept
        if key in slept:
            return
        self._check()
        left = self.deadline - workflow.time()
        try:
            await workflow.wait_condition(self._is_stopped, timeout=max(0.0, min(seconds, left)))
        except TimeoutError:
            if left >= seconds:
                slept.add(key)
                return
        raise self.stopped()

    async def wait(self, key: str, topic: str, timeout: float) -> JsonObject:  # noqa: ASYNC109 - the seam's signature
        """Refuse: nothing waits for messages yet."""
        del topic, timeout
        failure = Failure(
            kind=FailureKind.FAILED, message=f"'{key}' waits for messages, which are not there yet"
        )
        raise StepFailedError({"status": "failed", "error": failure.to_json()})

    def settled(self, result: ActionResult) -> None:
        """Keep it for those who follow the run."""
        self.execution.settled.append(result)

    def advanced(self, key: str, counts: JsonObject) -> None:
        """Keep it for those who follow the run."""
        self.execution.counts[key] = counts

    def ran_out(self, key: str) -> None:
        """Forget what the repetitions of an action did."""
        self.execution.remembered.forget(lambda each: each.startswith(f"{key}#"))

    def called(self, key: str, timeout: float | None) -> "TemporalScope":
        """Give the scope of a called workflow."""
        del key
        deadline = _NEVER if timeout is None else workflow.time() + timeout
        return TemporalScope(
            self.execution,
            deadline,
            final=self.final,
            depth=self.depth + 1,
            outer=self._deadlines,
            newest=Newest(self.newest),
            floor=self.floor,
        )

    def cleanup(self, *, stopped: bool) -> "TemporalScope":
        """Give a scope that an earlier stop does not touch."""
        del stopped
        deadline = workflow.time() + CLEANUP_BUDGET
        return TemporalScope(
            self.execution,
            deadline,
            final=True,
            depth=self.depth,
            newest=Newest(self.newest.outer),
            floor=max(self.floor, self.newest.execution),
        )

    def to_json(self) -> JsonObject:
        """Give what it takes to make such a scope in another execution; a deadline that never comes is left out."""
        return {
            "deadlines": [each for each in self._deadlines if each[0] != _NEVER],
            "final": self.final,
            "depth": self.depth,
            "floor": self.floor,
        }

    @classmethod
    def from_json(cls, execution: Execution, data: JsonObject) -> Self:
        """Make the scope of another execution; what is new in it counts by its `newest.outer`."""
        return cls(
            execution,
            _NEVER,
            final=data["final"],
            depth=data["depth"],
            outer=tuple((deadline, depth) for deadline, depth in data["deadlines"]),
            newest=Newest(Newest()),
            floor=data["floor"],
        )

    def close(self) -> None:
        """End the timer of the deadline."""
        if self._timer is not None:
            self._timer.cancel()

    def _action(self, ref: JsonObject) -> Action:
        found = self.execution.project.workflows[ref["workflow"]]
        return next(each for each in found.every_action if each.key == ref["action"])

    async def _perform(self, key: str, ref: JsonObject) -> JsonObject:
        action = self._action(ref)
        given = {"run": self.execution.run, "ref": ref}
        if size := too_large(given):
            return over_limit(f"what it reads of earlier actions, and its inputs, are {size}")
        handle = workflow.start_activity(
            PERFORM,
            given,
            task_queue=self.execution.queue,
            activity_id=named(key),
            schedule_to_start_timeout=timedelta(seconds=PINNED_WAIT) if self.execution.queue else None,
            start_to_close_timeout=timedelta(seconds=max(60.0, self._left()) + GRACE),
            heartbeat_timeout=timedelta(seconds=self.execution.lost_after),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1),
                maximum_interval=timedelta(seconds=10),
                maximum_attempts=0 if harmless(self.execution.project, action) else 1,
            ),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        self.execution.open_steps.append(key)
        try:
            await self._until(handle)
            if not handle.done():
                handle.cancel()
            result: JsonObject = await handle
        except exceptions.ActivityError as problem:
            return {**self._without_result(key, action, problem), "lost": True}
        finally:
            self.execution.open_steps.remove(key)
        return result

    async def _until(self, handle: "workflow.ActivityHandle[JsonObject]") -> None:
        """Wait until a step ends; its time is up with the scope's, a stop leaves it a grace."""
        self._watch()
        await workflow.wait_condition(lambda: handle.done() or self._over or self._is_stopped())
        if not handle.done() and not self._over:
            try:
                await workflow.wait_condition(handle.done, timeout=min(GRACE, self._left()))
            except TimeoutError:
                return

    def _watch(self) -> None:
        """Start the timer of the deadline, once for all steps of the scope."""
        if self._timer is None and self.deadline != _NEVER:
            self._timer = asyncio.create_task(self._expire())

    async def _expire(self) -> None:
        await asyncio.sleep(self._left())
        self._over = True

    def _without_result(self, key: str, action: Action, problem: exceptions.ActivityError) -> JsonObject:
        cause = problem.cause
        if isinstance(cause, exceptions.CancelledError) and (self._over or self._is_stopped()):
            stop = self.stopped()
            raise RunStoppedError(stop.status, _in_flight(stop.status), depth=stop.depth)
        if isinstance(cause, exceptions.TimeoutError) and cause.type == _NOT_TAKEN:
            return lost(
                "the worker that holds the sensitive outputs of this run takes no more steps",
                "resume the run: what made them is done again where that is harmless",
            )
        if isinstance(cause, exceptions.ApplicationError) and cause.type == "bug":
            return lost(cause.message, "this is a bug of runner.d: please report it")
        if not harmless(self.execution.project, action):
            self.execution.unknown.append(key)
        return lost(
            "its worker died while it was in flight: whether the server acted is not known",
            "look at the API, then resume the run; --retry-unknown sends it again",
        )

    def _left(self) -> float:
        return max(0.0, self.deadline - workflow.time()) if self.deadline != _NEVER else 24 * 3600.0

    def _is_stopped(self) -> bool:
        return self.execution.stop is not None and not self.final

    def _check(self) -> None:
        if self.deadline <= workflow.time() or self._is_stopped():
            raise self.stopped()

    def stopped(self) -> RunStoppedError:
        """Say what stops this scope now."""
        if self.execution.stop is not None and not self.final:
            return RunStoppedError(self.execution.stop)
        now = workflow.time()
        over = [depth for deadline, depth in self._deadlines if deadline <= now]
        return RunStoppedError(Status.TIMED_OUT, depth=min(over, default=min(self._deadlines)[1]))


def harmless(project: Project, action: Action) -> bool:
    """Tell whether doing an action again does no harm although it may have been done."""
    return keeping.harmless(action, project.connections.get(action.connection or ""))


def lost(message: str, remedy: str) -> JsonObject:
    """Give the result of what has none: nobody knows what came of it."""
    failure = Failure(kind=FailureKind.CANCELLED, message=message, help=remedy)
    return {"status": "failed", "error": failure.to_json(), "record": {}}


def over_limit(message: str) -> JsonObject:
    """Give the result of what is too large to travel."""
    failure = Failure(kind=FailureKind.LIMIT, message=message, help=_LESS)
    return {"status": "failed", "error": failure.to_json(), "record": {}}


_LESS = "give less with `output` of the actions that it comes from"


def _in_flight(status: Status) -> JsonObject:
    why = "the run's time was up" if status is Status.TIMED_OUT else f"the run was {status.value}"
    failure = Failure(
        kind=FailureKind.CANCELLED,
        message=f"it was in flight when {why}: whether the server acted is not known",
    )
    return {"status": "failed", "error": failure.to_json(), "record": {}}
