"""Raw TCP endpoints on loopback: what accepts connections, and ports for what goes wrong below HTTP."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self


class Listener:
    """Hands every connection to `act`, in a thread of its own. Listens on a port of 127.0.0.1 unless it is given a socket.

    Leaving it ends the connections, and what `act` has put into `open`, and waits for the threads.
    """

    def __init__(self, act: Callable[[socket.socket], None], listening: socket.socket | None = None) -> None:
        self._act = act
        self._listening = listening or socket.create_server(("127.0.0.1", 0))
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.open: list[socket.socket] = []

    @property
    def port(self) -> int:
        """The port that it listens on."""
        port: int = self._listening.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # Closing a listening socket does not wake its accept(); a connection does.
        with socket.socket(self._listening.family) as last:
            last.settimeout(5)
            last.connect(self._listening.getsockname())
        self._threads[0].join(10)
        for sock in self.open:
            # Not SSLSocket.shutdown: that one pulls the TLS state from under the thread that is reading.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for sock in (self._listening, *self.open):
            sock.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            self.open.append(connection)
            if self._stopping.is_set():
                return
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._act(connection)
        except OSError:
            connection.close()  # the client went away, or this is left


@contextmanager
def refused_port() -> Iterator[int]:
    """Give a port that refuses connections, kept so that no other process takes it meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def unanswered_port() -> Iterator[int]:
    """Give a port where connecting never ends: its queue is full and nobody accepts."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


@contextmanager
def silent_port() -> Iterator[int]:
    """Give a port that accepts, and then neither reads nor writes."""
    with Listener(lambda _: None) as listener:
        yield listener.port


@contextmanager
def plain_port() -> Iterator[int]:
    """Give a port that answers a TLS handshake as servers without TLS do: with plain HTTP."""

    def act(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)

    with Listener(act) as listener:
        yield listener.port


@contextmanager
def hanging_up_port(answer: bytes = b"") -> Iterator[int]:
    """Give a port that reads what comes first, writes `answer` and closes."""

    def act(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    with Listener(act) as listener:
        yield listener.port
