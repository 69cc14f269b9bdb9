"""`python -m tests.crashing_worker POINT KEY worker ...`: `runner worker ...`, killed (SIGKILL) at one point of one step.

The points: `before` (it has taken the step, nothing is sent), `answered` (the server has answered, the engine has not heard of
that), `done` (the engine has the result, nothing came of it yet).
"""

import os
import signal
import sys
from typing import Any

POINTS = ("before", "answered", "done")


def main() -> int:
    point, step, *arguments = sys.argv[1:]
    from runner.backends.temporal import activities
    from runner.backends.temporal.scope import TemporalScope

    perform, scope_step = vars(activities)["perform"], TemporalScope.step

    def die(where: str, key: str) -> None:
        if (where, key) == (point, step):
            os.kill(os.getpid(), signal.SIGKILL)

    async def dying(ref: Any, session: Any) -> Any:
        die("before", ref["key"])
        result = await perform(ref, session)
        die("answered", ref["key"])
        return result

    async def dying_step(self: TemporalScope, key: str, ref: Any) -> Any:
        result = await scope_step(self, key, ref)
        die("done", key)
        return result

    vars(activities)["perform"] = dying
    TemporalScope.step = dying_step  # type: ignore[method-assign]
    from runner.cli import main as runner

    return runner(arguments)


if __name__ == "__main__":
    sys.exit(main())
