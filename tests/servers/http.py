"""A small real HTTP/1.1 server: plain functions answer, and all that arrives is kept in a log.

    def me(request: Request) -> Response:
        return reply({"id": 1})

    with Server({"GET /me": me}) as server:
        ...  # send something to server.url
        assert server.count("GET", "/me") == 1

A route is `METHOD /path`; `*` stands for any method or for one segment, `/**` at the end for the rest of the path.
The first route that fits answers; the segments under its stars are in `request.arguments`.
"""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from tests.servers.messages import Request, Response, read_request, reply, write_response

__all__ = ["Answer", "Connection", "Handler", "Request", "Response", "Server", "Takeover", "reply"]


class Connection:
    """The open connection, for handlers that answer in their own way (see `Takeover`)."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._sock = sock
        self._stopping = stopping

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def pause(self, seconds: float) -> bool:
        """Wait; false when the server stops meanwhile."""
        return not self._stopping.wait(seconds)

    def hold(self) -> None:
        """Say nothing until the client goes away or the server stops."""
        while self._sock.recv(65536):
            pass

    def reset(self) -> None:
        """Make the close that follows a TCP reset instead of an orderly end."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass(frozen=True, slots=True)
class Takeover:
    """In place of a response: `act` does what it likes with the connection, which is closed after it."""

    act: Callable[[Connection], None]


Answer = Response | Takeover
Handler = Callable[[Request], Answer]


class Server:
    """Answers on 127.0.0.1, on a port of the system's choice, over TLS where a context is given.

    A handler that raises is answered with a 500, and `stop` raises what it raised: no test passes over it.
    """

    def __init__(
        self, routes: Mapping[str, Handler], *, tls: ssl.SSLContext | None = None, port: int = 0
    ) -> None:
        self._routes = [(*_method_and_path(route), handler) for route, handler in routes.items()]
        self._tls = tls
        self._lock = threading.Lock()
        self._log: list[Request] = []
        self._statuses: dict[int, int] = {}
        self._crashes: list[Exception] = []
        self._open: dict[socket.socket, threading.Thread] = {}
        self._accepted = 0
        self._refused_handshakes = 0
        self._stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._acceptor = threading.Thread(target=self._accept, name=f"accept {self.port}", daemon=True)

    @property
    def requests(self) -> tuple[Request, ...]:
        """All that arrived so far, in the order of arrival."""
        with self._lock:
            return tuple(self._log)

    @property
    def exchanges(self) -> tuple[tuple[Request, int | None], ...]:
        """The requests with the status each was answered with; nothing where a handler took over."""
        with self._lock:
            return tuple((request, self._statuses.get(id(request))) for request in self._log)

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted."""
        with self._lock:
            return self._accepted

    @property
    def refused_handshakes(self) -> int:
        """How many TLS handshakes failed, on either side."""
        with self._lock:
            return self._refused_handshakes

    def sent(self, method: str = "*", path: str = "/**") -> tuple[Request, ...]:
        """Give the requests that fit a route."""
        return tuple(
            request
            for request in self.requests
            if method in ("*", request.method) and _arguments(path, request.path) is not None
        )

    def count(self, method: str = "*", path: str = "/**") -> int:
        return len(self.sent(method, path))

    def clear(self) -> None:
        """Forget what arrived."""
        with self._lock:
            self._log.clear()
            self._statuses.clear()

    def start(self) -> Self:
        self._acceptor.start()
        return self

    def stop(self) -> None:
        """Close every connection, wait for the threads, and raise what a handler raised."""
        self._stopping.set()
        # Closing a listening socket does not wake its accept(); a connection does.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        self._acceptor.join(10)
        self._listener.close()
        with self._lock:
            open_now = list(self._open.items())
            for sock, _ in open_now:
                _shut(sock)
        for _, thread in open_now:
            thread.join(10)
        if self._crashes:
            raise AssertionError("a handler of the test's server failed") from self._crashes[0]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except AssertionError:
            if value is None:
                raise

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if self._stopping.is_set():
                sock.close()
                return
            with self._lock:
                self._accepted += 1
                number = self._accepted
                thread = threading.Thread(target=self._converse, args=(sock, number), daemon=True)
                self._open[sock] = thread
            thread.start()

    def _converse(self, plain: socket.socket, number: int) -> None:
        sock = plain
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                sock = self._handshake(plain)
            client = _common_name(sock)
            with sock.makefile("rb") as stream:
                while request := read_request(stream, number, client):
                    if not self._answer(sock, request):
                        break
        except OSError:
            pass  # the client went away, or the server is stopping
        finally:
            sock.close()
            with self._lock:
                self._open.pop(sock, None)

    def _handshake(self, plain: socket.socket) -> socket.socket:
        assert self._tls is not None
        wrapped = self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            self._open[wrapped] = self._open.pop(plain)
        try:
            wrapped.do_handshake()
        except OSError:
            with self._lock:
                self._refused_handshakes += 1
                self._open.pop(wrapped, None)
            wrapped.close()
            raise
        return wrapped

    def _answer(self, sock: socket.socket, request: Request) -> bool:
        """Log a request and answer it; whether the connection stays open."""
        with self._lock:
            self._log.append(request)
        try:
            answer = self._route(request)
        except Exception as problem:
            self._crashes.append(problem)
            answer = reply({"error": "the handler failed"}, 500)
        if isinstance(answer, Takeover):
            answer.act(Connection(sock, self._stopping))
            return False
        with self._lock:
            self._statuses[id(request)] = answer.status
        keep = answer.framing != "close" and (request.header("Connection") or "").lower() != "close"
        write_response(sock, answer, request.method, keep=keep)
        return keep

    def _route(self, request: Request) -> Answer:
        wrong_method = False
        for method, pattern, handler in self._routes:
            arguments = _arguments(pattern, request.path)
            if arguments is None:
                continue
            if method in ("*", request.method):
                return handler(replace(request, arguments=arguments))
            wrong_method = True
        return (
            reply({"error": "method not allowed"}, 405)
            if wrong_method
            else reply({"error": "not found"}, 404)
        )


def _method_and_path(route: str) -> tuple[str, str]:
    method, _, path = route.partition(" ")
    return method, path


def _arguments(pattern: str, path: str) -> tuple[str, ...] | None:
    """Give the decoded segments under the stars of a pattern, or nothing where the path does not fit."""
    wanted, given = pattern.split("/"), path.split("/")
    rest: tuple[str, ...] = ()
    if wanted[-1] == "**":
        wanted.pop()
        rest = ("/".join(given[len(wanted) :]),)
        given = given[: len(wanted)]
    if len(wanted) != len(given):
        return None
    pairs = list(zip(wanted, given, strict=True))
    if any(want not in ("*", have) for want, have in pairs):
        return None
    return (*(unquote(have) for want, have in pairs if want == "*"), *rest)


def _common_name(sock: socket.socket) -> str | None:
    certificate: Any = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else None
    subject = (pair for group in (certificate or {}).get("subject", ()) for pair in group)
    return next((value for name, value in subject if name == "commonName"), None)


def _shut(sock: socket.socket) -> None:
    # Not SSLSocket.shutdown: that one pulls the TLS state from under the thread that is reading.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
