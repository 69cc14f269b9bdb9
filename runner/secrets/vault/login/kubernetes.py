"""`method: kubernetes`: the service account of the pod."""

from collections.abc import Mapping
from typing import Any

from runner.errors import JsonObject
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.credentials import Credentials, header_safe
from runner.secrets.vault.login import TEXT, Login, ask, from_answer

SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/token"

SCHEMA: JsonObject = {
    "properties": {
        "role": {**TEXT, "description": "The role of the auth method.", "examples": ["runner"]},
        "token_file": {
            **TEXT,
            "description": f"The file with the service account's token. Default: {SERVICE_ACCOUNT}.",
            "examples": ["/var/run/secrets/tokens/vault"],
        },
    },
    "required": ["role"],
}

ADVICE = "compare the role's bound_service_account_names and _namespaces with the service account of the pod"


def log_in(client: VaultClient, config: Mapping[str, Any], credentials: Credentials) -> Login:
    """Log in as the service account. The file is read each time: Kubernetes replaces it while a pod runs."""
    token = credentials.required({"token_file": config.get("token_file") or SERVICE_ACCOUNT}, "token")
    jwt = credentials.learn(header_safe(token, "vault.auth.token_file"), "Kubernetes token")
    return from_answer(
        ask(client, config, "login", {"role": config["role"], "jwt": jwt}, ADVICE), config, credentials
    )
