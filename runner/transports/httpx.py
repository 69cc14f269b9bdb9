"""httpx: for proxies, and for whatever else the others leave; also where tests put a transport or respx in its place."""

import logging
import re
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runner.errors import Failure, FailureError, FailureKind
from runner.progress import Progress
from runner.redirects import proxy_address
from runner.transports import KEPT_ALIVE, Prepared, Raw, Route

if TYPE_CHECKING:
    import httpx

LIBRARY = "httpx"
_BEFORE_SENDING = frozenset(
    {
        "ConnectError",
        "ConnectTimeout",
        "PoolTimeout",
        "ProxyError",
        "UnsupportedProtocol",
        "LocalProtocolError",
    }
)


def is_installed() -> bool:
    """Import the library."""
    import_httpx()
    return True


def can(route: Route, request: Prepared) -> bool:  # noqa: ARG001 - the same for every transport
    """Tell whether this transport can send a request: every one."""
    return True


class Transport:
    """Sends by a transport of httpx. Not by its client: that resolves each Location, keeps cookies, and logs URLs."""

    def __init__(self, route: Route, given: "httpx.AsyncBaseTransport | None" = None) -> None:
        self._route = route
        self._given = given
        self._made: dict[bool, httpx.AsyncBaseTransport] = {}

    async def send(self, request: Prepared, progress: Progress) -> "_Answer":
        """Send a request and wait for the head of the answer; raises FailureError."""
        import httpx

        trace = _Trace(progress)
        failure = None
        try:
            sent = httpx.Request(
                request.method,
                request.target.url,
                headers=list(request.headers),
                content=request.body,
                extensions={
                    "trace": trace,
                    "timeout": dict.fromkeys(("read", "write", "pool"))
                    | {"connect": self._route.connect_timeout},
                },
            )
            transport = self._transport(secure=request.target.scheme == "https")
            return _Answer(await transport.handle_async_request(sent), progress)
        except FailureError:
            raise
        except Exception as error:  # its list of exceptions has gaps (ssl.SSLError)
            failure = _explained(error, progress)
        finally:
            await trace.close()
        raise FailureError(failure)

    async def close(self) -> None:
        """Close every connection."""
        made = list(self._made.values())
        self._made.clear()
        for transport in made:
            await transport.aclose()

    def _transport(self, *, secure: bool) -> "httpx.AsyncBaseTransport":
        import httpx

        if self._given is not None:
            return self._made.setdefault(secure, self._given)
        if secure not in self._made:
            self._made[secure] = httpx.AsyncHTTPTransport(
                # Loading the CAs takes longer than a request: not for plain http.
                verify=self._route.context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
                # How much goes on at once is the engine's to limit.
                limits=httpx.Limits(keepalive_expiry=KEPT_ALIVE),
                proxy=self._proxy() if self._route.proxy else None,
                uds=self._route.socket,
                http2=self._http2(),
            )
        return self._made[secure]

    def _proxy(self) -> "httpx.Proxy":
        import httpx

        address, auth = proxy_address(self._route.proxy or "")
        if address.startswith("socks"):
            _require("socksio", "the proxy is a SOCKS proxy", "socks")
        context = self._route.proxy_context() if address.startswith("https:") else None
        return httpx.Proxy(address, auth=auth, ssl_context=context)

    def _http2(self) -> bool:
        if self._route.http2:
            _require("h2", "the connection wants HTTP/2", "http2")
        return self._route.http2


def _require(package: str, why: str, extra: str) -> None:
    if find_spec(package) is None:
        raise FailureError(
            Failure(
                kind=FailureKind.CONNECTION,
                message=f"{why}, and the package for it is not installed",
                help=f"pip install 'runner.d[{extra}]'",
            )
        )


class _Answer:
    """What came back."""

    def __init__(self, response: "httpx.Response", progress: Progress) -> None:
        self._response = response
        self._progress = progress
        self.status: int = response.status_code
        self.headers: Raw = tuple(response.headers.raw)
        self.http_version: str = response.http_version

    async def pieces(self) -> AsyncIterator[bytes]:
        """Read the body, not unpacked; raises FailureError where it breaks off."""
        if self._response.is_stream_consumed:  # transports of tests give it whole
            yield self._response.content
            return
        failure = None
        try:
            async for piece in self._response.aiter_raw():
                yield piece
        except FailureError:
            raise
        except Exception as error:
            failure = _explained(error, self._progress)
        if failure is not None:
            raise FailureError(failure)

    async def aclose(self) -> None:
        """Free the connection."""
        await self._response.aclose()


class _Trace:
    """Passes events of httpcore on (its `trace` extension), and closes what it forgets."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._half_open: Any = None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take an event."""
        step = event.partition(".")[2]
        if step == "connect_tcp.started":
            self._progress.connecting(f"{info['host']}:{info['port']}")
        elif step == "connect_tcp.complete":
            self._half_open = info["return_value"]
        elif step == "setup_socks5_connection.started":
            self._progress.phase = "proxy"
        elif step == "start_tls.started":
            self._progress.phase = "tls"
        elif step == "start_tls.complete":
            self._half_open = None
        elif step == "send_request_headers.started":
            if info["request"].method == b"CONNECT":
                self._progress.phase = "proxy"
                return
            self._half_open = None
            self._progress.sending()
        elif step in ("send_request_body.started", "send_request_body.complete"):
            if self._progress.phase == "proxy":
                return  # that of CONNECT, which has none
            self._progress.phase = "upload" if step.endswith("started") else "answer"

    async def close(self) -> None:
        """Close a connection that was cancelled in the middle of its TLS handshake: httpcore forgets it open."""
        if self._half_open is not None:
            stream, self._half_open = self._half_open, None
            with suppress(Exception):
                await stream.aclose()


def import_httpx() -> None:
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


def is_patched() -> bool:
    """Tell whether respx answers in place of the network: then only this transport sees its answers."""
    if "respx" not in sys.modules:
        return False
    import httpcore
    import httpx

    methods = (
        httpcore.AsyncConnectionPool.handle_async_request,
        httpx.AsyncHTTPTransport.handle_async_request,
    )
    return any(not method.__module__.startswith(("httpcore", "httpx")) for method in methods)


def _explained(error: Exception, progress: Progress) -> Failure:
    """Say what an error of httpx, or of the layers below, means here."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if progress.phase == "start" and not names & _BEFORE_SENDING:
        progress.sent = True  # a transport without a trace: not certain that nothing was written
    if "ConnectTimeout" in names:
        return progress.connect_timed_out()
    if "TimeoutException" in names:
        return progress.timed_out()
    known = progress.network(error)
    if known:
        return known
    text = str(error)  # only chooses among our own
    if "ProxyError" in names:
        status = re.match(r"[1-5][0-9]{2}\b", text)
        return progress.no_way(status[0] if status else None)
    if text.startswith("Receive buffer too long"):
        return progress.long_head()
    if "RemoteProtocolError" in names and not text.startswith(("Server disconnected", "peer closed")):
        return progress.no_http()
    if not names & {"NetworkError", "RemoteProtocolError", "OSError"}:
        return progress.unknown()
    return progress.no_connection() if "ConnectError" in names else progress.closed()
