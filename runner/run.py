"""Runs a plan from end to end in this process: session, interpreter, result."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.backends.memory import MemoryScope, Observer, Stop
from runner.bind import limits
from runner.engine import Interpreter, Outcome
from runner.errors import Failure, FailureKind, JsonObject
from runner.perform import moment
from runner.plan import Plan, find_workflow
from runner.project import Project
from runner.result import RunResult, Status
from runner.sensitive import MASK, Redactor
from runner.session import Session

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
) -> RunResult:
    """Run a plan; raises SecretsError before anything is sent where a secret is unavailable.

    `timeout` is in seconds and wins over the workflow's own. Everything else that goes wrong is in the result.
    """
    workflow = find_workflow(project, plan.workflow)
    stop = stop or Stop()
    budget = timeout or workflow.timeout or DEFAULT_TIMEOUT
    started = time.time()
    clock = time.perf_counter()
    warnings: list[str] = []

    def warn(text: str) -> None:
        cleaned = redactor.text(text)
        if cleaned not in warnings:
            warnings.append(cleaned)
            observer.warned(cleaned)

    run: JsonObject = {
        "id": f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(started))}-{secrets.token_hex(4)}",
        "workflow": workflow.name,
        "started_at": moment(started),
        "user": plan.user,
        "digest": plan.digest,
    }
    session = Session(
        project,
        plan,
        workflow,
        environ=environ,
        redactor=redactor,
        warn=warn,
        timeout=budget,
        client=client,
        limits=limits(project.limits, workflow.limits),
    )
    deadline = asyncio.get_running_loop().time() + budget
    try:
        if await _opened(session, stop, deadline):
            scope = MemoryScope(session, observer, stop, deadline)
            outcome = await Interpreter(project, workflow, plan, run, scope).interpret()
        else:
            outcome = _not_started(stop)
    finally:
        await session.close()
    result = _result(plan, run, outcome, redactor)
    return replace(result, duration=time.perf_counter() - clock, warnings=tuple(warnings))


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
