"""What an auth type adds to a request, and what it tells the redactor."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner import registry
from runner.auth import Outgoing, Refused
from runner.sensitive import Secret
from tests.auth.means import Lent


@dataclass
class Added:
    """Headers and query parameters that were added, and values that were registered."""

    headers: list[tuple[str, str]]
    query: list[tuple[str, str]]
    registered: dict[str, str]


def added(kind: str, config: Any, fields: Mapping[str, str]) -> Added:
    """Apply an auth type to a request that has a header and a parameter of its own; these stay as they are."""
    means = Lent()
    secrets = {name: Secret(value, name) for name, value in fields.items()}
    made = registry.load("auth", kind).Authenticator(config, secrets, means)
    request = Outgoing("GET", "https://api.test/x", [("X-Own", "1")], [("own", "1")])

    async def apply() -> None:
        await made.prepare()
        await made.apply(request)
        assert await made.refresh(Refused(request)) is False
        await made.close()

    asyncio.run(apply())
    assert request.headers[0] == ("X-Own", "1")
    assert request.query[0] == ("own", "1")
    for value in fields.values():
        assert value not in repr(made)
    return Added(request.headers[1:], request.query[1:], means.registered)
