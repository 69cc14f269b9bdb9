"""Durations as people write them: `500ms`, `30s`, `1h30m`, `14d`."""

import re

PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"
"""What the JSON Schemas accept: numbers with units, largest first by custom, not by rule."""

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def seconds(text: str) -> float:
    """Give a duration in seconds; raises ValueError for text that is none."""
    if not re.match(PATTERN, text):
        msg = f"'{text}' is not a duration; write a number and ms, s, m, h, d or w, for example 30s"
        raise ValueError(msg)
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def written(value: float) -> str:
    """Write seconds for people: `350ms`, `12.5s`, `2m05s`, `1h00m`."""
    if value < 1:
        return f"{value * 1000:.0f}ms"
    if value < 60:
        return f"{value:.1f}s".replace(".0s", "s")
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02d}s" if rest else f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m"
