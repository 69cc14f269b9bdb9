"""Files of the project and of the working directory: found below them, opened without leaving them.

A path from a workflow is relative. What it leads to by symbolic links must lie below the same directory.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runner.errors import Failure, FailureError, FailureKind

_WORDS = {
    errno.ENOSPC: ("the disk is full", "make room, or save to another disk: the working directory decides"),
    errno.EDQUOT: (
        "the disk quota is used up",
        "make room, or save to another disk: the working directory decides",
    ),
    errno.EFBIG: ("it is larger than a file may be here", "look at `ulimit -f` and the file system"),
    errno.EACCES: ("permission denied", "check as whom the run goes, and the permissions of the directory"),
    errno.EPERM: ("permission denied", "check as whom the run goes, and the permissions of the directory"),
    errno.EROFS: ("the file system is read-only", "run in a directory that can be written"),
    errno.ENAMETOOLONG: ("its name is too long", "put less into the name: `{{ value[:100] }}`"),
    errno.ENOENT: ("there is no such file", None),
    errno.ENOTDIR: ("a part of its path is a file, not a directory", None),
    errno.EISDIR: ("it is a directory", None),
    errno.ELOOP: ("a part of its path is a symbolic link", "links are not followed: they may lead anywhere"),
    errno.EMFILE: ("this process has too many files open", "lower `concurrency`, or raise `ulimit -n`"),
}
# macOS and the BSDs say so of a symbolic link where a directory is asked for.
_LINK = {errno.ELOOP, errno.ENOTDIR}


def file_error(what: str, problem: OSError | str, *, help: str | None = None) -> FailureError:
    """Make the error of a file: `what` begins the sentence, the system says why."""
    if isinstance(problem, OSError):
        words, remedy = _WORDS.get(problem.errno or 0, (problem.strerror or "unknown reason", None))
    else:
        words, remedy = problem, None
    return FailureError(Failure(kind=FailureKind.FILE, message=f"{what}: {words}", help=help or remedy))


def find(path: str, roots: tuple[Path, ...]) -> tuple[Path, int]:
    """Find a file to read below one of the directories, the first that has it; gives its real path and its size.

    Raises FailureError where it is in none, leads out of its directory, or is no file.
    """
    what = f"the file '{path}' cannot be read"
    for root in roots:
        try:
            home = root.resolve(strict=True)
            real = (home / path).resolve(strict=True)
            status = real.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, RuntimeError) as problem:  # a loop of links is the latter
            raise file_error(
                what, problem if isinstance(problem, OSError) else "its links lead in a circle"
            ) from None
        if not real.is_relative_to(home):
            raise file_error(
                what,
                "a symbolic link leads out of its directory",
                help="a request sends files of the project and of the working directory only: copy it there",
            )
        if not stat.S_ISREG(status.st_mode):
            raise file_error(
                what, "it is no file" if not stat.S_ISDIR(status.st_mode) else "it is a directory"
            )
        return real, status.st_size
    raise file_error(
        what,
        "there is no such file",
        help="a path is relative to the working directory, or else to the project's",
    )


@contextmanager
def directory_of(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """Open the directory in which a path below `root` ends, making what is missing; gives it and the file's name.

    Each part is opened from the one before it and never through a symbolic link, so nobody can exchange one meanwhile.
    """
    *folders, name = [part for part in path.split("/") if part not in ("", ".")]
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            with suppress(FileExistsError):
                os.mkdir(folder, dir_fd=opened)
            inner = _open_folder(folder, opened)
            os.close(opened)
            opened = inner
        yield opened, name
    finally:
        os.close(opened)


def _open_folder(name: str, inside: int) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=inside)
    except OSError as problem:
        if problem.errno in _LINK and stat.S_ISLNK(os.lstat(name, dir_fd=inside).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
        raise
