"""The database and the locks: what is in the files, how they fail, and many processes at once."""

import errno
import fcntl
import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import Exit, UsageError
from runner.exact_json import loads
from runner.history import database, locks
from runner.history.database import FILE, FORMAT, Database
from runner.history.locks import Queue, Ticket
from runner.history.runs import Filter, History, Run
from runner.history.state import HistoryError, directory
from runner.history.written import text_of, value_of
from tests.histories import opened


def a_run(name: str, **more: object) -> Run:
    facts: dict[str, object] = {"user": None, "environment": None, "commit": None, "inputs": {}, "again": []}
    given = {
        "workflow": "w",
        "status": "running",
        "started_at": f"2026-01-01T00:00:{name[-2:]}Z",
        "digest": "d1",
    }
    return Run(number=0, id=name, facts=facts, **{**given, **more})  # type: ignore[arg-type]


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = opened(tmp_path / "state")
    yield made
    made.close()


def test_only_the_owner_reads_it(history: History) -> None:
    history.add(a_run("r01"), {"a.yaml": "x"})
    locks.take_run(history.state, "r01")
    Queue(history.state, "k").enter({}, wait=True)
    assert stat.S_IMODE(history.state.stat().st_mode) == 0o700
    files = [path for path in history.state.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {FILE, f"{FILE}-wal", ".gitignore", "run-r01", "gate"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_run_is_found_by_the_beginning_of_its_id(history: History) -> None:
    for name in ("20260101T000000-aabb01", "20260101T000000-aacc02", "20260202T000000-ddee03"):
        history.add(a_run(name), {"a.yaml": "x"})
    assert history.find("20260202").id == "20260202T000000-ddee03"
    assert history.find("aacc").id == "20260101T000000-aacc02"
    with pytest.raises(
        UsageError, match="beginning of several runs: 20260101T000000-aacc02, 20260101T000000-aabb01"
    ):
        history.find("aa")
    for unknown in ("x", "", "%", "000000"):
        with pytest.raises(UsageError, match="no run"):
            history.find(unknown)


def test_lists_are_filtered_and_files_are_kept_once(history: History) -> None:
    first = history.add(a_run("r01"), {"a.yaml": "x", "b.yaml": "y"})
    history.add(a_run("r02", workflow="other", digest="d2"), {"a.yaml": "x", "b.yaml": "z"})
    history.end(first, history.begin(first, "now", {}), {"status": "failed"})
    assert [run.id for run in history.select(Filter())] == ["r02", "r01"]
    assert [run.id for run in history.select(Filter(limit=1))] == ["r02"]
    assert [run.id for run in history.select(Filter(workflow="other"))] == ["r02"]
    assert [run.id for run in history.select(Filter(statuses=["failed"]))] == ["r01"]
    assert [run.id for run in history.select(Filter(since="2026-01-01T00:00:02Z"))] == ["r02"]
    # It says that it runs, and no process holds its lock.
    assert [run.id for run in history.select(Filter(statuses=["crashed"]))] == ["r02"]
    lock = locks.take_run(history.state, "r02")
    assert lock is not None
    assert [run.status for run in history.select(Filter())] == ["running", "failed"]
    assert history.documents("d2") == {"a.yaml": "x", "b.yaml": "z"}
    assert history.database.row("SELECT count(*) FROM document") == (3,)
    history.delete([history.find("r02")])
    assert history.database.row("SELECT count(*) FROM document") == (2,)
    assert history.documents("d2") == {}
    lock.release()


def test_values_come_back_exactly() -> None:
    value = {
        "n": loads("1.10"),
        "big": loads("123456789012345678901234567890"),
        "half": "\ud800x",
        "é": [None, True],
    }
    assert text_of(value_of(text_of(value))) == text_of(value)
    assert value_of(text_of(value))["half"] == "\ud800x"
    assert "1.10" in text_of(value)


# --- how it fails


def refused(state: Path) -> HistoryError:
    with pytest.raises(HistoryError) as caught:
        Database.open(state)
    assert caught.value.exit_code == Exit.UNAVAILABLE
    assert caught.value.help
    return caught.value


def test_a_damaged_file_is_told_and_left(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database, and was never one" * 100)
    before = (tmp_path / FILE).read_bytes()
    problem = refused(tmp_path)
    assert "is damaged" in problem.message
    assert "mv" in str(problem.help)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_page_that_is_damaged_is_told_when_it_is_read(tmp_path: Path) -> None:
    history = opened(tmp_path)
    for number in range(200):
        history.add(a_run(f"r{number:02d}", digest=f"d{number}"), {"a.yaml": "x" * 500 + str(number)})
    history.close()
    with (tmp_path / FILE).open("r+b") as file:
        file.seek(4096 * 3)
        file.write(os.urandom(4096 * 12))
    damaged = opened(tmp_path)
    try:
        with pytest.raises(HistoryError, match="is damaged"):
            damaged.database.rows("SELECT * FROM document")
    finally:
        damaged.close()


def test_a_newer_format_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    opened(tmp_path / "newer").close()
    with sqlite3.connect(tmp_path / "newer" / FILE) as newer:
        newer.execute(f"PRAGMA user_version={FORMAT + 1}")
    newer.close()
    assert "written by a newer runner.d" in refused(tmp_path / "newer").message
    (tmp_path / "other").mkdir()
    with sqlite3.connect(tmp_path / "other" / FILE) as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    assert "something else than runner.d" in refused(tmp_path / "other").message


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    problem = refused(tmp_path / "file" / "state")
    assert "cannot be used: Not a directory" in problem.message
    assert "--no-history" in str(problem.help)


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    for use in (
        lambda: History.open(tmp_path),
        lambda: locks.take_run(tmp_path, "r1"),
        lambda: Queue(tmp_path, "k").enter({}, wait=True),
    ):
        with pytest.raises(HistoryError, match="cannot be used: No locks available"):
            use()


def test_somebody_elses_directory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stat(path: Path, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(HistoryError, match="cannot be used: Permission denied"):
        History.open(tmp_path, create=False)


def test_a_full_disk_leaves_what_was_there(history: History) -> None:
    history.add(a_run("r01"), {"a.yaml": "x"})
    (pages,) = history.database.row("PRAGMA page_count") or (0,)
    history.database.rows(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(HistoryError, match="the disk is full"):
        history.add(a_run("r02", digest="d2"), {"a.yaml": "y" * 100_000})
    assert [run.id for run in history.select(Filter())] == ["r01"]


def test_a_writer_that_does_not_end_is_told(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY", 0.05)
    other = opened(history.state)
    try:
        with (
            history.database.writing(),
            pytest.raises(HistoryError, match="another process has been writing"),
        ):
            other.add(a_run("r01"), {})
    finally:
        other.close()


def test_the_directory_is_the_projects_unless_another_is_named(tmp_path: Path) -> None:
    assert directory(tmp_path, None, Path("/x")) == tmp_path / ".runner"
    assert directory(tmp_path, "state", Path("/x")) == Path("/x/state")


# --- many processes

WRITER = """
import sys
from pathlib import Path
from tests.histories import opened
from tests.history.test_store import a_run
state, name = Path(sys.argv[1]), sys.argv[2]
for number in range(20):
    history = opened(state)
    run = history.add(a_run(f"{name}{number:02d}", digest=f"{name}{number}"), {"a.yaml": name})
    execution = history.begin(run, "now", {})
    history.end(run, execution, {"status": "failed"})
    history.close()
"""


def test_many_processes_write_at_once(tmp_path: Path) -> None:
    """Also the one that makes the file: they all find none."""
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "state"), name],
            cwd=root,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for name in "abcd"
    ]
    assert [(writer.communicate(timeout=100)[1], writer.returncode) for writer in writers] == [("", 0)] * 4
    history = opened(tmp_path / "state")
    assert len(history.select(Filter(limit=None))) == 80
    assert history.database.rows("PRAGMA integrity_check") == [("ok",)]
    history.close()


# --- locks


def test_a_run_has_one_holder(tmp_path: Path) -> None:
    lock = locks.take_run(tmp_path, "r")
    assert lock is not None
    assert locks.run_is_held(tmp_path, "r")
    assert locks.take_run(tmp_path, "r") is None
    lock.release()
    assert not locks.run_is_held(tmp_path, "r")
    again = locks.take_run(tmp_path, "r")
    assert again is not None
    again.release()


def test_a_queue_is_first_come_first_served(tmp_path: Path) -> None:
    queue = Queue(tmp_path, "secret-looking key")
    tickets = [queue.enter({"run": name}, wait=True) for name in "abc"]
    assert all(isinstance(ticket, Ticket) for ticket in tickets)
    first, second, third = (ticket for ticket in tickets if isinstance(ticket, Ticket))
    assert first.ahead() == []
    assert [each["run"] for each in third.ahead()] == ["a", "b"]
    assert queue.enter({"run": "d"}, wait=False) == [{"run": "a"}, {"run": "b"}, {"run": "c"}]
    other = Queue(tmp_path, "another key").enter({}, wait=False)
    assert isinstance(other, Ticket)
    second.release()
    assert [each["run"] for each in third.ahead()] == ["a"]
    first.release()
    assert third.ahead() == []
    third.release()
    other.release()
    assert [path.name for path in (tmp_path / "locks").iterdir()] == ["gate"], "nothing is left behind"
    assert json.dumps([str(path) for path in tmp_path.rglob("*")]).find("secret-looking") == -1
