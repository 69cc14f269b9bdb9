"""Text from files made harmless for Markdown as GitHub and GitLab read it, and the bound of one comment."""

import re
from collections.abc import Sequence

from runner.reports import visible

LONGEST = 65_536
"""What a comment of GitHub holds. Counted in bytes here, so that it holds however characters are counted."""

CELL = 600
"""Characters of one text that are shown."""

# Everything that starts or ends something, also in the extensions: tables, mathematics, autolinks.
_SYNTAX = re.compile(r"[\\`*_{}\[\]()~$!^=+]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"})
# Whoever is named after @ gets a message, a number after # is an issue, an address is a link.
_ACTIVE = re.compile(r"(@|#(?=\d)|(?:https?|ftp):|www\.)", re.IGNORECASE)
_NOTHING = "&#8203;"  # a space without width, written so that reviewers and terminals see it


def inline(text: str, *, longest: int = CELL) -> str:
    """Give text as one line that shows as it is: no markup, no link, no name that is called, no end of a table's cell."""
    shown = visible(text)
    if len(shown) > longest:
        shown = shown[: longest - 1] + "…"
    escaped = _SYNTAX.sub(lambda match: f"\\{match[0]}", shown.translate(_ENTITIES))
    return _active(escaped)


def code(text: str) -> str:
    """Give text in the font of code, with nothing in it that acts."""
    return f"<code>{inline(text)}</code>"


def row(cells: Sequence[str]) -> str:
    """Give a row of a table; the cells are escaped already."""
    return f"| {' | '.join(cells)} |"


def bounded(head: Sequence[str], lines: Sequence[str], left_out: str, *, longest: int = LONGEST) -> str:
    """Join lines as far as a comment holds them; `left_out`, with the number in place of `{}`, stands for the rest."""
    text = "\n".join(head)
    room = longest - _size(text) - _size(left_out) - 16
    for number, line in enumerate(lines):
        room -= _size(line) + 1
        if room < 0:
            return f"{text}\n\n{left_out.format(len(lines) - number)}\n"
        text += f"\n{line}"
    return f"{text}\n"


def _active(escaped: str) -> str:
    # An entity such as `&#124;` is ours and stays.
    parts = re.split(r"(&(?:amp|lt|gt|#124);)", escaped)
    return "".join(
        part if index % 2 else _ACTIVE.sub(rf"\1{_NOTHING}", part) for index, part in enumerate(parts)
    )


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
