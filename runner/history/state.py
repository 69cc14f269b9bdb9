"""The state directory: `.runner/` of the project unless `--state` or RUNNER_STATE names another one."""

import os
from pathlib import Path

from runner.errors import Exit, RunnerError

NAME = ".runner"
REMEDY = "--state DIR or RUNNER_STATE names another directory; --no-history runs without a history"


class HistoryError(RunnerError):
    """The history cannot be used; nothing was sent."""

    exit_code = Exit.UNAVAILABLE


def directory(root: Path, given: str | None, cwd: Path) -> Path:
    """Give the state directory of a project. A given one is relative to the working directory."""
    return root / NAME if given is None else cwd / given


def prepare(state: Path) -> None:
    """Make the directory, for its owner alone, where it is not there yet; raises HistoryError."""
    try:
        if not state.is_dir():
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Whoever runs `git add .` does not want it.
            write_new(state / ".gitignore", b"*\n")
        if not os.access(state, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as problem:
        raise unusable(state, problem) from None


def write_new(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; leaves one alone that is there."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    with os.fdopen(number, "wb") as file:
        file.write(content)


def unusable(state: Path, problem: OSError) -> HistoryError:
    """Say that the directory cannot be used, and what to do."""
    reason = problem.strerror or "unknown reason"
    if isinstance(problem, FileExistsError):
        reason = "it is a symbolic link that leads nowhere" if state.is_symlink() else "it is no directory"
    return HistoryError(f"the state directory '{state}' cannot be used: {reason}", help=REMEDY)
