"""Measures checking: `python -m benchmarks.checking`. A project of 1,000 workflows and 100 connections, and one file of it.

Beside it, in the same rounds, check-jsonschema on the same files with the same schemas. It checks the shape of each file
and nothing else: no names, no templates, no rules.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import generate, peers, process
from benchmarks.measure import COLUMNS, RUNNER, Times, measure
from benchmarks.process import Spent
from benchmarks.projects import chain, write

ROOT = Path(__file__).parents[1]
WHOLE, ONE, SHAPES = "runner validate", "runner validate PATH", "check-jsonschema"
SMALL, SMALL_SHAPE = "runner validate, 1 connection, 1 workflow", "check-jsonschema, 1 file"


def run(directory: Path, commands: Sequence[Sequence[str]]) -> Spent:
    """Run commands one after the other on one core; raises RuntimeError where one finds something wrong."""
    core = min(os.sched_getaffinity(0))
    environ = {"PATH": os.defpath, "HOME": str(directory)}
    parts = [process.run(command, directory, environ, core=core) for command in commands]
    return Spent(
        wall=sum(one.wall for one in parts),
        cpu=sum(one.cpu for one in parts),
        memory=max(one.memory for one in parts),
        output="".join(one.output for one in parts),
    )


def cases(project: Path, small: Path) -> dict[str, tuple[Path, list[list[str]]]]:
    """Give the directory and the commands of each case; one changed file is the first of the workflows, with a comment more."""
    workflows = [str(path.relative_to(project)) for path in sorted(project.glob("workflows.d/**/*.yaml"))]
    connections = [str(path.relative_to(project)) for path in sorted(project.glob("connections.d/**/*.yaml"))]
    changed = project / workflows[0]
    changed.write_text("# changed\n" + changed.read_text(encoding="utf-8"), encoding="utf-8")
    other = str(peers.home("check-jsonschema") / "check-jsonschema")
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


def table(found: Mapping[str, Times]) -> str:
    """Write medians and the ratios to the first case as a Markdown table."""
    rows = [f"| command | {COLUMNS}", "|---|---:|---:|---:|---:|---:|"]
    rows += [f"| {name} | {times.row(found[WHOLE])}" for name, times in found.items()]
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
        small = write(Path(home) / "small", "http://127.0.0.1:1", chain(1))
        wanted = cases(project, small)
        found = measure(wanted, options.rounds, lambda name: run(*wanted[name]))
    print(
        f"{options.workflows} workflows, {options.connections} connections, medians of {options.rounds} rounds\n"
    )
    print(table(found), end="")


if __name__ == "__main__":
    main()
