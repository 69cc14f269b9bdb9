"""Speaks HTTP for actions: one exchange at a time, its redirects included, credentials only to their own origin.

What goes wrong is an ExchangeError with a text of ours. httpx's own texts, requests and log records hold URLs and
headers with credentials: none of them leaves this module.
"""

import asyncio
import logging
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING

from runner import __version__, tls
from runner.auth import Applies, Outgoing
from runner.decoder import Decoder, accepted, too_big
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
    ("Accept-Encoding", accepted()),
)


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
        authenticator: Applies | None = None,
        extra: Pairs = (),
        extra_query: Pairs = (),
    ) -> Answer:
        """Send one exchange, with its redirects, and read the answer's body; raises ExchangeError.

        `extra` and `extra_query` are secret headers and parameters of the connection. Like what the authenticator
        adds, they go to `channel.origin` only.
        """
        credentials = _Credentials(authenticator, extra, extra_query, exchange.holds_secret)
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
            for pair in (*hop.headers, *self._headers):
                if pair in added:
                    added.remove(pair)
            # What the authenticator adds wins over a secret header of the same name, and two would be no answer.
            own = {name.lower() for name, _ in added} - {"cookie"}
            added = [*(pair for pair in self._headers if pair[0].lower() not in own), *added]
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
            raise too_big(limit)
        return response.content
    decoder = Decoder(response.headers.get("content-encoding", ""), limit)
    length = response.headers.get("content-length", "")
    if method != "HEAD" and length.isdigit() and int(length) > limit:
        raise too_big(limit)
    async for piece in response.aiter_raw():
        decoder.feed(piece)
    return decoder.finish()


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
