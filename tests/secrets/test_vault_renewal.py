"""Renewal in the background, with the pauses cut short."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from runner.secrets.vault import renewal
from runner.secrets.vault.explain import RefusedError, VaultProblemError
from runner.secrets.vault.renewal import Grant, Renewals


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewal, "SHORTEST_PAUSE", 0.01)


def kept(
    renew: Callable[[int], Grant | None], *, rounds: int, seconds: float = 0.06, quiet: bool = False
) -> list[str]:
    """Keep something alive for some rounds of `renew`; gives the warnings."""
    warnings: list[str] = []
    calls = 0

    async def run() -> None:
        enough = asyncio.Event()

        def again() -> Awaitable[Grant | None]:
            async def answer() -> Grant | None:
                nonlocal calls
                calls += 1
                if calls >= rounds:
                    enough.set()
                return renew(calls)

            return answer()

        renewals = Renewals(warnings.append)
        renewals.keep("the lease", seconds, again, quiet=quiet)
        tasks = tuple(renewals._tasks)
        await asyncio.wait_for(enough.wait(), 10)
        await asyncio.wait(tasks, timeout=0.05)
        renewals.stop()

    asyncio.run(run())
    assert calls == rounds
    return warnings


def test_it_is_renewed_again_and_again() -> None:
    assert kept(lambda call: Grant(0.06 if call < 3 else 100, renewable=True), rounds=3) == []


def test_a_failure_in_passing_is_tried_again() -> None:
    def renew(call: int) -> Grant:
        if call == 1:
            raise VaultProblemError("no answer", help="", passing=True)
        return Grant(100, renewable=True)

    assert kept(renew, rounds=2, seconds=0.3) == []


def test_a_refusal_ends_it_with_a_warning() -> None:
    def renew(_: int) -> Grant:
        raise RefusedError(400, ["lease not found"], {})

    (warning,) = kept(renew, rounds=1)
    assert warning.startswith("the lease cannot be renewed (lease not found); it ends in 0 s")


@pytest.mark.parametrize("grant", [Grant(0.01, renewable=True), Grant(0.06, renewable=False)])
def test_an_end_that_cannot_be_moved_is_told(grant: Grant) -> None:
    (warning,) = kept(lambda _: grant, rounds=1)

    assert "its longest life is nearly over" in warning


def test_what_may_end_ends_quietly() -> None:
    assert kept(lambda _: Grant(0.01, renewable=True), rounds=1, quiet=True) == []


def test_nothing_left_to_renew_ends_it() -> None:
    assert kept(lambda _: None, rounds=1) == []


def test_after_the_stop_nothing_begins() -> None:
    async def run() -> None:
        renewals = Renewals(lambda _: None)
        renewals.stop()
        renewals.keep("the lease", 1, lambda: asyncio.sleep(0, None))
        assert not renewals._tasks

    asyncio.run(run())
