"""`method: token`: a token that somebody else obtained. It is used, renewed, never revoked."""

from collections.abc import Mapping
from typing import Any

from runner.errors import JsonObject
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.credentials import Credentials, header_safe
from runner.secrets.vault.login import ENV_REFERENCE, TEXT, Login, one_of

SCHEMA: JsonObject = {
    "properties": {
        "token": {
            **ENV_REFERENCE,
            "description": "The environment variable with the token: env://NAME.",
            "examples": ["env://RUNNER_VAULT_TOKEN"],
        },
        "token_file": {
            **TEXT,
            "description": "The file with the token, relative to the project.",
            "examples": ["/run/vault-agent/token"],
        },
    },
    **one_of("token"),
}


def log_in(
    client: VaultClient,  # noqa: ARG001 - as every method
    config: Mapping[str, Any],
    credentials: Credentials,
) -> Login:
    """Take the token that the file names."""
    origin = str(config.get("token") or config.get("token_file") or "vault.auth.token").removeprefix("env://")
    token = credentials.required(config, "token")
    return Login(
        token=credentials.learn(header_safe(token, origin), f"Vault token ({origin})"),
        origin=origin,
        owned=False,
    )
