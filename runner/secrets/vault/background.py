"""Blocking calls beside the event loop, in threads that never hold up the end of the process."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """Run a blocking call in a daemon thread.

    `asyncio.to_thread` would not do: its threads are waited for when the loop and the interpreter end, so that a
    server that hangs would hold up Ctrl-C for as long as its timeout.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type] # None only where T is None

    def work() -> None:
        result, failure = None, None
        try:
            result = call()
        except BaseException as error:  # raised again where it is awaited
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=work, name="vault", daemon=True).start()
    return await future
