"""One connection and the answer that arrives on it."""

import asyncio
import select
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from runner.errors import Failure, FailureError
from runner.progress import Progress
from runner.transports import LONGEST_HEAD, Raw

MOST_WAITING = 256 * 1024
"""Bytes of an answer that wait for their reader before the socket is left alone."""
_BODYLESS = frozenset({204, 304})

Place = tuple[str, str, int]


class Owner(Protocol):
    """Who keeps connections."""

    def free(self, connection: "Connection", place: Place) -> None:
        """Take a connection back whose answer was read to its end."""
        ...

    def forget(self, connection: "Connection") -> None:
        """Be told that a connection is lost."""
        ...


class Connection(asyncio.Protocol):
    """One connection: passes what arrives to the answer that is being read."""

    def __init__(self, owner: Owner, place: Place, errors: tuple[type[Exception], ...]) -> None:
        self.place = place
        self.since = 0.0
        self._owner = owner
        self._errors = errors
        self._answer: Answer | None = None
        self.parser: Any = None
        self._transport: Any = None
        self._writable: asyncio.Future[None] | None = None
        self._poll: select.poll | None = None
        self.lost = False

    def begin(self, answer: "Answer", parser: Any) -> None:
        """Be ready for the next answer."""
        self._answer = answer
        self.parser = parser

    def is_usable(self, oldest: float) -> bool:
        """Tell whether it can take another request: a server that has closed it says so by something to read."""
        if self.lost or self.since < oldest or self._transport.is_closing():
            return False
        if self._poll is None:
            found = self._transport.get_extra_info("socket")
            self._poll = select.poll()
            self._poll.register(found.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
        return not self._poll.poll(0)

    def write(self, data: bytes) -> None:
        """Write, or keep until the socket takes it."""
        self._transport.write(data)

    async def drained(self) -> None:
        """Wait until what was written has mostly left."""
        while self._writable is not None and not self.lost:
            await self._writable

    def free(self) -> None:
        """Wait for the next request."""
        self._answer = self.parser = None
        self._owner.free(self, self.place)

    def abort(self) -> None:
        """Close at once."""
        self._answer = self.parser = None
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Leave what arrives to the system's buffers."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    # what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to write."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass what arrives to the parser of the answer."""
        answer = self._answer
        if answer is None:  # nobody asked: no telling which request it would answer
            self._transport.abort()
            return
        answer.size += len(data)
        try:
            self.parser.feed_data(data)
        except self._errors:
            answer.broke()
        else:
            if answer.size > LONGEST_HEAD:
                answer.swelled()

    def eof_received(self) -> None:
        """Be told that the other side writes no more."""
        if self._answer is not None:
            self._answer.ended(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Be told that the connection is closed, by whom ever."""
        self.lost = True
        self._owner.forget(self)
        self.resume_writing()
        if self._answer is not None:
            self._answer.ended(exc)

    def pause_writing(self) -> None:
        """Be told that the socket takes no more for now."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Be told that the socket takes more."""
        waiting, self._writable = self._writable, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


class Answer:
    """One answer, filled by the parser while it arrives; also what the client gets."""

    def __init__(self, connection: Connection, progress: Progress, method: str) -> None:
        self.status = 0
        self.headers: Raw = ()
        self.http_version = ""
        self.complete = False
        self._connection = connection
        self._progress = progress
        self._method = method
        self._collected: list[tuple[bytes, bytes]] = []
        self.size = 0
        """Bytes since the last piece of a body: of headers, for which the parser itself has no limit."""
        self._interim = False
        self._until_close = False
        self._reusable = False
        self._unsent = False
        self._pieces: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._paused = False
        self._failure: Callable[[], Failure] | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def changed(self) -> None:
        """Wait until something arrives; raises FailureError where nothing more will."""
        if self._failure is not None:
            raise FailureError(self._failure())
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Read the body, not unpacked; raises FailureError where it breaks off."""
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._waiting_bytes -= len(piece)
                if self._paused and self._waiting_bytes < MOST_WAITING // 2:
                    self._paused = False
                    self._connection.resume_reading()
                yield piece
            if self.complete:
                return
            await self.changed()

    async def aclose(self) -> None:
        """Free the connection where the answer was read to its end, else close it."""
        if self.complete and self._reusable and not (self._unsent or self._pieces or self._paused):
            self._connection.free()
        else:
            self._connection.abort()
        self._reusable = False

    def cut(self) -> None:
        """Be told that the request was not sent to its end."""
        self._unsent = True

    def stopped(self) -> bool:
        """Tell whether sending more of the body is of no use: there is an answer, or the connection is lost."""
        return bool(self.status) or self._failure is not None

    # what the connection calls

    def swelled(self) -> None:
        """Be told that more came than headers may be long, of an answer or after its last chunk."""
        if not self.status or self.size > LONGEST_HEAD + MOST_WAITING:
            self._fail(self._progress.long_head)

    def broke(self) -> None:
        """Be told that what arrives is no HTTP."""
        if not self.complete:
            self._fail(self._progress.no_http)
        self._reusable = False

    def ended(self, error: Exception | None) -> None:
        """Be told that nothing more arrives."""
        self._reusable = False
        if self.complete:
            return
        if self.status and self._until_close and error is None:
            self._finish()
            return
        progress = self._progress
        self._fail(lambda: (error and progress.network(error)) or progress.closed())

    # what the parser calls

    def on_message_begin(self) -> None:
        """Be told that a message begins: after the end of this answer it is one that nobody asked for."""
        if self.complete:
            self._reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        if not self.status:  # what comes after the last chunk is of no use here
            self._collected.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Take the head: from now on the client has something to look at."""
        if self.status:
            return
        parser = self._connection.parser
        status: int = parser.get_status_code()
        if status == 101:
            msg = "nobody asked for another protocol"
            raise ValueError(msg)
        if 100 <= status < 200:
            self._interim = True
            self._collected.clear()
            return
        self.headers = tuple(self._collected)
        self.http_version = f"HTTP/{parser.get_http_version()}"
        self._reusable = parser.should_keep_alive()
        framing = {name.lower(): value.lower() for name, value in self.headers}
        self._until_close = not (
            b"content-length" in framing or b"chunked" in framing.get(b"transfer-encoding", b"")
        )
        self.status = status
        self._connection.resume_writing()  # whoever waits to send more of a body looks at the answer first
        if self._method == "HEAD" or status in _BODYLESS:
            self._finish()
        else:
            self._wake()

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        if self.complete:
            self._reusable = False
            return
        self.size = 0
        self._pieces.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > MOST_WAITING and not self._paused:
            self._paused = True
            self._connection.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """Take the end."""
        if self._interim and not self.status:
            self._interim = False
        elif not self.complete:
            self._finish()

    def _finish(self) -> None:
        self.complete = True
        self._wake()

    def _fail(self, failure: Callable[[], Failure]) -> None:
        # Asked for when it is raised: only then is it known whether the client saw the head.
        if self._failure is None:
            self._failure = failure
        self._reusable = False
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
