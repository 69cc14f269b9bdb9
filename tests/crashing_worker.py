"""`python -m tests.crashing_worker POINT KEY worker ...`: `runner worker ...`, killed (SIGKILL) at one point of one step.

The points: `before` (it has taken the step, nothing is sent), `answered` (the server has answered, the engine has not heard of
that).
"""

import os
import signal
import sys
from typing import Any


def main() -> int:
    point, step, *arguments = sys.argv[1:]
    from runner.backends.temporal import activities

    perform = vars(activities)["perform"]

    def die(where: str, key: str) -> None:
        if (where, key) == (point, step):
            os.kill(os.getpid(), signal.SIGKILL)

    async def dying(ref: Any, session: Any) -> Any:
        die("before", ref["key"])
        result = await perform(ref, session)
        die("answered", ref["key"])
        return result

    vars(activities)["perform"] = dying
    from runner.cli import main as runner

    return runner(arguments)


if __name__ == "__main__":
    sys.exit(main())
