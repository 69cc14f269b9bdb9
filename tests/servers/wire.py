"""One exchange through the real client: to a real server, or to a record in place of a network."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx

from runner.auth import Applies, Outgoing
from runner.client import Answer, Channel, Client, Exchange, ExchangeError
from runner.errors import Failure
from tests.garbage import collected

SECRET = "planted-Secret_4711"
HOME = "https://api.test"


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

    with collected():
        return asyncio.run(run())


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


# in place of a network: answers by path, and a record of what each origin received


class Places:
    """An authenticator that adds the secret in one place."""

    def __init__(self, place: str) -> None:
        self._place = place

    async def apply(self, request: Outgoing) -> None:
        if self._place == "query":
            request.query.append(("api_key", SECRET))
        else:
            request.headers.append(credential(self._place))

    async def refresh(self) -> bool:
        return False


def credential(place: str) -> tuple[str, str]:
    return {
        "authorization": ("Authorization", f"Bearer {SECRET}"),
        "header": ("X-Api-Key", SECRET),
        "cookie": ("Cookie", f"sid={SECRET}"),
    }[place]


@dataclass
class Record:
    """Answers by path, and keeps what each origin received."""

    answers: Mapping[str, Callable[[httpx.Request], httpx.Response]]
    received: list[tuple[str, httpx.Request]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        origin = f"{request.url.scheme}://{request.url.netloc.decode()}"
        self.received.append((origin, request))
        answer = self.answers.get(request.url.path)
        return answer(request) if answer else httpx.Response(200, text="here")

    @property
    def way(self) -> list[str]:
        return [f"{request.method} {request.url}" for _, request in self.received]

    def got(self, origin: str) -> str:
        """All that an origin received, decoded."""
        texts = [
            f"{request.url} {[*request.headers.raw]} {request.content!r}"
            for where, request in self.received
            if where == origin
        ]
        return unquote("\n".join(texts))


def redirect(status: int, to: str, *cookies: str) -> Callable[[httpx.Request], httpx.Response]:
    headers = [("Location", to), *(("Set-Cookie", cookie) for cookie in cookies)]
    return lambda _: httpx.Response(status, headers=headers)


def ask(
    record: Callable[[httpx.Request], httpx.Response],
    *,
    url: str = f"{HOME}/start",
    origin: str | None = HOME,
    authenticator: Applies | None = None,
    extra: tuple[tuple[str, str], ...] = (),
    extra_query: tuple[tuple[str, str], ...] = (),
    **fields: Any,
) -> Answer:
    async def run() -> Answer:
        client = Client(environ={}, transport=httpx.MockTransport(record))
        try:
            exchange = Exchange(**{"method": "GET", "url": url, "shown_url": "the shown url", **fields})
            return await client.send(exchange, Channel(origin=origin), authenticator, extra, extra_query)
        finally:
            await client.close()

    return asyncio.run(run())


def refused(record: Callable[[httpx.Request], httpx.Response], **fields: Any) -> Failure:
    try:
        answer = ask(record, **fields)
    except ExchangeError as error:
        assert_clean(error)
        return error.failure
    raise AssertionError(f"answered {answer.status}")


def by_authenticator(place: str) -> dict[str, Any]:
    return {"authenticator": Places(place)}


def by_connection(place: str) -> dict[str, Any]:
    return {"extra_query": (("api_key", SECRET),)} if place == "query" else {"extra": (credential(place),)}
