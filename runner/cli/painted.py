"""The last look at text before a terminal gets it: our own colours pass, every other escape is written out."""

import re

from runner.reports.text.style import CODES, escape, unsafe

_COLOR = re.compile("(" + "|".join(re.escape(code) for code in sorted(CODES)) + ")")


def keep_colors(text: str, *, color: bool) -> str:
    """Give the text without anything that a terminal acts on, but for the colours that reports use."""
    parts = _COLOR.split(text) if color else [text]
    return "".join(part if color and part in CODES else _plain(part) for part in parts)


def _plain(text: str) -> str:
    return "".join(escape(char) if unsafe(char) else char for char in text)
