"""`method: cert`: the TLS client certificate of the connection itself."""

from collections.abc import Mapping
from typing import Any

from runner.errors import JsonObject
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.credentials import Credentials
from runner.secrets.vault.explain import VaultProblemError
from runner.secrets.vault.login import TEXT, Login, ask, from_answer

SCHEMA: JsonObject = {
    "properties": {
        "cert": {
            **TEXT,
            "description": "The client certificate (PEM), relative to the project. Default: VAULT_CLIENT_CERT.",
            "examples": ["client.pem"],
        },
        "key": {
            **TEXT,
            "description": "Its key (PEM), relative to the project. Default: VAULT_CLIENT_KEY.",
            "examples": ["client-key.pem"],
        },
        "name": {
            **TEXT,
            "description": "The role to try. Default: whichever accepts the certificate.",
            "examples": ["runner"],
        },
    },
    "dependentRequired": {"cert": ["key"], "key": ["cert"]},
}

ADVICE = (
    "is the certificate signed by the CA of a role in `vault list auth/cert/certs`, and within its dates?"
)


def log_in(client: VaultClient, config: Mapping[str, Any], credentials: Credentials) -> Login:
    """Log in. The certificate is already part of the connection: the settings took it from the same keys."""
    settings = client.settings
    if not settings.client_cert:
        raise VaultProblemError(
            "there is no client certificate to log in with: looked for vault.auth.cert and VAULT_CLIENT_CERT",
            help="set cert and key under vault.auth, or VAULT_CLIENT_CERT and VAULT_CLIENT_KEY",
            everywhere=True,
        )
    if not settings.address.startswith("https://"):
        raise VaultProblemError(
            f"the login by cert needs TLS, and {settings.address} has none",
            help=f"write an https address in {settings.address_from}",
            everywhere=True,
        )
    body = {"name": config["name"]} if config.get("name") else {}
    return from_answer(ask(client, config, "login", body, ADVICE), config, credentials)
