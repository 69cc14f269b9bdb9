"""JSON in and out without loss: a number that comes in leaves as it was written.

A double holds about 17 digits and no trailing zeros: `0.1000000000000000055`, `1.10` and `1E400` would come out as
something else. Whole numbers are exact anyway. What is computed with is a double, as in every JSON reader (RFC 8259, 6).
"""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Self

DEEPEST = 100
"""Lists and mappings inside of each other in JSON from outside: whatever walks through it later has stack enough for these."""


class TooDeepError(ValueError):
    """JSON is nested deeper than `DEEPEST`."""


class Number(float):
    """A number whose text a double would not give back: calculates and compares as the double, is written as its text."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Self:
        """Take the text of a JSON number."""
        made = super().__new__(cls, text)
        made.text = text
        return made

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # what __new__ takes, not what float's does
        return (self.text,)


def number(text: str) -> float:
    """Read a number that is no whole number: a plain float where that says the same."""
    plain = float(text)
    return plain if repr(plain) == text else Number(text)


def loads(text: str | bytes, *, unique: bool = False) -> Any:
    """Read JSON; raises ValueError, also for NaN and Infinity, which JSON does not have.

    Of equal keys the last counts; with `unique` they are an error.
    """
    pairs = _unique if unique else None
    return json.loads(text, parse_float=number, parse_constant=_refuse, object_pairs_hook=pairs)


def bounded(text: str | bytes, *, unique: bool = False) -> Any:
    """Read JSON from outside as `loads` does; raises TooDeepError, a ValueError, where it is nested too deeply."""
    try:
        value = loads(text, unique=unique)
    except RecursionError:
        raise TooDeepError from None
    if _is_deep(text, value):
        raise TooDeepError
    return value


def dumps(
    value: Any,
    *,
    indent: int | None = None,
    compact: bool = False,
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
) -> str:
    """Write JSON, letters outside ASCII as they are; raises ValueError or TypeError for what is none.

    `compact` leaves the spaces after `,` and `:` out. Without a `Number` in it the text is that of the json module.
    """
    item, colon = (",", ":") if compact else (", " if indent is None else ",", ": ")
    if not _holds_number(value):
        return _encoder(indent, item, colon, default, sort_keys).encode(value)
    return "".join(_Writer(indent, item, colon, default, sort_keys=sort_keys).pieces(value, 0))


@cache
def _encoder(
    indent: int | None, item: str, colon: str, default: Callable[[Any], Any] | None, sort_keys: bool
) -> json.JSONEncoder:
    return json.JSONEncoder(
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        separators=(item, colon),
        sort_keys=sort_keys,
        default=default,
    )


class _Writer:
    """Writes what the json module writes, with the text of every `Number`."""

    def __init__(
        self,
        indent: int | None,
        item: str,
        colon: str,
        default: Callable[[Any], Any] | None,
        *,
        sort_keys: bool,
    ) -> None:
        self._indent = indent
        self._item = item
        self._colon = colon
        self._default = default
        self._sort_keys = sort_keys

    def pieces(self, value: Any, level: int) -> Iterator[str]:
        if isinstance(value, Number):
            yield value.text
        elif isinstance(value, dict):
            pairs = sorted(value.items()) if self._sort_keys else value.items()
            yield from self._all("{}", [(f"{_key(key)}{self._colon}", item) for key, item in pairs], level)
        elif isinstance(value, list | tuple):
            yield from self._all("[]", [("", item) for item in value], level)
        else:
            yield json.dumps(value, ensure_ascii=False, allow_nan=False, default=self._default)

    def _all(self, ends: str, items: list[tuple[str, Any]], level: int) -> Iterator[str]:
        yield ends[0]
        for position, (before, item) in enumerate(items):
            yield self._item if position else ""
            yield self._line(level + 1) + before
            yield from self.pieces(item, level + 1)
        yield (self._line(level) if items else "") + ends[1]

    def _line(self, level: int) -> str:
        return "" if self._indent is None else "\n" + " " * (self._indent * level)


def _key(key: Any) -> str:
    # The module's own way with keys that are numbers, booleans or null; a `Number` is none it knows.
    return (
        json.dumps(str(key), ensure_ascii=False)
        if isinstance(key, str | Number)
        else json.dumps({key: 0})[1:-4]
    )


def _is_deep(text: str | bytes, value: Any) -> bool:
    opening = (
        text.count(b"[") + text.count(b"{") if isinstance(text, bytes) else text.count("[") + text.count("{")
    )
    if opening <= DEEPEST:
        return False
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            return True
        items = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]
        level = [item for item in items if isinstance(item, dict | list)]
    return False


def _holds_number(value: Any) -> bool:
    if isinstance(value, dict):
        if Number in map(type, value):
            return True
        inside: Iterable[Any] = value.values()
    elif isinstance(value, list | tuple):
        inside = value
    else:
        return isinstance(value, Number)
    return any(map(_holds_number, [item for item in inside if type(item) not in _PLAIN]))


_PLAIN = frozenset({str, int, float, bool, type(None)})
"""What is no `Number` and holds none, as nearly everything in a record."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
