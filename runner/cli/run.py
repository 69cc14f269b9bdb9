"""`runner run WORKFLOW`."""

import argparse
import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import duration
from runner import plan as plans
from runner.cli import Terminated, checked, logs, report_files, workflow_inputs
from runner.cli.output import Output
from runner.cli.problems import explain
from runner.cli.progress import Progress
from runner.cli.report_files import ReportFile
from runner.errors import Exit, Failure, FailureKind, SecretsError
from runner.inputs import read_inputs
from runner.plan import Plan
from runner.project import Project
from runner.reports.json import dumps
from runner.reports.text import outcome
from runner.reports.text.style import Style
from runner.result import RunResult, Status
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.backends.memory import Stop

EXAMPLES = (
    "runner run escalate -i days=14",
    "runner run escalate --env staging --report junit=report.xml --timeout 10m",
    "vault kv get -format=json -field=data secret/inputs | runner run rotate --input-file -",
)

_SIGNALS = {signal.SIGINT: Status.INTERRUPTED, signal.SIGTERM: Status.TERMINATED}


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    workflow_inputs.add(parser)
    parser.add_argument(
        "--report",
        dest="reports",
        metavar="FORMAT=PATH",
        action="append",
        default=[],
        help="write a report at the end: json, junit or text; may be repeated",
    )
    parser.add_argument(
        "--timeout", metavar="DURATION", type=_duration, help="for the whole run, for example 10m"
    )
    parser.add_argument(
        "--no-history",
        action="store_true",
        help="keep no record of the run (none is kept so far, with or without this)",
    )


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Check, run, show the outputs, write the reports."""
    logs.install(output)
    data = workflow_inputs.read_file(options.input_file, settings)
    project = checked.load_valid(settings, output)
    if project is None:
        return int(Exit.PROJECT)
    workflow = plans.find_workflow(project, options.workflow)
    inputs = read_inputs(workflow, options.inputs, data, settings.environ)
    with checked.showing(project, output):
        plan = plans.resolve(project, workflow.name, inputs=inputs, user=settings.user)
    if settings.github_actions:
        output.redactor.watch(output.mask)
    from runner.run import execute  # noqa: F401 - slow to import: not while there are files to put away

    _Signals.outside()
    files = report_files.open_all(options.reports, settings.cwd)
    try:
        going = _Run(project=project, plan=plan, settings=settings, output=output, timeout=options.timeout)
        return going.carry_out(files)
    finally:
        report_files.discard_all(files)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run of a plan and what is shown of it."""

    project: Project
    plan: Plan
    settings: Settings
    output: Output
    timeout: float | None

    def carry_out(self, files: Sequence[ReportFile]) -> int:
        """Run, show the outputs, write the reports; gives the exit code."""
        output = self.output
        signals = _Signals(output)
        try:
            try:
                result = asyncio.run(self._execute(signals))
            finally:
                signals.outside()  # the loop has put the default handlers back
        except SecretsError as problem:
            explain(problem, output)
            result = _without_secrets(self.plan, problem)
        except asyncio.CancelledError:
            output.error("error: stopped at once: what was in flight may have reached its server")
            return int(Exit.TERMINATED if signals.last == signal.SIGTERM else Exit.INTERRUPTED)
        else:
            summary = outcome.summary(result, Style(color=output.error_color))
            if result.status is Status.SUCCEEDED:
                output.say(summary)
            else:
                output.error(summary)
        if result.status is Status.SUCCEEDED or result.outputs:
            output.data(dumps(result.outputs))
        written = report_files.write_all(files, result, output)
        code = int(result.exit_code)
        return code if written else code or int(Exit.FAILED)

    async def _execute(self, signals: "_Signals") -> RunResult:
        from runner.backends.memory import Stop
        from runner.run import execute

        stop = Stop()
        signals.listen(stop)
        workflow = plans.find_workflow(self.project, self.plan.workflow)
        return await execute(
            self.project,
            self.plan,
            environ=self.settings.environ,
            redactor=self.output.redactor,
            observer=Progress(self.output, [action.key for action in workflow.every_action]),
            timeout=self.timeout,
            stop=stop,
        )


class _Signals:
    """The first SIGINT or SIGTERM asks the run to stop, a second one ends it at once."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self.last: signal.Signals | None = None

    @staticmethod
    def outside() -> None:
        """Before and after the run itself SIGTERM is like Ctrl-C: files are put away."""

        def leave(*_: object) -> None:
            raise Terminated

        signal.signal(signal.SIGTERM, leave)

    def listen(self, stop: "Stop") -> None:
        """Listen from now on, in the running loop."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()

        def arrive(number: signal.Signals) -> None:
            again, self.last = self.last is not None, number
            if again:
                assert task is not None
                task.cancel()
                return
            stop.request(_SIGNALS[number])
            self._output.error(
                f"{_SIGNALS[number].value}: what is in flight gets a moment to end, then `finally` runs; "
                "a second signal ends at once"
            )

        for number in _SIGNALS:
            loop.add_signal_handler(number, arrive, number)


def _without_secrets(plan: Plan, problem: SecretsError) -> RunResult:
    """Make the result of a run that never began, for its reports."""
    details = [f"{item.reference}: {item.message}" for item in problem.problems]
    message = problem.message if len(details) <= 1 else f"{problem.message}: {'; '.join(details)}"
    return RunResult(
        run_id="-",
        workflow=plan.workflow,
        status=Status.FAILED,
        started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        duration=0.0,
        user=plan.user,
        environment=plan.environment,
        error=Failure(kind=FailureKind.SECRET_UNAVAILABLE, message=message, help=problem.help),
    )


def _duration(text: str) -> float:
    try:
        value = duration.seconds(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    if value <= 0:
        raise argparse.ArgumentTypeError("the time for the run must be more than zero")
    return value
