"""The person at the terminal: asked without showing what they type, and never where there is none."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runner.cli.output import Output
from runner.errors import UsageError
from runner.settings import Settings


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a read at once: an event loop only notes it, and goes on waiting for the line."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class AtTerminal:
    """Whoever started the command."""

    def __init__(self, settings: Settings, output: Output, *, pastes: bool = False) -> None:
        self._settings = settings
        self._output = output
        self.pastes = pastes

    @property
    def there(self) -> bool:
        """Whether somebody can answer."""
        return sys.stdin is not None and sys.stdin.isatty()

    def say(self, text: str) -> None:
        """Tell them a line."""
        self._output.error(text)

    def ask(self, question: str, *, secret: bool) -> str:
        """Ask for a line, a secret one without showing it; raises UsageError where nobody can answer."""
        if not self.there:
            raise UsageError(
                f"nobody is there to be asked for {question}",
                help="run this in a terminal; scripts give values with --from FILE (- for standard input)",
            )
        with _interruptible():
            try:
                if secret:
                    import getpass

                    return getpass.getpass(f"{question}: ").strip()
                self._output.error(f"{question} ")
                return sys.stdin.readline().strip()
            except EOFError:
                return ""

    def agrees(self, question: str) -> bool:
        """Ask for a yes; raises UsageError where nobody can give it."""
        if not self.there:
            raise UsageError("nobody is there to agree", help="scripts agree with --yes")
        return self.ask(f"{question} [y/N]", secret=False).lower() in ("y", "yes")

    def visit(self, url: str) -> None:
        """Show the address of a page, and open it where there is a desktop."""
        self._output.error(f"  {url}")
        if self.there and any(self._settings.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
            import webbrowser

            webbrowser.open(url)
