"""Takes the time of commands, interleaved: each round runs every case once, in another order."""

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.cases import Case
from benchmarks.process import run


@dataclass(slots=True)
class Times:
    """Of one case: wall time and CPU time (user and system) of each round, in seconds."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


def run_once(case: Case) -> tuple[float, float]:
    """Run a command to its end; gives wall and CPU seconds, and raises where it did not do what it should."""
    spent = run(case.command, case.directory, case.environ)
    if not spent.output.endswith(case.expected):
        raise RuntimeError(f"{case.name} printed:\n{spent.output}")
    return spent.wall, spent.cpu


def measure(cases: Sequence[Case], rounds: int, tell: Callable[[str], None]) -> dict[str, Times]:
    """Measure all cases; the first round only warms the caches."""
    found = {case.name: Times() for case in cases}
    order = list(cases)
    shuffle = random.Random(20260101).shuffle
    for number in range(rounds + 1):
        tell(f"round {number} of {rounds}")
        shuffle(order)
        for case in order:
            wall, cpu = run_once(case)
            if number:
                found[case.name].wall.append(wall)
                found[case.name].cpu.append(cpu)
    return found


def table(found: dict[str, Times], baseline: str) -> str:
    """Write medians, and ratios to the baseline, as a Markdown table."""
    base = found[baseline]
    rows = [
        "| command | wall, median | x | fastest | CPU, median | x |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, times in found.items():
        wall, cpu = statistics.median(times.wall), statistics.median(times.cpu)
        rows.append(
            f"| {name} | {wall * 1000:.0f} ms | {wall / statistics.median(base.wall):.1f} | {min(times.wall) * 1000:.0f} ms "
            f"| {cpu * 1000:.0f} ms | {cpu / statistics.median(base.cpu):.1f} |"
        )
    return "\n".join(rows) + "\n"
