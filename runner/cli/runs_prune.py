"""`runner runs prune`: deletes old runs."""

import argparse
import time

from runner import duration
from runner.cli import histories
from runner.cli.output import Output
from runner.settings import Settings

EXAMPLES = ("runner runs prune --keep 30d", "runner runs prune --keep 30d --dry-run")


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
            history.delete(old)
            history.shrink()
    runs = f"{len(old)} run{'' if len(old) == 1 else 's'}"
    output.say(f"{'would delete' if options.dry_run else 'deleted'} {runs}; {len(every) - len(old)} left")
    return 0


def _keep(text: str) -> float:
    try:
        return duration.seconds(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
