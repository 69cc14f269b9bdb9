"""`python -m benchmarks.scale`: many requests by `for_each`, or with `--pages` as pages of one: time for each of them and peak memory, as their number grows.

A whole process, `runner run`, sends them to the server of `benchmarks.server`. The time of its start, measured by a run of
one item, is taken off before the rest is divided by the number of requests.
"""

import argparse
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import process
from benchmarks.measure import RUNNER
from benchmarks.projects import MOST_PAGES, items, pages, write
from benchmarks.server import TOKEN, serving

COUNTS = (1000, 5000, MOST_PAGES)
CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds from start to end, seconds of CPU, and the most memory that it held, in MiB."""

    count: int
    wall: float
    cpu: float
    memory: float


def run(directory: Path, count: int, *, history: bool = False) -> Measured:
    """Run the project once, with or without writing its history; raises RuntimeError where not every item came back."""
    more = [] if history else ["--no-history"]
    environ = {"PATH": os.defpath, "HOME": str(directory), "API_TOKEN": TOKEN}
    spent = process.run([RUNNER, "run", "-q", "main", "-i", f"count={count}", *more], directory, environ)
    if json.loads(spent.output) != {"count": count, "sum": count * (count + 1) // 2}:
        raise RuntimeError(f"{count} items gave:\n{spent.output[:2000]}")
    return Measured(count, spent.wall, spent.cpu, spent.memory)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("counts", type=int, nargs="*", default=COUNTS, help="numbers of items")
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY, help="default 64")
    parser.add_argument("--pages", action="store_true", help="pages of one request, one after the other")
    parser.add_argument("--history", action="store_true", help="write each step down, as runs do by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="runner-scale-") as home, serving() as address:
        write(Path(home), address, pages() if options.pages else items(options.concurrency))
        start = min((run(Path(home), 1, history=options.history) for _ in range(3)), key=lambda one: one.wall)
        print("| requests | wall | ms each | CPU, ms each | peak memory |")
        print("|---:|---:|---:|---:|---:|")
        for count in options.counts:
            one = run(Path(home), count, history=options.history)
            wall, cpu = ((a - b) / count * 1000 for a, b in ((one.wall, start.wall), (one.cpu, start.cpu)))
            print(
                f"| {count} | {one.wall:.1f} s | {wall:.2f} | {cpu:.2f} | {one.memory:.0f} MiB |", flush=True
            )


if __name__ == "__main__":
    main()
