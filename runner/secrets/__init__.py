"""Where secret values come from: one file per scheme of secret references."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from runner.errors import JsonObject
from runner.secret_ref import ResolvedRef
from runner.sensitive import Secret


class StoredPath(Protocol):
    """One path whose fields are read and replaced, by check-and-set. Every method raises SecretsError."""

    label: str
    """Names the path in messages."""

    async def read(self) -> tuple[JsonObject, int]:
        """Read the newest fields and their version, past every cache; no fields where nothing is stored."""
        ...

    async def write(self, fields: Mapping[str, Any], version: int) -> int | None:
        """Replace what `version` (0: nothing) holds; gives the new version, None where somebody else was first."""
        ...

    async def check_writable(self, version: int) -> None:
        """Raise where the path cannot be written, or where it is known that it may not be."""
        ...

    async def describe(self, notes: Mapping[str, str], *, few_versions: bool = False) -> None:
        """Put notes beside the path: what the fields are for. With `few_versions` old ones are dropped soon."""
        ...

    async def notes(self) -> dict[str, str]:
        """Read the notes beside the path; none where there are none, or where they may not be read."""
        ...

    async def check_deletable(self) -> None:
        """Raise where it is known that it may not be deleted."""
        ...

    async def delete(self) -> None:
        """Delete the newest version."""
        ...


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

    def store(self, ref: ResolvedRef) -> StoredPath | None:
        """Give the path of a reference as something that is written back; None where the source only reads."""
        ...

    async def close(self) -> None:
        """End what the source began: renewals stop, the token that the run itself obtained is revoked. Never raises."""
        ...


Warn = Callable[[str], None]
"""Takes a sentence for people: a token that will not last, a secret too short to be masked."""
