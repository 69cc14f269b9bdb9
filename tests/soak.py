"""`python -m tests.soak [KILLS]`: kills runs at random times and goes on with them, until none of their work is missing.

A server that counts is the witness: a write that is done twice was one of which the runner had said that it may have been
done already.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.e2e.program import Program

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
    done = counts() - before
    assert set(done) == set(expected), f"lost: {set(expected) - set(done)}"
    for name, count in done.items():
        if name.startswith("POST"):
            assert count <= allowed[name], f"{name}: {count} times, at most {allowed[name]}"
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


def main() -> None:
    from tests.history.test_crash import NAMES, Witness, project

    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    witness = Witness(seed)
    witness.slowest = 0.1
    kills = runs = 0
    started = time.monotonic()
    with witness.server, tempfile.TemporaryDirectory(prefix="runner-soak-") as home:
        program = project(Path(home), witness.server.url)
        while kills < wanted:
            kills += ordeal(program, chance, lambda: witness.counts, NAMES)
            runs += 1
            print(f"\r{kills} kills, {runs} runs", end="", flush=True)
    print(f" in {time.monotonic() - started:.0f} s: nothing lost, nothing done twice unannounced")


if __name__ == "__main__":
    main()
