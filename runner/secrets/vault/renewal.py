"""Keeping tokens and leases alive: renewed at two thirds of their life, in the background, until the run ends."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self

from runner.frozen import dataclass
from runner.secrets.vault.explain import RefusedError, VaultProblemError

SHORTEST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Grant:
    """What a renewal gave: for how many seconds, and whether it can be repeated."""

    seconds: float
    renewable: bool

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read `lease_duration` and `renewable`, as tokens and leases both have them."""
        seconds = answer.get("lease_duration")
        return cls(
            float(seconds) if isinstance(seconds, int | float) else 0.0, answer.get("renewable") is True
        )


Renew = Callable[[], Awaitable[Grant | None]]
"""Renews; None where there is nothing to renew any more. Raises RefusedError or VaultProblemError."""


class Renewals:
    """The background tasks of one run, one for each token or lease."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    def keep(self, name: str, seconds: float, renew: Renew, *, quiet: bool = False) -> None:
        """Renew something that lives `seconds` from now, again and again. `quiet`: its end is no harm."""
        if self._stopped:
            return
        task = asyncio.create_task(self._keep(name, seconds, renew, quiet=quiet))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stop(self) -> None:
        """End all tasks."""
        self._stopped = True
        for task in tuple(self._tasks):
            task.cancel()

    async def _keep(self, name: str, seconds: float, renew: Renew, *, quiet: bool) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        while True:
            # A renewal that failed is tried again at two thirds of what is left.
            left = ends - loop.time()
            await asyncio.sleep(max(left * 2 / 3, SHORTEST_PAUSE))
            try:
                grant = await renew()
            except RefusedError as refused:
                reason: str | None = refused.said or f"Vault answered {refused.status}"
                definite = refused.status < 500 and refused.status not in {412, 429}
                grant = None
            except VaultProblemError as problem:
                reason, definite, grant = problem.message, not problem.passing, None
            else:
                reason, definite = None, False
            left = ends - loop.time()
            if reason is None:
                if grant is None:
                    return
                ends = loop.time() + grant.seconds
                if grant.renewable and grant.seconds >= seconds / 2:
                    continue
                reason, definite, left = "its longest life is nearly over", True, grant.seconds
            if definite or left < 2 * SHORTEST_PAUSE:
                if not quiet:
                    self._warn(f"{name} cannot be renewed ({reason}); it ends in {max(left, 0):.0f} s")
                return
