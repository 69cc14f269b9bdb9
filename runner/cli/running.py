"""A run on the command line: its signals, its progress, what is shown of it, its reports."""

import argparse
import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from runner import duration
from runner import plan as plans
from runner.cli import Terminated, report_files
from runner.cli.output import Output
from runner.cli.problems import explain
from runner.cli.progress import Progress
from runner.cli.report_files import ReportFile
from runner.errors import Exit, FailureKind, SecretsError
from runner.frozen import dataclass
from runner.plan import Plan
from runner.project import Project
from runner.reports.json import dumps
from runner.reports.text import outcome
from runner.reports.text.style import Style
from runner.result import RunResult, Status
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.history.keeper import Keeper
    from runner.watching import Stop

_SIGNALS = {
    signal.SIGINT: Status.INTERRUPTED,
    signal.SIGTERM: Status.TERMINATED,
    signal.SIGHUP: Status.TERMINATED,
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of everything that runs a workflow."""
    parser.add_argument(
        "--report",
        dest="reports",
        metavar="FORMAT=PATH",
        action="append",
        default=[],
        help="write a report at the end: json, junit, html, markdown or text; may be repeated",
    )
    parser.add_argument(
        "--timeout", metavar="DURATION", type=_duration, help="for the whole run, for example 10m"
    )


@contextmanager
def reports_open(options: argparse.Namespace, settings: Settings) -> Iterator[Sequence[ReportFile]]:
    """Hold the files of `--report` open; whatever ends the command, a signal too, none is left half written."""
    from runner.run import execute  # noqa: F401 - slow to import: not while there are files to put away

    Signals.outside()
    files = report_files.open_all(options.reports, settings.cwd)
    try:
        yield files
    finally:
        report_files.discard_all(files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """One run of a plan and what is shown of it. `state` is the state directory, `keeper` keeps its history, if anything."""

    project: Project
    plan: Plan
    settings: Settings
    output: Output
    timeout: float | None
    state: Path
    keeper: "Keeper | None"
    left_at_once: ClassVar[str] = "stopped at once: what was in flight may have reached its server"

    def carry_out(self, files: Sequence[ReportFile]) -> int:
        """Run, show the outputs, write the reports; gives the exit code."""
        output = self.output
        signals = Signals(output)
        try:
            try:
                result = asyncio.run(self.execute(signals))
            finally:
                signals.outside()  # the loop has put the default handlers back
        except SecretsError as problem:
            explain(problem, output)
            result = _without_secrets(self.plan, problem, self.keeper.id if self.keeper else "-")
        except asyncio.CancelledError:
            output.error(f"error: {self.left_at_once}")
            status = _SIGNALS[signals.last] if signals.last else Status.INTERRUPTED
            if self.keeper is not None and self.keeper.cut(status):
                self._say_how_to_go_on(self.keeper.id)
            return int(Exit.TERMINATED if status is Status.TERMINATED else Exit.INTERRUPTED)
        else:
            summary = outcome.summary(result, Style(color=output.error_color))
            if result.status in (Status.SUCCEEDED, Status.SKIPPED):
                output.say(summary)
            else:
                output.error(summary)
                self.say_how_to_go_on(result)
        if result.status is Status.SUCCEEDED or result.outputs:
            output.data(dumps(result.outputs))
        written = report_files.write_all(files, result, output)
        code = int(result.exit_code)
        return code if written else code or int(Exit.FAILED)

    def say_how_to_go_on(self, result: RunResult) -> None:
        """Say it where the history has what a resume takes."""
        never_began = result.error is not None and result.error.kind in (
            FailureKind.LOCKED,
            FailureKind.HISTORY,
        )
        if self.keeper is not None and not never_began:
            self._say_how_to_go_on(result.run_id)

    def _say_how_to_go_on(self, run: str) -> None:
        self.output.say(f"  = help: `runner runs resume {run}` goes on where it stopped")

    def progress(self) -> Progress:
        """Give what tells of the actions as they end."""
        workflow = plans.find_workflow(self.project, self.plan.workflow)
        return Progress(self.output, [action.key for action in workflow.every_action])

    async def execute(self, signals: "Signals") -> RunResult:
        """Run it, here."""
        from runner.run import execute
        from runner.watching import Stop

        stop = Stop()
        signals.listen(stop)
        return await execute(
            self.project,
            self.plan,
            environ=self.settings.environ,
            redactor=self.output.redactor,
            observer=self.progress(),
            timeout=self.timeout,
            stop=stop,
            keeper=self.keeper,
            state=self.state,
            tell=self.output.say,
        )


class Signals:
    """The first SIGINT, SIGTERM or SIGHUP asks the run to stop, a second one ends it at once.

    SIGHUP says that the terminal is gone, often twice, from the system and from the shell: it is never the second one.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self.last: signal.Signals | None = None

    @staticmethod
    def outside() -> None:
        """Before and after the run itself SIGTERM and SIGHUP are like Ctrl-C: files are put away."""

        def leave(*_: object) -> None:
            raise Terminated

        signal.signal(signal.SIGTERM, leave)
        if _hangup_counts():
            signal.signal(signal.SIGHUP, leave)

    def listen(self, stop: "Stop") -> None:
        """Listen from now on, in the running loop."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()

        def arrive(number: signal.Signals) -> None:
            again = self.last is not None
            if again and number == signal.SIGHUP:
                return
            self.last = number
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
            if number != signal.SIGHUP or _hangup_counts():
                loop.add_signal_handler(number, arrive, number)


def _hangup_counts() -> bool:
    """Tell whether the program may be ended by it: under `nohup` it goes on."""
    return signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


def _without_secrets(plan: Plan, problem: SecretsError, run: str) -> RunResult:
    """Make the result of a run that never began, for its reports."""
    from runner.run import without_secrets

    return RunResult(
        run_id=run,
        workflow=plan.workflow,
        status=Status.FAILED,
        started_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        duration=0.0,
        user=plan.user,
        environment=plan.environment,
        error=without_secrets(problem),
    )


def _duration(text: str) -> float:
    try:
        value = duration.seconds(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    if value <= 0:
        raise argparse.ArgumentTypeError("the time for the run must be more than zero")
    return value
