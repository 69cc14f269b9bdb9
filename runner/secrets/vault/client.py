"""The questions that are put to Vault, on hvac. Safe for threads; opened at the first question."""

import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from runner.errors import JsonObject
from runner.secrets.vault.explain import RefusedError, VaultProblemError, general
from runner.secrets.vault.settings import VaultSettings

FAREWELL = 4.0
"""Seconds that the last question, the revocation of the token, may take."""


class VaultClient:
    """One Vault, with one token at a time. Every method raises RefusedError or VaultProblemError."""

    def __init__(self, settings: VaultSettings, stop: threading.Event) -> None:
        from runner.secrets.vault.transport import open_client

        self.settings = settings
        self._hvac = open_client(settings, stop)

    def use(self, token: str) -> None:
        """Send this token from now on. Requests under way keep the one they began with."""
        self._hvac.token = token

    def get(self, path: str, **params: str) -> JsonObject:
        """Read an API path, without its leading `/v1/`."""
        return self._mapping(self._hvac.adapter.get(f"/v1/{quote(path)}", params=params or None))

    def post(
        self, path: str, body: Mapping[str, Any], *, token: str | None = None, repeat: bool = True
    ) -> JsonObject:
        """Write to an API path; `token` stands in for the client's own, `repeat=False` never sends twice."""
        return self._mapping(
            self._hvac.adapter.post(f"/v1/{quote(path)}", json=dict(body), token=token, repeat=repeat)
        )

    def delete(self, path: str) -> None:
        """Delete at an API path."""
        self._hvac.adapter.delete(f"/v1/{quote(path)}")

    def mount_of(self, path: str) -> JsonObject:
        """Ask which engine is mounted above a path: `path`, `type`, `options`."""
        answer = self.get(f"sys/internal/ui/mounts/{path}")
        data = answer.get("data")
        if not isinstance(data, dict) or not data.get("path"):
            raise RefusedError(200, body=answer)  # JSON of something else that answers there
        return data

    def read_kv1(self, mount: str, path: str) -> JsonObject:
        """Read from a KV engine without versions."""
        return self._mapping(self._hvac.secrets.kv.v1.read_secret(path, mount_point=mount))

    def read_kv2(self, mount: str, path: str, version: int | None) -> JsonObject:
        """Read from a KV engine with versions; a deleted version is a refusal whose body says when."""
        return self._mapping(
            self._hvac.secrets.kv.v2.read_secret_version(
                path, mount_point=mount, version=version, raise_on_deleted_version=True
            )
        )

    def lookup_self(self) -> JsonObject:
        """Ask what the token is: `ttl`, `renewable`, `policies`."""
        data = self._mapping(self._hvac.auth.token.lookup_self()).get("data")
        return data if isinstance(data, dict) else {}

    def renew_self(self) -> JsonObject:
        """Renew the token; the answer's `auth` tells for how long."""
        return self._mapping(self._hvac.auth.token.renew_self())

    def renew_lease(self, lease_id: str, increment: int) -> JsonObject:
        """Renew a lease; the answer tells for how long."""
        return self._mapping(self._hvac.sys.renew_lease(lease_id, increment=increment))

    def revoke(self, token: str) -> None:
        """End a token, and with it everything that was leased to it. Sent once, with little patience."""
        self._hvac.adapter.post("/v1/auth/token/revoke-self", token=token, repeat=False, timeout=FAREWELL)

    def explain(self, refused: RefusedError) -> VaultProblemError:
        """Explain a refusal that has nothing to do with one secret; asks an ailing server for its state."""
        health = None
        if refused.status in {501, 503}:
            try:
                health = self.get("sys/health", sealedcode="200", uninitcode="200", standbyok="true")
            except (RefusedError, VaultProblemError):
                health = None
        return general(self.settings, refused, health)

    def close(self) -> None:
        """Give the connections back."""
        self._hvac.adapter.close()

    @staticmethod
    def _mapping(answer: Any) -> JsonObject:
        return answer if isinstance(answer, dict) else {}
