"""HTTP/1.1 over the event loop's own sockets and TLS, parsed by httptools (the parser of Node): small and quick to import."""

import asyncio
import re
import time
from asyncio import BaseEventLoop
from collections import deque
from typing import Any

from runner.body import BodySource
from runner.errors import FailureError
from runner.progress import Progress
from runner.target import Target
from runner.transports import KEPT_ALIVE, Prepared, Route
from runner.transports.httptools.connection import Answer, Connection, Place

LIBRARY = "httptools"
_FIRST_ADDRESS_ALONE = 0.25
"""Seconds before the next address of a host is tried beside the first (RFC 8305)."""


def is_installed() -> bool:
    """Import the library; false where there is none."""
    try:
        import httptools  # noqa: F401
    except ImportError:  # there is no wheel for every machine
        return False
    return True


def can(route: Route, request: Prepared) -> bool:
    """Tell whether this transport can send a request: it speaks to no proxy, and HTTP/1.1 only."""
    return route.proxy is None and not route.http2 and request.method != "CONNECT"


class Transport:
    """Keeps idle connections by origin, the one used last first."""

    def __init__(self, route: Route) -> None:
        import httptools

        self._route = route
        self._parser = httptools.HttpResponseParser
        self._errors = (httptools.HttpParserError, httptools.HttpParserUpgrade)
        self._idle: dict[Place, deque[Connection]] = {}
        self._all: set[Connection] = set()

    async def send(self, request: Prepared, progress: Progress) -> "Answer":
        """Send a request and wait for the head of the answer; raises FailureError."""
        target = request.target
        connection = self._kept(target) or await self._connected(target, progress)
        answer = Answer(connection, progress, request.method)
        connection.begin(answer, self._parser(answer))
        progress.sending()
        try:
            head = _head(request)
            body = request.body
            if body is None or isinstance(body, bytes):
                connection.write(head + body if body else head)
            else:
                connection.write(head)
                progress.phase = "upload"
                await _stream(body, connection, answer)
                progress.phase = "answer"
            while not answer.status:
                await answer.changed()
        except BaseException:
            connection.abort()
            raise
        return answer

    async def close(self) -> None:
        """Close every connection."""
        self._idle.clear()
        for connection in list(self._all):
            connection.abort()
        for _ in range(10):  # the loop closes sockets in its next turns
            if not self._all:
                break
            await asyncio.sleep(0)

    def free(self, connection: "Connection", place: Place) -> None:
        """Take a connection back whose answer was read to its end."""
        connection.since = time.monotonic()
        self._idle.setdefault(place, deque()).append(connection)

    def forget(self, connection: "Connection") -> None:
        """Be told that a connection is lost."""
        self._all.discard(connection)

    def _kept(self, target: Target) -> "Connection | None":
        waiting = self._idle.get((target.scheme, target.host, target.port))
        while waiting:
            connection = waiting.pop()
            if connection.is_usable(time.monotonic() - KEPT_ALIVE):
                return connection
            connection.abort()
        return None

    async def _connected(self, target: Target, progress: Progress) -> "Connection":
        loop = asyncio.get_running_loop()
        made: list[Connection] = []

        def tcp_is_there() -> Connection:
            # The loop asks for the protocol between TCP and TLS.
            if target.scheme == "https":
                progress.phase = "tls"
            made.append(Connection(self, (target.scheme, target.host, target.port), self._errors))
            return made[0]

        # uvloop knows no second address beside the first.
        patience: dict[str, Any] = (
            {"happy_eyeballs_delay": _FIRST_ADDRESS_ALONE} if isinstance(loop, BaseEventLoop) else {}
        )
        context = self._route.context() if target.scheme == "https" else None
        socket = self._route.socket
        failure = None
        progress.connecting()
        try:
            async with asyncio.timeout(self._route.connect_timeout) as limit:
                if socket is None:
                    await loop.create_connection(
                        tcp_is_there, target.host, target.port, ssl=context, **patience
                    )
                else:
                    name = target.host if context else None
                    await loop.create_unix_connection(tcp_is_there, socket, ssl=context, server_hostname=name)
        except FailureError:
            raise
        except TimeoutError as error:
            known = None if limit.expired() else progress.network(error)
            failure = known or progress.connect_timed_out()
        except OSError as error:
            failure = progress.no_socket(socket, error) if socket else None
            failure = failure or progress.network(_single(error)) or progress.no_connection()
        except Exception:
            failure = progress.unknown()
        if failure is not None:
            raise FailureError(failure)
        self._all.add(made[0])
        return made[0]


def _head(request: Prepared) -> bytes:
    lines = [f"{request.method} {request.target.path} HTTP/1.1".encode("ascii")]
    lines += [b"%b: %b" % pair for pair in request.headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def _stream(body: BodySource, connection: Connection, answer: Answer) -> None:
    """Write a body piece by piece; an answer that comes before its end is the answer."""
    in_chunks = body.length is None
    async for piece in body:
        if answer.stopped():
            answer.cut()
            return
        if piece:
            connection.write(b"%x\r\n%b\r\n" % (len(piece), piece) if in_chunks else piece)
            await connection.drained()
    if in_chunks:
        connection.write(b"0\r\n\r\n")


def _single(error: OSError) -> OSError:
    """Where several addresses failed in different words the loop keeps their text only: give the first as what it was."""
    found = re.search(r"\[Errno (\d+)\]", str(error)) if error.errno is None else None
    return OSError(int(found[1]), "") if found else error
