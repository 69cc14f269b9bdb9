"""What a server says of when to come back: Retry-After, and the headers in which APIs say when a limit begins anew."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from runner.answer import Response
from runner.duration import seconds
from runner.model import RateLimit

TOO_MANY = 429

_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)


def limited(response: Response, rate: RateLimit | None) -> bool:
    """Tell whether a response says "too many requests": a 429, or what `rate_limit.statuses` says is one.

    APIs answer 403 to who may not as well as to who asks too often: where `remaining` names the header that tells them
    apart, it must be 0, or Retry-After must be there.
    """
    if response.status == TOO_MANY:
        return True
    if rate is None or response.status not in rate.statuses:
        return False
    if rate.remaining is None or "retry-after" in response.headers:
        return True
    left = _NUMBER.fullmatch(str(response.headers.get(rate.remaining, "")).strip())
    return left is not None and float(left[0]) == 0


def asked(response: Response, rate: RateLimit | None, now: float) -> float | None:
    """Give the seconds that a server asks to wait; None where it asks for nothing that can be read.

    Retry-After goes first. A reset header stands on every answer of many APIs: it counts where the limit was reached.
    """
    now = server_time(response.headers.get("date"), now)
    given = retry_after(response.headers.get("retry-after"), now)
    if given is None and rate is not None and rate.reset is not None and limited(response, rate):
        given = until_reset(response.headers.get(rate.reset.header), rate.reset.unit, now)
    return given


def server_time(date: Any, now: float) -> float:
    """Give what time it is by the answer's own `Date`, else `now`: times that a server names are times of its clock."""
    moment = _date(date)
    return now if moment is None else moment


def retry_after(value: Any, now: float) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds or a date; seconds from now, or None for what is neither."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    moment = _date(text)
    return None if moment is None else moment - now


def _date(value: Any) -> float | None:
    """Read a date of HTTP (RFC 9110, 5.6.7); seconds since 1970."""
    try:
        moment = parsedate_to_datetime(value)
        # The old form of asctime names no zone, and Python takes `-0000` for none: dates of HTTP are GMT all the same.
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _moment(text: str, now: float) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now


def _number(scale: float, *, epoch: bool) -> Callable[[str, float], float]:
    def read(text: str, now: float) -> float:
        if not _NUMBER.fullmatch(text):
            raise ValueError(text)
        return float(text) / scale - (now if epoch else 0.0)

    return read


UNITS: dict[str, Callable[[str, float], float]] = {
    "delta_s": _number(1, epoch=False),
    "epoch_s": _number(1, epoch=True),
    "epoch_ms": _number(1e3, epoch=True),
    "epoch_us": _number(1e6, epoch=True),
    "rfc3339": _moment,
    "duration": lambda text, _: seconds(text),
}
"""How a reset header is read, by the name of its unit."""


def until_reset(value: Any, unit: str, now: float) -> float | None:
    """Read a reset header; seconds from now, or None for what it cannot be."""
    if not isinstance(value, str) or len(value) > 100:
        return None
    try:
        return UNITS[unit](value.strip(), now)
    except (ValueError, OverflowError):
        return None
