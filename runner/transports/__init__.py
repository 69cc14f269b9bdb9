"""Transports, one file each: ways to put a prepared request onto the network, all behind one small interface.

A transport's file holds `LIBRARY`, `is_installed()`, which imports it, `can(route, request)`, and `Transport`. It carries one request to one origin and gives
what came back, raw. It follows no redirect, keeps no cookie, reads no environment, knows no credential, unpacks nothing
and logs nothing: all of that is the client's. It tells `Progress` how far it got, and raises FailureError with words of
`Progress`, never an error of its library.
"""

import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import field
from typing import Protocol

from runner.body import Body
from runner.frozen import dataclass
from runner.progress import Progress
from runner.target import Target

KEPT_ALIVE = 4.0
"""Seconds an idle connection is kept: servers of Node, Apache and uvicorn close theirs after 5."""
LONGEST_HEAD = 100 * 1024
"""Bytes of an answer's headers."""

MOST_DRAINED = 64 * 1024
"""Bytes of a redirect's body that are read to keep the connection."""

Raw = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, repr=False)
class Prepared:
    """A request ready to be written: `headers` are complete, with `Host` and how long the body is."""

    method: str
    target: Target
    headers: Raw
    body: Body | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How servers are reached: what a transport keeps connections for."""

    connect_timeout: float
    """Seconds for TCP and TLS together."""
    proxy: str | None = field(default=None, repr=False)
    """URL, with its user name and password."""
    socket: str | None = None
    """Path of a Unix socket in place of the host."""
    http2: bool = False
    """HTTP/2 where the server offers it."""
    context: Callable[[], ssl.SSLContext] = field(repr=False)
    """Gives the TLS context; loading the CAs takes longer than a request, so only those who need it ask."""
    proxy_context: Callable[[], ssl.SSLContext] = field(repr=False)
    """Gives the one for an https:// proxy, which is presented no client certificate."""


class Received(Protocol):
    """What came back: status and headers, then the body as it arrives. To be closed in any case."""

    status: int
    headers: Raw
    http_version: str

    def pieces(self) -> AsyncIterator[bytes]:
        """Read the body, not unpacked; raises FailureError where it breaks off."""
        ...

    async def aclose(self) -> None:
        """Free the connection: for the next request where the body was read to its end, else it is closed."""
        ...


class Transport(Protocol):
    """Sends requests over one route and keeps connections open between them; for one event loop."""

    async def send(self, request: Prepared, progress: Progress) -> Received:
        """Send a request and wait for the head of the answer; raises FailureError."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...
