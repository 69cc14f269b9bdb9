"""The memo of one run's steps: written before a request and after it, read on a resume.

What several steps write in one turn of the event loop goes into one transaction, and each of them goes on when that is
committed: nothing that may do harm is sent before its `started` is in the file, nothing is used before its result is.
What nobody waits for, the timeline and the beginning of what may be repeated, goes along with the next transaction, or
is written when none comes within `SOON`.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from runner.errors import JsonObject
from runner.history.runs import STEP, History, Step, step
from runner.history.state import HistoryError
from runner.history.written import text_of
from runner.sensitive import Redactor

Warn = Callable[[str], None]

SOON = 0.02
"""Seconds: a transaction costs a tenth of a millisecond, and a chain of quick requests needs one for each, not two."""

_STARTED = (
    "INSERT INTO step (run, key, execution, state, harmless) VALUES (?, ?, ?, 'started', ?)"
    " ON CONFLICT (run, key) DO UPDATE SET execution = excluded.execution, state = 'started',"
    " harmless = excluded.harmless, result = NULL"
)
_ENDED = (
    "INSERT INTO step (run, key, execution, state, harmless, result) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (run, key) DO UPDATE SET execution = excluded.execution, state = excluded.state,"
    " harmless = excluded.harmless, result = excluded.result"
)


class Journal:
    """What one execution of a run writes down, and what earlier ones did."""

    def __init__(self, history: History, run: int, execution: int, redactor: Redactor, warn: Warn) -> None:
        self._history = history
        self._run = run
        self.execution = execution
        self._redactor = redactor
        self._warn = warn
        self._pending: list[tuple[str, tuple[Any, ...]]] = []
        self._begun: dict[str, int] = {}
        """Where in `_pending` the beginning of a step stands; its end takes that place."""
        self._open: set[str] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._now: asyncio.Handle | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._events = 0
        self._told = False
        self.broken: HistoryError | None = None
        if execution > 1:
            (self._events,) = history.database.row(
                "SELECT coalesce(max(number), 0) FROM event WHERE run = ?", run
            ) or (0,)

    def find(self, key: str) -> Step | None:
        """Give what an earlier execution wrote of a step."""
        if self.execution == 1:
            return None
        row = self._history.database.row(
            f"SELECT {STEP} FROM step WHERE run = ? AND key = ?",  # noqa: S608 - a constant
            self._run,
            key,
        )
        return None if row is None else step(row)

    async def started(self, key: str, *, harmless: bool) -> None:
        """Write that a step begins. What may be repeated needs not wait for the file; raises HistoryError."""
        if not harmless and self.broken is not None:
            raise self.broken
        self._begun[key] = len(self._pending)
        self._add(_STARTED, (self._run, key, self.execution, harmless))
        if harmless:
            self._later()
        else:
            await self._committed()
        self._open.add(key)

    async def ended(self, key: str, state: str, result: JsonObject | None, *, harmless: bool) -> None:
        """Write how a step ended, and wait until that is in the file. A file that fails is told once, the result stands."""
        text = None if result is None else self._text(result)
        self._add(_ENDED, (self._run, key, self.execution, state, harmless, text), self._begun.pop(key, None))
        self._open.discard(key)
        try:
            await self._committed()
        except HistoryError as problem:
            if not self._told:
                self._told = True
                self._warn(f"{problem.message}: the run goes on as far as it may without it")

    def not_started(self, key: str) -> None:
        """Take back what `started` wrote: the step was stopped before it did anything."""
        self._begun.pop(key, None)
        self._add("DELETE FROM step WHERE run = ? AND key = ? AND state = 'started'", (self._run, key))
        self._open.discard(key)
        self._later()

    def forget(self, beginning: str) -> None:
        """Take out the steps whose keys begin so: they are done anew."""
        self._begun.clear()  # an end that comes later is written later
        self._add(
            "DELETE FROM step WHERE run = ? AND substr(key, 1, ?) = ?", (self._run, len(beginning), beginning)
        )
        self._later()

    def event(self, data: JsonObject) -> None:
        """Write how an action ended, for people."""
        self._events += 1
        text = self._clean(data)
        self._add("INSERT INTO event VALUES (?, ?, ?, ?)", (self._run, self._events, self.execution, text))
        self._later()

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        pending, self._pending = self._pending, []
        self._begun.clear()
        for handle in (self._now, self._soon):
            if handle is not None:
                handle.cancel()
        self._now = self._soon = None
        if pending and self.broken is None:
            try:
                self._history.database.write(pending)
            except HistoryError as problem:
                self.broken = problem
        for each in waiting:
            if each.done():  # whoever waited was cancelled
                continue
            if self.broken is None:
                each.set_result(None)
            else:
                each.set_exception(self.broken)

    def _add(self, statement: str, values: tuple[Any, ...], place: int | None = None) -> None:
        if self.broken is not None:
            return
        if place is None:
            self._pending.append((statement, values))
        else:
            self._pending[place] = (statement, values)

    def _later(self) -> None:
        """Write within `SOON`."""
        if self._now is None and self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(SOON, self.flush)

    async def _committed(self) -> None:
        """Wait until everything is in the file; where no other step is under way, nothing can join, and it is written now."""
        alone = not self._open
        if alone:
            self.flush()
        if self.broken is not None:
            raise self.broken
        if alone:
            return
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        self._waiting.append(waiting)
        if self._now is None:  # at the end of this turn of the loop
            self._now = loop.call_soon(self.flush)
        await waiting

    def _text(self, result: JsonObject) -> str:
        """Write a result. Its output was searched for secrets when it was made, the rest is searched here."""
        output = None
        if "output" in result:
            result = dict(result)
            try:
                output = text_of(result.pop("output"))
            except (ValueError, TypeError):  # no JSON, such as infinity
                result["lacks"] = [*result.get("lacks", ()), "output"]
        text = self._clean(result)
        return text if output is None else f'{text[:-1]},"output":{output}}}'

    def _clean(self, data: JsonObject) -> str:
        """Write data without secrets. What holds none, as mostly, is searched as one text."""
        text = text_of(data)
        return text if self._redactor.text(text) == text else text_of(self._redactor.data(data))
