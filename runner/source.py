"""Where a thing stands in a file: positions and spans, the coordinates of every message."""

from runner.frozen import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text: line and column, both from 1; columns count characters, not bytes."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a file. `path` is relative to the project where it can be; `end` is exclusive."""

    path: str
    start: Position
    end: Position

    def __str__(self) -> str:
        return f"{self.path}:{self.start.line}:{self.start.column}"


def whole_file(path: str) -> Span:
    """Give the place of a message about a file as such."""
    return Span(path, Position(1, 1), Position(1, 1))
