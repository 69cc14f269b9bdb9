"""Speaks HTTP for actions: one exchange at a time, its redirects included, credentials only to their own origin.

What goes wrong is an ExchangeError with a text of ours. What libraries say holds URLs and headers with credentials: none
of it passes the transports. Everything that decides what is sent where stands here, above them.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from runner import __version__
from runner.auth import Applies, Outgoing
from runner.body import Body
from runner.decoder import Decoder, accepted, too_big
from runner.dispatch import Channel, Dispatch
from runner.errors import Failure, FailureError
from runner.frozen import dataclass
from runner.progress import Progress
from runner.redirects import (
    Hop,
    Origin,
    Pairs,
    Redirects,
    SentSecrets,
    Trail,
    checked_header,
    first_hop,
    home_of,
    merged,
)
from runner.target import target_of
from runner.transports import MOST_DRAINED, Prepared, Raw, Received

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "Channel", "Client", "Exchange", "ExchangeError"]

_WITH_A_BODY = frozenset({"POST", "PUT", "PATCH"})
DEFAULTS = (
    ("User-Agent", f"runner.d/{__version__}"),
    ("Accept", "*/*"),
    ("Accept-Encoding", accepted()),
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Exchange:
    """One request to send. `url` is absolute, with its query; `shown_url` is what messages and records say of it.

    `timeout` (seconds) covers the whole attempt with redirects and body. `accept_redirect` are statuses of redirects
    that the action expects: they are answers.
    """

    method: str
    url: str
    headers: Pairs = ()
    body: Body | None = None
    redirects: Redirects = "same_host"
    timeout: float = 30.0
    save: "Save | None" = None
    """Takes the body of a success in place of memory, without a limit."""
    body_limit: int = 10 << 20
    shown_url: str
    accept_redirect: frozenset[int] = frozenset()
    permit: Callable[[Origin], None] | None = None
    """Asked before each hop, redirects too; raises FailureError where the policy does not permit its origin."""
    holds_secret: Callable[[str], bool] | None = None
    """Asked of the URL of a redirect to another origin, which a server may have put what it was sent into."""

    def __repr__(self) -> str:
        return f"Exchange({self.method} {self.shown_url})"


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came back: headers as received, the body decompressed, `url` safe to show, `elapsed` in seconds."""

    status: int
    headers: Pairs
    body: bytes
    url: str
    elapsed: float
    http_version: str
    saved: bool = False
    """The body went where `Exchange.save` put it; `body` is empty."""

    def __repr__(self) -> str:
        return f"Answer({self.status} from {self.url})"


class Save(Protocol):
    """Takes a body while it comes in, unpacked. What it raises is a FailureError."""

    def wants(self, status: int) -> bool:
        """Tell whether it takes the body of an answer with this status."""
        ...

    def begin(self) -> None:
        """Begin anew: what an attempt before has left is no part of it."""
        ...

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        ...

    async def end(self) -> None:
        """Be told that the body is whole."""
        ...


class ExchangeError(FailureError):
    """An exchange without an answer. `sent` is False only where it is certain that no byte of a request was written."""

    def __init__(self, failure: Failure, *, sent: bool) -> None:
        super().__init__(failure)
        self.sent = sent


class Client:
    """Sends exchanges and keeps connections open between them; for one event loop, closed at the end of the run."""

    def __init__(
        self, *, environ: Mapping[str, str], transport: "httpx.AsyncBaseTransport | None" = None
    ) -> None:
        self._dispatch = Dispatch(environ, transport)

    async def send(
        self,
        exchange: Exchange,
        channel: Channel,
        authenticator: Applies | None = None,
        extra: Pairs = (),
        extra_query: Pairs = (),
    ) -> Answer:
        """Send one exchange, with its redirects, and read the answer's body; raises ExchangeError.

        `extra` and `extra_query` are secret headers and parameters of the connection. Like what the authenticator
        adds, they go to `channel.origin` only.
        """
        credentials = _Credentials(authenticator, extra, extra_query, exchange.holds_secret)
        progress = Progress(timeout=exchange.timeout, connect_timeout=channel.connect_timeout)
        deadline = asyncio.timeout(exchange.timeout)
        try:
            async with deadline:
                return await self._follow(exchange, channel, credentials, progress)
        except FailureError as error:
            failure = error.failure
        except TimeoutError:
            if not deadline.expired():
                raise
            failure = progress.timed_out()
        # Raised here, not in the handler: the library's error, with the request in it, would stay its context.
        raise ExchangeError(failure, sent=progress.sent)

    async def close(self) -> None:
        """Close every connection."""
        await self._dispatch.close()

    async def _follow(
        self, exchange: Exchange, channel: Channel, credentials: "_Credentials", progress: Progress
    ) -> Answer:
        started = time.perf_counter()
        home = home_of(channel.origin) if channel.origin else None
        first = first_hop(exchange.method, exchange.url, exchange.headers, exchange.body, exchange.shown_url)
        trail = Trail(first, exchange.redirects, exchange.accept_redirect, exchange.shown_url)
        while True:
            hop = trail.hop
            if exchange.permit is not None:
                exchange.permit(hop.origin)
            progress.begin(hop.origin)
            trusted = hop.origin == home and not trail.strayed
            request = await credentials.dress(hop, trail.cookies, trusted=trusted)
            received = await self._dispatch.send(request, hop.origin, channel, progress)
            try:
                headers = tuple((_text(name), _text(value)) for name, value in received.headers)
                if trail.step(received.status, headers, credentials.sent):
                    await _drain(received)
                    continue
                progress.phase = "body"
                saved = exchange.save is not None and exchange.save.wants(received.status)
                save = exchange.save if saved else None
                body = await _read_body(received, headers, hop.method, exchange.body_limit, save)
                elapsed = time.perf_counter() - started
                version = received.http_version
                return Answer(received.status, headers, body, trail.shown_url, elapsed, version, saved)
            finally:
                await received.aclose()


