"""Commands that send something and are stopped: SIGTERM is like Ctrl-C, what was begun comes to its end before they leave."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from runner.cli import Terminated

T = TypeVar("T")


def carry_out(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; a signal cancels the work, whose `finally` may still wait. Raises KeyboardInterrupt or Terminated."""
    terminated = False

    async def whole() -> T:
        task = asyncio.current_task()
        assert task is not None

        def stop() -> None:
            nonlocal terminated
            terminated = True
            task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
        return await work

    try:
        return asyncio.run(whole())
    except asyncio.CancelledError:
        if terminated:
            raise Terminated from None
        raise
