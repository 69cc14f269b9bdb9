"""YAML scalars: which type an unquoted one has, and where each character of a value stands in the text."""

import re
from collections.abc import Iterator
from typing import Any

from runner import exact_json

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z")
_WORDS = {"": None, "null": None, "~": None, "true": True, "false": False}


def plain_value(text: str) -> Any:
    """Give an unquoted scalar its type: `true`, `false`, `null`, `~` and JSON numbers; everything else is text.

    `no`, `on`, `1:30`, `012`, `0x1f` and `1_000` are text (YAML 1.2; the octal and hexadecimal forms of its core schema
    are left out on purpose: in API work `012` is an identifier). Numbers that a double cannot hold stay text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "-0123456789":
        match = _NUMBER.match(text)
        if match and len(text) <= 1000:
            if match[2] is None and match[3] is None:
                return int(text)
            number = exact_json.number(text)
            if abs(number) != float("inf"):
                return number
    return text


def solid_places(text: str, at: int, end: int, style: str | None) -> Iterator[tuple[int, int]]:
    """Give the start and end in the text of each character of a scalar's value that is not white space.

    `at` and `end` are the marks of the parser, `style` is its sign: `|`, `>`, a quote, or nothing.

    Folding, indentation and chomping change white space only, so the solid characters of the text and of the
    value correspond one to one, whatever the style.
    """
    at = _after_properties(text, at, end)
    if style in ("|", ">"):
        at = _after_line(text, at)
    elif style in ("'", '"'):
        at, end = at + 1, end - 1
    while at < end:
        char = text[at]
        if style == '"' and char == "\\":
            length = {"x": 4, "u": 6, "U": 10}.get(text[at + 1], 2)
            code = text[at + 2 : at + length]
            space = (
                chr(int(code, 16)).isspace() if code else text[at + 1] in "\n\r\x85\u2028\u2029 \tntvfrNLP_"
            )
            if not space:
                yield at, at + length
            at += length
            continue
        if style == "'" and char == "'":
            yield at, at + 2
            at += 2
            continue
        if not char.isspace():
            yield at, at + 1
        at += 1


_PROPERTIES = re.compile(r"(?:(?:!<[^>\s]*>|[&!][^\s,\[\]{}]*)(?:\s|\Z)(?:\s|#[^\n\r]*)*)*")


def _after_properties(text: str, at: int, end: int) -> int:
    """Step over an anchor and a tag: a scalar's start mark stands before them."""
    match = _PROPERTIES.match(text, at, end)
    return match.end() if match else at


def _after_line(text: str, at: int) -> int:
    match = LINE_BREAK.search(text, at)
    return match.end() if match else len(text)
