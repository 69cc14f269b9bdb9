"""Shares the tokens of one consent between runs, on any number of machines, through one path of Vault.

A refresh token that the provider replaces may be used once: two runs that use it at the same moment lose it, and
many providers then revoke every token of the consent. So a run first claims the path, by a check-and-set write that
only one can win, and which proves the right to write before the old token is spent. The claim lasts for the exchange
with the provider and for a write as slow as that of the claim was; else it is renewed first. The new token is written
before it is used. A run that dies with a claim is taken over when the claim ends.
"""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from runner.auth import Means, Store
from runner.auth.oauth2.endpoint import Endpoint, RefusedError
from runner.auth.oauth2.fields import REFRESH, Config
from runner.auth.oauth2.token import Token
from runner.errors import Failure, FailureError, FailureKind

SPARE = 15.0
"""Seconds that a claim lasts beyond the longest exchange with the provider: time to write the answer down."""
LONGEST_SPARE = 120.0
"""Seconds of it where Vault is slow. One that is slower still renews nothing: a token would be spent and not be kept."""
PATIENCE = 30.0
"""Seconds beyond the life of the longest claim for which a run waits for others."""
SILENCE = 5.0
"""Seconds of such waiting before it is told of."""
CLOCKS = 5.0
"""Seconds by which the clock of another machine may be behind ours: a claim is not over sooner."""
WRITES = 24
"""How often a new refresh token is tried to be written, about a minute long: it exists nowhere else."""
LONGEST_WRITING, LEAST_WRITES = 180.0, 3
"""Seconds after which no more attempt begins, where each of them takes long; but so many are made in any case."""


def login_again(connection: str, why: str) -> FailureError:
    """Make the failure that only a person can end."""
    return FailureError(
        Failure(
            kind=FailureKind.UNAUTHORIZED,
            message=f"the consent for the connection '{connection}' has ended: {why}",
            help=f"renew it: runner connections login {connection}",
        )
    )


def state(field: str, token: Token, host: str) -> dict[str, Any]:
    """Give the fields under which a token is stored."""
    return {
        **({field: token.refresh} if token.refresh else {}),
        "access_token": token.value,
        "obtained_at": _written(token.obtained_at),
        **({"expires_at": _written(token.expires_at)} if token.expires_at else {}),
        **({"scope": token.scope} if token.scope else {}),
        "token_host": host,
    }


