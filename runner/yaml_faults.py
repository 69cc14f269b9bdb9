"""What the YAML parser says is wrong, in words that tell what to do."""

import re
from typing import Any

import yaml

from runner.diagnostics import Diagnostic, error
from runner.source import Position, Span
from runner.yaml_scalars import LINE_BREAK


def position_of(mark: Any) -> Position:
    """Give the place of a mark of the parser, which counts from 0."""
    return Position(mark.line + 1, mark.column + 1)


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
    line = lines[mark.line] if mark.line < len(lines) else ""
    place = Span(shown, position_of(mark), Position(mark.line + 1, mark.column + 2))
    message = str(getattr(problem, "problem", None) or "this is not YAML")
    context = getattr(problem, "context", None)
    remedy: str | None = f"{context}" if context else None
    if line[mark.column : mark.column + 1] == "\t" or (
        "\t" in line[: mark.column + 1] and not line[: mark.column].strip()
    ):
        message, remedy = "a tab cannot indent YAML", "use spaces"
    elif re.search(r":\s*\{\{", line) or (": {%" in line):
        message, remedy = "a template must be quoted in YAML", 'put quotes around it: "{{ ... }}"'
    elif "mapping values are not allowed" in message:
        remedy = "quote the text if it holds ': ', or check the indentation"
    elif "found unexpected end of stream" in message:
        remedy = f"{remedy or 'something'}: close the quote or the bracket"
    return error("yaml-syntax", message, place, help=remedy)
