"""Numbers, durations and sizes compared: whether one of them was raised."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from runner.compare.danger import danger
from runner.compare.meaning import BACKOFF
from runner.compare.tree import MISSING, Path, dig, same
from runner.duration import PATTERN, seconds
from runner.errors import JsonObject

_SIZE = re.compile(r"([0-9]+)(KiB|MiB|GiB)\Z")
_UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}

ACTION: dict[Path, Any] = {
    ("concurrency",): 1,
    ("repeat", "at_most"): 30,
    ("request", "paginate", "max_pages"): 1000,
    ("retry", "backoff", "limit"): BACKOFF["limit"],
}
WORKFLOW: dict[Path, Any] = {("timeout",): "1h"}
LIMITS: dict[Path, Any] = {
    ("limits", "body"): "10MiB",
    ("limits", "connect"): "10s",
    ("limits", "template_output"): "10MiB",
    ("limits", "pages"): 1000,
    ("limits", "retry_after"): "2m",
    ("limits", "retrying"): "5m",
    ("limits", "items"): 100_000,
    ("limits", "nested_calls"): 20,
}
CONNECTION: dict[Path, Any] = {
    ("retry", "attempts"): 3,
    ("retry", "backoff", "limit"): BACKOFF["limit"],
    ("timeout",): "30s",
    ("concurrency",): 64,
    ("rate_limit", "burst"): 1,
    ("paginate", "max_pages"): 1000,
}
"""Keys that bound what is done, with what holds where they are not there; MISSING where there is no bound."""


def raised(
    before: Any, after: Any, bounds: Mapping[Path, Any], file: str, **where: str | None
) -> Iterator[JsonObject]:
    """List the bounds that a change raised."""
    for path, default in bounds.items():
        if "paginate" in path and not isinstance(dig(after, *path[:-1]), dict):
            continue  # no pages are read any more
        pair = [default if (given := dig(value, *path)) is MISSING else given for value in (before, after)]
        if higher(*pair):
            yield danger("raised", ".".join(path), file, before=_said(pair[0]), after=_said(pair[1]), **where)


def faster(before: Any, after: Any, file: str, **where: str | None) -> Iterator[JsonObject]:
    """Report a rate limit that is higher or gone; `before` and `after` are connections."""
    one, other = dig(before, "rate_limit"), dig(after, "rate_limit")
    if (rate := _rate(one)) is not None and ((now := _rate(other)) is None or now > rate):
        yield danger("raised", "rate_limit", file, before=_said_rate(one), after=_said_rate(other), **where)


def _rate(value: Any) -> float | None:
    """Give requests in a second; None where there is no rate."""
    requests, per = amount(dig(value, "requests")), amount(dig(value, "per"))
    return requests / per if requests and per and per != float("inf") else None


def _said_rate(value: Any) -> str:
    return "no bound" if _rate(value) is None else f"{value['requests']} per {value['per']}"


def higher(before: Any, after: Any) -> bool:
    """Tell whether a bound was raised, or may have been: one that a template gives is known at run time only."""
    if same(before, after):
        return False
    one, other = amount(before), amount(after)
    return True if one is None or other is None else other > one


def amount(value: Any) -> float | None:
    """Give a number, a duration in seconds or a size in bytes; no bound at all is infinite; None for what is unknown."""
    if value is MISSING:
        return float("inf")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and len(value) < 50:
        if match := _SIZE.match(value):
            return float(int(match[1]) * _UNITS[match[2]])
        if re.match(PATTERN, value):
            return seconds(value)
    return None


def _said(value: Any) -> Any:
    return "no bound" if value is MISSING else value
