"""The history that a command works on: which directory, and what there is in it."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner import project as projects
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.history.keeper import Keeper
    from runner.history.runs import History, Run


def add_state(parser: argparse.ArgumentParser) -> None:
    """Add `--state`."""
    from runner.cli.arguments import not_empty

    parser.add_argument(
        "--state",
        metavar="DIR",
        type=not_empty,
        help="where history and locks are (or RUNNER_STATE; default .runner in the project)",
    )


def state_of(settings: Settings, root: Path) -> Path:
    """Give the state directory of a project."""
    from runner.history import state

    return state.directory(root, settings.state, settings.cwd)


@contextmanager
def existing(settings: Settings) -> "Iterator[History | None]":
    """Open the history of the project that the command works on; None where nothing has been run."""
    from runner.history.runs import History

    if settings.state is None:
        root = projects.find(Path(settings.project) if settings.project else None, settings.cwd)
    else:
        root = settings.cwd  # a named one needs no project around it
    history = History.open(state_of(settings, root), create=False)
    try:
        yield history
    finally:
        if history is not None:
            history.close()


@contextmanager
def kept(settings: Settings, root: Path, *, wanted: bool) -> "Iterator[Keeper | None]":
    """Open the history for a new run, and make it where there is none; None where none is wanted."""
    if not wanted:
        yield None
        return
    from runner.git_head import commit
    from runner.history.keeper import Keeper
    from runner.history.runs import History

    history = History.open(state_of(settings, root))
    assert history is not None
    with Keeper(history, commit=commit(root)) as keeper:
        yield keeper


def find(history: "History | None", given: str) -> "Run":
    """Find a run; raises UsageError."""
    if history is None:
        from runner.errors import UsageError

        raise UsageError(
            f"no run '{given}': there is no history here",
            help="--state DIR or RUNNER_STATE names another one",
        )
    return history.find(given)
