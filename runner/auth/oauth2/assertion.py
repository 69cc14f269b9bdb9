"""Signed assertions: as a grant of their own, and as a client's proof of itself (RFC 7521, RFC 7523)."""

import json
import uuid
from typing import Any

from runner.auth import FieldError, Means
from runner.auth.oauth2.fields import Config
from runner.keys import KeyProblemError, Signer

LIFETIME = 180
"""Seconds that an assertion is valid: it is used once and at once. Salesforce takes no longer one."""


class Assertions:
    """Signs with the private key of a connection: PEM text, or the JSON file of a Google service account."""

    def __init__(self, config: Config, key: str, means: Means) -> None:
        self._config = config
        self._means = means
        self._account = _account(key)
        pem = self._account.get("private_key", key)
        if self._account:
            means.register(pem, "a private key")
        try:
            self._signer = Signer(pem, config.algorithm)
        except KeyProblemError as problem:
            raise FieldError("private_key", problem.message, help=problem.help) from None

    def of_grant(self, client_id: str, token_url: str) -> str:
        """Sign the assertion that is traded for a token."""
        config, means = self._config, self._means
        issuer = (
            means.text(config.issuer) if config.issuer else client_id or self._account.get("client_email")
        )
        if not issuer:
            raise FieldError(
                "private_key",
                "does not say whose it is",
                help="write `issuer` (or `client_id`): who signs, as the provider knows it",
            )
        claims: dict[str, Any] = {
            "iss": issuer,
            "aud": means.text(config.audience) if config.audience else token_url,
            **({"sub": means.text(config.subject)} if config.subject else {}),
            **({"scope": config.scope} if config.scopes else {}),
            **{name: means.text(item) for name, item in config.claims.items()},
        }
        return self._signed(claims)

    def of_client(self, client_id: str) -> str:
        """Sign the assertion by which a client proves itself (RFC 7523, 2.2)."""
        url = self._means.text(self._config.token_url).strip()
        return self._signed({"iss": client_id, "sub": client_id, "aud": url})

    def _signed(self, claims: dict[str, Any]) -> str:
        now = int(self._means.now())
        key_id = self._config.key_id or self._account.get("private_key_id")
        made = {"iat": now, "exp": now + LIFETIME, "jti": uuid.uuid4().hex, **claims}
        signed = self._signer.sign(made, {"kid": key_id} if key_id else None)
        self._means.register(signed, "a signed assertion")
        return signed


def _account(key: str) -> dict[str, str]:
    """Read the JSON file of a service account; empty for what is none. Raises FieldError for JSON without a key."""
    if not key.lstrip().startswith("{"):
        return {}
    try:
        data = json.loads(key)
    except ValueError:
        raise FieldError(
            "private_key",
            "begins as JSON and is none",
            help="store the whole file of the service account, unchanged: vault kv put PATH FIELD=@file.json",
        ) from None
    if not isinstance(data.get("private_key"), str):
        names = ", ".join(sorted(str(name)[:40] for name in data)[:12])
        raise FieldError(
            "private_key",
            f"is JSON without the field 'private_key'; it has: {names}",
            help="store the key file of a service account, not the file of an OAuth client",
        )
    return {name: item for name, item in data.items() if isinstance(item, str)}
