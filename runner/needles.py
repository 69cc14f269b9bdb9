"""Finds which of many texts stand in one text, in a time that grows with that text and hardly with how many there are.

Each text is filed under one short piece of itself; a text is walked through once, piece by piece, and only what is filed
under a piece that it has is looked for.
"""

from collections.abc import Iterable

WIDTHS = (6, 3)
"""Characters of a piece: a needle is filed under one of the greatest width that it has."""

FEW = 200
"""Up to so many needles are looked for one by one, which is faster then."""

CHOICES = 8
"""How many pieces of a needle are looked at for the one that fewest others are filed under.

Not always its first: tokens of one API begin alike, and all of them would be looked for wherever one is.
"""


class Needles:
    """A set of texts to search for."""

    def __init__(self) -> None:
        self._all: set[str] = set()
        self._ordered: tuple[str, ...] | None = ()
        self._filed: tuple[dict[str, list[str]], ...] = tuple({} for _ in WIDTHS)
        self._short: set[str] = set()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, needle: str) -> None:
        """Search for it from now on."""
        if needle in self._all:
            return
        self._all.add(needle)
        self._ordered = None
        for width, filed in zip(WIDTHS, self._filed, strict=True):
            if len(needle) >= width:
                _emptiest(filed, needle, width).append(needle)
                return
        self._short.add(needle)

    def within(self, text: str) -> Iterable[str]:
        """Give those that stand in a text, the longest first."""
        if len(self._all) <= FEW:
            if self._ordered is None:
                self._ordered = tuple(sorted(self._all, key=len, reverse=True))
            return [needle for needle in self._ordered if needle in text]
        found = {needle for needle in self._short if needle in text}
        for width, filed in zip(WIDTHS, self._filed, strict=True):
            if filed:
                pieces = {
                    piece for at in range(len(text) - width + 1) if (piece := text[at : at + width]) in filed
                }
                found.update(needle for piece in pieces for needle in filed[piece] if needle in text)
        return sorted(found, key=len, reverse=True)


def _emptiest(filed: dict[str, list[str]], needle: str, width: int) -> list[str]:
    """Give the list of the piece that fewest needles are filed under."""
    last = len(needle) - width
    places = range(0, last + 1, max(1, last // CHOICES))
    pieces = [needle[at : at + width] for at in places]
    return filed.setdefault(min(pieces, key=lambda piece: len(filed.get(piece, ()))), [])
