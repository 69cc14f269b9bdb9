"""`runner schema connection|workflow|project|users`."""

import argparse

from runner.cli.arguments import one_of
from runner.cli.output import Output
from runner.settings import Settings

EXAMPLES = ("runner schema workflow > workflow.schema.json",)
NAMES = ("connection", "workflow", "project", "users")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("name", metavar="NAME", type=one_of(*NAMES), help=", ".join(NAMES))


def run(options: argparse.Namespace, _: Settings, output: Output) -> int:
    """Print one schema."""
    from runner.language import schema_text

    output.data(schema_text(options.name).rstrip("\n") + "\n")
    return 0
