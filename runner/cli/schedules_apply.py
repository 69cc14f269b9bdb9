"""`runner schedules apply --engine URL`."""

import argparse
import asyncio
from dataclasses import replace

from runner.cli import checked, engine_runs, engines, triggers
from runner.cli.arguments import not_empty
from runner.cli.output import Output
from runner.cli.person import confirm
from runner.errors import Exit, UsageError
from runner.plan import resolve
from runner.project import Project, load
from runner.schedulers import Entry
from runner.settings import Settings

EXAMPLES = (
    "runner schedules apply --engine temporal://temporal.example.com:7233/automation",
    "runner schedules apply --prune --yes",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    engines.add(parser, "the server that starts the runs")
    parser.add_argument(
        "--name",
        metavar="NAME",
        type=not_empty,
        help="of the project among the schedules of the server (default: its directory's)",
    )
    parser.add_argument(
        "--prune", action="store_true", help="delete schedules of this project that no trigger stands for"
    )
    parser.add_argument("--yes", action="store_true", help="do it without asking")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Say what changes, ask, and carry it out."""
    project = checked.load_valid(settings, output)
    if project is None:
        return int(Exit.PROJECT)
    if settings.environment is not None:
        raise UsageError("a trigger says its environment itself", help="leave --env out")
    address = engines.required(options, settings)
    entries = triggers.entries(project, [], may_be_none=options.prune)
    name = options.name or project.root.name or "project"
    from runner.backends.temporal import schedules
    from runner.backends.temporal.runs import engine

    wanted = [schedules.Wanted(entry, _given(project, entry)) for entry in entries]

    async def applying() -> int:
        async with engine(address, settings.environ, output.redactor) as found:
            listed = await schedules.changes(found.client, name, wanted)
            todo = [
                each for each in listed if each.what != "keep" and (options.prune or each.what != "delete")
            ]
            for each in listed:
                if each not in todo:
                    output.say(
                        f"{'kept' if each.what == 'keep' else 'left, no trigger stands for it':<7} {each.name}"
                    )
            if not todo:
                output.say("nothing to do")
                return int(Exit.DONE)
            confirm([f"{each.what} {each.name}" for each in todo], output, yes=options.yes)
            for each in todo:
                await schedules.apply(found.client, address.task_queue, each)
            return int(Exit.DONE)

    return asyncio.run(applying())


def _given(project: Project, entry: Entry) -> dict[str, object]:
    """Give what each run of a trigger gets: the files as they are now."""
    from runner.backends.temporal.documents import plan_data, reached, unfit
    from runner.run import DEFAULT_TIMEOUT

    own = load(project.root, environment=entry.environment) if entry.environment else project
    workflow = own.workflows[entry.workflow]
    inputs = {name: each.default for name, each in workflow.inputs.items() if not each.required}
    plan = resolve(own, entry.workflow, inputs={**inputs, **entry.inputs}, user=None)
    if problem := unfit(own, plan):
        raise UsageError(problem[0], help=problem[1])
    plan = replace(plan, documents=reached(own, entry.workflow))
    return {
        "plan": plan_data(plan),
        "digest": plan.digest,
        "timeout": workflow.timeout or DEFAULT_TIMEOUT,
        "lock": engine_runs.lock_of(own, plan, "", 0.0),
    }
