"""`runner worker --engine URL`."""

import argparse
import asyncio
import signal

from runner import duration
from runner.cli import engines, logs
from runner.cli.output import Output
from runner.errors import Exit
from runner.settings import Settings

EXAMPLES = (
    "runner worker --engine temporal://temporal.example.com:7233/automation",
    "RUNNER_ENGINE=temporal://127.0.0.1:7233/default runner worker --steps 20 --lost-after 30s",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    engines.add(parser, "the server to take work from")
    parser.add_argument(
        "--steps", metavar="N", type=_count, default=100, help="steps at the same time (default 100)"
    )
    parser.add_argument(
        "--lost-after",
        metavar="DURATION",
        type=_patience,
        default=10.0,
        help="a worker that says nothing for so long is taken for dead, and its steps for lost (default 10s); "
        "of runs that begin here",
    )


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Take work until SIGTERM or SIGINT; what is in flight then gets a minute to end."""
    logs.install(output)
    address = engines.required(options, settings)
    from runner.backends.temporal.worker import work

    async def working() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await work(
            address,
            settings.environ,
            output.redactor,
            steps=options.steps,
            lost_after=options.lost_after,
            ready=lambda name: output.say(f"worker {name} takes work from {address}"),
            stop=stop,
        )

    asyncio.run(working())
    output.say("stopped: no step was in flight any more")
    return int(Exit.DONE)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= 10_000:
        raise argparse.ArgumentTypeError("a number from 1 to 10000")
    return int(text)


def _patience(text: str) -> float:
    try:
        value = duration.seconds(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from None
    if not 2.0 <= value <= 600.0:
        raise argparse.ArgumentTypeError("a time from 2s to 10m")
    return value
