"""A person's consent: by a page that sends them back to this machine (RFC 6749, 4.1, RFC 8252), with PKCE (RFC 7636).

Where a provider refuses addresses of this machine, the person pastes the address that the page led to.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from runner.auth import FieldError, Means, Person
from runner.auth.oauth2.endpoint import LONGEST_SAID, Endpoint
from runner.auth.oauth2.fields import Config
from runner.auth.oauth2.token import Token
from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass

PATIENCE = 600.0
"""Seconds for the person to consent."""
LONGEST_REQUEST = 16 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "::1")
PAGE = (
    "<!doctype html><meta charset=utf-8><title>runner.d</title>"
    "<p style='font: 1.2em sans-serif; margin: 4em'>{text}</p>"
)


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """What was sent along to the page, and must come back or be proven."""

    state: str
    verifier: str
    redirect_uri: str
    url: str


async def by_page(config: Config, endpoint: Endpoint, means: Means, person: Person) -> Token:
    """Have a person consent, and trade the code for tokens; raises FailureError."""
    written = means.text(config.redirect_uri) if config.redirect_uri else "http://127.0.0.1/callback"
    parts = urlsplit(written)
    local = parts.scheme == "http" and parts.hostname in LOOPBACK
    if person.pastes or not local:
        asked = _asked(config, endpoint, means, written)
        person.say(
            "open this page, consent, and copy the address that it then leads to, even if it cannot be shown:"
        )
        person.visit(asked.url)
        answer = person.ask("the address", secret=True)
    else:
        async with _Listener(parts.hostname or "127.0.0.1", parts.port or 0) as listener:
            netloc = f"{parts.netloc.removesuffix(f':{parts.port}')}:{listener.port}"
            asked = _asked(config, endpoint, means, urlunsplit(parts._replace(netloc=netloc)))
            listener.expect(asked)
            person.say("open this page and consent; this waits for the answer (10 minutes at most):")
            person.visit(asked.url)
            answer = await listener.answer()
    code = _code(answer, asked, means)
    parameters = {"grant_type": "authorization_code", "code": code, "redirect_uri": asked.redirect_uri}
    if config.pkce:
        parameters["code_verifier"] = asked.verifier
    return await endpoint.token(parameters)


def _asked(config: Config, endpoint: Endpoint, means: Means, redirect_uri: str) -> Asked:
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    means.register(verifier, "the verifier of a consent")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    assert config.authorize_url is not None
    page = means.text(config.authorize_url).strip()
    query = {
        "response_type": "code",
        "client_id": endpoint.client_id,
        "redirect_uri": redirect_uri,
        "scope": config.scope,
        "state": state,
        "audience": means.text(config.audience) if config.audience else "",
        **({"code_challenge": challenge, "code_challenge_method": "S256"} if config.pkce else {}),
        **{name: means.text(item) for name, item in config.authorize_extra.items()},
    }
    written = urlencode({name: text for name, text in query.items() if text})
    return Asked(state, verifier, redirect_uri, f"{page}{'&' if '?' in page else '?'}{written}")


def _code(answer: str, asked: Asked, means: Means) -> str:
    """Read the code out of the address that the person was sent back to; raises FailureError."""
    try:
        query = parse_qs(urlsplit(answer.strip()).query)
    except ValueError:  # no address at all
        query = {}
    given = {name: values[0] for name, values in query.items()}
    if given.get("code"):
        means.register(given["code"], "an authorization code")
    if not hmac.compare_digest(given.get("state", "").encode(), asked.state.encode()):
        raise _failed(
            "the address that came back does not belong to this login (its `state` is another)",
            "begin again, and copy the whole address of the page that this login led to",
        )
    if "error" in given:
        words = ": ".join(filter(None, (given["error"], given.get("error_description"))))
        shown = "".join(char if char.isprintable() else " " for char in words)[:LONGEST_SAID]
        raise _failed(f"the provider gave no consent: {shown}", "the words are the provider's own")
    if not given.get("code"):
        raise _failed("the address that came back holds no code", "begin again")
    return given["code"]


class _Listener:
    """Waits on this machine for the browser to come back, once."""

    def __init__(self, host: str, port: int) -> None:
        self._host = "127.0.0.1" if host == "localhost" else host
        self._wanted = port
        self._asked: Asked | None = None
        self._answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._silent: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(
                self._serve, self._host, self._wanted, limit=LONGEST_REQUEST
            )
        except OSError as error:
            raise FieldError(
                "redirect_uri",
                f"names the port {self._wanted} of this machine, which cannot be used: {error.strerror or 'unknown reason'}",
                help="end what listens there, or log in with --paste",
            ) from None
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._silent:  # browsers open connections that they may want later
            writer.transport.abort()
        await self._server.wait_closed()

    def expect(self, asked: Asked) -> None:
        """Say whom to wait for."""
        self._asked = asked

    async def answer(self) -> str:
        """Wait for the browser; raises FailureError when nobody came."""
        try:
            return await asyncio.wait_for(self._answer, PATIENCE)
        except TimeoutError:
            raise _failed("nobody consented within 10 minutes", "begin again") from None

    async def _head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        self._silent.add(writer)
        try:
            async with asyncio.timeout(10):
                return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        finally:
            self._silent.discard(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        status, text = "404 Not Found", "There is nothing here."
        try:
            method, _, rest = (await self._head(reader, writer)).partition(" ")
            target = rest.partition(" ")[0]
            asked = self._asked
            if (
                asked
                and method == "GET"
                and urlsplit(target).path == (urlsplit(asked.redirect_uri).path or "/")
            ):
                # Another page may send a browser here too: who does not know the state is not listened to.
                state = parse_qs(urlsplit(target).query).get("state", [""])[0]
                if hmac.compare_digest(state.encode(), asked.state.encode()):
                    status, text = "200 OK", "Done. Go back to the terminal; this page can be closed."
                    if not self._answer.done():
                        self._answer.set_result(target)
                else:
                    status, text = "400 Bad Request", "This does not belong to the login that is under way."
        except (
            TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            ConnectionError,
            ValueError,
        ):
            status, text = "400 Bad Request", "This is no request."
        body = PAGE.format(text=text).encode()
        head_lines = (
            f"HTTP/1.1 {status}",
            "Content-Type: text/html; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Referrer-Policy: no-referrer",
            "Connection: close",
        )
        try:
            writer.write(("\r\n".join(head_lines) + "\r\n\r\n").encode() + body)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, OSError):
            pass


def _failed(message: str, remedy: str) -> FailureError:
    return FailureError(Failure(kind=FailureKind.UNAUTHORIZED, message=message, help=remedy))
