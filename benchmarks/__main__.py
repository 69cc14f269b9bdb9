"""`python -m benchmarks`: measures, prints a table, and with --write puts it into docs/benchmarks.md."""

import argparse
import os
import platform
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks import imports
from benchmarks.cases import BASELINE, CHAIN, cases
from benchmarks.measure import RUNNER, Case, Times, measure
from benchmarks.server import serving
from runner import __version__
from tests.servers.openbao import OpenBao

SIDE_BY_SIDE = "\n## Side by side\n"
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
TEXT = """# Benchmarks

`make bench` measures again; `python -m benchmarks --write` writes this page, `--imports` shows what the imports cost.
`make bench-short`, a part of `make ci`, takes seconds: it compares processor times with yardsticks of the same rounds and fails where something takes twice as long as it did.

{table}
runner.d {version}, Python {python}, {machine}. Medians of {rounds} rounds. A round runs every command once, in another order; *x* is the ratio to `python -c pass` of
the same rounds. Read the ratios: the absolute times are those of one machine.

What is measured: whole processes, from their start to their end, with a warm file cache. The server answers on loopback in a process of its own. `env://` takes the token from the environment; *OpenBao* is a real server in memory, with a token that is
given (no login, nothing to revoke). In the chain each of the {chain} requests uses the answer of the one before; the script does the same with `httpx.Client` and nothing else: no checks, no retry, no records.
"""


def machine() -> str:
    """Say what this is measured on."""
    names = [line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")]
    return f"{os.cpu_count()} x {names[0] if names else platform.machine()}, {platform.system()}"


def _cpu_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def table(found: Mapping[Case, Times]) -> str:
    """Write medians, and ratios to the baseline, as a Markdown table."""
    base = next(times for case, times in found.items() if case.name == BASELINE)
    rows = ["| command | wall, median | x | fastest | CPU, median | x |", "|---|---:|---:|---:|---:|---:|"]
    for case, times in found.items():
        wall, cpu = times.ratios(base)
        rows.append(
            f"| {case} | {times.wall * 1000:.0f} ms | {wall:.1f} | {min(times.walls) * 1000:.0f} ms "
            f"| {times.cpu * 1000:.0f} ms | {cpu:.1f} |"
        )
    return "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="default 15")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument(
        "--imports",
        action="store_true",
        help="show what the imports of each command cost, measure nothing else",
    )
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="runner-bench-") as home,
        OpenBao.development(Path(home) / "openbao") as vault,
        serving() as address,
    ):
        found = cases(Path(home), address, vault)
        if options.imports:
            for case in found:
                if case.command[0] == RUNNER:
                    print(imports.report(case))
            return
        text = table(measure(found, options.rounds, Case.run))
    print(text)
    if options.write:
        written = TEXT.format(
            table=text,
            version=__version__,
            python=platform.python_version(),
            machine=machine(),
            rounds=options.rounds,
            chain=CHAIN,
        )
        _, mark, rest = PAGE.read_text(encoding="utf-8").partition(SIDE_BY_SIDE)
        PAGE.write_text(written + mark + rest, encoding="utf-8")


if __name__ == "__main__":
    main()
