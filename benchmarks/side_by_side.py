"""The same requests by runner.d, by hand-written scripts and by other tools: `python -m benchmarks.side_by_side`.

Everything runs against one nginx, in one go, interleaved. Each time the server's log must show every request, with its
token.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks import nginx, peers
from benchmarks.cases import CHAIN
from benchmarks.measure import COLUMNS, RUNNER, Case, Times, measure
from benchmarks.process import Spent
from benchmarks.projects import chain, items, write
from benchmarks.server import TOKEN
from runner import __version__

SCRIPTS = Path(__file__).parent
BEGIN, END = "<!-- side by side: begin -->\n", "<!-- side by side: end -->\n"
WIDE, LOAD = 1000, 20_000
SCRIPT, OURS = "script on httpx", "runner.d"


def cases(home: Path, address: str, *, load: int) -> dict[Case, int]:
    """List what is measured, by group, the script first; gives how many requests of each must arrive."""
    own = {"PATH": os.defpath, "HOME": str(home), "API_TOKEN": TOKEN}
    one = write(home / "one", address, chain(1))
    long = write(home / "chain", address, chain(CHAIN))
    wide = write(home / "wide", address, items(64))
    run = (RUNNER, "run", "-q", "main")
    found = {}

    def add(
        group: str,
        name: str,
        command: tuple[str, ...],
        count: int,
        at: Path = home,
        environ: Mapping[str, str] = own,
    ) -> None:
        found[Case(group=group, name=name, command=command, directory=at, environ=environ)] = count

    def script(name: str, count: int, program: str = sys.executable) -> tuple[str, ...]:
        return (program, str(SCRIPTS / name), address, str(count))

    def all_items(count: int) -> tuple[str, ...]:
        return (*run, "-i", f"count={count}")

    for group, count, by_hand, ours, place in (
        ("one request", 1, "plain_httpx.py", run, one),
        (f"chain of {CHAIN}", CHAIN, "plain_httpx.py", run, long),
        (f"{WIDE:,} independent", WIDE, "many_httpx.py", all_items(WIDE), wide),
    ):
        add(group, SCRIPT, script(by_hand, count), count)
        add(group, OURS, ours, count, place)
        folder = home / f"peers{count}"
        for name, command in peers.commands(folder, address, count, chained=place is long):
            add(group, name, command, count, folder, peers.environ(folder))
    group = f"{load:,} at 64"
    add(
        group,
        "script on aiohttp",
        script("many_aiohttp.py", load, str(peers.home("limits") / "python")),
        load,
    )
    add(group, "client of runner.d", script("many_client.py", load), load)
    add(group, OURS, all_items(load), load, wide)
    return found


def table(found: Mapping[Case, Times]) -> str:
    """Write medians, and the ratios to the first of the group."""
    rows = [f"| | | {COLUMNS}", "|---|---|---:|---:|---:|---:|---:|"]
    for group in dict.fromkeys(case.group for case in found):
        own = [(case.name, times) for case, times in found.items() if case.group == group]
        base = own[0][1]
        for name, times in sorted(own, key=lambda one: one[1].wall):
            rows.append(f"| {group} | {f'**{name}**' if name == OURS else name} | {times.row(base)}")
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
            wanted = cases(home, address, load=options.load)

            def once(case: Case) -> Spent:
                log.clear()
                spent = case.run()
                if log.answered() != wanted[case]:
                    raise RuntimeError(f"{case}: {log.answered()} of {wanted[case]} requests arrived")
                return spent

            found = measure(wanted, options.rounds, once)
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
