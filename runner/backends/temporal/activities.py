"""What a worker does for runs: performs steps, with secrets that it reads itself and keeps to itself.

A worker holds a session for each run that it has performed a step of, for as long as steps come: the secrets are read
once, and connections stay open. What a step needs to know of its run, the files above all, it gets from the run's own
history, by the first event; nothing else of it is ever read from anywhere.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import field
from datetime import timedelta

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from runner import calls
from runner.backends.temporal import LOST_AFTER, PERFORM, PREPARE, RELEASE
from runner.backends.temporal.codec import too_large
from runner.backends.temporal.documents import plan_of, project_of
from runner.backends.temporal.limiter import SharedThrottle
from runner.backends.temporal.scope import over_limit
from runner.bind import limits
from runner.errors import Failure, FailureKind, JsonObject, RunnerError, SecretsError
from runner.frozen import dataclass
from runner.model import Connection
from runner.perform import perform
from runner.plan import Plan, find_workflow
from runner.sensitive import Redactor
from runner.session import Session
from runner.throttle import Throttle

IDLE = 30.0
"""Seconds after which the session of a run that nothing was performed of is closed."""

_PINNED_IDLE = 3600.0


class _Session(Session):
    """A session whose rate limits hold over all workers; how much goes on at once is each worker's own."""

    engine: tuple[Client, str]

    def throttle(self, connection: Connection) -> Throttle:
        """Give the queue that every request through a connection passes."""
        rate = connection.rate_limit
        if rate is None or rate.requests is None:
            return super().throttle(connection)
        client, queue = self.engine
        if connection.name not in self.throttles:
            self.throttles[connection.name] = SharedThrottle(
                connection.concurrency,
                rate,
                client=client,
                queue=queue,
                name=f"{connection.name}\n{connection.base_url.text}",
                clock=self.clock,
            )
        return self.throttles[connection.name]


@dataclass(slots=True)
class _Home:
    """The session of one run in this worker: how many steps use it, and since when none does."""

    opening: "asyncio.Task[Session]"
    pinned: bool = False
    users: int = 0
    idle_since: float = 0.0
    warnings: list[str] = field(default_factory=list)


