"""A stretch of a source file with its line number, and carets under what is meant."""

import re
from collections.abc import Mapping, Sequence

from runner.reports import about_file
from runner.reports.text.conceal import Concealment, Ranges
from runner.reports.text.style import Style, cell_width, one_line, unsafe
from runner.source import Span

WIDEST = 160
"""Columns of a source line that are shown; of a longer one the part around the place."""

TAB = "    "
BLANK = "••••••••"
"""What stands for concealed text, whatever its length: the length says something too."""

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class Sources:
    """The lines of the files, split where YAML splits them."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}

    def lines(self, path: str) -> Sequence[str]:
        """Give the lines of a file; none where its text is not known."""
        if path not in self._lines:
            text = self._texts.get(path, "").removeprefix("\ufeff")
            self._lines[path] = _LINE_BREAK.split(text) if text else []
        return self._lines[path]


def excerpt(
    span: Span, sources: Sources, concealment: Concealment, style: Style, *, gutter: int, role: str
) -> list[str]:
    """Give the arrow line, and where the text is known the source line and the carets."""
    where = span.path if about_file(span) else str(span)
    arrow = f"{' ' * gutter}{style.paint('-->', 'gutter')} {one_line(where)}"
    lines = sources.lines(span.path)
    number = span.start.line
    if about_file(span) or not 1 <= number <= len(lines):
        return [arrow]
    cells = _cells(lines[number - 1], concealment.ranges(span.path, lines, number))
    start = min(span.start.column - 1, len(cells))
    last = span.end.column - 1 if span.end.line == number else len(lines[number - 1].rstrip())
    end = min(max(last, start + 1), max(len(cells), start + 1))
    text, before, wide = _window(cells, start, end)
    bar = style.paint("|", "gutter")
    label = style.paint(str(number).ljust(gutter), "gutter")
    return [
        arrow,
        f"{label} {bar} {text}".rstrip(),
        f"{' ' * gutter} {bar} {' ' * before}{style.paint('^' * wide, role)}",
    ]


def _cells(line: str, concealed: Ranges) -> list[tuple[str, int]]:
    """Give for each character of a line what is printed for it, and how many columns that takes."""
    cells: list[tuple[str, int]] = []
    for char in line:
        if char == "\t":
            cells.append((TAB, len(TAB)))
        elif unsafe(char):
            cells.append(("\N{REPLACEMENT CHARACTER}", 1))
        else:
            cells.append((char, cell_width(char)))
    for start, end in concealed:
        for index in range(start, min(end, len(cells))):
            cells[index] = (BLANK, len(BLANK)) if index == start else ("", 0)
    return cells


def _window(cells: list[tuple[str, int]], start: int, end: int) -> tuple[str, int, int]:
    """Give the text to show, the columns before the place, and the columns that the place takes."""
    before = sum(width for _, width in cells[:start])
    wide = max(sum(width for _, width in cells[start:end]), 1)
    if sum(width for _, width in cells) <= WIDEST:
        return "".join(text for text, _ in cells).rstrip(), before, wide
    first = start
    room = WIDEST // 3
    while first > 0 and room >= cells[first - 1][1]:
        first -= 1
        room -= cells[first][1]
    after, room = first, WIDEST
    while after < len(cells) and room >= cells[after][1]:
        room -= cells[after][1]
        after += 1
    lead = "…" if first else ""
    shown = lead + "".join(text for text, _ in cells[first:after]) + ("…" if after < len(cells) else "")
    before = len(lead) + sum(width for _, width in cells[first:start])
    wide = max(sum(width for _, width in cells[start : min(end, after)]), 1)
    return shown.rstrip(), before, wide
