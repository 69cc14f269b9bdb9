"""`method: approle`: a role id and a secret id, for machines. The secret id may come wrapped, to be opened once."""

from collections.abc import Mapping
from typing import Any

from runner.errors import JsonObject
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.credentials import Credentials, header_safe
from runner.secrets.vault.explain import RefusedError, VaultProblemError
from runner.secrets.vault.login import ENV_REFERENCE, TEXT, Login, ask, from_answer, mount_of, one_of

SCHEMA: JsonObject = {
    "properties": {
        "role_id": {
            **TEXT,
            "description": "The role id, or env://NAME. It is a name, not a secret.",
            "examples": ["7d2f6a0c-6a5d-4b58-9a43-0c2f1d9b8e77"],
        },
        "secret_id": {
            **ENV_REFERENCE,
            "description": "The environment variable with the secret id: env://NAME.",
            "examples": ["env://VAULT_SECRET_ID"],
        },
        "secret_id_file": {
            **TEXT,
            "description": "The file with the secret id, relative to the project.",
            "examples": ["/run/credentials/runner.service/secret_id"],
        },
        "wrapped": {
            "type": "boolean",
            "description": "The secret id is a response-wrapping token, which is opened first. Default: false.",
            "examples": [True],
        },
    },
    "required": ["role_id"],
    **one_of("secret_id"),
}

ADVICE = (
    "the role id is wrong, or the secret id is wrong, expired or used up; make a new one: "
    "vault write -f auth/{mount}/role/ROLE/secret-id"
)


def log_in(client: VaultClient, config: Mapping[str, Any], credentials: Credentials) -> Login:
    """Log in with role id and secret id."""
    role_id = credentials.text(str(config["role_id"]), "vault.auth.role_id")
    mount = mount_of(config)
    if config.get("wrapped"):
        # A second login of the same run uses the secret id that the first one unwrapped.
        secret_id = credentials.kept.get("secret_id") or _unwrap(client, config, credentials, mount)
    else:
        secret_id = credentials.learn(
            credentials.required(config, "secret_id").strip(), "vault.auth.secret_id"
        )
    body = {"role_id": role_id.strip(), "secret_id": secret_id}
    return from_answer(ask(client, config, "login", body, ADVICE.format(mount=mount)), config, credentials)


def _unwrap(client: VaultClient, config: Mapping[str, Any], credentials: Credentials, mount: str) -> str:
    wrapping = header_safe(credentials.required(config, "secret_id"), "vault.auth.secret_id")
    credentials.learn(wrapping, "vault.auth.secret_id")
    _check_origin(client, wrapping, mount)
    try:
        # Sent once: an answer that was lost on its way cannot be had again.
        answer = client.post("sys/wrapping/unwrap", {}, token=wrapping, repeat=False)
    except RefusedError as refused:
        raise _not_unwrapped(client, refused) from None
    data = answer.get("data")
    secret_id = data.get("secret_id") if isinstance(data, dict) else None
    if not isinstance(secret_id, str) or not secret_id:
        raise VaultProblemError(
            "the wrapping token in vault.auth.secret_id does not hold a secret id",
            help=f"wrap one: vault write -wrap-ttl=5m -f auth/{mount}/role/ROLE/secret-id",
            everywhere=True,
        )
    credentials.kept["secret_id"] = credentials.learn(secret_id, "vault.auth.secret_id")
    return secret_id


def _check_origin(client: VaultClient, wrapping: str, mount: str) -> None:
    """Make sure that the wrapping was made by this role: somebody could have opened it and wrapped another value."""
    try:
        data = client.post("sys/wrapping/lookup", {"token": wrapping}).get("data")
    except RefusedError as refused:
        raise _not_unwrapped(client, refused) from None
    made_by = str(data.get("creation_path", "")) if isinstance(data, dict) else ""
    parts = made_by.removeprefix(f"auth/{mount}/role/").split("/")
    if not made_by.startswith(f"auth/{mount}/role/") or len(parts) != 2 or parts[1] != "secret-id":
        raise VaultProblemError(
            "the wrapping token in vault.auth.secret_id was not made by this AppRole: it may have been opened and "
            "replaced on its way",
            help=f"it was not opened. Expected auth/{mount}/role/ROLE/secret-id as its origin; find out who made it",
            everywhere=True,
        )


def _not_unwrapped(client: VaultClient, refused: RefusedError) -> VaultProblemError:
    if refused.status not in {400, 403, 404} or "HTTPS server" in refused.said:
        return client.explain(refused)
    return VaultProblemError(
        "the wrapping token in vault.auth.secret_id is not valid: it has expired, or was already unwrapped",
        help="if nobody of you unwrapped it, somebody intercepted the secret id: revoke it, then make a new one",
        everywhere=True,
    )
