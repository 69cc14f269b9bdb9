"""The streams: data on stdout, everything else on stderr; nothing goes there that was not cleaned first.

Cleaning is two things. Known secrets are replaced by `***`. And what a terminal would act on, in text that came from
files or servers, is written as an escape that can be read; only our own colours pass.
"""

import codecs
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from runner.sensitive import Redactor
    from runner.settings import Settings

_CLEAR = "\r\x1b[K"


class Output:
    """The standard streams of one process, and the one redactor."""

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        codecs.register_error("runner.escape", _escape_unencodable)
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        for stream in (self._stdout, self._stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="runner.escape")
        self._redactor: Redactor | None = None
        self._lost: OSError | None = None
        self._transient = False
        self.quiet = False
        self.verbose = 0
        self.color = False
        self.error_color = False
        self.rewrites = False

    def use(self, settings: "Settings") -> None:
        """Follow the flags."""
        self.quiet = settings.quiet
        self.verbose = settings.verbose
        self.color = settings.colored(terminal=is_terminal(self._stdout))
        self.error_color = settings.colored(terminal=is_terminal(self._stderr))
        dumb = settings.environ.get("TERM", "dumb") == "dumb"
        self.rewrites = is_terminal(self._stderr) and not (settings.quiet or settings.ci or dumb)

    @property
    def redactor(self) -> "Redactor":
        """The redactor of the process: who reads a secret adds it here first."""
        if self._redactor is None:
            from runner.sensitive import Redactor

            self._redactor = Redactor()
        return self._redactor

    def clean(self, text: str) -> str:
        """Remove known secrets from text."""
        return self._redactor.text(text) if self._redactor is not None else text

    def data(self, text: str) -> None:
        """Write what the command is for, as it is: with its own line breaks."""
        if self._stdout is None or self._lost is not None:
            self._lost = self._lost or OSError(9, "it is closed")
            return
        self._drop_transient()
        try:
            self._stdout.write(self._harmless(self.clean(text), color=self.color))
            self._stdout.flush()
        except (OSError, ValueError) as problem:
            self._lost = problem if isinstance(problem, OSError) else OSError(9, "it is closed")
            _silence(self._stdout)

    def say(self, text: str) -> None:
        """Write a line for people, unless they want it quiet."""
        if not self.quiet:
            self.error(text)

    def detail(self, text: str) -> None:
        """Write a line for people who asked for more."""
        if self.verbose:
            self.say(text)

    def error(self, text: str) -> None:
        """Write a line for people in any case."""
        self._drop_transient()
        self._tell(self._harmless(self.clean(text), color=self.error_color) + "\n")

    def prompt(self, text: str) -> None:
        """Write the beginning of a line, whose rest a person types."""
        self._drop_transient()
        self._tell(self._harmless(self.clean(text), color=self.error_color))

    def progress(self, text: str) -> None:
        """Show a line that the next output replaces; nothing where no terminal is."""
        if self.rewrites:
            from runner.reports.text.style import one_line

            width = _columns(self._stderr) - 1
            self._tell(_CLEAR + one_line(self.clean(text))[:width])
            self._transient = True

    def mask(self, value: str) -> None:
        """Tell GitHub Actions to mask a secret in its log: the one place that writes a value as it is.

        https://docs.github.com/actions/reference/workflow-commands-for-github-actions#masking-a-value-in-a-log
        The job's own process reads such lines from stderr too and shows none of them.
        """
        self._drop_transient()
        for line in value.splitlines():
            if line.strip():
                self._tell(f"::add-mask::{line.replace('%', '%25')}\n")

    def finish(self, code: int) -> int:
        """Give the exit code when everything is written: 1 where data was lost, unless it is worse already."""
        self._drop_transient()
        if self._stdout is not None and self._lost is None:
            try:
                self._stdout.flush()
            except (OSError, ValueError) as problem:
                self._lost = problem if isinstance(problem, OSError) else OSError(9, "it is closed")
                _silence(self._stdout)
        # Whoever read our output has gone, as `head` does: nothing to complain of.
        if self._lost is None or isinstance(self._lost, BrokenPipeError):
            return code
        self.error(f"error: stdout could not be written: {self._lost.strerror or 'unknown reason'}")
        return code or 1

    def _drop_transient(self) -> None:
        if self._transient:
            self._transient = False
            self._tell(_CLEAR)

    def _tell(self, text: str) -> None:
        if self._stderr is None:
            return
        try:
            self._stderr.write(text)
            self._stderr.flush()
        except (OSError, ValueError):
            _silence(self._stderr)

    def _harmless(self, text: str, *, color: bool) -> str:
        if text.replace("\n", "").replace("\t", "").isprintable():
            return text
        from runner.cli.painted import keep_colors

        return keep_colors(text, color=color)


def is_terminal(stream: TextIO | None) -> bool:
    """Say whether a person sees, or types, what is in a stream."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _silence(stream: TextIO | None) -> None:
    """Send what is still buffered to the null device, or Python would complain of it when it ends."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        assert stream is not None
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass


def _escape_unencodable(problem: Any) -> tuple[str, int]:
    """Write what the stream's encoding lacks as JSON would: also right inside of JSON strings."""
    import json

    text = problem.object[problem.start : problem.end]
    return json.dumps(text)[1:-1], problem.end
