"""The database file of the history: opened, made, checked; each way in which it can fail gets words of its own.

SQLite in WAL mode with `synchronous=NORMAL`: what is committed survives the end of the process, whatever ends it, and
the last moments before a power cut may be lost while the file stays whole (https://www.sqlite.org/pragma.html#pragma_synchronous).
"""

import contextlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from runner.history.locks import alone
from runner.history.state import REMEDY, HistoryError, prepare, unusable, write_new

if TYPE_CHECKING:
    import sqlite3

FORMAT = 1
"""The format of the file, in its `user_version`. A newer one is refused, never guessed at."""

FILE = "history.db"
_APPLICATION = 0x72756E64
_BUSY = 15.0
"""Seconds to wait for another process that is writing: a write takes less than a thousandth of one."""

_SCHEMA = """
CREATE TABLE document (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE files (
    digest TEXT NOT NULL, path TEXT NOT NULL, document TEXT NOT NULL REFERENCES document, PRIMARY KEY (digest, path)
) WITHOUT ROWID;
CREATE TABLE run (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, workflow TEXT NOT NULL, status TEXT NOT NULL,
    started_at TEXT NOT NULL, digest TEXT NOT NULL, facts TEXT NOT NULL
);
CREATE INDEX run_started ON run (started_at);
CREATE TABLE execution (
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, number INTEGER NOT NULL, started_at TEXT NOT NULL,
    facts TEXT NOT NULL, ended TEXT, PRIMARY KEY (run, number)
) WITHOUT ROWID;
CREATE TABLE step (
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, key TEXT NOT NULL, execution INTEGER NOT NULL,
    state TEXT NOT NULL, harmless INTEGER NOT NULL, result TEXT, PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE TABLE event (
    run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, number INTEGER NOT NULL, execution INTEGER NOT NULL,
    data TEXT NOT NULL, PRIMARY KEY (run, number)
) WITHOUT ROWID;
"""


class Database:
    """One open database. Every method raises HistoryError where the file fails."""

    def __init__(self, path: Path, connection: "sqlite3.Connection") -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, state: Path, *, create: bool = True) -> Self | None:
        """Open the database of a state directory; without `create`, None where there is none."""
        import sqlite3

        path = state / FILE
        if create:
            prepare(state)
            try:
                write_new(path, b"")
            except OSError as problem:
                raise unusable(state, problem) from None
        elif not _is_there(path):
            return None
        with _explained(path):
            connection = sqlite3.connect(path, timeout=_BUSY, isolation_level=None)
            try:
                _prepared(connection, state, path)
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def close(self) -> None:
        """Close; the last process that does puts everything into the one file."""
        import sqlite3

        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read."""
        with _explained(self.path):
            return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> tuple[Any, ...] | None:
        """Read one row."""
        with _explained(self.path):
            found: tuple[Any, ...] | None = self._connection.execute(statement, values).fetchone()
        return found

    @contextmanager
    def writing(self) -> "Iterator[sqlite3.Connection]":
        """Write everything or nothing; durable against the end of the process when this ends."""
        with _explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def write(self, changes: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
        """Write all of some changes or none; as `writing`, with less around it: this is called for every action."""
        import sqlite3

        execute = self._connection.execute
        try:
            execute("BEGIN IMMEDIATE")
            for statement, values in changes:
                execute(statement, values)
            execute("COMMIT")
        except sqlite3.Error as problem:
            if self._connection.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    execute("ROLLBACK")
            raise _explanation(self.path, problem) from None

    def shrink(self) -> None:
        """Rebuild the file without its empty pages; where another process is at it, that is left to another time."""
        with contextlib.suppress(HistoryError), _explained(self.path):
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as problem:  # somebody else's directory, for example
        raise unusable(path.parent, problem) from None
    return True


def _prepared(connection: "sqlite3.Connection", state: Path, path: Path) -> None:
    """Set the connection up, and make the tables in a new file."""
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")
    if _format(connection, path) == 0:
        with alone(state / "creating"):
            if _format(connection, path) == 0:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(
                    f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA application_id={_APPLICATION}; PRAGMA user_version={FORMAT}; COMMIT;"
                )


def _format(connection: "sqlite3.Connection", path: Path) -> int:
    """Give the format of the file, 0 for a new one."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version == 0 and application == 0 and tables == 0:
        return 0
    if application != _APPLICATION:
        raise HistoryError(f"'{path}' is a database of something else than runner.d", help=REMEDY)
    if version > FORMAT:
        raise HistoryError(
            f"the history '{path}' has format {version}, written by a newer runner.d; this one knows up to {FORMAT}",
            help=f"update runner.d, or keep histories apart: {REMEDY}",
        )
    return int(version)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says into words of ours."""
    import sqlite3

    try:
        yield
    except sqlite3.Error as problem:
        raise _explanation(path, problem) from None


def _explanation(path: Path, problem: "sqlite3.Error") -> HistoryError:
    code = getattr(problem, "sqlite_errorname", "") or ""
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return HistoryError(
            f"the history '{path}' is damaged: {problem}",
            help=f"keep it for its runs and start a new one: mv {path} {path}.damaged; `sqlite3 {path}.damaged .recover` may read it",
        )
    if code.startswith("SQLITE_FULL"):
        return HistoryError(
            f"the history '{path}' cannot be written: the disk is full",
            help="free some space (`runner runs prune --keep 30d` removes old runs), or use --state DIR on another disk",
        )
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return HistoryError(f"the history '{path}' cannot be opened for writing: {problem}", help=REMEDY)
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return HistoryError(
            f"another process has been writing to the history '{path}' for over {_BUSY:.0f} seconds",
            help=f"`fuser {path}` shows which one; on a network file system put it elsewhere: {REMEDY}",
        )
    if code.startswith("SQLITE_IOERR"):
        free = "" if _has_room(path) else ": the disk is full"
        return HistoryError(
            f"the history '{path}' cannot be read or written{free or f': {problem}'}", help=REMEDY
        )
    return HistoryError(f"the history '{path}' fails: {problem}", help=REMEDY)


def _has_room(path: Path) -> bool:
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return True
    return found.f_bavail * found.f_frsize > 64 * 1024
