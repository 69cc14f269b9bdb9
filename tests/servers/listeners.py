"""Raw TCP endpoints on loopback for what goes wrong below HTTP."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
    with _answering(None) as port:
        yield port


@contextmanager
def plain_port() -> Iterator[int]:
    """Give a port that answers a TLS handshake as servers without TLS do: with plain HTTP."""
    with _answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as port:
        yield port


@contextmanager
def _answering(answer: bytes | None) -> Iterator[int]:
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        stopping = threading.Event()

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                accepted.append(connection)
                if stopping.is_set():
                    return
                if answer is not None:
                    with contextlib.suppress(OSError):
                        connection.recv(65536)
                        connection.sendall(answer)
                        connection.shutdown(socket.SHUT_WR)

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield port
        finally:
            stopping.set()
            for connection in tuple(accepted):
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            # Closing a listening socket does not wake its accept(); a connection does.
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            acceptor.join(10)
            for connection in accepted:
                connection.close()
