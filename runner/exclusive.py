"""One run at a time: takes the lock that `concurrency` of a workflow names, or says why the run does not start."""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from runner import template
from runner.bind import limits
from runner.duration import written
from runner.errors import Failure, FailureKind, JsonObject
from runner.history.locks import Queue, Ticket
from runner.model import Workflow
from runner.plan import Plan
from runner.project import Project
from runner.result import Status
from runner.watching import Stop

FIRST_LOOK, LAST_LOOK = 0.05, 1.0
"""Seconds between two looks at the queue: the first one, and what they grow to."""


class NotStartedError(Exception):
    """The run does not start; nothing was sent. `failure` is None where the workflow takes that for no failure."""

    def __init__(self, status: Status, failure: Failure | None, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.failure = failure
        self.reason = reason


def key_of(project: Project, workflow: Workflow, plan: Plan, run: JsonObject) -> str:
    """Render the key; raises FailureError."""
    assert workflow.concurrency is not None
    context: dict[str, Any] = {
        "inputs": plan.inputs,
        "vars": dict(project.vars),
        "environment": plan.environment,
        "run": run,
    }
    most = limits(project.limits, workflow.limits).template_output
    given = workflow.vars.items()
    context["vars"] |= {name: template.render(tree, context, limit=most) for name, tree in given}
    return str(workflow.concurrency.key.render(context, limit=most))


async def enter(
    key: str,
    workflow: Workflow,
    run: JsonObject,
    *,
    state: Path,
    stop: Stop,
    budget: float,
    tell: Callable[[str], None],
) -> Ticket:
    """Take the lock of a key, waiting up to `budget` seconds where the workflow says so; raises NotStartedError."""
    assert workflow.concurrency is not None
    who = {"run": run["id"], "workflow": workflow.name, "pid": os.getpid(), "since": _now()}
    choice = workflow.concurrency.on_conflict
    entered = Queue(state, key).enter(who, wait=choice == "queue")
    if not isinstance(entered, Ticket):
        reason = f"{_holder(entered)} holds the lock '{key}'"
        if choice == "skip":
            raise NotStartedError(Status.SKIPPED, None, reason)
        raise NotStartedError(Status.FAILED, _locked(reason, workflow), reason)
    try:
        await _first(entered, key, workflow, stop=stop, budget=budget, tell=tell)
    except BaseException:
        entered.release()
        raise
    return entered


async def _first(
    ticket: Ticket, key: str, workflow: Workflow, *, stop: Stop, budget: float, tell: Callable[[str], None]
) -> None:
    """Wait until nobody is before this one."""
    end = asyncio.get_running_loop().time() + budget
    pause, told = FIRST_LOOK, ""
    while ahead := ticket.ahead():
        left = end - asyncio.get_running_loop().time()
        line = f"waiting for the lock '{key}': {_holder(ahead)} holds it"
        if len(ahead) > 1:
            line += f", {len(ahead) - 1} more before this one"
        if line != told:
            tell(line)
            told = line
        if left <= 0:
            reason = f"{_holder(ahead)} still held the lock '{key}' after {written(budget)}"
            raise NotStartedError(Status.FAILED, _locked(reason, workflow), reason)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.requested(), min(pause, left))
        if stop.status is not None:
            reason = f"the run was {stop.status.value} while it waited for the lock '{key}'; nothing was sent"
            raise NotStartedError(stop.status, Failure(kind=FailureKind.CANCELLED, message=reason), reason)
        pause = min(pause * 1.5, LAST_LOOK)


def _locked(reason: str, workflow: Workflow) -> Failure:
    assert workflow.concurrency is not None
    return Failure(
        kind=FailureKind.LOCKED,
        message=f"{reason}: not started, nothing was sent",
        help="`concurrency.on_conflict` says what happens then; `runner runs --status running` shows who is at it",
        span=workflow.concurrency.key.span,
    )


def _holder(ahead: list[dict[str, Any]]) -> str:
    first = ahead[0] if ahead else {}
    if not first:
        return "another run"
    return f"run {first.get('run')} ({first.get('workflow')}, process {first.get('pid')}, since {first.get('since')})"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
