"""The options by which a workflow gets its inputs."""

import argparse
import sys
from typing import Any

from runner import exact_json
from runner.errors import UsageError
from runner.settings import Settings

LARGEST = 10 * 1024 * 1024


def add(parser: argparse.ArgumentParser) -> None:
    """Add the workflow and what is given to it."""
    parser.add_argument("workflow", metavar="WORKFLOW", help="name of the workflow, or its file")
    parser.add_argument(
        "-i",
        "--input",
        dest="inputs",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an input; may be repeated (secret ones: --input-file or RUNNER_INPUT_NAME)",
    )
    parser.add_argument(
        "--input-file", metavar="FILE", help="inputs from a JSON or YAML file; - is standard input"
    )
    add_circumstances(parser)


def add_circumstances(parser: argparse.ArgumentParser) -> None:
    """Add where and as whom."""
    parser.add_argument("--env", dest="environment", metavar="NAME", help="an environment of runner.yaml")
    parser.add_argument(
        "--as", dest="user", metavar="USER", help="whose personal connections to use (or RUNNER_USER)"
    )


def read_file(given: str | None, settings: Settings) -> dict[str, Any] | None:
    """Read the input file; raises UsageError, whose message never holds what stands in the file."""
    if given is None:
        return None
    shown = "standard input" if given == "-" else f"'{given}'"
    try:
        if given == "-":
            raw = sys.stdin.buffer.read(LARGEST + 1) if sys.stdin is not None else b""
        else:
            with (settings.cwd / given).open("rb") as file:
                raw = file.read(LARGEST + 1)
    except OSError as problem:
        reason = problem.strerror or "unknown reason"
        raise UsageError(f"the input file {shown} cannot be read: {reason}") from None
    if len(raw) > LARGEST:
        raise UsageError(f"the input file {shown} has more than {LARGEST:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"the input file {shown} is not UTF-8 text") from None
    value = _parse(text, shown)
    if not isinstance(value, dict):
        raise UsageError(
            f"the input file {shown} holds no mapping",
            help='write NAME: VALUE lines, or JSON such as {"days": 14}',
        )
    return value


def _parse(text: str, shown: str) -> Any:
    try:
        return exact_json.bounded(text, unique=True)
    except ValueError:
        pass  # YAML, or wrong in both, or a key that stands twice, of which YAML knows the place
    from runner.document import parse

    document, found = parse(text, shown)
    if document is None:
        first = found[0]
        # The message says what is wrong, never the text; the file may hold secrets, so no line of it is shown.
        place = f"line {first.primary.span.start.line}, column {first.primary.span.start.column}"
        raise UsageError(
            f"the input file {shown} is neither JSON nor YAML: {first.message} ({place})", help=first.help
        )
    return document.value
