"""What templates put into paths, of URLs and of files: a value stays within its segment, or is refused."""

import re
from typing import Any
from urllib.parse import quote

from runner.template_text import text_of

EMPTY = "\x00"
"""Stands for an empty value until the whole path is known."""

_DOTS = re.compile(r"(?:\.|%2[Ee]){1,2}(?:;|%3[Bb]|\Z)")
"""A segment that servers take for `.` or `..`: also percent-encoded, also with parameters after it."""
_NOT_IN_NAMES = re.compile(r"""[\x00-\x1f\x7f-\x9f/\\%:*?"<>|]|^\.""")
"""What a value may not bring into a file's name: separators, control characters, what other systems refuse, and a dot at
its beginning, which would hide the file. `%` itself is escaped too, so that two values never give one name."""

OF_THE_PROJECT = frozenset({"connections.d", "workflows.d", "runner.yaml", ".git"})
"""What no answer may be saved into: it is what was reviewed."""


class PathError(ValueError):
    """A rendered path names something that it must not."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


def _is_raw(value: Any) -> bool:
    """Tell whether a value is to stay as it is; Jinja makes these, and is not asked for texts that are none."""
    if type(value) is str or not isinstance(value, str):
        return False
    from runner.template_engine import Raw

    return isinstance(value, Raw)


def path_text(value: Any) -> str:
    """Write a value into the path of a URL: percent-encoded, `/` included."""
    if _is_raw(value):
        return str(value)
    return quote(text_of(value), safe="") or EMPTY


def checked(value: str) -> str:
    """Give the path of a URL; raises PathError for one that names another resource than it seems to."""
    path, question, query = value.partition("?")
    _refuse_empty(path)
    path = path.replace(EMPTY, "")
    if any(_DOTS.match(segment) for segment in re.split(r"[/\\]|%2[Ff]|%5[Cc]", path)):
        raise PathError(
            "the path would leave its place: it holds a '.' or '..' segment",
            "a path may not hold '.' or '..' segments, also not percent-encoded",
        )
    return path + question + query.replace(EMPTY, "")


def file_text(value: Any) -> str:
    """Write a value into the path of a file: as it is, but for the characters that a name cannot have."""
    if _is_raw(value):
        return str(value)
    return _NOT_IN_NAMES.sub(_escaped, text_of(value)) or EMPTY


def checked_file(path: str) -> str:
    """Give the path of a file; raises PathError where it is not one below the directory it is relative to."""
    _refuse_empty(path)
    path = path.replace(EMPTY, "")
    wrong = file_problem(path)
    if wrong:
        raise PathError(wrong, "write a relative path without '..': files lie below the working directory")
    return path


def file_problem(path: str) -> str | None:
    """Say why a path cannot be one below a directory, or None."""
    segments = path.split("/")
    if path.startswith(("/", "~")):
        return "the path of a file is absolute"
    if ".." in segments or "." in segments[1:]:
        return "the path of a file holds a '.' or '..' segment"
    if not segments[-1] or segments[-1] == ".":
        return "the path of a file names no file"
    if any(ord(char) < 32 or char == "\x7f" for char in path):
        return "the path of a file holds a control character"
    return None


def _refuse_empty(path: str) -> None:
    if EMPTY in path and any(segment and not segment.strip(EMPTY) for segment in path.split("/")):
        raise PathError(
            "a value in the path is empty",
            "an empty value would name another resource; check it with `if`",
        )


def _escaped(match: re.Match[str]) -> str:
    return "%2E" if match[0] == "." else quote(match[0], safe="")
