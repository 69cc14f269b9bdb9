"""Ways to a server that are no plain TCP: a SOCKS5 proxy (RFC 1928, 1929) and a Unix socket."""

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self


class Relay:
    """Accepts on a listener and leads every connection to a port of 127.0.0.1, after `greet` agreed with the client."""

    def __init__(
        self, listener: socket.socket, leads_to: int, greet: Callable[[socket.socket], bool]
    ) -> None:
        self._listener = listener
        self._leads_to = leads_to
        self._greet = greet
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for sock in (self._listener, *self._open):
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            if not self._greet(client):
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._leads_to))
            self._open.append(server)
            for pair in ((client, server), (server, client)):
                thread = threading.Thread(target=_pass_on, args=pair, daemon=True)
                self._threads.append(thread)
                thread.start()


class SocksProxy(Relay):
    """A SOCKS5 proxy. `targets` are what was asked for; `login` is demanded where it is given; `reply` 0 opens the way."""

    def __init__(self, leads_to: int, *, login: tuple[str, str] | None = None, reply: int = 0) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{listener.getsockname()[1]}"
        self.targets: list[str] = []
        self._login = login
        self._reply = reply
        super().__init__(listener, leads_to, self._handshake)

    def _handshake(self, client: socket.socket) -> bool:
        _, count = client.recv(2)
        methods = client.recv(count)
        method = 2 if self._login else 0
        if method not in methods:
            client.sendall(b"\x05\xff")
            return False
        client.sendall(bytes([5, method]))
        if self._login:
            client.recv(1)
            name = client.recv(client.recv(1)[0]).decode()
            password = client.recv(client.recv(1)[0]).decode()
            good = (name, password) == self._login
            client.sendall(bytes([1, 0 if good else 1]))
            if not good:
                return False
        _, _, _, kind = client.recv(4)
        size = {1: 4, 4: 16}.get(kind) or client.recv(1)[0]
        raw = client.recv(size)
        host = (
            raw.decode()
            if kind == 3
            else socket.inet_ntop({1: socket.AF_INET, 4: socket.AF_INET6}[kind], raw)
        )
        self.targets.append(f"{host}:{int.from_bytes(client.recv(2))}")
        client.sendall(bytes([5, self._reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        return self._reply == 0


class UnixSocket(Relay):
    """A Unix socket before a server."""

    def __init__(self, path: Path, leads_to: int) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        super().__init__(listener, leads_to, lambda _: True)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
