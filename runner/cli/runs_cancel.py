"""`runner runs cancel ID`: stops a run in order."""

import argparse
import os
import signal
import socket

from runner.cli import engine_runs, engines, histories
from runner.cli.output import Output
from runner.errors import Exit, UsageError
from runner.settings import Settings

EXAMPLES = (
    "runner runs cancel 20260131T070000-1a2b3c4d",
    "runner runs cancel 20260131T070000-1a2b3c4d --engine temporal://temporal.example.com:7233/automation",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("id", metavar="ID", help="id of the run")
    histories.add_state(parser)
    engines.add(parser, "the server that it runs on")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Ask the run to stop: what is in flight gets a moment, then `finally` runs. It can be resumed."""
    address = engines.chosen(options, settings)
    if address is not None:
        engine_runs.asked(settings, output, address, lambda found: found.stop(options.id))
        output.say(f"asked {options.id} to stop")
        return int(Exit.DONE)
    with histories.existing(settings) as history:
        found = histories.find(history, options.id)
        assert history is not None
        if found.status != "running":
            raise UsageError(
                f"the run {found.id} does not go on: it {'was' if found.status[-1] == 'd' else 'is'} {found.status}"
            )
        facts = history.executions(found.number)[-1].facts
    if facts["host"] != socket.gethostname():
        raise UsageError(
            f"the run {found.id} goes on on another machine, {facts['host']}", help="stop it there"
        )
    # Its lock is held, so the process with this id is the one that has it.
    try:
        os.kill(facts["pid"], signal.SIGTERM)
    except ProcessLookupError:
        raise UsageError(
            f"the run {found.id} has just ended, or goes on in another container",
            help="`runner runs` says which; stop it there",
        ) from None
    except PermissionError:
        raise UsageError(
            f"the run {found.id} (process {facts['pid']}) belongs to another user",
            help="stop it as that user",
        ) from None
    output.say(f"asked {found.id} (process {facts['pid']}) to stop")
    return int(Exit.DONE)
