"""The front of a hosted Temporal cluster: TLS, and gRPC only with an API key, for the namespace that the headers name.

It reads the messages of HTTP/2 in between, request by request: what has the right headers goes on to a server, all else is
answered as gRPC answers it (https://docs.temporal.io/cloud/api-keys).
"""

import select
import socket
import ssl
from collections.abc import Iterator

import h2.config
import h2.connection
import h2.events
import h2.settings

from tests.servers.temporal import TlsInFront

UNAUTHENTICATED, PERMISSION_DENIED = "16", "7"
"""Statuses of gRPC (https://grpc.io/docs/guides/status-codes/)."""

_WINDOW = 1 << 24
_WITHOUT_NAMESPACE = frozenset({"GetSystemInfo"})


class KeyInFront(TlsInFront):
    """Lets in who has the key, which may be changed meanwhile; `refused` are the methods that were not let in."""

    def __init__(self, port: int, context: ssl.SSLContext, key: str, namespace: str = "default") -> None:
        super().__init__(port, context)
        self.key = key
        self.refused: list[str] = []
        self._namespace = namespace

    def _pump(self, client: ssl.SSLSocket, inner: socket.socket) -> None:
        _Pair(self, client, inner).pump()

    def judge(self, headers: dict[str, str]) -> str | None:
        """Give the status of a request that is not let in."""
        method = headers[":path"].rpartition("/")[2]
        status = None
        if headers.get("authorization") != f"Bearer {self.key}":
            status = UNAUTHENTICATED
        elif method not in _WITHOUT_NAMESPACE and headers.get("temporal-namespace") != self._namespace:
            status = PERMISSION_DENIED
        if status is not None:
            self.refused.append(method)
        return status


class _Pair:
    """One connection of a client and one to the server; streams have the same numbers on both."""

    def __init__(self, front: KeyInFront, client: ssl.SSLSocket, inner: socket.socket) -> None:
        self.front = front
        self.client = client
        self.inner = inner
        self.outside = _connection(client_side=False)
        self.inside = _connection(client_side=True)
        self.refused: set[int] = set()

    def pump(self) -> None:
        """Go on until one side has ended."""
        while True:
            self._send()
            readable, _, _ = select.select(
                [self.client, self.inner], [], [], 0 if self.client.pending() else 30
            )
            if self.client in readable or self.client.pending():
                try:
                    data = self.client.recv(65536)
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    continue
                if not data:
                    return
                for event in self.outside.receive_data(data):
                    self._asked(event)
            if self.inner in readable:
                data = self.inner.recv(65536)
                if not data:
                    return
                for event in self.inside.receive_data(data):
                    self._answered(event)

    def _asked(self, event: h2.events.Event) -> None:
        stream: int = getattr(event, "stream_id", None) or 0
        if stream in self.refused and isinstance(event, h2.events.DataReceived):
            self.outside.acknowledge_received_data(event.flow_controlled_length, stream)
        elif isinstance(event, h2.events.RequestReceived):
            headers = dict(_texts(event.headers))
            status = self.front.judge(headers)
            if status is None:
                self.inside.send_headers(stream, list(headers.items()))
            else:
                self.refused.add(stream)
                answer = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", status)]
                self.outside.send_headers(stream, [*answer, ("grpc-message", "not let in")], end_stream=True)
        elif stream in self.refused:
            return
        elif isinstance(event, h2.events.StreamReset):
            self.inside.reset_stream(stream, event.error_code)
        else:
            _pass_on(event, stream, self.outside, self.inside)

    def _answered(self, event: h2.events.Event) -> None:
        stream: int = getattr(event, "stream_id", None) or 0
        if isinstance(event, h2.events.ResponseReceived):
            self.outside.send_headers(
                stream, _texts(event.headers), end_stream=event.stream_ended is not None
            )
        elif isinstance(event, h2.events.TrailersReceived):
            self.outside.send_headers(stream, _texts(event.headers), end_stream=True)
        elif isinstance(event, h2.events.DataReceived):
            _pass_on(event, stream, self.inside, self.outside)

    def _send(self) -> None:
        self.inner.sendall(self.inside.data_to_send())
        data = self.outside.data_to_send()
        while data:
            try:
                data = data[self.client.send(data) :]
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                select.select([], [self.client], [], 5)


def _connection(*, client_side: bool) -> h2.connection.H2Connection:
    made = h2.connection.H2Connection(h2.config.H2Configuration(client_side=client_side))
    made.initiate_connection()
    made.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW})
    made.increment_flow_control_window(_WINDOW)
    return made


def _pass_on(
    event: h2.events.Event,
    stream: int,
    source: h2.connection.H2Connection,
    target: h2.connection.H2Connection,
) -> None:
    """Pass on what belongs to a body; messages of tests fit into the windows."""
    if isinstance(event, h2.events.DataReceived):
        source.acknowledge_received_data(event.flow_controlled_length, stream)
        limit = target.max_outbound_frame_size
        for start in range(0, len(event.data), limit):
            target.send_data(stream, event.data[start : start + limit])
    elif isinstance(event, h2.events.StreamEnded):
        target.end_stream(stream)


def _texts(headers: object) -> list[tuple[str, str]]:
    return list(_decoded(headers))


def _decoded(headers: object) -> Iterator[tuple[str, str]]:
    for name, value in headers:  # type: ignore[attr-defined]
        yield _text(name), _text(value)


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
