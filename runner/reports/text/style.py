"""How text looks on a terminal: colours, widths, and the harmless form of what terminals would act on."""

import re
import unicodedata

_CODES = {
    "bad": "\x1b[1;31m",
    "warn": "\x1b[1;33m",
    "good": "\x1b[32m",
    "strong": "\x1b[1m",
    "dim": "\x1b[2m",
    "gutter": "\x1b[34m",
    "help": "\x1b[36m",
}
_RESET = "\x1b[0m"
CODES = frozenset({*_CODES.values(), _RESET})
"""Every escape sequence that reports use; a terminal gets no other."""

# Controls (C0 without tab and line break, C1), bidirectional marks and overrides, separators, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_BREAKS = str.maketrans({"\n": "\\n", "\t": "\\t"})


class Style:
    """Paints text, or leaves it as it is."""

    def __init__(self, *, color: bool) -> None:
        self.color = color

    def paint(self, text: str, role: str) -> str:
        """Give the text in the colour of a role."""
        return f"{_CODES[role]}{text}{_RESET}" if self.color and text else text


def harmless(text: str) -> str:
    """Write what a terminal would act on as readable escapes. Line breaks stay."""
    return _UNSAFE.sub(lambda match: escape(match[0]), text)


def one_line(text: str) -> str:
    """Give text that comes from files or servers a harmless form that cannot pass for a line of our own."""
    return harmless(text).translate(_BREAKS)


def escape(char: str) -> str:
    """Write one character as an escape."""
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def unsafe(char: str) -> bool:
    """Tell whether a terminal might act on a character."""
    return bool(_UNSAFE.match(char))


def cell_width(char: str) -> int:
    """How many columns of a terminal a character takes."""
    if char.isascii():
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def text_width(text: str) -> int:
    """How many columns a line of text takes."""
    return len(text) if text.isascii() else sum(map(cell_width, text))


def pad(text: str, width: int) -> str:
    """Fill up with spaces to a width in columns."""
    return text + " " * (width - text_width(text))


def table(rows: list[list[str]], *, gap: str = "  ") -> list[str]:
    """Align columns; the last one is left ragged."""
    if not rows:
        return []
    widths = [max(text_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        gap.join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
