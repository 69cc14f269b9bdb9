"""`python -m benchmarks.short`: seconds, for every merge. Is anything twice as slow as it was?

Ratios of processor time to a yardstick that runs in the same rounds: an absolute time says nothing on another machine.
Of each command the fastest round counts, which a busy machine disturbs least. A bound is about twice what was measured
when it was set, so that noise does not pass it and a doubling does.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import generate
from benchmarks.cases import CHAIN
from benchmarks.measure import RUNNER, Case
from benchmarks.projects import chain, items, write
from benchmarks.server import TOKEN, serving

ROUNDS = 3
FILES = 100
ITEMS = 300
IMPORTS = "import yaml, jsonschema, jinja2"


@dataclass(frozen=True, slots=True)
class Bound:
    """A command, its yardstick, and how many times as long as that it may take."""

    name: str
    yardstick: str
    most: float


BOUNDS = (
    Bound("runner version", "python -c pass", 4.8),
    Bound("runner validate, 1 connection, 1 workflow", IMPORTS, 1.7),
    Bound(f"runner validate, {FILES} workflows", IMPORTS, 3.4),
    Bound("runner run, 1 request", "httpx script, 1 request", 2.0),
    Bound(f"runner run, chain of {CHAIN}", f"httpx script, chain of {CHAIN}", 2.4),
    Bound(f"runner run, {ITEMS} at 64", f"httpx script, {ITEMS} at 64", 0.3),
)


def cases(home: Path, address: str) -> list[Case]:
    """Write the projects and list the commands, those of `BOUNDS` and their yardsticks."""
    environ = {"PATH": os.defpath, "HOME": str(home), "API_TOKEN": TOKEN}
    one = write(home / "one", address, chain(1))
    long = write(home / "chain", address, chain(CHAIN))
    wide = write(home / "wide", address, items(64))
    many = home / "many"
    generate.write(many, workflows=FILES, connections=FILES // 10)
    scripts = Path(__file__).parent

    def python(*arguments: str) -> tuple[str, ...]:
        return (sys.executable, *arguments)

    def script(name: str, count: int) -> tuple[str, ...]:
        return python(str(scripts / name), address, str(count))

    run = (RUNNER, "run", "-q", "main")
    commands: Mapping[str, tuple[tuple[str, ...], Path]] = {
        "python -c pass": (python("-c", "pass"), home),
        IMPORTS: (python("-c", IMPORTS), home),
        "runner version": ((RUNNER, "version"), home),
        "runner validate, 1 connection, 1 workflow": ((RUNNER, "validate"), one),
        f"runner validate, {FILES} workflows": ((RUNNER, "validate"), many),
        "httpx script, 1 request": (script("plain_httpx.py", 1), home),
        "runner run, 1 request": (run, one),
        f"httpx script, chain of {CHAIN}": (script("plain_httpx.py", CHAIN), home),
        f"runner run, chain of {CHAIN}": (run, long),
        f"httpx script, {ITEMS} at 64": (script("many_httpx.py", ITEMS), home),
        f"runner run, {ITEMS} at 64": ((*run, "-i", f"count={ITEMS}", "--no-history"), wide),
    }
    return [
        Case(name=name, command=command, directory=directory, environ=environ)
        for name, (command, directory) in commands.items()
    ]


def passed(fastest: Mapping[str, float], bounds: tuple[Bound, ...] = BOUNDS) -> list[str]:
    """Print each ratio; gives those that pass their bounds."""
    wrong = []
    for bound in bounds:
        ratio = fastest[bound.name] / fastest[bound.yardstick]
        line = f"{bound.name}: {ratio:.2f} of '{bound.yardstick}', at most {bound.most}"
        print(line)
        if ratio > bound.most:
            wrong.append(line)
    return wrong


def main() -> int:
    """Measure; the exit code is 1 where something takes too long."""
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as home, serving() as address:
        listed = cases(Path(home), address)
        fastest = {case.name: float("inf") for case in listed}
        for number in range(ROUNDS + 1):
            for case in listed:
                took = case.run().cpu
                if number:  # the first round warms the caches
                    fastest[case.name] = min(took, fastest[case.name])
    wrong = passed(fastest)
    if wrong:
        print("too slow; `make bench` measures at length:\n  " + "\n  ".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
