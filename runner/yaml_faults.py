"""What the YAML parser says is wrong, in words that tell what to do."""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

import yaml

from runner.diagnostics import Diagnostic, Label, error
from runner.source import Position, Span
from runner.yaml_scalars import LINE_BREAK
from runner.yaml_values import LOADER


def position_of(mark: Any) -> Position:
    """Give the place of a mark of the parser, which counts from 0."""
    return Position(mark.line + 1, mark.column + 1)


def too_deep(problem: yaml.YAMLError) -> bool:
    """Tell whether the parser stopped at its own limit of nesting, as libyaml does from 0.2.6 on."""
    return "nesting depth" in str(getattr(problem, "problem", None))


def syntax_error(problem: yaml.YAMLError, text: str, shown: str) -> Diagnostic:
    """Explain why a text is not YAML."""
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    if mark is None:  # the reader refuses control characters before there is a mark
        character = getattr(problem, "character", None)
        at = getattr(problem, "position", 0)
        before = text[:at] if isinstance(at, int) else ""
        position = Position(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
        name = f"U+{character:04X}" if isinstance(character, int) else "a control character"
        place = Span(shown, position, Position(position.line, position.column + 1))
        return error(
            "yaml-syntax", f"the file holds {name}, which YAML does not allow", place, help="remove it"
        )
    lines = LINE_BREAK.split(text)
    conflict = next((at for at, each in enumerate(lines, 1) if each.startswith("<<<<<<< ")), None)
    if conflict is not None:
        where = Span(shown, Position(conflict, 1), Position(conflict, 8))
        message = "a merge conflict is not resolved: git's marks still stand in the file"
        remedy = "keep what is right, and take the lines with <<<<<<<, ======= and >>>>>>> out"
        return error("yaml-syntax", message, where, help=remedy)
    line = lines[mark.line] if mark.line < len(lines) else ""
    place = Span(shown, position_of(mark), Position(mark.line + 1, mark.column + 2))
    opened = _open_quote(text, mark)
    if opened is not None:
        here = Span(shown, position_of(opened), Position(opened.line + 1, opened.column + 2))
        found = error("yaml-syntax", "a quote is opened and not closed", here, help=_CLOSE)
        return replace(found, related=(Label(place, "the next one ends it, and this is left over"),))
    message, remedy = _explain(str(getattr(problem, "problem", None)), str(getattr(problem, "context", None)))
    if line[mark.column : mark.column + 1] == "\t" or (
        "\t" in line[: mark.column + 1] and not line[: mark.column].strip()
    ):
        message, remedy = "a tab cannot indent YAML", "use spaces"
    elif re.search(r":\s*\{\{", line) or (": {%" in line):
        message, remedy = "a template must be quoted in YAML", 'put quotes around it: "{{ ... }}"'
    found = error("yaml-syntax", message, place, help=remedy)
    begun = getattr(problem, "context_mark", None)
    if begun is None or (begun.line, begun.column) == (mark.line, mark.column):
        return found
    where = Span(shown, position_of(begun), Position(begun.line + 1, begun.column + 2))
    return replace(found, related=(Label(where, "it begins here"),))


def _open_quote(text: str, mark: Any) -> Any:
    """Find where the quoted text began that ends where reading stopped, lines below: its own quote is missing."""
    last: Any = None
    with suppress(yaml.YAMLError):
        for event in yaml.parse(text, Loader=LOADER):
            last = event
    if not isinstance(last, yaml.ScalarEvent) or last.style not in ("'", '"'):
        return None
    start: Any = last.start_mark
    end: Any = last.end_mark
    return start if start.line < end.line == mark.line and not text[end.index : mark.index].strip() else None


_CLOSE = "close it; in '...' an apostrophe is written twice"
_QUOTES = "put quotes around the text"
_INDENT = "check the indentation and the quotes here and in the lines above"
_EXPLAINED: tuple[tuple[str, str, str], ...] = (
    (
        "expected ',' or ']'",
        "the list that '[' opens is not closed, or a comma is missing",
        "close it with ']'; quote text that holds brackets or quotes",
    ),
    (
        "expected ',' or '}'",
        "the mapping that '{' opens is not closed, or a comma is missing",
        "close it with '}'; quote text that holds braces or quotes",
    ),
    ("expected key", "this does not continue the mapping above it", _INDENT),
    ("expected '-' indicator", "this does not continue the list above it", _INDENT),
    (
        "could not find expected ':'",
        "a ':' is missing",
        "write `key: value`; check the quotes and the line above",
    ),
    (
        "mapping values are not allowed",
        "a ':' may not stand here",
        "quote the text if it holds ': ', or check the indentation",
    ),
    (
        "block sequence entries are not allowed",
        "a list item '- ' may not stand here",
        "put each item on a line of its own",
    ),
    (
        "unexpected end of stream",
        "a quote is opened and not closed",
        _CLOSE,
    ),
    ("unexpected document indicator", "a quote is opened and not closed before '---' or '...'", "close it"),
    ("cannot start any token", "text may not start with this character", _QUOTES),
    (
        "unknown escape character",
        "there is no such escape in double quotes",
        "write two backslashes for one, or use single quotes",
    ),
    ("escape code", "the escape is no character", "write the character itself: the file is UTF-8"),
    (
        "hexdecimal number",
        "the escape needs more hexadecimal digits",
        "write the character itself: the file is UTF-8",
    ),
    ("<document start>", "something stands here after the end of the value", _INDENT),
    (
        "node content",
        "a value is missing here",
        "write it, or quote text that starts with a special character",
    ),
    ("alphabetic or numeric", "'*' and '&' start an alias or an anchor, and no name follows", _QUOTES),
    (
        "comment or line break",
        "something stands after '|' or '>' in the same line",
        "begin the text in the next line",
    ),
    ("indentation indicator", "the number after '|' or '>' is not 1 to 9", "leave it out"),
    ("directive", "'%' at the start of a line is a directive of YAML", _QUOTES),
    ("tag", "a tag is not well formed", "tags are not supported; quote text that starts with '!'"),
    ("tab character", "a tab cannot indent YAML", "use spaces"),
    ("simple key", "a key may not stand here", _INDENT),
)
"""What the parser's problems hold, and what it means to people."""


def _explain(problem: str, context: str) -> tuple[str, str]:
    for mark in (problem, context):
        for part, message, remedy in _EXPLAINED:
            if part in mark:
                return message, remedy
    return "this is not YAML", "check indentation, quotes and brackets here and in the lines above"
