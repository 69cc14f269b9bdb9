"""`method: userpass`: a user name and a password."""

from collections.abc import Mapping
from typing import Any

from runner.errors import JsonObject
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.credentials import Credentials
from runner.secrets.vault.explain import VaultProblemError
from runner.secrets.vault.login import ENV_REFERENCE, TEXT, Login, ask, from_answer, one_of

SCHEMA: JsonObject = {
    "properties": {
        "username": {**TEXT, "description": "The user name, or env://NAME.", "examples": ["runner"]},
        "password": {
            **ENV_REFERENCE,
            "description": "The environment variable with the password: env://NAME.",
            "examples": ["env://VAULT_PASSWORD"],
        },
        "password_file": {
            **TEXT,
            "description": "The file with the password, relative to the project.",
            "examples": ["/run/secrets/vault-password"],
        },
    },
    "required": ["username"],
    **one_of("password"),
}

ADVICE = "check user name and password; after several wrong passwords Vault locks a user for some minutes"


def log_in(client: VaultClient, config: Mapping[str, Any], credentials: Credentials) -> Login:
    """Log in with user name and password."""
    username = credentials.text(str(config["username"]), "vault.auth.username").strip()
    if not username or "/" in username or username in {".", ".."}:
        raise VaultProblemError(
            "vault.auth.username is no user name", help="write it without slashes", everywhere=True
        )
    body = {"password": credentials.required(config, "password")}
    return from_answer(ask(client, config, f"login/{username}", body, ADVICE), config, credentials)
