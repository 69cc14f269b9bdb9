"""The runs of a history: what each was given, how it ended, what happened in it. Found, listed, deleted."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from runner.errors import Exit, JsonObject, RunnerError, UsageError
from runner.frozen import dataclass
from runner.history import locks
from runner.history.database import Database
from runner.history.written import text_of, value_of
from runner.sensitive import Redactor

RUNNING = "running"
CRASHED = "crashed"
"""What a run is that says it is running while no process holds its lock: it was killed, or the machine was."""

STEP = "key, execution, state, harmless, result"

STATUSES = (RUNNING, CRASHED, "succeeded", "failed", "timed-out", "interrupted", "terminated", "skipped")


class RunBusyError(RunnerError):
    """A process is at the run: it can be neither resumed nor deleted."""

    exit_code = Exit.LOCKED


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the history knows it.

    `facts` holds `user`, `environment`, `commit` (of git, where there is one), `inputs` without secret ones, and `again`:
    the names of inputs that must be given again to resume. `status` may be `crashed`.
    """

    number: int
    id: str
    workflow: str
    status: str
    started_at: str
    digest: str
    facts: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One process's work at a run: the first, or a resume.

    `facts`: `host`, `pid`, `version`, `digest` of the files. `ended` is None while it goes on or where it was killed, else `status`, `ended_at`,
    `duration` (seconds), and where they apply `error` and `warnings`.
    """

    number: int
    started_at: str
    facts: JsonObject
    ended: JsonObject | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step that something is known of: `state` is started, done, failed or unknown."""

    key: str
    execution: int
    state: str
    harmless: bool
    result: JsonObject | None

    @property
    def unknown(self) -> bool:
        """Whether it may or may not have happened, and doing it again would do harm."""
        return self.state in ("started", "unknown") and not self.harmless


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which runs to list; `since` is a time as runs have it (ISO 8601, UTC)."""

    workflow: str | None = None
    statuses: Sequence[str] = ()
    since: str | None = None
    limit: int | None = 20


class History:
    """The history of one state directory. Every method raises HistoryError where the file fails."""

    def __init__(self, state: Path, database: Database) -> None:
        self.state = state
        self.database = database

    @classmethod
    def open(cls, state: Path, *, create: bool = True) -> Self | None:
        """Open it; without `create`, None where there is none."""
        database = Database.open(state, create=create)
        return None if database is None else cls(state, database)

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def add(self, run: Run, documents: Mapping[str, str]) -> int:
        """Add a run with the files that it is made of; gives its number."""
        with self.database.writing() as writing:
            _keep_files(writing, run.digest, documents)
            added = writing.execute(
                "INSERT INTO run (id, workflow, status, started_at, digest, facts) VALUES (?, ?, ?, ?, ?, ?)",
                (run.id, run.workflow, run.status, run.started_at, run.digest, text_of(run.facts)),
            )
            assert added.lastrowid is not None
            return added.lastrowid

    def change_files(self, number: int, digest: str, documents: Mapping[str, str]) -> None:
        """Let a run go on with other files: also those of a later resume are these."""
        with self.database.writing() as writing:
            _keep_files(writing, digest, documents)
            writing.execute("UPDATE run SET digest = ? WHERE number = ?", (digest, number))

    def begin(self, number: int, started_at: str, facts: JsonObject) -> int:
        """Note that a process begins to work at a run; gives the number of this execution, from 1."""
        with self.database.writing() as writing:
            (last,) = writing.execute(
                "SELECT coalesce(max(number), 0) FROM execution WHERE run = ?", (number,)
            ).fetchone()
            writing.execute(
                "INSERT INTO execution (run, number, started_at, facts) VALUES (?, ?, ?, ?)",
                (number, last + 1, started_at, text_of(facts)),
            )
            writing.execute("UPDATE run SET status = ? WHERE number = ?", (RUNNING, number))
        return int(last) + 1

    def end(self, number: int, execution: int, ended: JsonObject) -> None:
        """Note how an execution ended. What a run that succeeded needed for a resume is not kept any longer."""
        with self.database.writing() as writing:
            writing.execute(
                "UPDATE execution SET ended = ? WHERE run = ? AND number = ?",
                (text_of(ended), number, execution),
            )
            writing.execute("UPDATE run SET status = ? WHERE number = ?", (ended["status"], number))
            if ended["status"] == "succeeded":
                writing.execute("DELETE FROM step WHERE run = ?", (number,))

    def find(self, given: str) -> Run:
        """Find a run by its id, by how the id begins, or by how its last part begins; raises UsageError."""
        found = self._runs(
            "WHERE substr(id, 1, length(?1)) = ?1 OR instr(id, '-' || ?1) > 0 ORDER BY number DESC LIMIT 6", given
        ) if given else []  # fmt: skip
        exact = [run for run in found if run.id == given]
        if exact or len(found) == 1:
            return (exact or found)[0]
        if not found:
            raise UsageError(
                f"no run '{given}' in the history", help="`runner runs --limit 100` lists more of them"
            )
        several = ", ".join(run.id for run in found[:5])
        raise UsageError(
            f"'{given}' is the beginning of several runs: {several}{', ...' if len(found) > 5 else ''}",
            help="give more of the id",
        )

    def select(self, wanted: Filter) -> list[Run]:
        """List runs, the newest first."""
        conditions, values = ["1"], []
        if wanted.workflow is not None:
            conditions.append("workflow = ?")
            values.append(wanted.workflow)
        if wanted.since is not None:
            conditions.append("started_at >= ?")
            values.append(wanted.since)
        stored = {RUNNING if status == CRASHED else status for status in wanted.statuses}
        if stored:
            conditions.append(f"status IN ({', '.join('?' * len(stored))})")
            values += sorted(stored)
        order = "ORDER BY started_at DESC, number DESC"
        # Whether a run that says so is running is known when its lock was looked at, not by the database.
        if wanted.limit is not None and RUNNING not in stored:
            order += f" LIMIT {int(wanted.limit)}"
        found = self._runs(f"WHERE {' AND '.join(conditions)} {order}", *values)
        chosen = [run for run in found if not wanted.statuses or run.status in wanted.statuses]
        return chosen if wanted.limit is None else chosen[: wanted.limit]

    def documents(self, digest: str) -> dict[str, str]:
        """Give the files of a run by path."""
        return dict(
            self.database.rows(
                "SELECT path, text FROM files JOIN document ON document.digest = files.document"
                " WHERE files.digest = ? ORDER BY path", digest,
            )
        )  # fmt: skip

    def executions(self, number: int) -> list[Execution]:
        """List the executions of a run, the first one first."""
        rows = self.database.rows(
            "SELECT number, started_at, facts, ended FROM execution WHERE run = ? ORDER BY number", number
        )
        return [
            Execution(number=row[0], started_at=row[1], facts=value_of(row[2]), ended=value_of(row[3]))
            for row in rows
        ]  # fmt: skip

    def events(self, number: int) -> list[tuple[int, JsonObject]]:
        """List how the actions of a run ended, each with the number of its execution."""
        rows = self.database.rows("SELECT execution, data FROM event WHERE run = ? ORDER BY number", number)
        return [(execution, value_of(data)) for execution, data in rows]

    def steps(self, number: int, *states: str) -> list[Step]:
        """List what is known of the steps of a run that are in one of some states."""
        marks = ", ".join("?" * len(states))
        rows = self.database.rows(
            f"SELECT {STEP} FROM step WHERE run = ? AND state IN ({marks}) ORDER BY key",  # noqa: S608
            number, *states,
        )  # fmt: skip
        return [step(row) for row in rows]

    def give_up(self, number: int, keys: Sequence[str]) -> None:
        """Count steps of unknown outcome as failed: they are done again."""
        with self.database.writing() as writing:
            writing.executemany(
                "UPDATE step SET state = 'failed' WHERE run = ? AND key = ?", [(number, key) for key in keys]
            )

    def scrub(self, number: int, redactor: Redactor) -> None:
        """Clean what was written of a run before all of its secrets were known; an output that held one is not kept."""
        changed = False
        with self.database.writing() as writing:
            for key, text in writing.execute(
                "SELECT key, result FROM step WHERE run = ? AND result IS NOT NULL", (number,)
            ).fetchall():
                if redactor.text(text) != text:
                    changed = True
                    result = redactor.data(value_of(text))
                    if result.pop("output", None) is not None:
                        result["lacks"] = [*result.get("lacks", ()), "output"]
                    writing.execute(
                        "UPDATE step SET result = ? WHERE run = ? AND key = ?", (text_of(result), number, key)
                    )
            for event, text in writing.execute(
                "SELECT number, data FROM event WHERE run = ?", (number,)
            ).fetchall():
                if redactor.text(text) != text:
                    changed = True
                    cleaned = text_of(redactor.data(value_of(text)))
                    writing.execute(
                        "UPDATE event SET data = ? WHERE run = ? AND number = ?", (cleaned, number, event)
                    )
        if changed:
            self.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")  # the log has the old pages

    def delete(self, runs: Sequence[Run]) -> None:
        """Delete runs, and the files that no other run is made of."""
        with self.database.writing() as writing:
            writing.executemany("DELETE FROM run WHERE number = ?", [(run.number,) for run in runs])
            writing.execute("DELETE FROM files WHERE digest NOT IN (SELECT digest FROM run)")
            writing.execute("DELETE FROM document WHERE digest NOT IN (SELECT document FROM files)")

    def shrink(self) -> None:
        """Give the space of deleted runs back to the file system, where nobody else is at the file."""
        self.database.shrink()

    def _runs(self, condition: str, *values: Any) -> list[Run]:
        rows = self.database.rows(
            f"SELECT number, id, workflow, status, started_at, digest, facts FROM run {condition}",  # noqa: S608
            *values,
        )
        return [self._run(row) for row in rows]

    def _run(self, row: tuple[Any, ...]) -> Run:
        number, name, workflow, status, started_at, digest, facts = row
        if status == RUNNING and not locks.run_is_held(self.state, name):
            status = CRASHED
        return Run(
            number=number,
            id=name,
            workflow=workflow,
            status=status,
            started_at=started_at,
            digest=digest,
            facts=value_of(facts),
        )


def _keep_files(writing: Any, digest: str, documents: Mapping[str, str]) -> None:
    """Keep the text of files that are not kept yet."""
    if writing.execute("SELECT 1 FROM files WHERE digest = ? LIMIT 1", (digest,)).fetchone():
        return
    named = {path: (_digest(text), text) for path, text in documents.items()}
    writing.executemany("INSERT OR IGNORE INTO document VALUES (?, ?)", named.values())
    writing.executemany(
        "INSERT INTO files VALUES (?, ?, ?)", [(digest, path, own) for path, (own, _) in named.items()]
    )


def step(row: tuple[Any, ...]) -> Step:
    """Read a row of the columns STEP."""
    key, execution, state, harmless, result = row
    return Step(
        key=key,
        execution=execution,
        state=state,
        harmless=bool(harmless),
        result=value_of(result),
    )


def busy(run: Run) -> RunBusyError:
    """Say that a process is at a run."""
    return RunBusyError(
        f"the run {run.id} is running: another process holds its lock",
        help="wait for its end, or stop that process; `runner runs show` tells its host and process number",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
