"""The record of one run while it goes on: locked, written when it begins and when it ends."""

import os
import time
from contextlib import suppress
from typing import Self

from runner import __version__
from runner.errors import JsonObject
from runner.history import locks
from runner.history.journal import Journal, Warn
from runner.history.locks import Lock
from runner.history.runs import RUNNING, History, Run, busy
from runner.history.state import HistoryError
from runner.plan import Plan
from runner.result import RunResult, Status
from runner.sensitive import Redactor


class Keeper:
    """Keeps one run, a new one or one that is resumed; made before anything is sent, closed when all is over."""

    def __init__(
        self, history: History, *, commit: str | None, resumed: tuple[Run, Lock] | None = None
    ) -> None:
        self._history = history
        self._commit = commit
        self._run: Run | None = resumed[0] if resumed else None
        self._lock: Lock | None = resumed[1] if resumed else None
        self.resumed = self._run
        self._number = self._execution = 0
        self._journal: Journal | None = None
        self._redactor: Redactor | None = None
        self._known = 0
        self._began = 0.0

    @property
    def id(self) -> str:
        """The id of the run, once it has begun."""
        return "-" if self._run is None else self._run.id

    def begin(self, run: JsonObject, plan: Plan, redactor: Redactor, warn: Warn) -> Journal:
        """Lock the run and write down what it was given, once; raises HistoryError, and then nothing may be sent."""
        if self._journal is not None:
            return self._journal
        now = str(run["started_at"])
        if self._run is None:
            hidden = [name for name, value in plan.inputs.items() if redactor.found_in({name: value})]
            inputs = {name: value for name, value in plan.inputs.items() if name not in hidden}
            facts: JsonObject = {
                "user": plan.user,
                "environment": plan.environment,
                "commit": self._commit,
                "inputs": inputs,
                "again": [*plan.secret_inputs, *hidden],
            }
            self._run = Run(
                number=0,
                id=str(run["id"]),
                workflow=plan.workflow,
                status=RUNNING,
                started_at=now,
                digest=plan.digest,
                facts=facts,
            )
            self._lock = locks.take_run(self._history.state, self._run.id)
            if self._lock is None:
                raise busy(self._run)
            self._number = self._history.add(self._run, plan.documents)
        else:
            self._number = self._run.number
            now = _now()
            if plan.digest != self._run.digest:
                self._history.change_files(self._number, plan.digest, plan.documents)
        self._redactor, self._known, self._began = redactor, redactor.known, time.monotonic()
        facts = {
            "host": os.uname().nodename,
            "pid": os.getpid(),
            "version": __version__,
            "digest": plan.digest,
        }
        self._execution = self._history.begin(self._number, now, facts)
        self._journal = Journal(self._history, self._number, self._execution, redactor, warn)
        return self._journal

    def end(self, result: RunResult) -> None:
        """Write how it ended, once it has begun; raises HistoryError, which does not change the result."""
        if self._journal is None:
            return
        ended: JsonObject = {
            "status": result.status.value,
            "ended_at": _now(),
            "duration": round(result.duration, 6),
        }
        if result.error is not None:
            ended["error"] = result.error.to_json()
        if result.warnings:
            ended["warnings"] = list(result.warnings)
        self._journal.flush()
        if self._journal.broken is not None:
            raise self._journal.broken
        self._history.end(self._number, self._execution, ended)
        self._scrub()

    def cut(self, status: Status) -> bool:
        """Write that it was stopped at once: what was in flight has no known end. False where it had not begun."""
        if self._journal is None:
            return False
        took = round(time.monotonic() - self._began, 6)
        with suppress(HistoryError):
            self._journal.flush()
            ended: JsonObject = {"status": status.value, "ended_at": _now(), "duration": took}
            self._history.end(self._number, self._execution, ended)
            self._scrub()
        return True

    def _scrub(self) -> None:
        if self._redactor is not None and self._redactor.known != self._known:
            self._history.scrub(self._number, self._redactor)

    def close(self) -> None:
        """Let go of the run and of the file."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        self._history.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
