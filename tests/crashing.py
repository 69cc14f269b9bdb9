"""`python -m tests.crashing POINT KEY ARGUMENTS...`: `runner ARGUMENTS`, killed (SIGKILL) at one point of one step.

The points: `before` (nothing of the step is written), `begun` (it is written that it starts, nothing is sent), `answered` (the
server has answered, nothing of that is written), `done` (its end is written).
"""

import os
import signal
import sys
from typing import Any

POINTS = ("before", "begun", "answered", "done")


def main() -> int:
    point, step, *arguments = sys.argv[1:]
    from runner.history.journal import Journal

    started, ended = Journal.started, Journal.ended

    def die(where: str, here: str) -> None:
        if (where, here) == (point, step):
            os.kill(os.getpid(), signal.SIGKILL)

    async def dying_start(self: Journal, key: str, *, harmless: bool) -> None:
        die("before", key)
        await started(self, key, harmless=harmless)
        die("begun", key)

    async def dying_end(self: Journal, key: str, state: str, result: Any, *, harmless: bool) -> None:
        die("answered", key)
        await ended(self, key, state, result, harmless=harmless)
        die("done", key)

    Journal.started = dying_start  # type: ignore[method-assign]
    Journal.ended = dying_end  # type: ignore[method-assign]
    from runner.cli import main as runner

    return runner(arguments)


if __name__ == "__main__":
    sys.exit(main())