class _Credentials:
    """What one exchange adds to its requests for its own origin, and only to those."""

    def __init__(
        self,
        authenticator: Applies | None,
        headers: Pairs,
        query: Pairs,
        known: Callable[[str], bool] | None,
    ) -> None:
        self._authenticator = authenticator
        self._headers = headers
        self._query = query
        self.sent = SentSecrets(set(), set(), known)

    async def dress(self, hop: Hop, cookies: Pairs, *, trusted: bool) -> Prepared:
        """Make the request of a hop: its own headers, the credentials where they may go, the cookies; all checked."""
        added: list[tuple[str, str]] = []
        target = target_of(hop.url, hop.origin)
        if trusted:
            # In the form that goes out: what is signed is what is sent.
            url = target.url
            outgoing = Outgoing(hop.method, url, [*hop.headers, *self._headers], [*self._query], hop.body)
            if self._authenticator:
                await self._authenticator.apply(outgoing)
            added = list(outgoing.headers)
            if outgoing.whole_url != url:
                target = target_of(outgoing.whole_url, hop.origin)
            for pair in (*hop.headers, *self._headers):
                if pair in added:
                    added.remove(pair)
            # What the authenticator adds wins over a secret header of the same name, and two would be no answer.
            own = {name.lower() for name, _ in added} - {"cookie"}
            added = [*(pair for pair in self._headers if pair[0].lower() not in own), *added]
            self.sent.add_headers(added)
            self.sent.add_query(outgoing.query)
        headers = merged(hop.headers, added, cookies)
        given = {name.lower() for name, _ in headers}
        headers += [pair for pair in DEFAULTS if pair[0].lower() not in given]
        checked = [checked_header(name, value) for name, value in headers]
        if "host" not in given:
            checked.insert(0, (b"Host", target.address.encode("ascii")))
        checked += _framing(hop)
        return Prepared(hop.method, target, tuple(checked), hop.body)


def _framing(hop: Hop) -> Raw:
    """Say how long the body is (RFC 9112, 6). What has none by its nature needs no word."""
    if hop.body is None and hop.method not in _WITH_A_BODY:
        return ()
    length = 0
    if hop.body is not None:
        known = len(hop.body) if isinstance(hop.body, bytes) else hop.body.length
        if known is None:
            return ((b"Transfer-Encoding", b"chunked"),)
        length = known
    return ((b"Content-Length", b"%d" % length),)


async def _drain(received: Received) -> None:
    """Read the rest of a redirect, to keep its connection; a long or slow one is not worth it."""
    read = 0
    with suppress(Exception):
        async with asyncio.timeout(0.5):
            async for piece in received.pieces():
                read += len(piece)
                if read > MOST_DRAINED:
                    return


async def _read_body(received: Received, headers: Pairs, method: str, limit: int, save: Save | None) -> bytes:
    named = {name.lower(): value for name, value in headers}
    encoding = named.get("content-encoding", "")
    if save is not None:
        save.begin()
        decoder = Decoder(encoding, None, save.write)
        async for piece in received.pieces():
            decoder.feed(piece)
        decoder.finish()
        await save.end()
        return b""
    decoder = Decoder(encoding, limit)
    length = named.get("content-length", "")
    if method != "HEAD" and length.isdigit() and int(length) > limit:
        raise too_big(limit)
    async for piece in received.pieces():
        decoder.feed(piece)
    return decoder.finish()


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
