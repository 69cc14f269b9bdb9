"""Runs a plan from end to end in this process: session, interpreter, result."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.backends.history import HistoryScope, Recorder
from runner.backends.memory import MemoryScope
from runner.bind import limits
from runner.engine import Interpreter, Outcome
from runner.errors import Failure, FailureError, FailureKind, JsonObject, SecretsError
from runner.exclusive import NotStartedError, enter, key_of
from runner.frozen import dataclass
from runner.history.keeper import Keeper
from runner.history.locks import Ticket
from runner.history.state import HistoryError
from runner.model import Workflow
from runner.perform import moment
from runner.plan import Plan, find_workflow
from runner.project import Project
from runner.result import RunResult, Status
from runner.scope import Scope
from runner.sensitive import MASK, Redactor
from runner.session import Session
from runner.watching import Observer, Stop

if TYPE_CHECKING:
    from runner.client import Client

DEFAULT_TIMEOUT = 3600.0


async def execute(
    project: Project,
    plan: Plan,
    *,
    environ: Mapping[str, str],
    redactor: Redactor,
    observer: Observer,
    timeout: float | None = None,  # noqa: ASYNC109 - the run's own budget, with cleanup after it
    stop: Stop | None = None,
    client: "Client | None" = None,
    keeper: Keeper | None = None,
    state: Path | None = None,
    tell: Callable[[str], None] | None = None,
) -> RunResult:
    """Run a plan; raises SecretsError or HistoryError before anything is sent where either is unavailable.

    `timeout` is in seconds and wins over the workflow's own. Everything else that goes wrong is in the result. `keeper`
    keeps the history of it, and may bring a run to go on with; `state` is where the locks of `concurrency` are, and `tell`
    takes what is to be said while it waits for one.
    """
    workflow = find_workflow(project, plan.workflow)
    running = _Running(
        project=project,
        plan=plan,
        workflow=workflow,
        run=_identity(plan, keeper),
        redactor=redactor,
        observer=observer,
        keeper=keeper,
        stop=stop or Stop(),
        budget=timeout or workflow.timeout or DEFAULT_TIMEOUT,
    )
    ticket: Ticket | None = None
    clock = time.perf_counter()
    try:
        if workflow.concurrency is not None and state is not None:
            ticket = await running.enter(state, tell or observer.warned)
        outcome = await running.carry_out(environ, client)
    except NotStartedError as problem:
        outcome = Outcome(problem.status, error=problem.failure)
        if problem.failure is None:
            running.warn(f"skipped: {problem.reason}")
    except FailureError as problem:  # the key of the lock
        outcome = Outcome(Status.FAILED, error=problem.failure)
    except SecretsError as problem:
        running.ended(Outcome(Status.FAILED, error=without_secrets(problem)), clock)
        raise
    finally:
        if ticket is not None:
            ticket.release()
    return running.ended(outcome, clock)


def _identity(plan: Plan, keeper: Keeper | None) -> JsonObject:
    """Give what `run` is in templates, and the digest; of a run that is resumed what they were."""
    started = time.time()
    name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(started))}-{secrets.token_hex(4)}"
    before = keeper.resumed if keeper is not None else None
    return {
        "id": before.id if before else name,
        "workflow": plan.workflow,
        "started_at": before.started_at if before else moment(started),
        "user": plan.user,
        "digest": plan.digest,
    }


def without_secrets(problem: SecretsError) -> Failure:
    """Give the failure of a run that did not begin because secrets are unavailable."""
    details = [f"{item.reference}: {item.message}" for item in problem.problems]
    message = problem.message if len(details) <= 1 else f"{problem.message}: {'; '.join(details)}"
    return Failure(kind=FailureKind.SECRET_UNAVAILABLE, message=message, help=problem.help)


@dataclass(kw_only=True)
class _Running:
    """One run on its way."""

    project: Project
    plan: Plan
    workflow: Workflow
    run: JsonObject
    redactor: Redactor
    observer: Observer
    keeper: Keeper | None
    stop: Stop
    budget: float
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        cleaned = self.redactor.text(text)
        if cleaned not in self.warnings:
            self.warnings.append(cleaned)
            self.observer.warned(cleaned)

    async def enter(self, state: Path, tell: Callable[[str], None]) -> Ticket:
        key = key_of(self.project, self.workflow, self.plan, self.run)
        return await enter(
            key, self.workflow, self.run, state=state, stop=self.stop, budget=self.budget, tell=tell
        )

    async def carry_out(self, environ: Mapping[str, str], client: "Client | None") -> Outcome:
        """Read the secrets, note that it begins, interpret."""
        session = Session(
            self.project,
            self.plan,
            self.workflow,
            environ=environ,
            redactor=self.redactor,
            warn=self.warn,
            timeout=self.budget,
            client=client,
            limits=limits(self.project.limits, self.workflow.limits),
        )
        deadline = asyncio.get_running_loop().time() + self.budget
        try:
            if not await _opened(session, self.stop, deadline):
                return _not_started(self.stop)
            session.check_certificates()
            scope: Scope = MemoryScope(session, self.observer, self.stop, deadline)
            if self.keeper is not None:
                journal = self.keeper.begin(self.run, self.plan, self.redactor, self.warn)
                scope = HistoryScope(scope, Recorder(self.project, session, journal))
            return await Interpreter(self.project, self.workflow, self.plan, self.run, scope).interpret()
        finally:
            await session.close()

    def ended(self, outcome: Outcome, clock: float) -> RunResult:
        """Make the result, and note it."""
        result = _result(self.plan, self.run, outcome, self.redactor)
        result = replace(result, duration=time.perf_counter() - clock, warnings=tuple(self.warnings))
        if self.keeper is None:
            return result
        try:
            self.keeper.begin(self.run, self.plan, self.redactor, self.warn)  # where it ended before that
            self.keeper.end(result)
        except HistoryError as problem:
            self.warn(f"{problem.message}: the end of the run is not in the history")
            result = replace(result, warnings=tuple(self.warnings))
        return result


def _result(plan: Plan, run: JsonObject, outcome: Outcome, redactor: Redactor) -> RunResult:
    """Make the result. It is cleaned once more: a secret may have been learnt after it was first seen."""
    actions = (
        replace(
            action,
            output=redactor.data(action.output),
            error=_cleaned(action.error, redactor),
            record=redactor.data(action.record),
        )
        for action in outcome.results
    )
    return RunResult(
        run_id=str(run["id"]),
        workflow=plan.workflow,
        status=outcome.status,
        started_at=str(run["started_at"]),
        duration=0.0,
        user=plan.user,
        environment=plan.environment,
        inputs={**redactor.data(plan.inputs), **dict.fromkeys(plan.secret_inputs, MASK)},
        actions=tuple(actions),
        outputs=redactor.data(outcome.outputs),
        error=_cleaned(outcome.error, redactor),
    )


def _cleaned(failure: Failure | None, redactor: Redactor) -> Failure | None:
    if failure is None:
        return None
    return replace(
        failure,
        message=redactor.text(failure.message),
        help=redactor.text(failure.help) if failure.help else None,
    )


async def _opened(session: Session, stop: Stop, deadline: float) -> bool:
    """Read the secrets; False where a signal or the deadline came first."""
    opening = asyncio.create_task(session.open())
    stopping = asyncio.create_task(stop.requested())
    try:
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        await asyncio.wait([opening, stopping], timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            return False
        opening.result()
        return True
    finally:
        for task in (opening, stopping):
            task.cancel()
        await asyncio.gather(opening, stopping, return_exceptions=True)


def _not_started(stop: Stop) -> Outcome:
    status = stop.status or Status.TIMED_OUT
    message = "the run ended before its secrets were read; nothing was sent"
    return Outcome(status, error=Failure(kind=FailureKind.CANCELLED, message=message))
