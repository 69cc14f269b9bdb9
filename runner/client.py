"""Speaks HTTP for actions: one exchange at a time, its redirects included, credentials only to their own origin.

What goes wrong is an ExchangeError with a text of ours. httpx's own texts, requests and log records hold URLs and
headers with credentials: none of them leaves this module.
"""

import asyncio
import logging
import ssl
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from runner import __version__, tls
from runner.auth import Authenticator, Outgoing
from runner.errors import Failure, FailureError, FailureKind
from runner.redirects import (
    Hop,
    Origin,
    Pairs,
    Redirects,
    SentSecrets,
    Trail,
    checked_header,
    first_hop,
    merged,
    origin_of,
    proxy_address,
    with_query,
)

if TYPE_CHECKING:
    import httpx

__all__ = ["Answer", "Channel", "Client", "Exchange", "ExchangeError"]

KEPT_ALIVE = 4.0
"""Seconds an idle connection is kept: servers of Node, Apache and uvicorn close theirs after 5."""
DRAINED = 64 * 1024
"""Bytes of a redirect's body that are read to keep the connection."""
DEFAULTS = (
    ("User-Agent", f"runner.d/{__version__}"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
)
_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_UNREADABLE = frozenset({"br", "zstd", "compress", "x-compress"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """How one connection is reached. Each distinct channel keeps its own connections open for the run."""

    origin: str | None = None
    """`scheme://host[:port]` that credentials belong to; without it none are sent."""
    verify: bool = True
    ca: str | None = None
    """Path of a PEM file, or PEM text."""
    connect_timeout: float = 10.0
    proxy: str | None = field(default=None, repr=False)
    """URL of the proxy; None takes the one of the environment, an empty text none."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Exchange:
    """One request to send. `url` is absolute, with its query; `shown_url` is what messages and records say of it.

    `timeout` (seconds) covers the whole attempt with redirects and body. `accept_redirect` are statuses of redirects
    that the action expects: they are answers.
    """

    method: str
    url: str
    headers: Pairs = ()
    body: bytes | None = None
    redirects: Redirects = "same_host"
    timeout: float = 30.0
    body_limit: int = 10 << 20
    shown_url: str
    accept_redirect: frozenset[int] = frozenset()
    permit: Callable[[Origin], None] | None = None
    """Asked before each hop, redirects too; raises FailureError where the policy does not permit its origin."""

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

    def __repr__(self) -> str:
        return f"Answer({self.status} from {self.url})"


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
        _import_httpx()
        self._environ = environ
        self._transport = transport
        self._transports: dict[tuple[Channel, str | None, bool], httpx.AsyncBaseTransport] = {}
        self._contexts: dict[tuple[bool, str | None], ssl.SSLContext] = {}

    async def send(
        self,
        exchange: Exchange,
        channel: Channel,
        authenticator: Authenticator | None = None,
        extra: Pairs = (),
        extra_query: Pairs = (),
    ) -> Answer:
        """Send one exchange, with its redirects, and read the answer's body; raises ExchangeError.

        `extra` and `extra_query` are secret headers and parameters of the connection. Like what the authenticator
        adds, they go to `channel.origin` only.
        """
        credentials = _Credentials(authenticator, extra, extra_query)
        progress = tls.Progress(timeout=exchange.timeout, connect_timeout=channel.connect_timeout)
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
        finally:
            await progress.close()
        # Raised here, not in the handler: the library's error, with the request in it, would stay its context.
        raise ExchangeError(failure, sent=progress.sent)

    async def close(self) -> None:
        """Close every connection."""
        transports = list(self._transports.values())
        self._transports.clear()
        for transport in transports:
            await transport.aclose()

    async def _follow(
        self, exchange: Exchange, channel: Channel, credentials: "_Credentials", progress: tls.Progress
    ) -> Answer:
        started = time.perf_counter()
        home = origin_of(channel.origin, channel.origin) if channel.origin else None
        first = first_hop(exchange.method, exchange.url, exchange.headers, exchange.body, exchange.shown_url)
        trail = Trail(first, exchange.redirects, exchange.accept_redirect, exchange.shown_url)
        while True:
            hop = trail.hop
            if exchange.permit is not None:
                exchange.permit(hop.origin)
            progress.begin(hop.origin)
            transport = self._transport_for(hop, channel, progress)
            trusted = hop.origin == home and not trail.strayed
            request = await credentials.dress(hop, trail.cookies, trusted=trusted)
            request.extensions = {
                "trace": progress.trace,
                "timeout": dict.fromkeys(("read", "write", "pool")) | {"connect": channel.connect_timeout},
            }
            with _explained(progress):
                # No httpx.AsyncClient: it resolves each Location, keeps cookies, and logs URLs with their query.
                response = await transport.handle_async_request(request)
            try:
                headers = tuple((_text(name), _text(value)) for name, value in response.headers.raw)
                if trail.step(response.status_code, headers, credentials.sent):
                    await _drain(response)
                    continue
                progress.phase = "body"
                with _explained(progress):
                    body = await _read_body(response, hop.method, exchange.body_limit)
                elapsed = time.perf_counter() - started
                version = response.http_version
                return Answer(response.status_code, headers, body, trail.shown_url, elapsed, version)
            finally:
                await response.aclose()

    def _transport_for(
        self, hop: Hop, channel: Channel, progress: tls.Progress
    ) -> "httpx.AsyncBaseTransport":
        import httpx

        proxy = channel.proxy
        if proxy is None:
            proxy = tls.environment_proxy(hop.origin, self._environ)
        progress.proxied = bool(proxy)
        secure = hop.origin.scheme == "https"
        key = (channel, proxy or None, secure)
        if key not in self._transports:
            self._transports[key] = self._transport or httpx.AsyncHTTPTransport(
                # Loading the CAs takes longer than a request: not for plain http.
                verify=self._context(channel) if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                # How much goes on at once is the engine's to limit.
                limits=httpx.Limits(keepalive_expiry=KEPT_ALIVE),
                proxy=self._proxy(proxy, channel) if proxy else None,
            )
        return self._transports[key]

    def _context(self, channel: Channel) -> ssl.SSLContext:
        key = (channel.verify, channel.ca)
        if key not in self._contexts:
            self._contexts[key] = tls.context(verify=channel.verify, ca=channel.ca, environ=self._environ)
        return self._contexts[key]

    def _proxy(self, url: str, channel: Channel) -> "httpx.Proxy":
        import httpx

        address, auth = proxy_address(url)
        context = self._context(channel) if address.startswith("https:") else None
        return httpx.Proxy(address, auth=auth, ssl_context=context)


class _Credentials:
    """What one exchange adds to its requests for its own origin, and only to those."""

    def __init__(self, authenticator: Authenticator | None, headers: Pairs, query: Pairs) -> None:
        self._authenticator = authenticator
        self._headers = headers
        self._query = query
        self.sent = SentSecrets(set(), set())

    async def dress(self, hop: Hop, cookies: Pairs, *, trusted: bool) -> "httpx.Request":
        """Make the request of a hop: its own headers, the credentials where they may go, the cookies; all checked."""
        import httpx

        added: list[tuple[str, str]] = []
        query: list[tuple[str, str]] = []
        if trusted:
            outgoing = Outgoing(hop.method, hop.url, [*hop.headers, *self._headers], [*self._query], hop.body)
            if self._authenticator:
                await self._authenticator.apply(outgoing)
            added, query = list(outgoing.headers), outgoing.query
            for pair in hop.headers:
                if pair in added:
                    added.remove(pair)
            self.sent.add_headers(added)
            self.sent.add_query(query)
        headers = merged(hop.headers, added, cookies)
        given = {name.lower() for name, _ in headers}
        headers += [pair for pair in DEFAULTS if pair[0].lower() not in given]
        checked = [checked_header(name, value) for name, value in headers]
        try:
            return httpx.Request(hop.method, with_query(hop.url, query), headers=checked, content=hop.body)
        except (httpx.InvalidURL, ValueError):
            raise FailureError(
                Failure(
                    kind=FailureKind.RENDER,
                    message=f"the URL for {hop.origin.place} cannot be sent",
                    help="check that its host is valid, and that it is under 64 KiB",
                )
            ) from None


def _import_httpx() -> None:
    """Import httpx without its command line, which takes a third of the time, and keep its log records to itself."""
    if "httpx" not in sys.modules:
        # `httpx/__init__.py` imports a `main` from there, with click, rich and pygments where they are installed.
        stub = ModuleType("httpx._main")
        stub.__dict__["main"] = lambda: None
        sys.modules["httpx._main"] = stub
        import httpx  # noqa: F401

        del sys.modules["httpx._main"]
    for name in ("httpx", "httpcore"):
        # At INFO they log every URL with its query, below that every header.
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def _explained(progress: tls.Progress) -> Iterator[None]:
    """Turn errors of the library into failures. Everything it may raise: its list of exceptions has gaps (ssl.SSLError)."""
    try:
        yield
    except FailureError:
        raise
    except Exception as error:
        raise FailureError(progress.explain(error)) from None


async def _drain(response: "httpx.Response") -> None:
    """Read the rest of a redirect, to keep its connection; a long or slow one is not worth it."""
    read = 0
    with suppress(Exception):
        async with asyncio.timeout(0.5):
            async for piece in response.aiter_raw():
                read += len(piece)
                if read > DRAINED:
                    return


async def _read_body(response: "httpx.Response", method: str, limit: int) -> bytes:
    if response.is_stream_consumed:  # transports of tests give it whole
        if len(response.content) > limit:
            raise _too_big(limit)
        return response.content
    decoder = _Decoder(response.headers.get("content-encoding", ""), limit)
    length = response.headers.get("content-length", "")
    if method != "HEAD" and length.isdigit() and int(length) > limit:
        raise _too_big(limit)
    async for piece in response.aiter_raw():
        decoder.feed(piece)
    return decoder.finish()


class _Decoder:
    """Collects a body and decompresses it piece by piece, never more than the limit: a small answer may unpack to anything."""

    def __init__(self, encoding: str, limit: int) -> None:
        codings = [coding for part in encoding.split(",") if (coding := part.strip().lower())]
        packed = [coding for coding in codings if coding in _PACKED or coding in _UNREADABLE]
        if len(packed) > 1 or _UNREADABLE.intersection(packed):
            raise _undecodable(
                "comes in an encoding that runner.d does not read",
                help="leave `Accept-Encoding` out of the headers; runner.d asks for gzip and deflate by itself",
            )
        # A coding that nobody knows is a mistake of the server: the body is left as it is, as browsers do.
        self._packing = packed[0] if packed else None
        self._unpacker: zlib._Decompress | None = None
        self._head = b""
        self._limit = limit
        self._body = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take the next piece; raises FailureError at the limit and for what is not packed as it says."""
        if self._packing is None:
            self._body += piece
            self._check()
            return
        if self._unpacker is None:
            piece = self._head = self._head + piece
            if len(piece) < 2:
                return
            # `deflate` should be zlib, whose header is a multiple of 31, and is the bare stream in the wild.
            bare = self._packing == "deflate" and int.from_bytes(piece[:2]) % 31
            self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)
        while piece:
            try:
                self._body += self._unpacker.decompress(piece, self._limit - len(self._body) + 1)
            except zlib.error:
                raise _undecodable("is not packed the way it says") from None
            self._check()
            piece = b""
            if self._unpacker.eof and self._unpacker.unused_data.startswith(b"\x1f\x8b"):
                piece = self._unpacker.unused_data
                self._unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def finish(self) -> bytes:
        """Give the whole body; raises FailureError where it ends too early."""
        if self._head and not (self._unpacker and self._unpacker.eof):
            raise _undecodable("ends in the middle of its packed data")
        return bytes(self._body)

    def _check(self) -> None:
        if len(self._body) > self._limit:
            raise _too_big(self._limit)


def _too_big(limit: int) -> FailureError:
    size = f"{limit >> 20} MiB" if limit and limit % (1 << 20) == 0 else f"{limit} bytes"
    return FailureError(
        Failure(
            kind=FailureKind.LIMIT,
            message=f"the body of the answer is over {size} (`limits.body`)",
            help="ask for less at a time, or raise `limits.body`",
        )
    )


def _undecodable(
    problem: str, *, help: str = "ask those who run the server; a proxy may also damage it"
) -> FailureError:
    return FailureError(
        Failure(kind=FailureKind.PROTOCOL, message=f"the body of the answer {problem}", help=help)
    )


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
