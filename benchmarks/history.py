"""`python -m benchmarks.history`: what the history costs a run at its start, and for each action."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from runner.history.journal import Journal
from runner.history.runs import RUNNING, History, Run
from runner.sensitive import Redactor

STEPS = 5000
RESULT: dict[str, Any] = {
    "status": "succeeded",
    "output": {"id": 1412, "subject": "Export is broken", "tags": ["export", "urgent"]},
    "record": {
        "started_at": "2026-01-31T07:00:00.004Z",
        "duration": 0.113,
        "request": {"method": "POST", "url": "https://tickets.example.com/api/v2/tickets"},
        "response": {"status": 201},
        "attempts": [{"number": 1, "duration": 0.113, "status": 201}],
    },
}


def start(state: Path) -> tuple[float, History, Journal]:
    """Open the history of a directory and begin a run; gives what that took."""
    before = time.perf_counter()
    history = History.open(state)
    assert history is not None
    name = f"run-{time.perf_counter_ns()}"
    facts: dict[str, Any] = {"user": None, "environment": None, "commit": None, "inputs": {}, "again": []}
    run = Run(number=0, id=name, workflow="w", status=RUNNING, started_at="now", digest="d", facts=facts)
    number = history.add(run, {"workflows.d/w.yaml": "actions: []\n" * 20})
    journal = Journal(history, number, history.begin(number, "now", {}), Redactor(), print)
    return time.perf_counter() - before, history, journal


async def steps(journal: Journal, count: int, at_once: int) -> tuple[float, float]:
    """Write the beginning and the end of steps, so many at once; gives seconds, of the clock and of the processor."""
    todo = iter(range(count))

    async def work() -> None:
        for number in todo:
            await journal.started(f"page[{number}]", harmless=False)
            await journal.ended(f"page[{number}]", "done", RESULT, harmless=False)

    before, busy = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(at_once)))
    return time.perf_counter() - before, time.process_time() - busy


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="runner-history-") as home:
        before = time.perf_counter()
        import sqlite3  # noqa: F401

        imported = time.perf_counter() - before
        first, history, _ = start(Path(home))
        history.close()
        later = []
        for _ in range(20):
            took, history, journal = start(Path(home))
            later.append(took)
            ended = time.perf_counter()
            history.close()
            later[-1] += time.perf_counter() - ended
        print(f"import of sqlite3            {imported * 1000:6.2f} ms")
        print(f"start, new file              {first * 1000:6.2f} ms")
        print(f"start and end, old file      {statistics.median(later) * 1000:6.2f} ms")
        for at_once in (1, 64):
            _, history, journal = start(Path(home))
            wall, busy = asyncio.run(steps(journal, STEPS, at_once))
            history.close()
            print(
                f"a step, {at_once:2} at once           {wall / STEPS * 1000:7.3f} ms, "
                f"{busy / STEPS * 1000:.3f} ms of the processor (its start and its end, both durable)"
            )


if __name__ == "__main__":
    main()
