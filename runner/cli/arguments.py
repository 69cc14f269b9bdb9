"""Options and arguments: argparse, with our own way to complain."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, Never

from runner.settings import COLORS


class HelpWanted(Exception):  # noqa: N818 - not an error
    """Somebody asked for the help of a command."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class Parser(argparse.ArgumentParser):
    """Raises UsageError, with a suggestion, in place of printing and exiting."""

    def error(self, message: str) -> Never:
        """Complain about the command line."""
        from runner.errors import UsageError

        raise UsageError(message.removeprefix("argument "), help=f"`{self.prog} --help` shows the options")

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Parse; raises UsageError, or HelpWanted for `--help`."""
        options, extra = self.parse_known_args(list(arguments))
        if extra:
            self._complain_of(extra[0])
        return options

    def _complain_of(self, word: str) -> Never:
        from runner.diagnostics import closest
        from runner.errors import UsageError

        # What stands after `=` may be a secret.
        shown = f"{word.partition('=')[0]}=..." if "=" in word else word
        if not word.startswith("-"):
            self.error(f"unexpected argument '{shown}'")
        known = [name for action in self._actions for name in action.option_strings]
        near = closest(word.partition("=")[0], known)
        remedy = f"did you mean '{near}'?" if near else f"`{self.prog} --help` shows the options"
        raise UsageError(f"unknown option '{shown}'", help=remedy)


class _Help(argparse.Action):
    """`--help`."""

    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **more)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> Never:
        raise HelpWanted(parser.format_help())


def parser(prog: str, summary: str, examples: Sequence[str]) -> Parser:
    """Make the parser of a command, with the options that all commands share."""
    lines = "\n".join(f"  {example}" for example in examples)
    made = Parser(
        prog=prog,
        description=summary[:1].upper() + summary[1:] + "." if summary else None,
        epilog=f"example{'s' if len(examples) > 1 else ''}:\n{lines}" if examples else None,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
            prog, max_help_position=28, width=100
        ),
        allow_abbrev=False,
        add_help=False,
    )
    shared = made.add_argument_group("options of all commands")
    shared.add_argument(
        "-C",
        "--project",
        metavar="DIR",
        type=not_empty,
        help="the project's directory (default: found upwards from here)",
    )
    shared.add_argument("-q", "--quiet", action="store_true", help="only data and errors")
    shared.add_argument("-v", "--verbose", action="count", help="say more; twice for even more")
    shared.add_argument("--color", metavar="WHEN", type=one_of(*COLORS), help=f"{', '.join(COLORS)}")
    shared.add_argument("-h", "--help", action=_Help, help="show this")
    return made


def one_of(*names: str) -> Callable[[str], str]:
    """Make the type of an option that takes one of these words."""

    def check(value: str) -> str:
        if value not in names:
            raise argparse.ArgumentTypeError(f"'{value}' is not one of: {', '.join(names)}")
        return value

    return check


def not_empty(value: str) -> str:
    """Refuse an empty word: mostly a variable of a script that is not set."""
    if not value:
        raise argparse.ArgumentTypeError("the value is empty")
    return value


def add_format(reader: argparse.ArgumentParser, *names: str) -> None:
    """Add `--format` for a command that lists or shows something."""
    reader.add_argument(
        "--format",
        metavar="FORMAT",
        type=one_of(*names),
        default=names[0],
        help=f"{', '.join(names)} (default {names[0]})",
    )
