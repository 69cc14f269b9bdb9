"""Cron expressions: what they mean, what is none, and what systemd calls the same."""

import subprocess
from pathlib import Path

import pytest

from runner import cron

ANALYZE = Path("/usr/bin/systemd-analyze")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("0 7 * * 1-5", "0 7 * * 1-5"),
        ("*/15 * * * *", "0,15,30,45 * * * *"),
        ("5/20 8-10,14 * * *", "5,25,45 8-10,14 * * *"),
        ("0 0 1,15 JAN-mar sun", "0 0 1,15 1-3 0"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 0-7", "0 0 * * *"),
        ("0-59 */1 1-31 1-12 0-6", "* * * * *"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 31 4 1", "0 0 31 4 1"),  # on Mondays, if never on the 31st
        ("  0   7\t* * * ", "0 7 * * *"),
    ],
)
def test_expressions(text: str, plain: str) -> None:
    assert cron.parse(text).written() == plain
    assert cron.parse(plain) == cron.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 7 * *", "five fields"),
        ("@daily", "five fields"),
        ("0 7 * * * *", "this one has 6"),
        ("60 * * * *", "'60' is no minute: it takes 0 to 59"),
        ("* 24 * * *", "is no hour"),
        ("* * 0 * *", "is no day of the month: it takes 1 to 31"),
        ("* * * 13 *", "is no month"),
        ("* * * * 8", "is no day of the week"),
        ("* * * * monday", "is no day of the week"),
        ("-1 * * * *", "is no minute"),
        ("1- * * * *", "is no minute"),
        ("1,,2 * * * *", "'' is no minute"),
        ("5-1 * * * *", "'5-1' runs backwards"),
        ("*/0 * * * *", "is no step"),
        ("*/x * * * *", "is no step"),
        ("*/ * * * *", "is no step"),
        ("٣ * * * *", "is no minute"),
        ("9999999999999999999999 * * * *", "is no minute"),
        ("0 0 31 2,4 *", "none of its months has a day 31"),
    ],
)
def test_what_is_no_expression(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cron.parse(text)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("0 7 * * 1-5", ["Mon,Tue,Wed,Thu,Fri *-*-* 07:00:00 Europe/Berlin"]),
        ("*/30 * 1 6 *", ["*-06-01 *:00,30:00 Europe/Berlin"]),
        ("0 0 1,15 * 1", ["*-*-01,15 00:00:00 Europe/Berlin", "Mon *-*-* 00:00:00 Europe/Berlin"]),
    ],
)
def test_calendars_of_systemd(text: str, lines: list[str]) -> None:
    """Either of two days is enough for cron; systemd wants all of a line, so there are two."""
    made = cron.calendars(cron.parse(text), "Europe/Berlin")
    assert list(made) == lines
    for line in made if ANALYZE.exists() else ():
        done = subprocess.run([ANALYZE, "calendar", line], capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr


def test_time_zones() -> None:
    assert cron.zone_exists("Europe/Berlin")
    for name in ("Europe/Berln", "", "../etc/passwd", "Europe", "a\0b"):
        assert not cron.zone_exists(name), name
