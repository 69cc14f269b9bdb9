"""Where secret values come from: one file per scheme of secret references."""

from collections.abc import Callable, Sequence
from typing import Protocol

from runner.secret_ref import ResolvedRef
from runner.sensitive import Secret


class SecretSource(Protocol):
    """Reads the values behind references of one scheme.

    A source is made once per run, is told of every value it may give before anything is sent, and is closed at the
    end of the run, also of a failed one.
    """

    async def read(self, refs: Sequence[ResolvedRef]) -> dict[ResolvedRef, Secret]:
        """Read all references, in parallel, each path once.

        Raises `runner.errors.SecretsError` that carries one `SecretProblem` for every reference without a value
        (with `reference` set to the label of the reference).
        """
        ...

    async def reread(self, ref: ResolvedRef) -> Secret | None:
        """Read one reference again; None where the value is still the one that was given before."""
        ...

    async def close(self) -> None:
        """End what the source began: renewals stop, the token that the run itself obtained is revoked. Never raises."""
        ...


Warn = Callable[[str], None]
"""Takes a sentence for people: a token that will not last, a secret too short to be masked."""
