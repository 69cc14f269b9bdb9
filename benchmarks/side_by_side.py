"""The same requests by runner.d, by hand-written scripts and by other tools: `python -m benchmarks.side_by_side`.

Everything runs against one nginx, in one go, interleaved: each round runs every command once, in another order. In the
first round, which warms the caches and is not counted, the server's log must show every request, with its token.
"""

import argparse
import json
import os
import platform
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import nginx, peers
from benchmarks.cases import CHAIN, write_project
from benchmarks.process import run
from benchmarks.server import TOKEN
from runner import __version__

RUNNER = str(Path(sys.executable).with_name("runner"))
SCRIPTS = Path(__file__).parent
BEGIN, END = "<!-- side by side: begin -->\n", "<!-- side by side: end -->\n"
WIDE, LOAD = 1000, 20_000
SCRIPT, OURS = "script on httpx", "runner.d"


@dataclass(slots=True)
class Case:
    """One command of a group. `requests` must arrive."""

    group: str
    name: str
    command: tuple[str, ...]
    requests: int
    directory: Path
    environ: Mapping[str, str]
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def run(self) -> tuple[float, float, float]:
        """Run it; gives wall and processor seconds and the memory of the largest process in MB."""
        spent = run(self.command, self.directory, self.environ)
        return spent.wall, spent.cpu, spent.memory


def wide_project(directory: Path, address: str, count: int) -> Path:
    """Write a project of one action that is done once per item."""
    made = write_project(directory, address, "env://API_TOKEN", 1)
    action = {
        "id": "all",
        "for_each": f"{{{{ range({count}) | list }}}}",
        "concurrency": 64,
        "connection": "api",
        "request": {"path": "/item/{{ item }}"},
        "output": "{{ response.body.next }}",
    }
    outputs = {"count": "{{ actions.all.output | length }}"}
    (made / "workflows.d/main.yaml").write_text(json.dumps({"actions": [action], "outputs": outputs}))
    return made


def cases(home: Path, address: str, *, load: int) -> list[Case]:
    """List what is measured."""
    own = {"PATH": os.defpath, "HOME": str(home), "API_TOKEN": TOKEN}
    run = (RUNNER, "run", "-q", "main")
    one = write_project(home / "one", address, "env://API_TOKEN", 1)
    chain = write_project(home / "chain", address, "env://API_TOKEN", CHAIN)
    wide = wide_project(home / "wide", address, WIDE)
    heavy = wide_project(home / "heavy", address, load)
    aiohttp = str(peers.HOME / "limits/bin/python")

    def script(name: str, count: int, program: str = sys.executable) -> tuple[str, ...]:
        return (program, str(SCRIPTS / name), address, str(count))

    groups = {
        "one request": (1, False),
        f"chain of {CHAIN}": (CHAIN, True),
        f"{WIDE:,} independent": (WIDE, False),
    }
    places = dict(zip(groups, (one, chain, wide), strict=True))
    found = []
    for group, (count, chained) in groups.items():
        by_hand = script("many_httpx.py" if count == WIDE else "plain_httpx.py", count)
        found += [
            Case(group, SCRIPT, by_hand, count, home, own),
            Case(group, OURS, run, count, places[group], own),
        ]
        folder = home / f"peers{count}"
        found += [
            Case(group, name, command, count, folder, peers.environ(folder))
            for name, command in peers.commands(folder, address, count, chained=chained)
        ]
    group = f"{load:,} at 64"
    found += [
        Case(group, "script on aiohttp", script("many_aiohttp.py", load, aiohttp), load, home, own),
        Case(group, "client of runner.d", script("many_client.py", load), load, home, own),
        Case(group, OURS, run, load, heavy, own),
    ]
    return found


def measure(found: Sequence[Case], rounds: int, log: nginx.Log) -> None:
    """Measure all; the first round checks."""
    order = list(found)
    shuffle = random.Random(20260101).shuffle
    for number in range(rounds + 1):
        shuffle(order)
        for case in order:
            print(
                f"round {number} of {rounds}: {case.group}, {case.name:20}",
                end="\r",
                file=sys.stderr,
                flush=True,
            )
            log.clear()
            wall, cpu, memory = case.run()
            if number:
                case.wall.append(wall)
                case.cpu.append(cpu)
                case.memory.append(memory)
            elif log.answered() != case.requests:
                raise RuntimeError(
                    f"{case.group}, {case.name}: {log.answered()} of {case.requests} requests arrived"
                )


def table(found: Sequence[Case]) -> str:
    """Write medians, and the ratio to the script of the same group: the median of the ratios of each round."""
    rows = ["| | | wall | x | CPU | x | memory |", "|---|---|---:|---:|---:|---:|---:|"]
    for group in dict.fromkeys(case.group for case in found):
        own = [case for case in found if case.group == group]
        base = own[0]
        for case in sorted(own, key=lambda case: statistics.median(case.wall)):
            ratio = statistics.median(a / b for a, b in zip(case.wall, base.wall, strict=True))
            effort = statistics.median(a / b for a, b in zip(case.cpu, base.cpu, strict=True))
            name = f"**{case.name}**" if case.name == OURS else case.name
            rows.append(
                f"| {group} | {name} | {statistics.median(case.wall):.2f} s | {ratio:.2f} "
                f"| {statistics.median(case.cpu):.2f} s | {effort:.2f} | {max(case.memory):.0f} MB |"
            )
    return "\n".join(rows) + "\n"


def main() -> None:
    """Install, measure, print; with --write into docs/benchmarks.md, too."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.side_by_side", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--load", type=int, default=LOAD, help=f"requests of the last group (default {LOAD})")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    peers.install()
    with tempfile.TemporaryDirectory(prefix="runner-bench-") as name:
        home = Path(name)
        with nginx.serving(home / "nginx") as (address, log):
            found = cases(home, address, load=options.load)
            measure(found, options.rounds, log)
    versions = ", ".join(
        [*(f"{name} {version}" for name, version in peers.NPM.items()), *sum(peers.PYPI.values(), ())]
    )
    text = (
        f"{table(found)}\nrunner.d {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores; {versions}. "
        f"Medians of {options.rounds} rounds; *x* is the ratio to the first script of the group in the same round.\n"
    )
    print("\n" + text)
    if options.write:
        page = SCRIPTS.parent / "docs/benchmarks.md"
        before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        page.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
