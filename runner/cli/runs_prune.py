"""`runner runs prune`: deletes old runs."""

import argparse
import time
from typing import TYPE_CHECKING

from runner import duration
from runner.cli import histories
from runner.cli.output import Output
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.history.runs import History, Run

EXAMPLES = ("runner runs prune --keep 30d", "runner runs prune --keep 30d --dry-run")
_AT_ONCE = 200


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--keep",
        metavar="DURATION",
        type=_keep,
        required=True,
        help="how long runs are kept, for example 30d",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="delete nothing, only say how many it would be"
    )
    histories.add_state(parser)


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Delete the runs that started longer ago; one that is running stays."""
    from runner.history.runs import RUNNING, Filter

    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(max(0.0, time.time() - options.keep)))
    with histories.existing(settings) as history:
        every = [] if history is None else history.select(Filter(limit=None))
        old = [run for run in every if run.started_at < before and run.status != RUNNING]
        if history is not None and old and not options.dry_run:
            old = _deleted(history, old)
            history.shrink()
    runs = f"{len(old)} run{'' if len(old) == 1 else 's'}"
    output.say(f"{'would delete' if options.dry_run else 'deleted'} {runs}; {len(every) - len(old)} left")
    return 0


def _deleted(history: "History", runs: "list[Run]") -> "list[Run]":
    """Delete runs but those that somebody goes on with just now."""
    from contextlib import ExitStack

    from runner.history import locks

    gone: list[Run] = []
    # A lock is an open file, and of those a process has not many.
    for start in range(0, len(runs), _AT_ONCE):
        with ExitStack() as held:
            free = []
            for run in runs[start : start + _AT_ONCE]:
                lock = locks.take_run(history.state, run.id)
                if lock is not None:
                    held.enter_context(lock)
                    free.append(run)
            history.delete(free)
        gone += free
    return gone


def _keep(text: str) -> float:
    try:
        return duration.seconds(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
