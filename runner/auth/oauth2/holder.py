"""Holds the token of one connection for a run: one call for it however many wait, again before it ends and after a 401."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Protocol

from runner.auth import Means, Outgoing, Refused, revealed
from runner.auth.oauth2.endpoint import Endpoint, RefusedError
from runner.auth.oauth2.fields import CLIENT, JWT, REFRESH, Config
from runner.auth.oauth2.stored import Stored, login_again
from runner.auth.oauth2.token import Token
from runner.errors import FailureError, FailureKind
from runner.sensitive import Secret

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523, 2.1
AGAIN_AFTER = 60.0
"""Seconds: a token that replaced a refused one and is refused within them is not replaced again."""


class Source(Protocol):
    """Where tokens come from."""

    async def obtain(self, refused: str | None) -> Token:
        """Give a token that is fresh and not the refused one; raises FailureError."""
        ...


class Holder:
    """The authenticator of `oauth2`."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:
        self._config = config
        self._means = means
        self._jitter = means.jitter()
        self._source = _source(config, fields, means, self._jitter)
        self._token: Token | None = None
        self._running: asyncio.Task[None] | None = None
        self._refusal: FailureError | None = None
        self._replaced_at = float("-inf")

    async def prepare(self) -> None:
        """Have a token that is valid for a while."""
        if self._token is None or not self._token.fresh(self._means.now(), self._jitter):
            await self._renew(None)

    async def apply(self, request: Outgoing) -> None:
        """Add the header."""
        if self._token is None:
            await self.prepare()
        assert self._token is not None
        request.headers.append((self._config.header, self._config.before + self._token.value))

    async def refresh(self, refused: Refused) -> bool:
        """Get another token than the one that was refused, unless there is another one already."""
        token = self._token
        sent = [value for _, value in refused.request.headers] if refused.request else []
        if token is None or not any(value.endswith(token.value) for value in sent):
            return token is not None
        if isinstance(self._source, Given) or self._means.now() < self._replaced_at + AGAIN_AFTER:
            return False
        await self._renew(token.value)
        self._replaced_at = self._means.now()
        return True

    async def close(self) -> None:
        """Let a renewal that is under way come to its end: a new refresh token must be written back."""
        if self._running is not None and not self._running.done():
            with contextlib.suppress(Exception):
                await self._running

    async def _renew(self, refused: str | None) -> None:
        """Renew once, whoever comes first; a waiter that is cancelled cancels nobody else, and no write-back."""
        if self._refusal is not None:
            raise self._refusal
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._obtain(refused))
            # Looks at the error, so that asyncio does not complain of it where every waiter was cancelled.
            self._running.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._running)

    async def _obtain(self, refused: str | None) -> None:
        try:
            self._token = await self._source.obtain(refused)
        except FailureError as problem:
            if problem.failure.kind is FailureKind.UNAUTHORIZED:
                self._refusal = problem  # asking again changes nothing, and may lock the account
            raise


class InMemory:
    """Tokens that this run obtains for itself: of the client, of a signed assertion, of a refresh token that stays."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:
        self._config = config
        self._means = means
        self._refresh = revealed(fields.get("refresh_token", ""))
        self._endpoint = Endpoint(config, fields, means)

    async def obtain(self, refused: str | None) -> Token:  # noqa: ARG002 - every token is a new one
        """Ask for a token."""
        config = self._config
        if config.grant in (CLIENT, JWT):
            return await self._endpoint.token(self._of_client())
        scope = config.scope if config.grant == REFRESH else ""
        asked = {"grant_type": "refresh_token", "refresh_token": self._refresh, "scope": scope}
        try:
            token = await self._endpoint.token(asked)
        except RefusedError as problem:
            if problem.code == "invalid_grant":
                raise login_again(self._means.connection, problem.failure.message) from None
            raise
        if token.refresh and token.refresh != self._refresh:
            self._refresh = token.refresh
            self._means.warn(
                f"the provider of '{self._means.connection}' replaced the refresh token, and `rotates: false` keeps the new one "
                "from being written back: remove `rotates`, or the next run may find a dead token"
            )
        return token

    def _of_client(self) -> dict[str, str]:
        config, means = self._config, self._means
        asked = {"grant_type": config.grant_type or "client_credentials", "scope": config.scope}
        if config.grant == JWT:
            url = means.text(config.token_url).strip()
            assertion = self._endpoint.assertions.of_grant(self._endpoint.client_id, url)
            return {**asked, "grant_type": config.grant_type or JWT_BEARER, "assertion": assertion}
        return {**asked, "audience": means.text(config.audience) if config.audience else ""}


class Given:
    """An access token that a login stored and that does not expire. Another one comes with another login only."""

    def __init__(self, value: str, means: Means) -> None:
        self._token = Token(value=value, obtained_at=means.now(), expires_at=None)

    async def obtain(self, refused: str | None) -> Token:  # noqa: ARG002 - there is one only
        """Give the token."""
        return self._token


def _source(
    config: Config, fields: Mapping[str, Secret | str], means: Means, jitter: float
) -> InMemory | Given | Stored:
    if config.access_token is not None:
        return Given(revealed(fields["access_token"]), means)
    if config.refresh_token is not None and config.rotates:
        return Stored(config, Endpoint(config, fields, means), means, jitter)
    return InMemory(config, fields, means)
