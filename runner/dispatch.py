"""Chooses the transport of each request, and keeps transports, TLS contexts and proxies for one run."""

import ssl
import sys
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from runner import registry, tls
from runner.client_certificate import ClientCertificate
from runner.frozen import dataclass
from runner.progress import Progress
from runner.redirects import Origin, home_of
from runner.transport_choice import preferred
from runner.transports import Prepared, Received, Route, Transport

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """How one connection is reached. Each distinct channel keeps its own connections open for the run."""

    origin: str | None = None
    """`scheme://host[:port]` that credentials belong to; without it none are sent."""
    verify: bool = True
    ca: str | None = None
    """Path of a PEM file, or PEM text."""
    identity: ClientCertificate | None = field(default=None, repr=False)
    """What is presented to the server of `origin` where it asks for a certificate, and to no other."""
    connect_timeout: float = 10.0
    proxy: str | None = field(default=None, repr=False)
    """URL of the proxy; None takes the one of the environment, an empty text none."""
    socket: str | None = None
    """Path of the Unix socket behind which the server of `origin` is, and no other."""
    http2: bool = False


class Dispatch:
    """Sends prepared requests, each by the first transport that can; for one event loop."""

    def __init__(self, environ: Mapping[str, str], given: "httpx.AsyncBaseTransport | None" = None) -> None:
        self._environ = environ
        self._given = given
        self._order = ("httpx",) if given is not None else preferred(environ)
        self._modules: dict[str, Any] = {}
        # Imported now: that takes longer than a request, and no attempt's time should hold it.
        next(iter(self._candidates()))
        self._routes: dict[tuple[Channel, str | None], _Way] = {}
        self._contexts: dict[tuple[bool, str | None, ClientCertificate | None], ssl.SSLContext] = {}
        self._proxies: dict[Origin, str | None] = {}

    async def send(self, request: Prepared, origin: Origin, channel: Channel, progress: Progress) -> Received:
        """Send one request to an origin and wait for the head of the answer; raises FailureError."""
        way = self._way(origin, channel)
        progress.proxied = way.route.proxy is not None
        for name, module in self._candidates():
            if module.can(way.route, request):
                if name not in way.transports:
                    given = {"given": self._given} if self._given is not None else {}
                    way.transports[name] = module.Transport(way.route, **given)
                return await way.transports[name].send(request, progress)
        raise AssertionError(request)

    async def close(self) -> None:
        """Close every connection."""
        ways = list(self._routes.values())
        self._routes.clear()
        for way in ways:
            for transport in way.transports.values():
                await transport.close()

    def _candidates(self) -> Iterator[tuple[str, Any]]:
        """Give the transports that are installed, each imported when it is asked for."""
        # While respx stands in for the network only httpx is used, which alone sees its answers.
        patched = (
            self._given is None
            and "respx" in sys.modules
            and registry.load("transports", "httpx").is_patched()
        )
        for name in ("httpx",) if patched else self._order:
            if name not in self._modules:
                module = registry.load("transports", name)
                self._modules[name] = module if module.is_installed() else None
            if self._modules[name] is not None:
                yield name, self._modules[name]

    def _way(self, origin: Origin, channel: Channel) -> "_Way":
        bound = channel.identity is not None or channel.socket is not None
        if bound and (channel.origin is None or home_of(channel.origin) != origin):
            channel = replace(channel, identity=None, socket=None)
        proxy = channel.proxy
        if channel.socket is not None:
            proxy = ""
        elif proxy is None:
            if origin not in self._proxies:
                self._proxies[origin] = tls.environment_proxy(origin, self._environ)
            proxy = self._proxies[origin]
        key = (channel, proxy or None)
        found = self._routes.get(key)
        if found is None:
            route = Route(
                connect_timeout=channel.connect_timeout,
                proxy=proxy or None,
                socket=channel.socket,
                http2=channel.http2,
                context=partial(self._context, channel),
                proxy_context=partial(self._context, replace(channel, identity=None)),
            )
            found = self._routes[key] = _Way(route, {})
        return found

    def _context(self, channel: Channel) -> ssl.SSLContext:
        key = (channel.verify, channel.ca, channel.identity)
        if key not in self._contexts:
            self._contexts[key] = tls.context(
                verify=channel.verify, ca=channel.ca, environ=self._environ, identity=channel.identity
            )
        return self._contexts[key]


@dataclass(frozen=True, slots=True)
class _Way:
    """A route, and the transports made for it so far."""

    route: Route
    transports: dict[str, Transport]
