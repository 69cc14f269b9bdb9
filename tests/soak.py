"""Kills runs, or the workers of an engine, at random times and goes on, until none of their work is missing.

A server that counts is the witness: a write that is done twice was one of which the runner had said that it may have been
done already.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from runner.project import Project, load
from tests.e2e.program import Program
from tests.engines import Cluster, until
from tests.servers.temporal import Temporal

LONGEST = 1.2
"""Seconds after which a process is killed at the latest: some of them get to their end."""


def ordeal(
    program: Program, chance: random.Random, counts: Callable[[], Counter[str]], names: Mapping[str, str]
) -> int:
    """Run once, killed at random times, until it has succeeded; gives how often it was killed.

    `names` says which request each step sends.
    """
    expected = set(names.values())
    kills = 0
    before = counts()
    allowed: Counter[str] = Counter(expected)
    arguments: tuple[str, ...] = ("run", "main")
    while True:
        ended = _killed_after(program, arguments, chance.uniform(0.1, LONGEST) if kills < 4 else None)
        kills += ended is None
        found = json.loads(program.run("runs", "--format", "json").out)["runs"]
        if not found or found[0]["status"] == "succeeded":
            if ended is None and not found:
                continue  # it was killed before it had begun
            break
        run = found[0]["run"]
        shown = json.loads(program.run("runs", "show", run, "--format", "json").out)
        for step in shown["open"]:
            if step["unknown"]:
                allowed[names[step["key"]]] += 1
        arguments = ("runs", "resume", run, "--retry-unknown")
    _compare(counts() - before, expected, allowed)
    program.run("runs", "prune", "--keep", "0s")
    return kills


def _killed_after(program: Program, arguments: tuple[str, ...], seconds: float | None) -> int | None:
    """Give the exit code; None where it was killed."""
    process = program.start(*arguments)
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None
    assert process.returncode == 0, arguments
    return process.returncode


def ordeal_of_workers(
    cluster: Cluster,
    project: Project,
    chance: random.Random,
    counts: Callable[[], Counter[str]],
    names: Mapping[str, str],
) -> int:
    """Run once on an engine, whose workers are killed at random times, until it has succeeded; gives how many were killed.

    Two workers share the run. Each end of it, and of what it calls, has a `finally` of its own.
    """
    expected = set(names.values())
    endings = {name for key, name in names.items() if "finally/" in key}
    before = counts()
    allowed: Counter[str] = Counter(expected)
    kills = 0
    run_id = cluster.submit(project)
    while True:
        while cluster.ask(lambda found: found.noted(run_id)).goes_on:
            time.sleep(chance.uniform(0.0, 2 * LONGEST))
            cluster.workers.pop(chance.randrange(len(cluster.workers))).kill()
            cluster.worker()
            kills += 1
        state = cluster.ask(lambda found: found.state(run_id))
        if state["phase"] == "succeeded":
            break
        assert state["unknown"], state["result"]
        allowed.update(names[key] for key in state["unknown"])
        allowed.update(endings)
        cluster.ask(lambda found: found.resume(run_id))
        until(lambda: cluster.ask(lambda found: found.state(run_id))["round"] > state["round"])  # noqa: B023 - asked at once
    _compare(counts() - before, expected, allowed)
    return kills


def _compare(done: Counter[str], expected: set[str], allowed: Counter[str]) -> None:
    assert set(done) == expected, f"lost: {expected - set(done)}"
    for name, count in done.items():
        if name.startswith("POST"):
            assert count <= allowed[name], f"{name}: {count} times, at most {allowed[name]}"


def main() -> None:
    from tests.history.test_crash import NAMES, Witness, project

    reader = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    reader.add_argument("kills", metavar="KILLS", nargs="?", type=int, default=200)
    reader.add_argument("seed", metavar="SEED", nargs="?", type=int)
    reader.add_argument("--engine", choices=["history", "temporal"], default="history")
    options = reader.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    witness = Witness(seed)
    witness.slowest = 0.1
    kills = runs = 0
    started = time.monotonic()
    with witness.server, tempfile.TemporaryDirectory(prefix="runner-soak-") as home, ExitStack() as stack:
        program = project(Path(home), witness.server.url)
        cluster: Cluster | None = None
        if options.engine == "temporal":
            cluster = stack.enter_context(Cluster(stack.enter_context(Temporal(Path(home) / "temporal"))))
            cluster.worker()
            cluster.worker()
        while kills < options.kills:
            if cluster is None:
                kills += ordeal(program, chance, lambda: witness.counts, NAMES)
            else:
                kills += ordeal_of_workers(cluster, load(Path(home)), chance, lambda: witness.counts, NAMES)
            runs += 1
            print(f"\r{kills} kills, {runs} runs", end="", flush=True)
    print(f" in {time.monotonic() - started:.0f} s: nothing lost, nothing done twice unannounced", flush=True)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # threads of Temporal's library outlive Python
