"""HTTP/1.1 messages on a socket: requests as they arrived, responses as a test wants them."""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BufferedReader
from typing import Any, Literal
from urllib.parse import parse_qsl

LONGEST_LINE = 1024 * 1024
Pairs = tuple[tuple[str, str], ...]
Framing = Literal["length", "chunked", "close"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What arrived. `target` and `head` are as they were on the wire, nothing decoded."""

    method: str
    target: str
    headers: Pairs
    body: bytes
    head: bytes
    at: float
    """Arrival, on the clock of `time.monotonic`."""
    connection: int
    """Which TCP connection it came over, counted from 1."""
    client: str | None = None
    """Common name in the client's certificate."""
    arguments: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> Pairs:
        return tuple(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def parameter(self, name: str) -> str | None:
        return next((value for key, value in self.query if key == name), None)

    def header(self, name: str) -> str | None:
        """Give the first header of that name; letter case does not matter."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def cookie(self, name: str) -> str | None:
        pairs = (part.strip().partition("=") for part in (self.header("Cookie") or "").split(";"))
        return next((value for key, _, value in pairs if key == name), None)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer. A body in pieces is sent in chunks, or up to the end of the connection (`framing`)."""

    status: int = 200
    body: bytes | Iterator[bytes] = b""
    headers: Mapping[str, str] | Pairs = field(default_factory=dict)
    framing: Framing = "length"


def reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    content = {"Content-Type": "application/json", **(headers or {})}
    return Response(status, json.dumps(value).encode(), content)


def read_request(stream: BufferedReader, connection: int, client: str | None) -> Request | None:
    """Read one request; nothing at the end of the connection, or where what came is no request."""
    lines = [stream.readline(LONGEST_LINE)]
    start = lines[0].decode("latin-1").split()
    if len(start) != 3:
        return None
    at = time.monotonic()
    while (line := stream.readline(LONGEST_LINE)) not in (b"\r\n", b"\n", b""):
        lines.append(line)
    pairs = (line.decode("latin-1").rstrip("\r\n").partition(":") for line in lines[1:])
    headers = tuple((name, value.strip()) for name, _, value in pairs)
    return Request(
        method=start[0],
        target=start[1],
        headers=headers,
        body=_read_body(stream, {name.lower(): value for name, value in headers}),
        head=b"".join(lines),
        at=at,
        connection=connection,
        client=client,
    )


def _read_body(stream: BufferedReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return _exactly(stream, int(headers.get("content-length", "0")))
    chunks = []
    while size := int(stream.readline(LONGEST_LINE).split(b";")[0] or b"0", 16):
        chunks.append(_exactly(stream, size))
        stream.readline()
    stream.readline()
    return b"".join(chunks)


def _exactly(stream: BufferedReader, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ConnectionError("the client closed in the middle of the body")
    return data


def write_response(sock: socket.socket, response: Response, method: str, *, keep: bool) -> None:
    pairs = response.headers.items() if isinstance(response.headers, Mapping) else response.headers
    lines = [
        f"HTTP/1.1 {response.status} {_reason(response.status)}",
        *(f"{name}: {value}" for name, value in pairs),
    ]
    bare = method == "HEAD" or response.status in (204, 304) or response.status < 200
    pieces = iter([response.body]) if isinstance(response.body, bytes) else response.body
    if response.framing == "length" and not bare:
        body = b"".join(pieces)
        pieces = iter([body])
        lines.append(f"Content-Length: {len(body)}")
    elif response.framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
    if not keep:
        lines.append("Connection: close")
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    if bare:
        sock.sendall(head)
    elif response.framing == "chunked":
        sock.sendall(head)
        for piece in pieces:
            sock.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        sock.sendall(b"0\r\n\r\n")
    else:
        sock.sendall(head + next(pieces, b""))
        for piece in pieces:
            sock.sendall(piece)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
