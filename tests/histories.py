"""Runs with a history, in this process: made, listed, gone on with."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runner.history import locks
from runner.history.keeper import Keeper
from runner.history.runs import Filter, History, Run
from runner.project import Project
from tests.projects import Ran, run


def opened(state: Path) -> History:
    history = History.open(state)
    assert history is not None
    return history


def kept(project: Project, state: Path, **options: Any) -> Ran:
    """Run with a history."""
    return run(project, keeper=Keeper(opened(state), commit=None), state=state, **options)


def runs(state: Path) -> list[Run]:
    """List the runs of a history."""
    history = opened(state)
    try:
        return history.select(Filter(limit=None))
    finally:
        history.close()


def asked(state: Path, question: Callable[[History, Run], Any]) -> Any:
    """Ask something about the newest run."""
    history = opened(state)
    try:
        return question(history, history.select(Filter(limit=1))[0])
    finally:
        history.close()


def resumed(
    project: Project, state: Path, *, input_file: Mapping[str, Any] | None = None, **options: Any
) -> Ran:
    """Go on with the newest run. What is unknown is done again."""
    history = opened(state)
    found = history.select(Filter(limit=1))[0]
    lock = locks.take_run(state, found.id)
    assert lock is not None
    unknown = [step.key for step in history.steps(found.number, "started", "unknown") if step.unknown]
    history.give_up(found.number, unknown)
    keeper = Keeper(history, commit=None, resumed=(found, lock))
    given = {**found.facts["inputs"], **(input_file or {})}
    return run(project, keeper=keeper, state=state, input_file=given, user=found.facts["user"], **options)
