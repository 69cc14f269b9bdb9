"""Ways to a server that are no plain TCP: an HTTP proxy for TLS, a SOCKS5 proxy (RFC 1928, 1929), a Unix socket."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.servers.listeners import Listener


class Relay(Listener):
    """Leads every connection to a port of 127.0.0.1, after `greet` agreed with the client."""

    def __init__(
        self,
        leads_to: int,
        greet: Callable[[socket.socket], bool],
        listening: socket.socket | None = None,
    ) -> None:
        super().__init__(self._lead, listening)
        self._leads_to = leads_to
        self._greet = greet

    def _lead(self, client: socket.socket) -> None:
        with client:
            if not self._greet(client):
                return
            with socket.create_connection(("127.0.0.1", self._leads_to)) as server:
                self.open.append(server)
                back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
                back.start()
                _pass_on(client, server)
                back.join(10)


class Tunnel(Relay):
    """An HTTP proxy for TLS: answers CONNECT and looks at nothing. `targets` are the `HOST:PORT` that were asked for."""

    def __init__(self, leads_to: int) -> None:
        super().__init__(leads_to, self._connect)
        self.url = f"http://127.0.0.1:{self.port}"
        self.targets: list[str] = []

    def _connect(self, client: socket.socket) -> bool:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = client.recv(4096)
            if not piece:
                return False
            head += piece
        self.targets.append(head.split()[1].decode())
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return True


class SocksProxy(Relay):
    """A SOCKS5 proxy. `targets` are what was asked for; `login` is demanded where it is given; `reply` 0 opens the way."""

    def __init__(self, leads_to: int, *, login: tuple[str, str] | None = None, reply: int = 0) -> None:
        super().__init__(leads_to, self._handshake)
        self.place = f"127.0.0.1:{self.port}"
        self.targets: list[str] = []
        self._login = login
        self._reply = reply

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


@contextlib.contextmanager
def short_directory(tmp_path: Path) -> Iterator[Path]:
    """Give a path that is short enough for a socket: about a hundred characters."""
    link = Path("/tmp") / f"runner-{tmp_path.name}"[:40]
    link.symlink_to(tmp_path)
    try:
        yield link
    finally:
        link.unlink()


class UnixSocket(Relay):
    """A Unix socket before a server."""

    def __init__(self, path: Path, leads_to: int) -> None:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()
        super().__init__(leads_to, lambda _: True, listening)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
