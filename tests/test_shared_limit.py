"""The rate limit that workers share: what those who wait hear when the engine gives no turn."""

import asyncio
from typing import Any

import pytest

from runner.backends.temporal.limiter import SharedThrottle
from runner.errors import FailureError, FailureKind
from runner.model import RateLimit


class Down:
    """A server of Temporal that is away."""

    async def execute_update_with_start_workflow(self, *_: Any, **__: Any) -> None:
        raise OSError("away")


def test_without_a_turn_nothing_is_sent_and_that_is_said() -> None:
    async def wait() -> list[Any]:
        rate = RateLimit(requests=2, per=1.0, burst=1)
        throttle = SharedThrottle(4, rate, client=Down(), queue="q", name="api", clock=lambda: 0.0)  # type: ignore[arg-type]

        async def one() -> None:
            async with throttle.turn(None):
                pytest.fail("it was let through")

        return [*await asyncio.gather(one(), one(), return_exceptions=True)]

    for problem in asyncio.run(wait()):
        assert isinstance(problem, FailureError)
        assert problem.failure.kind is FailureKind.CONNECTION
        assert problem.failure.message.startswith("it was not sent: the engine gave no turn")
        assert "runs resume" in str(problem.failure.help)
