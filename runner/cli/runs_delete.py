"""`runner runs delete ID...`."""

import argparse

from runner.cli import engine_runs, engines, histories
from runner.cli.output import Output
from runner.settings import Settings

EXAMPLES = ("runner runs delete 20260131T070000-1a2b3c4d",)


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("ids", metavar="ID", nargs="+", help="id of a run, or the beginning of it")
    histories.add_state(parser)
    engines.add(parser, "the server that they ran on")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Delete runs from the history: all of them, or none where one is not found or is running."""
    address = engines.chosen(options, settings)
    if address is not None:
        engine_runs.asked(settings, output, address, lambda found: found.delete(options.ids))
        for name in options.ids:
            output.say(f"deleted {name}")
        return 0
    from contextlib import ExitStack

    from runner.history import locks
    from runner.history.runs import busy

    with histories.existing(settings) as history, ExitStack() as held:
        found = {run.id: run for run in (histories.find(history, given) for given in options.ids)}
        assert history is not None
        for each in found.values():
            lock = locks.take_run(history.state, each.id)
            if lock is None:
                raise busy(each)
            held.enter_context(lock)
        history.delete(list(found.values()))
        for name in found:
            output.say(f"deleted {name}")
    return 0
