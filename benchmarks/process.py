"""Runs one command to its end: what it printed, and what it took."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SPAWN = str(Path(__file__).with_name("spawn.py"))


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds from start to end, seconds of processor time, and the most memory of its largest process in MiB."""

    wall: float
    cpu: float
    memory: float
    output: str


def run(
    command: Sequence[str], directory: Path, environ: Mapping[str, str], *, core: int | None = None
) -> Spent:
    """Run a command, on one core where that is given; raises RuntimeError where it does not end with 0."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as report:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", SPAWN, str(writing), "" if core is None else str(core), *command],
            cwd=directory,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            encoding="utf-8",
        )
        os.close(writing)
        output, _ = process.communicate()
        told = report.read()
    if not told:
        raise RuntimeError(f"{command[0]} could not be started:\n{output[-2000:]}")
    code, wall, cpu, memory = json.loads(told)
    if code:
        raise RuntimeError(f"{command[0]} ended with {code}:\n{output[-2000:]}")
    return Spent(wall, cpu, memory, output)
