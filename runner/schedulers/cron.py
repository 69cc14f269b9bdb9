"""crontab(5): one line for each trigger. `CRON_TZ` is that of cronie and of systemd's generator for crontabs."""

import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby

from runner.errors import UsageError
from runner.schedulers import Entry, Place, one_line

SUMMARY = "lines for a crontab"


def export(entries: Sequence[Entry], place: Place) -> dict[str, str]:
    """Give one crontab; a time zone holds for the lines below it, so the triggers stand by zone.

    Raises UsageError for an input with a line break: that ends an entry, and no quoting changes it.
    """
    ordered = sorted(entries, key=lambda entry: (entry.timezone, entry.name))
    lines = ["# Failures go to MAILTO: with -q nothing else is printed."]
    for zone, group in groupby(ordered, key=lambda entry: entry.timezone):
        lines += ["", f"CRON_TZ={zone}"]
        for entry in group:
            lines += _entry(entry, place)
    return {"crontab": "\n".join(lines) + "\n"}


def _entry(entry: Entry, place: Place) -> Iterator[str]:
    yield f"# {one_line(entry.description or entry.workflow)}"
    if entry.catch_up:
        yield "# cron starts nothing later that it missed: catch_up does not hold"
    words = (place.program, "-q", "-C", place.directory, *entry.arguments())
    command = shlex.join(words)
    if "\n" in command or "\r" in command:
        raise UsageError(
            f"a trigger of the workflow '{entry.workflow}' gives an input with a line break, which a crontab cannot hold",
            help="give the text in another way, as the default of the input for example, or export to another scheduler",
        )
    if entry.overlap != "allow":
        lock = shlex.quote(f"/run/lock/runner-{entry.name}.lock")
        command = f"flock {'-n ' if entry.overlap == 'skip' else ''}{lock} {command}"
    # In a crontab % ends the command unless it is escaped.
    yield f"{entry.cron.written()} {command.replace('%', chr(92) + '%')} > /dev/null"
