"""`--engine`: which Temporal server a command speaks to, or none."""

import argparse
from typing import TYPE_CHECKING

from runner.cli.arguments import not_empty
from runner.errors import UsageError
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.backends.temporal.address import Address

VARIABLE = "RUNNER_ENGINE"


def add(parser: argparse.ArgumentParser, help: str) -> None:
    """Add the option."""
    parser.add_argument("--engine", metavar="URL", type=not_empty, help=f"{help} (or {VARIABLE})")


def chosen(options: argparse.Namespace, settings: Settings) -> "Address | None":
    """Give the engine that is chosen, None where none is; raises UsageError for what is no address."""
    text = options.engine or settings.environ.get(VARIABLE)
    if not text:
        return None
    from runner.backends.temporal import address

    return address.parse(text)


def required(options: argparse.Namespace, settings: Settings) -> "Address":
    """Give the engine that is chosen; raises UsageError where none is."""
    found = chosen(options, settings)
    if found is None:
        raise UsageError(
            "which engine?", help=f"give --engine temporal://HOST:PORT/NAMESPACE, or set {VARIABLE}"
        )
    return found
