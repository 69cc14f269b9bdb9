"""Measures checking: `python -m benchmarks.checking`. A project of 1,000 workflows and 100 connections, and one file of it.

Beside it, in the same rounds, check-jsonschema on the same files with the same schemas. It checks the shape of each file
and nothing else: no names, no templates, no rules. It is installed into an environment of its own below `build/`.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import generate, process
from benchmarks.cases import write_project

ROOT = Path(__file__).parents[1]
RUNNER = str(Path(sys.executable).with_name("runner"))
OTHER = "check-jsonschema==0.39.0"
WHOLE, ONE, SHAPES = "runner validate", "runner validate PATH", "check-jsonschema"
SMALL, SMALL_SHAPE = "runner validate, 1 connection, 1 workflow", "check-jsonschema, 1 file"


@dataclass(slots=True)
class Taken:
    """Of each round: seconds from start to end, seconds of processor time, and the most memory in MB."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


def installed() -> str:
    """Give the command `check-jsonschema`; installs it where it is missing."""
    home = ROOT / "build" / "check-jsonschema"
    command = home / "bin" / "check-jsonschema"
    if not command.exists():
        print(f"installing {OTHER} into {home}", file=sys.stderr)
        venv.create(home, with_pip=True)
        subprocess.run([home / "bin" / "python", "-m", "pip", "install", "--quiet", OTHER], check=True)
    return str(command)


def run(commands: Sequence[Sequence[str]], directory: Path) -> tuple[float, float, float]:
    """Run commands one after the other on one core; raises where one finds something wrong."""
    core = min(os.sched_getaffinity(0))
    environ = {"PATH": os.defpath, "HOME": str(directory)}
    parts = [process.run(command, directory, environ, core=core) for command in commands]
    return sum(one.wall for one in parts), sum(one.cpu for one in parts), max(one.memory for one in parts)


def cases(project: Path, small: Path) -> dict[str, tuple[Path, list[list[str]]]]:
    """Give the directory and the commands of each case; one changed file is the first of the workflows, with a comment more."""
    workflows = [str(path.relative_to(project)) for path in sorted(project.glob("workflows.d/**/*.yaml"))]
    connections = [str(path.relative_to(project)) for path in sorted(project.glob("connections.d/**/*.yaml"))]
    changed = project / workflows[0]
    changed.write_text("# changed\n" + changed.read_text(encoding="utf-8"), encoding="utf-8")
    other = installed()
    schemas = ROOT / "schemas"
    of_workflows, of_connections = (
        [other, "--schemafile", str(schemas / f"{name}.schema.json")] for name in ("workflow", "connection")
    )
    return {
        WHOLE: (project, [[RUNNER, "validate"]]),
        ONE: (project, [[RUNNER, "validate", workflows[0]]]),
        SHAPES: (project, [[*of_workflows, *workflows], [*of_connections, *connections]]),
        SMALL: (small, [[RUNNER, "validate"]]),
        SMALL_SHAPE: (small, [[*of_workflows, "workflows.d/main.yaml"]]),
    }


def measure(project: Path, small: Path, rounds: int) -> dict[str, Taken]:
    """Run every case once a round, in another order each time; the first round only warms the caches."""
    listed = list(cases(project, small).items())
    found = {name: Taken() for name, _ in listed}
    shuffle = random.Random(generate.SEED).shuffle
    for number in range(rounds + 1):
        print(f"round {number} of {rounds}", end="\r", file=sys.stderr, flush=True)
        shuffle(listed)
        for name, (directory, commands) in listed:
            wall, cpu, memory = run(commands, directory)
            if number:
                found[name].wall.append(wall)
                found[name].cpu.append(cpu)
                found[name].memory.append(memory)
    return found


def table(found: dict[str, Taken]) -> str:
    """Write medians and the ratio to the first case as a Markdown table."""
    rows = ["| command | wall, median | x | CPU, median | x | memory |", "|---|---:|---:|---:|---:|---:|"]
    base = found[WHOLE]
    base_wall, base_cpu = statistics.median(base.wall), statistics.median(base.cpu)
    for name, taken in found.items():
        wall, cpu = statistics.median(taken.wall), statistics.median(taken.cpu)
        rows.append(
            f"| {name} | {wall:.2f} s | {wall / base_wall:.2f} | {cpu:.2f} s | {cpu / base_cpu:.2f} "
            f"| {max(taken.memory):.0f} MB |"
        )
    return "\n".join(rows) + "\n"


def main() -> None:
    """Make the project, measure, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checking", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="default 7")
    parser.add_argument("--workflows", type=int, default=generate.WORKFLOWS)
    parser.add_argument("--connections", type=int, default=generate.CONNECTIONS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as home:
        project = Path(home) / "large"
        generate.write(project, workflows=options.workflows, connections=options.connections)
        small = write_project(Path(home) / "small", "http://127.0.0.1:1", "env://API_TOKEN", 1)
        found = measure(project, small, options.rounds)
    print(
        f"{options.workflows} workflows, {options.connections} connections, medians of {options.rounds} rounds\n"
    )
    print(table(found), end="")


if __name__ == "__main__":
    main()
