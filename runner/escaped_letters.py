"""Reads a text in which letters and digits are escaped, as if they were not, and remembers where they stood.

Nobody has to escape those, so what searches for a text leaves them alone; a server may all the same: U+0070 in JSON, `&#112;`
in HTML, `%70`. Line breaks in the middle of long base64 are left out, too.
"""

import re
from bisect import bisect_right

_HEX = "(3[0-9]|[46][1-9a-f]|[57][0-9a])"
"""The codes of letters and digits, and of a few others that do no harm."""
_ODD = re.compile(
    r"[\\%&\n](?:"
    rf"(?<=\\)(\\{{0,15}}+)(?:(?:u00|x|U000000){_HEX}|u\{{0*{_HEX}\}})"
    rf"|(?<=%)(?:25)*{_HEX}"
    rf"|(?<=&)(?:amp;)*#(?:0*([0-9]{{2,3}})|x0*{_HEX});"
    r"|(?<=[A-Za-z0-9+/_-]{60}\n)|(?<=[A-Za-z0-9+/_-]{60}\\)n)",
    re.IGNORECASE,
)
"""It begins with a set of characters: so it is as fast as a search for one."""


class Plain:
    """The text without such escapes, and for a stretch of it the one of the original."""

    def __init__(self, text: str) -> None:
        self._starts: list[int] = []
        self._originals: list[tuple[int, int, bool]] = []
        pieces: list[str] = []
        length = done = 0
        for match in _ODD.finditer(text):
            char = _character(match)
            if char is None:
                continue
            start = match.start()
            if match[1] is not None and len(match[1]) % 2 == 0:
                start += len(match[1])  # those before the last are escaped backslashes
            before = start - done
            self._starts += (length, length + before)
            self._originals += ((done, start, True), (start, match.end(), False))
            pieces += (text[done:start], char)
            length += before + len(char)
            done = match.end()
        self._starts.append(length)
        self._originals.append((done, len(text), True))
        self.text = "".join([*pieces, text[done:]])

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Give where a stretch of the plain text stands in the original."""
        return self._place(start)[0], self._place(end - 1)[1]

    def _place(self, at: int) -> tuple[int, int]:
        number = bisect_right(self._starts, at) - 1
        start, end, literal = self._originals[number]
        if not literal:
            return start, end
        here = start + at - self._starts[number]
        return here, here + 1


def has(text: str) -> bool:
    """Tell whether there is something to be read otherwise; for most texts there is not."""
    if not ("\\" in text or "%" in text or "&" in text or "\n" in text):
        return False
    return _ODD.search(text) is not None


def _character(match: re.Match[str]) -> str | None:
    """Give what an escape stands for; nothing for a line break, None for what is neither letter nor digit."""
    _, backslash, braces, percent, decimal, entity = match.groups()
    code = backslash or braces or percent or entity
    if code is None and decimal is None:
        return ""
    char = chr(int(code, 16) if code is not None else int(decimal))
    return char if char.isascii() and char.isalnum() else None
