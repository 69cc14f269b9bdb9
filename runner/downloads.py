"""`save_to`: an answer's body on its way into a file below the working directory, whole or not at all.

It is written beside its target under a hidden name, and takes its name when the action has succeeded. The hidden name
is made from the run and the action, so that a resumed run takes the same one again and leaves nothing behind.
"""

import errno
import hashlib
import os
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from runner import files
from runner.errors import FailureError, JsonObject
from runner.template_paths import OF_THE_PROJECT


class Download:
    """One file that is being saved. `begin` starts it anew for each attempt; `commit` or `discard` ends it."""

    def __init__(self, root: Path, path: str, *, owner: str) -> None:
        self._root = root
        self._path = path
        self._hidden = f".{hashlib.sha256(f'{owner} {path}'.encode()).hexdigest()[:16]}.part"
        self._opened = ExitStack()
        self._folder = -1
        self._name = ""
        self._file: Any = None
        self._hash = hashlib.sha256()
        self._size = 0
        self._check_place()
        self._look_ahead()

    def wants(self, status: int) -> bool:
        """Tell whether the body of an answer is what is to be saved: errors are read and reported as ever."""
        return 200 <= status < 300

    def begin(self) -> None:
        """Make the hidden file, empty, and the directories on the way to it; raises FailureError."""
        self.discard()
        try:
            self._folder, self._name = self._opened.enter_context(files.directory_of(self._root, self._path))
            self._check_target()
            # What a killed run left under this name is replaced, a link not followed.
            with suppress(FileNotFoundError):
                os.unlink(self._hidden, dir_fd=self._folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            made = os.open(self._hidden, flags, 0o666, dir_fd=self._folder)
            self._file = os.fdopen(made, "wb", buffering=256 * 1024)
        except OSError as problem:
            self.discard()
            raise self._failed(problem) from None
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, piece: bytes) -> None:
        """Append to the file; raises FailureError."""
        try:
            self._file.write(piece)
        except OSError as problem:
            raise self._failed(problem) from None
        self._hash.update(piece)
        self._size += len(piece)

    async def end(self) -> None:
        """Bring everything onto the disk; raises FailureError."""
        import asyncio

        try:
            self._file.flush()
            await asyncio.to_thread(os.fsync, self._file.fileno())
        except OSError as problem:
            raise self._failed(problem) from None

    def described(self, content_type: str | None) -> JsonObject:
        """Give what stands for the body: where it is, its size, its digest, what the server says it is."""
        return {
            "path": self._path,
            "bytes": self._size,
            "sha256": self._hash.hexdigest(),
            "content_type": content_type,
        }

    def commit(self) -> None:
        """Give the file its name, in one step, in place of one that has it; raises FailureError."""
        if self._file is None:
            return
        try:
            self._file.close()
            self._check_target()
            os.rename(self._hidden, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError as problem:
            raise self._failed(problem) from None
        self._file = None
        self._opened.close()

    def discard(self) -> None:
        """Remove what was not committed; never raises."""
        if self._file is not None:
            with suppress(OSError):
                os.unlink(self._hidden, dir_fd=self._folder)
            with suppress(OSError):
                self._file.close()  # writes what is left first, which may fail again
            self._file = None
        self._opened.close()

    def _check_place(self) -> None:
        """Refuse to write into the project itself: an answer is no part of what was reviewed."""
        first = next(part for part in self._path.split("/") if part not in ("", "."))
        if first in OF_THE_PROJECT:
            raise files.file_error(
                f"'{self._path}' cannot be saved",
                f"`{first}` belongs to the project",
                help="save into a directory of its own",
            )

    def _look_ahead(self) -> None:
        """Refuse, before anything is sent, what certainly cannot be saved; makes nothing. `begin` looks again."""
        *folders, name = [part for part in self._path.split("/") if part not in ("", ".")]
        here = self._root
        try:
            for folder in folders:
                mode = (here / folder).lstat().st_mode
                if not stat.S_ISDIR(mode):
                    number = errno.ELOOP if stat.S_ISLNK(mode) else errno.ENOTDIR
                    raise OSError(number, os.strerror(number))
                here /= folder
            mode = (here / name).lstat().st_mode
            if stat.S_ISLNK(mode) or stat.S_ISDIR(mode):
                number = errno.ELOOP if stat.S_ISLNK(mode) else errno.EISDIR
                raise OSError(number, os.strerror(number))
        except FileNotFoundError:
            pass  # it will be made
        except OSError as problem:
            raise self._failed(problem) from None
        if not os.access(here, os.W_OK | os.X_OK):
            raise self._failed(OSError(errno.EACCES, os.strerror(errno.EACCES)))

    def _check_target(self) -> None:
        try:
            found = os.lstat(self._name, dir_fd=self._folder)
        except FileNotFoundError:
            return
        if stat.S_ISLNK(found.st_mode):
            raise OSError(errno.ELOOP, "a symbolic link")
        if stat.S_ISDIR(found.st_mode):
            raise OSError(errno.EISDIR, "a directory")

    def _failed(self, problem: OSError) -> FailureError:
        return files.file_error(f"'{self._path}' cannot be saved", problem)
