"""What an action costs on each backend, what a call costs on Temporal, and how many runs a second go through it.

    python -m benchmarks.engines

A chain of 50 requests to a server on this machine, in one process without and with a history, and on Temporal's dev
server (SQLite); there also 30 requests by themselves and in ten calls, and a hundred items that call two; then 20 runs
of 3 requests each, submitted at once, with one worker and with two. Times are wall time; the machine is shared by the
server, the workers and the runs.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.errors import JsonObject
from runner.plan import resolve
from runner.project import Project
from runner.watching import Stop
from tests.engines import Cluster
from tests.histories import kept
from tests.projects import Watched, make, request, run, simple
from tests.servers.http import Server, reply
from tests.servers.temporal import Temporal

ACTIONS = 50
RUNS = 20
ROUNDS = 5
EACH: JsonObject = {"id": "each", "for_each": "{{ range(100) | list }}", "concurrency": 16}


def chain(root: Path, url: str, length: int) -> Project:
    """A workflow of requests, each after the one before."""
    return simple(root, [request(f"a{number}", path=f"/{number}") for number in range(length)], url=url)


def calling(root: Path, url: str, length: int, calls: list[JsonObject]) -> Project:
    """A workflow that calls another one, of so many requests."""
    inner = {"actions": [request(f"a{number}", path=f"/{number}") for number in range(length)]}
    return make(
        root,
        {
            "connections.d/api.yaml": {"type": "none", "base_url": url, "shared": True},
            "workflows.d/main.yaml": {"actions": [{**call, "workflow": "inner"} for call in calls]},
            "workflows.d/inner.yaml": inner,
        },
    )


def whole(cluster: Cluster, project: Project) -> tuple[float, int, int]:
    """Give the seconds of a run, of two the quicker one, and how many executions and events it is made of."""
    times = []
    run_id = ""

    async def ended(found: Any) -> None:
        await found.client.get_workflow_handle(run_id).result()

    for _ in range(2):
        before = time.perf_counter()
        run_id = cluster.submit(project)
        cluster.ask(ended)
        times.append(time.perf_counter() - before)

    async def events(found: Any) -> list[int]:
        mine = f"WorkflowId = '{run_id}' OR WorkflowId STARTS_WITH '{run_id}/'"
        return [each.history_length async for each in found.client.list_workflows(mine)]

    time.sleep(2)  # lists come a little later
    lengths = cluster.ask(events)
    return min(times), len(lengths), sum(lengths)


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
            print(f"{'a run on temporal':<40}{'s':>8}{'executions':>12}{'events':>8}")
            for name, made in (
                ("30 requests", chain(root / "thirty", server.url, 30)),
                (
                    "10 calls of 3",
                    calling(root / "calls", server.url, 3, [{"id": f"c{at}"} for at in range(10)]),
                ),
                ("100 items that call 2, 16 at a time", calling(root / "items", server.url, 2, [EACH])),
            ):
                took, executions, events = whole(cluster, made)
                print(f"{f'  {name}':<40}{took:>8.2f}{executions:>12}{events:>8}")
            print(f"{f'{RUNS} runs of 3 requests':<40}{'runs/s':>8}")
            print(f"{'  one worker':<40}{runs_a_second(cluster, short):>8.1f}")
            cluster.worker()
            print(f"{'  two workers':<40}{runs_a_second(cluster, short):>8.1f}")


if __name__ == "__main__":
    main()
