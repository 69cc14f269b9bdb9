"""What an action costs on each backend, and how many runs a second go through Temporal with one and two workers.

    python -m benchmarks.engines

A chain of 50 requests to a server on this machine, in one process without and with a history, and on Temporal's dev
server (SQLite); then 20 runs of 3 requests each, submitted at once. Times are wall time; the machine is shared by the
server, the workers and the runs.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.plan import resolve
from runner.project import Project
from runner.watching import Stop
from tests.engines import Cluster
from tests.histories import kept
from tests.projects import Watched, request, run, simple
from tests.servers.http import Server, reply
from tests.servers.temporal import Temporal

ACTIONS = 50
RUNS = 20
ROUNDS = 5


def chain(root: Path, url: str, length: int) -> Project:
    """A workflow of requests, each after the one before."""
    return simple(root, [request(f"a{number}", path=f"/{number}") for number in range(length)], url=url)


def per_action(go: Callable[[], Any]) -> float:
    """Give the median milliseconds of an action over some runs, the first of which does not count."""
    go()
    times = []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        go()
        times.append(time.perf_counter() - before)
    return statistics.median(times) / ACTIONS * 1000


def runs_a_second(cluster: Cluster, project: Project) -> float:
    """Submit runs at once and wait for all of them."""

    async def all_of_them(found: Any) -> None:
        names = [f"many-{time.time_ns()}-{number}" for number in range(RUNS)]
        plan = resolve(project, "main", inputs={}, user=None)
        await asyncio.gather(*(found.submit(project, plan, name, 300.0) for name in names))
        await asyncio.gather(*(found.follow(name, Watched(), Stop()) for name in names))

    before = time.perf_counter()
    cluster.ask(all_of_them)
    return RUNS / (time.perf_counter() - before)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, Server({"* /**": lambda _: reply({"ok": True})}) as server:
        root = Path(folder)
        project = chain(root / "chain", server.url, ACTIONS)
        short = chain(root / "short", server.url, 3)
        print(f"{'one action, in a chain of ' + str(ACTIONS):<40}{'ms':>8}")
        print(f"{'  memory':<40}{per_action(lambda: run(project)):>8.2f}")
        print(f"{'  history':<40}{per_action(lambda: kept(project, root / 'state')):>8.2f}")
        with Temporal(root / "temporal") as temporal, Cluster(temporal) as cluster:
            cluster.worker()
            print(f"{'  temporal, dev server':<40}{per_action(lambda: cluster.run(project)):>8.2f}")
            print(f"{f'{RUNS} runs of 3 requests':<40}{'runs/s':>8}")
            print(f"{'  one worker':<40}{runs_a_second(cluster, short):>8.1f}")
            cluster.worker()
            print(f"{'  two workers':<40}{runs_a_second(cluster, short):>8.1f}")


if __name__ == "__main__":
    main()
