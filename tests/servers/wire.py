"""One exchange through the real client, and what the shared servers lack: ports that hang up, requests for a proxy."""

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from runner.auth import Outgoing
from runner.client import Answer, Channel, Client, Exchange, ExchangeError

SECRET = "planted-Secret_4711"


class Planted:
    """Adds a secret in every place a credential can have."""

    async def apply(self, request: Outgoing) -> None:
        request.headers.append(("Authorization", f"Bearer {SECRET}"))
        request.headers.append(("X-Api-Key", SECRET))
        request.headers.append(("Cookie", f"sid={SECRET}"))
        request.query.append(("api_key", SECRET))

    async def refresh(self) -> bool:
        return False


def exchange(url: str, **fields: Any) -> Exchange:
    return Exchange(**{"method": "GET", "url": url, "shown_url": url, "timeout": 5.0, **fields})


def origin(url: str) -> str:
    return "/".join(url.split("/")[:3])


def send(
    url: str,
    *,
    channel: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    **fields: Any,
) -> Answer:
    """Send one exchange with planted credentials, through a client of its own."""

    async def run() -> Answer:
        client = Client(environ=environ or {})
        try:
            reached = Channel(**{"origin": origin(url), **(channel or {})})
            return await client.send(exchange(url, **fields), reached, Planted())
        finally:
            await client.close()

    try:
        return asyncio.run(run())
    finally:
        # A socket that was left open would warn now, and a warning fails the test.
        gc.collect()


def failing(url: str, **fields: Any) -> ExchangeError:
    """Send one exchange that must fail; the error shows nothing of what was sent."""
    try:
        answer = send(url, **fields)
    except ExchangeError as error:
        assert_clean(error)
        return error
    raise AssertionError(f"answered {answer.status}")


def assert_clean(error: ExchangeError) -> None:
    """Neither the error nor anything it hangs on holds the secret."""
    assert error.__context__ is None
    assert error.__cause__ is None
    for text in (str(error), repr(error), repr(error.failure)):
        assert SECRET not in text
    assert error.failure.message.isprintable()
    assert error.failure.help


@contextmanager
def hanging_up_port(answer: bytes = b"") -> Iterator[int]:
    """Give a port that reads what comes first, writes `answer` and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        stopping = threading.Event()

        def accept() -> None:
            while not stopping.is_set():
                connection, _ = listener.accept()
                with connection:
                    if not stopping.is_set():
                        connection.recv(65536)
                        connection.sendall(answer)

        acceptor = threading.Thread(target=accept, daemon=True)
        acceptor.start()
        try:
            yield port
        finally:
            stopping.set()
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            acceptor.join(10)
