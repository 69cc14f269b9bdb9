"""Locks between the processes of one machine: one per run, and one per `concurrency.key`, first come first served.

Both are `flock(2)` on files in the state directory. The kernel lets go of them with the process, however it ends, so
none is ever left behind. Nothing of a key is written: its file is named by a digest.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from runner.history.state import prepare, unusable

_FOLDER = "locks"
_LOOKS, _A_LOOK = 5, 0.02
"""Whoever lists the runs holds each lock for an instant to see whether it is free: that is no reason to give up."""


class Lock:
    """An exclusive lock that this process holds, until `release`."""

    def __init__(self, path: Path, number: int) -> None:
        self._path = path
        self._number = number

    def release(self) -> None:
        """Let go; the file goes first, so that nobody takes a lock on one that is gone."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def take_run(state: Path, run: str) -> Lock | None:
    """Lock a run for this process; None where another one has it."""
    path = _folder(state) / f"run-{run}"
    for _ in range(_LOOKS):
        lock = _take(path)
        if lock is not None:
            return lock
        time.sleep(_A_LOOK)
    return None


def run_is_held(state: Path, run: str) -> bool:
    """Tell whether some process is at a run."""
    return _held(state / _FOLDER / f"run-{run}")


class Ticket:
    """A place in the queue of a key. It holds the key when nobody is before it."""

    def __init__(self, queue: "Queue", number: int, lock: Lock) -> None:
        self._queue = queue
        self._number = number
        self._lock = lock

    def ahead(self) -> list[dict[str, Any]]:
        """Say who is before this one, as each wrote it down; nobody: the key is held."""
        return self._queue.before(self._number)

    def release(self) -> None:
        """Leave the queue."""
        self._queue.leave(self._lock)


class Queue:
    """Those who hold or wait for one key: a folder of numbered tickets, each locked by its process.

    One process at a time looks at tickets: looking is locking for an instant.
    """

    def __init__(self, state: Path, key: str) -> None:
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:40]
        self._gate = _folder(state) / "gate"
        self._folder = _folder(state) / f"key-{name}"

    def enter(self, who: dict[str, Any], *, wait: bool) -> Ticket | list[dict[str, Any]]:
        """Take a ticket; without `wait` only where nobody has one, else gives who does."""
        with alone(self._gate):
            try:
                self._folder.mkdir(mode=0o700, exist_ok=True)
            except OSError as problem:
                raise unusable(self._folder, problem) from None
            alive = self._alive()
            if alive and not wait:
                return [self._read(number) for number in alive]
            number = max(self._numbers(), default=0) + 1
            lock = _take(self._folder / f"{number:012d}", json.dumps(who).encode())
            assert lock is not None, "nobody else makes tickets while the gate is ours"
            return Ticket(self, number, lock)

    def before(self, number: int) -> list[dict[str, Any]]:
        """Read the tickets before a number, of processes that live."""
        with alone(self._gate):
            return [self._read(other) for other in self._alive() if other < number]

    def leave(self, lock: Lock) -> None:
        """Put a ticket away, and the folder with the last one."""
        with alone(self._gate):
            lock.release()
            with contextlib.suppress(OSError):
                self._folder.rmdir()

    def _numbers(self) -> list[int]:
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdigit())

    def _alive(self) -> list[int]:
        """List the tickets that a process holds, and remove those whose process is gone."""
        alive = []
        for number in self._numbers():
            path = self._folder / f"{number:012d}"
            if _held(path):
                alive.append(number)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
        return alive

    def _read(self, number: int) -> dict[str, Any]:
        try:
            found = json.loads((self._folder / f"{number:012d}").read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _folder(state: Path) -> Path:
    prepare(state)
    folder = state / _FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as problem:
        raise unusable(folder, problem) from None
    return folder


def _take(path: Path, content: bytes = b"") -> Lock | None:
    while True:
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise unusable(path.parent, problem) from None
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _still_there(path, number):  # its holder has just put it away
                os.close(number)
                continue
            if content:
                os.write(number, content)
        except BlockingIOError:
            os.close(number)
            return None
        except OSError as problem:
            os.close(number)
            raise unusable(path.parent, problem) from None
        return Lock(path, number)


def _held(path: Path) -> bool:
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(number)
    return False


def _still_there(path: Path, number: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(number))
    except FileNotFoundError:
        return False


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let one process at a time do what takes an instant; the file stays."""
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise unusable(path.parent, problem) from None
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
        except OSError as problem:  # some network file systems have no locks
            raise unusable(path.parent, problem) from None
        yield
    finally:
        os.close(number)
