"""The way to a Vault agent that listens on a Unix socket (`unix:///run/agent.sock`). Imported only where there is one."""

import socket
from typing import Any

import requests
import requests.adapters
import urllib3.connection
import urllib3.connectionpool

HOST = "localhost"


class SocketAdapter(requests.adapters.HTTPAdapter):
    """Sends every request to a socket, whatever its URL names; no proxy is used."""

    def __init__(self, path: str, *, size: int) -> None:
        super().__init__()
        self._pool = _Pool(path, size)

    def get_connection_with_tls_context(self, request: Any, verify: Any, *_: Any, **__: Any) -> Any:
        """Give the connections to the socket."""
        del request, verify
        return self._pool

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._pool.close()


class _Pool(urllib3.connectionpool.HTTPConnectionPool):
    def __init__(self, path: str, size: int) -> None:
        super().__init__(HOST, maxsize=size)
        self._path = path

    def _new_conn(self) -> Any:
        return _Connection(self._path)


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__(HOST)
        self._path = path

    def _new_conn(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        try:
            if isinstance(self.timeout, int | float):
                made.settimeout(self.timeout)
            made.connect(self._path)
        except BaseException:
            made.close()
            raise
        return made