class Activities:
    """The activities of one worker. `queue` is the task queue that it alone serves, `shared` the one of all workers."""

    def __init__(
        self,
        client: Client,
        environ: Mapping[str, str],
        redactor: Redactor,
        *,
        queue: str,
        shared: str,
        lost_after: float,
    ) -> None:
        self._client = client
        self._shared = shared
        self._environ = environ
        self._redactor = redactor
        self._queue = queue
        self._lost_after = lost_after
        self._homes: dict[str, _Home] = {}
        self._plans: dict[str, Plan] = {}

    @activity.defn(name=PERFORM)
    async def perform(self, given: JsonObject) -> JsonObject:
        """Perform a step; what fails is data in the result."""
        try:
            with self._explained():
                async with self._alive(), self._session(given["run"]) as session:
                    result = await perform(given["ref"], session)
                    size = too_large(result)
                    return result if size is None else over_limit(f"it was done, and its result is {size}")
        except SecretsError as problem:
            message, remedy = self._told(problem)
            failure = Failure(kind=FailureKind.SECRET_UNAVAILABLE, message=message, help=remedy)
            return {"status": "failed", "error": failure.to_json(), "record": {}}

    @activity.defn(name=PREPARE)
    async def prepare(self, given: JsonObject) -> JsonObject:
        """Read the secrets of a run; says what is wrong with them, and whether it must stay with this worker."""
        run = given["run"]
        answer: JsonObject = {
            "queue": self._queue,
            "pinned": False,
            "problem": None,
            "help": None,
            "warnings": [],
            "lost_after": self._lost_after,
        }
        try:
            async with self._alive(), self._session(run) as session:
                answer["pinned"] = any(
                    action.sensitive
                    for found in calls.reached(session.project, session.workflow)
                    for action in found.every_action
                )
                home = self._homes[run["id"]]
                home.pinned = home.pinned or answer["pinned"]
                answer["warnings"] = list(home.warnings)
        except SecretsError as problem:
            answer["problem"], answer["help"] = self._told(problem)
        return answer

    @activity.defn(name=RELEASE)
    async def release(self, run_id: str) -> None:
        """Close the session of a run."""
        await self._close(run_id)

    async def tidy(self) -> None:
        """Close sessions that nobody uses, for as long as the worker runs."""
        while True:
            await asyncio.sleep(5)
            now = time.monotonic()
            for run_id, home in list(self._homes.items()):
                patience = _PINNED_IDLE if home.pinned else IDLE
                if home.users == 0 and now - home.idle_since > patience:
                    await self._close(run_id)

    async def close(self) -> None:
        """Close every session."""
        for run_id in list(self._homes):
            await self._close(run_id)

    @contextlib.asynccontextmanager
    async def _session(self, run: JsonObject) -> AsyncIterator[Session]:
        """Give the session of a run, opened by the first step that needs it."""
        plan = await self._plan(run)
        home = self._homes.get(run["id"])
        if home is None:
            home = self._homes[run["id"]] = self._opened(run, plan)
        home.users += 1
        try:
            session = await asyncio.shield(home.opening)
            yield session
        except SecretsError:
            if self._homes.get(run["id"]) is home:
                del self._homes[run["id"]]  # the next step asks again: Vault may be there by then
            raise
        finally:
            home.users -= 1
            home.idle_since = time.monotonic()

    def _opened(self, run: JsonObject, plan: Plan) -> _Home:
        project = project_of(plan)
        workflow = find_workflow(project, run["workflow"])
        warnings: list[str] = []

        def warn(text: str) -> None:
            cleaned = self._redactor.text(text)
            if cleaned not in warnings:
                warnings.append(cleaned)

        session = _Session(
            project,
            plan,
            workflow,
            environ=self._environ,
            redactor=self._redactor,
            warn=warn,
            limits=limits(project.limits, workflow.limits),
        )

        session.engine = self._client, self._shared

        async def opening() -> Session:
            try:
                await session.open()
            except BaseException:
                await session.close()
                raise
            return session

        return _Home(asyncio.create_task(opening()), warnings=warnings)

    async def _plan(self, run: JsonObject) -> Plan:
        """Give the plan of a run: kept, or out of the first event of the workflow that asks, which began with it."""
        known = self._plans.get(run["id"])
        if known is not None:
            return known
        info = activity.info()
        handle = self._client.get_workflow_handle(str(info.workflow_id), run_id=info.workflow_run_id)
        async for event in handle.fetch_history_events(page_size=1):
            started = event.workflow_execution_started_event_attributes
            (given,) = await self._client.data_converter.decode(started.input.payloads)
            plan = plan_of(given["plan"])
            if plan.digest != run["digest"]:
                raise ApplicationError(
                    "the files of the run are not those of its digest", type="bug", non_retryable=True
                )
            while len(self._plans) > 256:
                del self._plans[next(iter(self._plans))]
            self._plans[run["id"]] = plan
            return plan
        raise ApplicationError("the run has no first event", type="bug", non_retryable=True)

    async def _close(self, run_id: str) -> None:
        home = self._homes.pop(run_id, None)
        self._plans.pop(run_id, None)
        if home is None:
            return
        with contextlib.suppress(Exception):  # what could not be opened has nothing to close
            await (await home.opening).close()

    def _told(self, problem: SecretsError) -> tuple[str, str | None]:
        told = [f"{each.reference}: {each.message}" for each in problem.problems] or [problem.message]
        helps = [*(each.help for each in problem.problems), problem.help]
        return self._redactor.text("; ".join(told)), next(filter(None, helps), None)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Let nothing but words of ours into the history."""
        try:
            yield
        except (ApplicationError, SecretsError):
            raise
        except RunnerError as problem:
            raise ApplicationError(
                self._redactor.text(problem.message), type="bug", non_retryable=True
            ) from None
        except Exception as problem:
            place = problem.__traceback__
            while place is not None and place.tb_next is not None:
                place = place.tb_next
            where = f" at {place.tb_frame.f_code.co_name}:{place.tb_lineno}" if place is not None else ""
            raise ApplicationError(
                f"{type(problem).__name__}{where}", type="bug", non_retryable=True
            ) from None

    @contextlib.asynccontextmanager
    async def _alive(self) -> AsyncIterator[None]:
        """Say often enough that the worker lives."""
        patience = activity.info().heartbeat_timeout or timedelta(seconds=LOST_AFTER)

        async def beat() -> None:
            while True:
                activity.heartbeat()
                await asyncio.sleep(patience.total_seconds() / 5)

        beating = asyncio.create_task(beat())
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
