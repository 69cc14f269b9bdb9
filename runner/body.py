"""What a request carries: bytes, or a source that is read while it is sent."""

from collections.abc import AsyncIterator
from typing import Protocol


class BodySource(Protocol):
    """A body that is read while it is sent. Each iteration begins anew: a redirect or another attempt sends it again."""

    @property
    def length(self) -> int | None:
        """The length in bytes, where it is known; else it goes in chunks."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Read it from its beginning."""
        ...


Body = bytes | BodySource
