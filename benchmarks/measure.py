"""Measures commands, interleaved: each round runs every case once, in another order."""

import random
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from benchmarks import process

Key = TypeVar("Key")
RUNNER = str(Path(sys.executable).with_name("runner"))
COLUMNS = "wall | x | CPU | x | memory |"
"""The heads of `Times.row`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One command line. `expected` is what its output ends with: a measured failure would be no measurement."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environ: Mapping[str, str] = field(hash=False)
    expected: str = ""
    group: str = ""

    def __str__(self) -> str:
        return f"{self.group}, {self.name}" if self.group else self.name

    def run(self) -> process.Spent:
        """Run it to its end; raises RuntimeError where it did not do what it should."""
        spent = process.run(self.command, self.directory, self.environ)
        if not spent.output.endswith(self.expected):
            raise RuntimeError(f"{self} printed:\n{spent.output}")
        return spent


@dataclass(slots=True)
class Times:
    """Of each round: seconds from start to end, seconds of processor time (user and system), and the most memory in MB."""

    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    memories: list[float] = field(default_factory=list)

    def add(self, spent: process.Spent) -> None:
        """Add a round."""
        self.walls.append(spent.wall)
        self.cpus.append(spent.cpu)
        self.memories.append(spent.memory)

    @property
    def wall(self) -> float:
        """The median."""
        return statistics.median(self.walls)

    @property
    def cpu(self) -> float:
        """The median."""
        return statistics.median(self.cpus)

    def ratios(self, base: "Times") -> tuple[float, float]:
        """Give the medians of the ratios in each round, of wall and of processor time."""
        wall, cpu = (
            statistics.median(a / b for a, b in zip(own, others, strict=True))
            for own, others in ((self.walls, base.walls), (self.cpus, base.cpus))
        )
        return wall, cpu

    def row(self, base: "Times") -> str:
        """Write the cells of `COLUMNS`."""
        wall, cpu = self.ratios(base)
        return (
            f"{self.wall:.2f} s | {wall:.2f} | {self.cpu:.2f} s | {cpu:.2f} | {max(self.memories):.0f} MB |"
        )


def measure(cases: Iterable[Key], rounds: int, once: Callable[[Key], process.Spent]) -> dict[Key, Times]:
    """Measure all cases; the first round only warms the caches."""
    found = {case: Times() for case in cases}
    order = list(found)
    shuffle = random.Random(20260101).shuffle
    for number in range(rounds + 1):
        shuffle(order)
        for case in order:
            print(f"round {number} of {rounds}: {case!s:60}", end="\r", file=sys.stderr, flush=True)
            spent = once(case)
            if number:
                found[case].add(spent)
    return found
