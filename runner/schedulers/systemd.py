"""systemd.timer(5): a service and a timer for each trigger."""

from collections.abc import Sequence

from runner.cron import calendars
from runner.schedulers import Entry, Place, one_line

SUMMARY = "a service and a timer for each trigger"

_LONGEST_STOP = 330
"""Seconds: what is in flight gets 10, `on_failure` and `finally` 300."""


def export(entries: Sequence[Entry], place: Place) -> dict[str, str]:
    """Give the units. A service of `Type=oneshot` never runs twice at a time, whatever `overlap` says."""
    files: dict[str, str] = {}
    for entry in entries:
        files[f"runner-{entry.name}.service"] = _service(entry, place)
        files[f"runner-{entry.name}.timer"] = _timer(entry)
    return files


def _service(entry: Entry, place: Place) -> str:
    words = (place.program, "-C", place.directory, *entry.arguments())
    return f"""\
[Unit]
Description={_escaped(one_line(entry.description or f"runner.d: {entry.workflow}"))}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={" ".join(_word(word) for word in words)}
TimeoutStopSec={_LONGEST_STOP}
"""


def _timer(entry: Entry) -> str:
    lines = [
        "[Unit]",
        f"Description=Times of {_escaped(one_line(entry.workflow))}",
        "",
        "[Timer]",
        *(f"OnCalendar={calendar}" for calendar in calendars(entry.cron, entry.timezone)),
        "AccuracySec=1s",
    ]
    if entry.catch_up:
        lines += ["# What was missed is started once, however long ago it was.", "Persistent=true"]
    if entry.overlap == "allow":
        lines.append("# A service runs once at a time: what overlaps waits, overlap: allow does not hold.")
    if entry.overlap == "skip":
        lines.append("# A time that comes while the service runs is skipped.")
    return "\n".join([*lines, "", "[Install]", "WantedBy=timers.target"]) + "\n"


def _word(text: str) -> str:
    """Quote a word for ExecStart=: systemd expands % and $, and reads backslashes (systemd.service(5))."""
    written = _escaped(text).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("\n", "\\n")
    plain = written and all(char.isalnum() or char in "-_./=:,@%+" for char in written)
    return written if plain else f'"{written}"'


def _escaped(text: str) -> str:
    return text.replace("%", "%%")
