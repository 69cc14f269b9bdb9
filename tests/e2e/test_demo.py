"""`make demo` from outside: it works, it shows no secret, and nothing of it outlives it."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.demo import Demo, Signals

ROOT = Path(__file__).parents[2]


@contextmanager
def demo(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the demo in a process group of its own, as a terminal does."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.demo", "--directory", str(directory)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def descendants(pid: int) -> dict[int, str]:
    """Give the processes below one, each with its start time: a pid alone may be another's by tomorrow."""
    parents: dict[int, int] = {}
    starts: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)], starts[int(entry.name)] = int(fields[1]), fields[19]
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in found | {pid}} - found:
        found |= more
    return {child: starts[child] for child in found}


def _stat(pid: int) -> list[str] | None:
    """Give the fields of /proc/PID/stat from the state on; nothing when the process has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def alive(processes: dict[int, str]) -> list[int]:
    """Give those that still run."""
    return [
        pid
        for pid, start in processes.items()
        if (fields := _stat(pid)) and fields[19] == start and fields[0] != "Z"
    ]


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read what the demo prints up to a line that starts with `text`."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if line.startswith(text):
            return seen
    pytest.fail(f"the demo ended before {text!r}:\n{seen}")


def test_the_demo_works_and_shows_what_happened(tmp_path: Path) -> None:
    started = time.monotonic()
    with demo(tmp_path) as process:
        out, _ = process.communicate(timeout=100)
    assert process.returncode == 0, out
    assert time.monotonic() - started < 60
    commands = [line for line in out.splitlines() if line.startswith("$ ")]
    assert [line.split()[:3] for line in commands] == [
        ["$", "runner", "validate"],
        ["$", "runner", "connections"],
        ["$", "runner", "plan"],
        ["$", "runner", "run"],
    ]
    assert "NOT SO" not in out
    assert "1 x 429, 1 x 200" in out
    assert "ok       no secret in what was printed" in out
    report = tmp_path / "project" / "reports" / "run.json"
    assert json.loads(report.read_text(encoding="utf-8"))
    assert str(report) in out


@pytest.mark.parametrize("place", ["printed", "written"])
def test_the_search_for_secrets_finds_a_planted_one(tmp_path: Path, place: str) -> None:
    demonstration = Demo(tmp_path, Signals())
    (tmp_path / "project").mkdir()
    leak = base64.b64encode(b"user:tkt_planted/secret").decode()
    if place == "printed":
        demonstration.say(f"Authorization: Basic {leak}")
    else:
        (tmp_path / "project" / "run.json").write_text(leak)
    demonstration.check_secrets(["another-value", "tkt_planted/secret"])
    assert demonstration.failed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["== starting", "$ runner validate", "$ runner run"])
def test_nothing_outlives_a_demo_that_is_stopped(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    with demo(tmp_path) as process:
        read_until(process, moment)
        children = descendants(process.pid)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # Ctrl-C goes to the whole group
        else:
            process.send_signal(number)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 128 + number, out
    assert alive(children) == []
    assert "Traceback" not in out
    assert "nothing of it is left running" in out
    if moment != "== starting":
        assert children, "OpenBao should have been running"


def test_a_reader_that_goes_away_ends_the_demo(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_until(process, "$ runner validate")
        children = descendants(process.pid)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 128 + signal.SIGPIPE
    assert children
    assert alive(children) == []
