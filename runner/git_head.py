"""Which commit a directory is at, read from the files of git: starting `git` costs more than a whole request."""

import os
import re
from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LINKS = 5


def commit(directory: Path) -> str | None:
    """Give the hash of HEAD as https://git-scm.com/docs/gitrepository-layout lays it out; None where that is not known."""
    try:
        own = _git_directory(directory)
        if own is None:
            return None
        shared = _text(own / "commondir")
        places = [own] if shared is None else [own, own / shared]
        name = "HEAD"
        for _ in range(_LINKS):
            found = next((text for place in places if (text := _text(place / name)) is not None), None)
            if found is None:
                return _packed(places[-1], name)
            if not found.startswith("ref: "):
                return found if _HASH.fullmatch(found) else None
            name = found.removeprefix("ref: ")
            if ".." in name or name.startswith("/"):
                return None
    except (OSError, ValueError):
        return None
    return None


def _git_directory(directory: Path) -> Path | None:
    for path in (directory, *directory.parents):
        found = path / ".git"
        if found.is_dir():
            return found
        text = _text(found)  # a worktree or a submodule
        if text is not None and text.startswith("gitdir: "):
            return path / text.removeprefix("gitdir: ")
    return None


def _text(path: Path) -> str | None:
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    with os.fdopen(number, "rb") as file:
        try:
            return file.read(4096).decode("utf-8", "surrogateescape").strip()
        except IsADirectoryError:
            return None


def _packed(place: Path, name: str) -> str | None:
    """Find a reference among those that git has put into one file."""
    try:
        lines = (place / "packed-refs").read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return None
    for line in lines:
        value, _, of = line.partition(" ")
        if of == name and _HASH.fullmatch(value):
            return value
    return None
