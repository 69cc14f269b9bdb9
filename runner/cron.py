"""Times of triggers: cron expressions with five fields, and what other schedulers call the same.

The fields are those of crontab(5): minute, hour, day of the month, month, day of the week (0 and 7 are Sunday), with
`*`, lists, ranges, steps, and names of months and days. Where both days are restricted, either of them is enough.
"""

from itertools import pairwise

from runner.frozen import dataclass

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMES = {
    "month": {name: number for number, name in enumerate(_MONTHS, 1)},
    "day of the week": {name: number for number, name in enumerate(_DAYS)},
}
_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
_LONGEST_MONTH = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression: the values of each field, None for one that is not restricted; Sunday is 0."""

    minutes: frozenset[int] | None
    hours: frozenset[int] | None
    days: frozenset[int] | None
    months: frozenset[int] | None
    weekdays: frozenset[int] | None

    def written(self) -> str:
        """Write the five fields, numbers only."""
        fields = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        return " ".join("*" if values is None else _listed(values) for values in fields)


def parse(text: str) -> Cron:
    """Read a cron expression; raises ValueError that says which field is wrong."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        known = "minute, hour, day of the month, month, day of the week"
        raise ValueError(f"a schedule has five fields ({known}), this one has {len(parts)}")
    read = [_field(part, *field) for part, field in zip(parts, _FIELDS, strict=True)]
    weekdays = None if read[4] is None else frozenset(day % 7 for day in read[4])
    made = Cron(read[0], read[1], read[2], read[3], None if weekdays == frozenset(range(7)) else weekdays)
    if made.days and made.months and made.weekdays is None:
        longest = max(_LONGEST_MONTH.get(month, 31) for month in made.months)
        if min(made.days) > longest:
            raise ValueError(f"none of its months has a day {min(made.days)}")
    return made


def _field(text: str, name: str, low: int, high: int) -> frozenset[int] | None:
    values: set[int] = set()
    for part in text.split(","):
        body, slash, step = part.partition("/")
        if slash and not (step.isascii() and step.isdigit() and int(step) > 0):
            raise ValueError(f"'{part}' is no step in the field {name}: write */5 or 10-30/5")
        if body == "*":
            first, last = low, min(high, 6) if name == "day of the week" else high
        else:
            start, dash, end = body.partition("-")
            first = _number(start, name, low, high)
            last = _number(end, name, low, high) if dash else high if slash else first
        if last < first:
            raise ValueError(f"'{part}' runs backwards in the field {name}")
        values.update(range(first, last + 1, int(step) if slash else 1))
    everything = set(range(low, (6 if name == "day of the week" else high) + 1))
    return None if everything <= values else frozenset(values)


def _number(text: str, name: str, low: int, high: int) -> int:
    named = _NAMES.get(name, {}).get(text.lower())
    if named is not None:
        return named
    if not (text.isascii() and text.isdigit()) or not low <= int(text[:4]) <= high:
        raise ValueError(f"'{text}' is no {name}: it takes {low} to {high}")
    return int(text)


def _listed(values: frozenset[int]) -> str:
    """Write numbers as lists and ranges: 1,2,3,7 is 1-3,7."""
    ordered = sorted(values)
    runs = [[ordered[0], ordered[0]]]
    for before, value in pairwise(ordered):
        if value == before + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    parts = []
    for first, last in runs:
        parts += (
            [str(first)]
            if first == last
            else [f"{first},{last}"]
            if last == first + 1
            else [f"{first}-{last}"]
        )
    return ",".join(parts)


def zone_exists(name: str) -> bool:
    """Tell whether a name is one of the tz database's; a machine without that database knows only UTC."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def calendars(cron: Cron, zone: str) -> tuple[str, ...]:
    """Write it as `OnCalendar=` of systemd.timer(5), in which all fields must fit: either of two days takes two lines."""
    time = f"{_clock(cron.hours)}:{_clock(cron.minutes)}:00 {zone}"
    months = _clock(cron.months)
    by_day = f"*-{months}-{_clock(cron.days)} {time}"
    if cron.weekdays is None:
        return (by_day,)
    named = ",".join(_DAYS[day].capitalize() for day in sorted(cron.weekdays))
    by_weekday = f"{named} *-{months}-* {time}"
    return (by_weekday,) if cron.days is None else (by_day, by_weekday)


def _clock(values: frozenset[int] | None) -> str:
    return "*" if values is None else ",".join(f"{value:02d}" for value in sorted(values))
