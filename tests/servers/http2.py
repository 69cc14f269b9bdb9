"""A server of HTTP/2 over TLS; it says over which version of HTTP each came."""

import json
import socket
import ssl

import h2.config
import h2.connection
import h2.events

from tests.servers.listeners import Listener


class Http2Server(Listener):
    """Listens on 127.0.0.1; `requests` are the method, the path and the body of what came over HTTP/2."""

    def __init__(self, context: ssl.SSLContext) -> None:
        context.set_alpn_protocols(["h2", "http/1.1"])
        super().__init__(self._serve_one)
        self._context = context
        self.url = f"https://127.0.0.1:{self.port}"
        self.requests: list[tuple[str, str, bytes]] = []

    def _serve_one(self, plain: socket.socket) -> None:
        with self._context.wrap_socket(plain, server_side=True) as sock:
            self.open.append(sock)
            if sock.selected_alpn_protocol() == "h2":
                self._converse(sock)
            else:
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nh1.1")

    def _converse(self, sock: ssl.SSLSocket) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        sock.sendall(connection.data_to_send())
        asked: dict[int, tuple[dict[str, str], bytes]] = {}
        while data := sock.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    headers = {_text(name): _text(value) for name, value in event.headers}
                    asked[event.stream_id] = (headers, b"")
                elif isinstance(event, h2.events.DataReceived):
                    headers, body = asked[event.stream_id]
                    asked[event.stream_id] = (headers, body + event.data)
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    headers, body = asked.pop(event.stream_id)
                    self.requests.append((headers[":method"], headers[":path"], body))
                    said = json.dumps({"version": 2}).encode()
                    fields = [(":status", "200"), ("content-type", "application/json")]
                    connection.send_headers(event.stream_id, fields)
                    connection.send_data(event.stream_id, said, end_stream=True)
            sock.sendall(connection.data_to_send())


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
