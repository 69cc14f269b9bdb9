"""What a command spends on imports: `python -X importtime`, summed up by package."""

import re
import subprocess
import sys
from collections import Counter

from benchmarks.measure import Case

_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S+)")


def report(case: Case, *, most: int = 14) -> str:
    """Give the milliseconds that a case's own imports take, by package, largest first."""
    command = (sys.executable, "-X", "importtime", *case.command)
    done = subprocess.run(
        command, cwd=case.directory, env=dict(case.environ), capture_output=True, encoding="utf-8", check=True
    )
    own: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for line in done.stderr.splitlines():
        match = _LINE.match(line)
        if match:
            package = match[4].partition(".")[0]
            own[package] += int(match[1])
            modules[package] += 1
    total = sum(own.values()) / 1000
    rows = [f"{case.name}: {sum(modules.values())} modules, {total:.0f} ms"]
    rows += [
        f"  {time / 1000:7.1f} ms  {modules[name]:4} modules  {name}" for name, time in own.most_common(most)
    ]
    return "\n".join(rows) + "\n"