class Stored:
    """The tokens behind the reference `auth.refresh_token`."""

    def __init__(self, config: Config, endpoint: Endpoint, means: Means, jitter: float) -> None:
        assert config.refresh_token is not None
        self._config = config
        self._endpoint = endpoint
        self._means = means
        self._jitter = jitter
        self._field = config.refresh_token.field
        self._me = secrets.token_hex(8)
        self._opened: Store | None = None

    @property
    def _store(self) -> Store:
        if self._opened is None:
            self._opened = self._means.store("refresh_token")
        return self._opened

    @property
    def _longest_claim(self) -> float:
        return self._means.timeout + LONGEST_SPARE

    async def obtain(self, refused: str | None) -> Token:
        """Give the stored token where it is fresh, else renew it, or wait for whoever is renewing it."""
        began = self._means.now()
        told = False
        seen: dict[str, float] = {}
        while True:
            fields, version = await self._read()
            token = self._usable(fields, refused)
            if token is not None:
                return token
            holder = self._holder(fields, seen)
            if holder is None:
                claimed = await self._claim(fields, version)
                if claimed is not None:
                    token = await self._renewed(fields, claimed)
                    if token is not None:
                        return token
            elif self._means.now() > began + self._longest_claim + PATIENCE:
                raise self._failure(
                    f"another run keeps renewing the tokens in '{self._store.label}' and does not end",
                    help="the field `claim` there says who and until when; runs that died with one are taken over",
                )
            elif not told and self._means.now() > began + SILENCE:
                told = True
                self._means.warn(f"another run is renewing the tokens in '{self._store.label}': waiting")
            await asyncio.sleep(0.05 + 0.1 * self._means.jitter())

    async def _read(self) -> tuple[dict[str, Any], int]:
        fields, version = await self._store.read()
        for name in (self._field, "access_token"):
            if isinstance(fields.get(name), str):
                self._means.register(fields[name], f"{self._store.label}#{name}")
        if not isinstance(fields.get(self._field), str) or not fields[self._field]:
            raise login_again(self._means.connection, f"'{self._store.label}' holds no field '{self._field}'")
        host = fields.get("token_host")
        if isinstance(host, str) and host != self._endpoint.host:
            raise self._failure(
                f"the tokens in '{self._store.label}' are from {host}, and `token_url` names {self._endpoint.host}",
                help=f"correct token_url, or get tokens from there: runner connections login {self._means.connection}",
            )
        dead = fields.get("dead")
        if isinstance(dead, Mapping) and dead.get("token") == _mark(fields[self._field]):
            raise login_again(self._means.connection, f"{dead.get('error')} (since {dead.get('since')})")
        return fields, version

    def _usable(self, fields: Mapping[str, Any], refused: str | None) -> Token | None:
        value = fields.get("access_token")
        if not isinstance(value, str) or not value or value == refused:
            return None
        expires = _seconds(fields.get("expires_at"))
        token = Token(value=value, obtained_at=_seconds(fields.get("obtained_at")) or 0.0, expires_at=expires)
        return token if token.fresh(self._means.now(), self._jitter) else None

    def _holder(self, fields: Mapping[str, Any], seen: dict[str, float]) -> str | None:
        """Say who is renewing; None where nobody is, or where they have had their time."""
        claim = fields.get("claim")
        if not isinstance(claim, Mapping):
            return None
        by, now = str(claim.get("by")), self._means.now()
        if by == self._me:
            return None
        # The end was written by the clock of another machine: our own clock bounds how long we believe it.
        since = seen.setdefault(f"{by} {claim.get('until')}", now)
        until = (_seconds(claim.get("until")) or 0.0) + CLOCKS
        over = now >= until or now >= since + self._longest_claim
        return None if over else by

    async def _claim(self, fields: Mapping[str, Any], version: int) -> int | None:
        """Claim the path for long enough, by the time that the claim itself takes; None where somebody else was first."""
        spare = SPARE
        while True:
            began = self._means.now()
            claimed = await self._claim_until(began + self._means.timeout + spare, fields, version)
            if claimed is None:
                return None
            took = self._means.now() - began
            # One part is gone, the new tokens take another, the third is for what goes wrong.
            if spare >= 3 * took:
                return claimed
            version, spare = claimed, 4 * took
            if spare > LONGEST_SPARE:
                plain = {name: item for name, item in fields.items() if name != "claim"}
                await self._let_go(plain, version)
                raise self._failure(
                    f"Vault took {took:.0f} s to write to '{self._store.label}': too slow to renew tokens there",
                    help="nothing was spent: try again when Vault is faster",
                )

    async def _claim_until(self, end: float, fields: Mapping[str, Any], version: int) -> int | None:
        until = _written(end)
        claimed = {**fields, "claim": {"by": self._me, "until": until}}
        try:
            return await self._store.write(claimed, version)
        except FailureError:
            # The answer may have been lost, and the claim be ours all the same.
            now, version = await self._store.read()
            claim = now.get("claim")
            if isinstance(claim, Mapping) and claim.get("by") == self._me and claim.get("until") == until:
                return version
            raise

    async def _renewed(self, fields: Mapping[str, Any], claimed: int) -> Token | None:
        """Trade the refresh token, under our claim; None where somebody changed the path meanwhile."""
        refresh = str(fields[self._field])
        plain = {name: item for name, item in fields.items() if name not in ("claim", "dead")}
        scope = self._config.scope if self._config.grant == REFRESH else ""
        asked = {"grant_type": "refresh_token", "refresh_token": refresh, "scope": scope}
        try:
            token = await self._endpoint.token(asked)
        except RefusedError as problem:
            if problem.code != "invalid_grant":
                await self._let_go(plain, claimed)
                raise
            said = problem.failure.message
            # Not the provider's own words: they may repeat what they were sent.
            why = f"the token endpoint at {self._endpoint.host} answered {problem.code}"
            dead = {"since": _written(self._means.now()), "error": why, "token": _mark(refresh)}
            if await self._let_go({**plain, "dead": dead}, claimed):
                raise login_again(self._means.connection, said) from None
            return None
        except FailureError:
            await self._let_go(plain, claimed)
            raise
        for name in ("expires_at", "access_token", "obtained_at"):
            plain.pop(name, None)
        made = {**plain, **state(self._field, token, self._endpoint.host)}
        return token if await self._keep(made, refresh, claimed) else None

    async def _keep(self, made: Mapping[str, Any], before: str, version: int) -> bool:
        """Write the new tokens, whatever it takes, also when our claim is over; False where others were stored meanwhile.

        A run that claims meanwhile has nothing but the old refresh token: its claim is written over, and it finds ours.
        """
        problem: FailureError | None = None
        began = self._means.now()
        for attempt in range(WRITES):
            if attempt >= LEAST_WRITES and self._means.now() > began + LONGEST_WRITING:
                break
            try:
                if attempt:
                    await asyncio.sleep(min(0.1 * 2**attempt, 3.0))
                    now, version = await self._store.read()
                    if now.get(self._field) == made[self._field] and "claim" not in now:
                        return True  # an earlier try did it, and its answer was lost
                    if now.get(self._field) != before:
                        return False
                if await self._store.write(made, version) is not None:
                    return True
            except FailureError as failed:
                problem = failed
                if attempt == 1:
                    self._means.warn(
                        f"the new tokens are not written to '{self._store.label}' yet, and exist nowhere else: trying again "
                        f"for a minute ({failed.failure.message})"
                    )
        told = problem.failure.message if problem else "others keep writing there"
        raise FailureError(
            Failure(
                kind=FailureKind.SECRET_UNAVAILABLE,
                message=f"the new tokens could not be written to '{self._store.label}': {told}",
                help=f"they are lost, and the old refresh token may be spent; see why Vault does not take them, then if runs fail from now on: runner connections login {self._means.connection}",
            )
        )

    async def _let_go(self, fields: Mapping[str, Any], version: int) -> bool:
        """Write the fields without our claim; False where it was lost. A claim that stays ends by itself."""
        try:
            return await self._store.write(fields, version) is not None
        except FailureError:
            return True

    def _failure(self, message: str, help: str | None = None) -> FailureError:
        return FailureError(Failure(kind=FailureKind.SECRET_UNAVAILABLE, message=message, help=help))


def _mark(refresh: str) -> str:
    """Tell one refresh token from the next, without keeping it: a dead mark is about one of them."""
    import hashlib

    return hashlib.sha256(refresh.encode()).hexdigest()[:16]


def _written(moment: float | None) -> str:
    return (
        datetime.fromtimestamp(moment or 0.0, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


def _seconds(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
