"""A loopback HTTP server that costs next to nothing, in a process of its own: `python -m benchmarks.server`.

`GET /item/N` with the right bearer token answers `{"next": N+1, ...}`, about 1 KB. It prints its port and serves until
its standard input ends, so that it cannot outlive who started it.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TOKEN = "token-of-the-benchmark"
_PADDING = "x" * 900


class Answerer(asyncio.Protocol):
    """Answers requests without a body, as many as arrive over one connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            self._transport.write(answer(head))


def answer(head: bytes) -> bytes:
    lines = head.decode("latin-1").split("\r\n")
    path = lines[0].split(" ")[1]
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    status, value = "200 OK", {"next": int(path.rpartition("/")[2]) + 1, "padding": _PADDING}
    if headers.get("authorization") != f"Bearer {TOKEN}":
        status, value = "401 Unauthorized", {"error": "wrong token"}
    body = json.dumps(value).encode()
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answerer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def serving() -> Iterator[str]:
    """Run the server in a process of its own; gives its address."""
    command = (sys.executable, "-m", "benchmarks.server")
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.communicate(timeout=10)  # ends its input, and so the server


if __name__ == "__main__":
    asyncio.run(serve())
