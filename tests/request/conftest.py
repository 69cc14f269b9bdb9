"""The server that takes whatever a request sends."""

from collections.abc import Iterator

import pytest

from tests.servers.http import Server, reply


@pytest.fixture(scope="module")
def api() -> Iterator[Server]:
    with Server({"* /**": lambda _: reply({"ok": True})}) as server:
        yield server


@pytest.fixture(autouse=True)
def _forget(api: Server) -> None:
    api.clear()
