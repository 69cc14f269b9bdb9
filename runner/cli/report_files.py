"""Files that `--report` asks for: opened before anything is sent, put in place when the run has ended."""

import contextlib
import os
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from runner import reports
from runner.cli.output import Output
from runner.errors import UsageError
from runner.result import RunResult


class ReportFile:
    """One report on its way: written beside its target and renamed, so that nobody ever reads half of one.

    Devices and pipes, which cannot be replaced, are written to directly.
    """

    def __init__(self, form: str, given: str, cwd: Path) -> None:
        self.form = form
        self.given = given
        self._device = given.startswith(("/dev/", "/proc/"))
        # A link stays a link, its target is replaced; what /dev/stdout links to has no path at all.
        self._target = Path(given) if self._device else Path(os.path.realpath(cwd / given))
        self._partial: Path | None = None
        self._file = self._open()

    def write(self, text: str) -> None:
        """Write the report and put it in place; raises OSError."""
        self._file.write(text.encode("utf-8", "backslashreplace"))
        self._file.close()
        if self._partial is not None:
            self._partial.replace(self._target)
            self._partial = None

    def discard(self) -> None:
        """Leave nothing behind; does nothing after a `write` that went well."""
        with contextlib.suppress(OSError):
            self._file.close()
        if self._partial is not None:
            self._partial.unlink(missing_ok=True)

    def _open(self) -> BinaryIO:
        try:
            if self._direct():
                # Appending: /dev/stdout may be a file that already holds something.
                return self._target.open("ab")
            partial = self._target.with_name(f".{self._target.name[:100]}.{secrets.token_hex(4)}.part")
            file = partial.open("xb")
        except OSError as problem:
            raise self._refused(problem) from None
        self._partial = partial
        with contextlib.suppress(OSError):  # who could read the report before can read it still
            partial.chmod(stat.S_IMODE(self._target.stat().st_mode))
        return file

    def _direct(self) -> bool:
        try:
            mode = self._target.stat().st_mode
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "Is a directory")
        return self._device or not stat.S_ISREG(mode)

    def _refused(self, problem: OSError) -> UsageError:
        reason = problem.strerror or "unknown reason"
        message = f"the report {self.form}={self.given} cannot be written: {reason}"
        folder = Path(self.given).parent
        if isinstance(problem, FileNotFoundError):
            return UsageError(message, help=f"make the directory first: mkdir -p {folder}")
        return UsageError(message, help="nothing was sent; give a file in a directory that is writable")


def open_all(specs: Sequence[str], cwd: Path) -> list[ReportFile]:
    """Open every report of `--report FORMAT=PATH`; raises UsageError, and leaves no file where one cannot be opened."""
    files: list[ReportFile] = []
    try:
        for spec in specs:
            form, equals, path = spec.partition("=")
            if not equals or not path or path == "-":
                known = ", ".join(reports.formats("run"))
                raise UsageError(
                    f"'--report {spec}' names no file",
                    help=f"write --report FORMAT=PATH with one of: {known}",
                )
            reports.load(form, "run")
            if any(file.given == path for file in files):
                raise UsageError(f"two reports go to '{path}'", help="give each a file of its own")
            files.append(ReportFile(form, path, cwd))
    except BaseException:
        discard_all(files)
        raise
    return files


def write_all(files: Sequence[ReportFile], result: RunResult, output: Output) -> bool:
    """Write every report; what fails is said, and the others are written all the same."""
    written = True
    for file in files:
        try:
            file.write(output.clean(reports.render(file.form, "run", result)))
        except OSError as problem:
            written = False
            reason = problem.strerror or "unknown reason"
            output.error(
                f"error: the report {file.form}={file.given} could not be written: {reason}\n"
                f"  = help: the run itself ended as '{result.status.value}' (run {result.run_id}); "
                "only the report is missing"
            )
        else:
            output.detail(f"report: {file.given}")
    return written


def discard_all(files: Sequence[ReportFile]) -> None:
    """Remove what was not put in place."""
    for file in files:
        file.discard()
