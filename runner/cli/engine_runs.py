"""Runs on an engine: submitted, followed, shown, resumed, stopped and deleted from the command line."""

import argparse
import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.cli import running
from runner.cli.output import Output
from runner.cli.unknown_writes import agree_to_send_again
from runner.errors import Exit, JsonObject, UsageError
from runner.frozen import dataclass
from runner.plan import Plan
from runner.project import Project
from runner.reports.json import dumps
from runner.reports.text import outcome
from runner.reports.text.style import Style
from runner.result import ActionResult, RunResult
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.backends.temporal.address import Address
    from runner.backends.temporal.runs import Engine
    from runner.history.runs import Filter


@dataclass(frozen=True, slots=True, kw_only=True)
class OnEngine(running.Going):
    """A run on an engine that is followed: `begin` starts it, or lets it go on, and gives its id and its round."""

    address: "Address"
    begin: "Callable[[Engine], Awaitable[tuple[str, int]]]"
    left_at_once = "not followed any more: the run has been asked to stop, and goes on until it has"

    async def execute(self, signals: running.Signals) -> RunResult:
        """Begin it and follow it to its end."""
        from runner.backends.temporal.runs import engine
        from runner.watching import Stop

        async with engine(self.address, self.settings.environ, self.output.redactor) as found:
            run_id, number = await self.begin(found)
            stop = Stop()
            signals.listen(stop)
            self.output.say(f"run {run_id} on {self.address}")
            return await found.follow(run_id, self.progress(), stop, round_=number)

    def say_how_to_go_on(self, result: RunResult) -> None:
        """Say it where the engine keeps the run open."""
        if result.error is None or result.error.kind != "locked":
            self.output.say(
                f"  = help: `runner runs resume {result.run_id} --engine ...` goes on where it stopped"
            )


def submit(
    options: argparse.Namespace,
    settings: Settings,
    output: Output,
    address: "Address",
    project: Project,
    plan: Plan,
) -> int:
    """Submit a run, and follow it unless that is not wanted."""
    from runner.run import DEFAULT_TIMEOUT

    workflow = project.workflows[plan.workflow]
    now = time.time()
    run_id = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{secrets.token_hex(4)}"
    budget = options.timeout or workflow.timeout or DEFAULT_TIMEOUT
    lock = lock_of(project, plan, run_id, now)

    async def begin(found: "Engine") -> tuple[str, int]:
        await found.submit(project, plan, run_id, budget, lock)
        return run_id, 1

    if options.detach:
        if options.reports:
            raise UsageError("nobody is there to write a report", help="leave --detach or --report out")
        asked(settings, output, address, begin)
        output.data(f"{run_id}\n")
        return int(Exit.DONE)
    return _follow(options, settings, output, project=project, plan=plan, address=address, begin=begin)


def lock_of(project: Project, plan: Plan, run_id: str, now: float) -> JsonObject | None:
    """Render the lock that the `concurrency` of a workflow names."""
    from runner.exclusive import key_of
    from runner.perform import moment

    workflow = project.workflows[plan.workflow]
    if workflow.concurrency is None:
        return None
    run = {"id": run_id, "workflow": workflow.name, "started_at": moment(now), "user": plan.user}
    return {"key": key_of(project, workflow, plan, run), "on_conflict": workflow.concurrency.on_conflict}


def listed(settings: Settings, output: Output, address: "Address", wanted: "Filter") -> JsonObject:
    """Give the list of runs, as the history gives it."""
    runs = asked(settings, output, address, lambda found: found.runs(wanted))
    return {"format": "runner.d/runs/1", "runs": [each.to_json() for each in runs]}


def show(options: argparse.Namespace, settings: Settings, output: Output, address: "Address") -> int:
    """Show a run: what has ended of it, and how it is."""
    from runner.backends.temporal import results

    async def told(found: "Engine") -> tuple[JsonObject, list[ActionResult]]:
        state = await found.state(options.id)
        return dict(state), await found.so_far(options.id, state)

    state, actions = asked(settings, output, address, told)
    result = results.unpack(state["result"]) if state["result"] is not None else None
    if options.format == "json":
        data = {
            "format": "runner.d/run-on-engine/1",
            "run": options.id,
            "status": state["phase"],
            "round": state["round"],
            "unknown": state["unknown"],
            "actions": [{"key": each.key, **each.to_json()} for each in actions],
            "result": result.to_json() if result else None,
        }
        output.data(dumps(data))
        return int(Exit.DONE)
    style = Style(color=output.color)
    lines = [outcome.action(each, style) for each in actions]
    lines.append(outcome.summary(result, style) if result else f"{options.id}: {state['phase']}")
    output.data("\n".join(lines) + "\n")
    return int(Exit.DONE)


def resume(options: argparse.Namespace, settings: Settings, output: Output, address: "Address") -> int:
    """Let a run go on and follow it; asks where a write may have been done."""
    from runner.history.runs import RunBusyError

    if options.with_current_files or options.input_file:
        raise UsageError(
            "on an engine a run goes on with its own files and inputs",
            help="start a new run for others: `runner run`",
        )
    state: JsonObject = asked(settings, output, address, lambda found: found.state(options.id))
    if state["phase"] == "succeeded":
        output.say(f"the run {options.id} has succeeded: nothing is left to do")
        return int(Exit.DONE)
    if state["phase"] in ("running", "waiting", "queued"):
        raise RunBusyError(
            f"the run {options.id} goes on", help=f"`runner runs cancel {options.id}` stops it"
        )
    if state["unknown"] and not options.retry_unknown:
        agree_to_send_again(state["unknown"], output)
    project, plan = asked(settings, output, address, lambda found: found.files(options.id))

    async def begin(found: "Engine") -> tuple[str, int]:
        return options.id, await found.resume(options.id)

    return _follow(options, settings, output, project=project, plan=plan, address=address, begin=begin)


def asked(
    settings: Settings, output: Output, address: "Address", question: "Callable[[Engine], Awaitable[Any]]"
) -> Any:
    """Ask the engine something; raises UsageError and SecretsError."""
    from runner.backends.temporal.runs import engine

    async def asking() -> Any:
        async with engine(address, settings.environ, output.redactor) as found:
            return await question(found)

    return asyncio.run(asking())


def _follow(
    options: argparse.Namespace,
    settings: Settings,
    output: Output,
    *,
    project: Project,
    plan: Plan,
    address: "Address",
    begin: "Callable[[Engine], Awaitable[tuple[str, int]]]",
) -> int:
    with running.reports_open(options, settings) as files:
        going = OnEngine(
            project=project,
            plan=plan,
            settings=settings,
            output=output,
            timeout=options.timeout,
            state=Path(),
            keeper=None,
            address=address,
            begin=begin,
        )
        return going.carry_out(files)
