"""The person at the terminal: whether one is there, how they are asked, and what their answers mean.

A question stands on stderr and is answered on standard input. Where that is no terminal nobody is there: wrong usage, with
what a script says instead. Anything but a yes, the end of the input too, is a no: nothing is done, exit code 1.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from runner.cli import Terminated
from runner.cli.output import Output, is_terminal
from runner.errors import RunnerError, UsageError
from runner.settings import Settings


class DeclinedError(RunnerError):
    """A person said no."""


def is_there() -> bool:
    """Say whether somebody can answer."""
    return is_terminal(sys.stdin)


def confirm(steps: Sequence[str], output: Output, *, yes: bool) -> None:
    """Say what will be done, in any case, and ask whether to do it, unless `yes` says so; raises as `agree` does."""
    from runner.reports.text.style import one_line

    for step in steps:
        output.error(f"- {one_line(step)}")
    if not yes:
        agree("do it?", output)


def agree(
    question: str,
    output: Output,
    *,
    nobody: str = "nothing was done: nobody is there to be asked",
    help: str = "--yes does it without asking",
) -> None:
    """Ask for a yes; raises DeclinedError where the answer is another one, UsageError where nobody can give one."""
    if not is_there():
        raise UsageError(nobody, help=help)
    if _answer(lambda: _line(f"{question} [y/N] ", output), output).lower() not in ("y", "yes"):
        raise DeclinedError("nothing was done")


class AtTerminal:
    """Whoever started a login."""

    def __init__(self, settings: Settings, output: Output, *, pastes: bool = False) -> None:
        self._settings = settings
        self._output = output
        self.pastes = pastes

    def say(self, text: str) -> None:
        """Tell them a line."""
        self._output.error(text)

    def ask(self, question: str, *, secret: bool) -> str:
        """Ask for a line, a secret one without showing it; raises UsageError where nobody can answer."""
        if not is_there():
            raise UsageError(
                f"nobody is there to be asked for {question}",
                help="run this in a terminal; scripts give values with --from FILE (- for standard input)",
            )
        if secret:
            from getpass import getpass

            return _answer(lambda: getpass(f"{question}: "), self._output)
        return _answer(lambda: _line(f"{question}: ", self._output), self._output)

    def visit(self, url: str) -> None:
        """Show the address of a page, and open it where there is a desktop."""
        self._output.error(f"  {url}")
        if is_there() and any(self._settings.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
            import webbrowser

            webbrowser.open(url)


def _line(question: str, output: Output) -> str:
    output.prompt(question)
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        output.error("")  # what comes next stands below the question
    return line


def _answer(read: Callable[[], str], output: Output) -> str:
    with _interruptible():
        try:
            return read().strip()
        except EOFError:
            output.error("")  # likewise: the end of the input, and Ctrl-C, end no line
            return ""
        except KeyboardInterrupt:
            output.error("")
            raise


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end a read at once: an event loop only notes them, and goes on waiting for the line."""

    def leave(*_: object) -> NoReturn:
        raise Terminated

    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: leave}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
