"""Ways to log in to Vault: one file per `vault.auth.method`, with its schema and what it does."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Protocol

from runner import registry
from runner.errors import JsonObject
from runner.frozen import dataclass
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.credentials import Credentials, header_safe
from runner.secrets.vault.explain import RefusedError, VaultProblemError

ENV_REFERENCE: JsonObject = {"type": "string", "pattern": "^env://[A-Za-z_][A-Za-z0-9_]*$"}
TEXT: JsonObject = {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A token and what is known of its life. `owned`: the run itself obtained it, and ends it."""

    token: str = field(repr=False)
    origin: str
    owned: bool
    ttl: float = 0.0
    renewable: bool = False


class Method(Protocol):
    """What each file of this folder holds."""

    SCHEMA: JsonObject
    """`properties`, `required` and conditions of `vault.auth`, without `method` and `mount`."""

    def log_in(self, client: VaultClient, config: Mapping[str, Any], credentials: Credentials) -> Login:
        """Log in, in a thread; raises VaultProblemError."""
        ...


def schema() -> JsonObject:
    """Compose the JSON Schema of `vault.auth`: one closed branch per method."""
    names = registry.names(__name__.removeprefix("runner."))
    branches = []
    for name in names:
        own: JsonObject = registry.load(__name__.removeprefix("runner."), name).SCHEMA
        properties: JsonObject = {"method": True, **own["properties"]}
        if name != "token":
            properties["mount"] = {
                **TEXT,
                "description": f"Where the method is mounted, as in `vault auth list`. Default: {name}.",
                "examples": [name],
            }
        branches.append(
            {
                "if": {"properties": {"method": {"const": name}}, "required": ["method"]},
                "then": {**own, "properties": properties, "additionalProperties": False},
            }
        )
    return {
        "type": "object",
        "description": "How to log in. Without it: VAULT_TOKEN, then the token file of Vault's command line.",
        "examples": [{"method": "jwt", "role": "runner"}],
        "required": ["method"],
        "properties": {
            "method": {
                "enum": list(names),
                "description": "The auth method; the other keys depend on it.",
                "examples": ["jwt"],
            }
        },
        "allOf": branches,
    }


def one_of(name: str) -> JsonObject:
    """Give the schema condition that `name` must stand there where `name_file` does not."""
    return {"if": {"not": {"required": [f"{name}_file"]}}, "then": {"required": [name]}}


def mount_of(config: Mapping[str, Any]) -> str:
    """Give the mount of the login method, as the API path wants it."""
    return str(config.get("mount") or config["method"]).strip("/")


def ask(
    client: VaultClient, config: Mapping[str, Any], path: str, body: Mapping[str, Any], advice: str
) -> JsonObject:
    """Send a login; raises VaultProblemError, with `advice` for credentials that Vault does not accept."""
    mount, method = mount_of(config), config["method"]
    try:
        return client.post(f"auth/{mount}/{path}", body)
    except RefusedError as refused:
        raise explain_login(client, refused, method=method, mount=mount, advice=advice) from None


def explain_login(
    client: VaultClient, refused: RefusedError, *, method: str, mount: str, advice: str
) -> VaultProblemError:
    """Explain why a login was refused."""
    said = refused.said
    if "no handler for route" in said or (refused.status == 404 and not said):
        return VaultProblemError(
            f"Vault has no auth method mounted at '{mount}'",
            help=f"set vault.auth.mount to its path (vault auth list), or enable it: vault auth enable {method}",
            everywhere=True,
        )
    if refused.status == 403 and said == "permission denied":
        # Vault says the same for a mount that does not exist, a locked user and a refused source address.
        return VaultProblemError(
            f"Vault refused the login by {method} at '{mount}': permission denied",
            help=f"is there an auth method at '{mount}' (vault auth list), in this namespace? {advice}",
            everywhere=True,
        )
    if refused.status in {400, 401, 403} and "HTTPS server" not in said:
        return VaultProblemError(
            f"Vault refused the login by {method} at '{mount}': {said or refused.status}",
            help=advice,
            everywhere=True,
        )
    if refused.status == 500 and said:
        return VaultProblemError(
            f"the auth method {method} at '{mount}' failed inside Vault: {said}",
            help=f"its configuration may be incomplete (vault read auth/{mount}/config)",
            everywhere=True,
        )
    return client.explain(refused)


def from_answer(answer: Mapping[str, Any], config: Mapping[str, Any], credentials: Credentials) -> Login:
    """Take the token out of the answer to a login."""
    auth = answer.get("auth")
    if (
        not isinstance(auth, dict)
        or not isinstance(auth.get("client_token"), str)
        or not auth["client_token"]
    ):
        method = config["method"]
        second = isinstance(auth, dict) and auth.get("mfa_requirement")
        raise VaultProblemError(
            f"the login by {method} gave no token" + (": Vault asks for a second factor" if second else ""),
            help="use a login that works without a person, for example approle or jwt",
            everywhere=True,
        )
    origin = f"the login by {config['method']}"
    token = credentials.learn(header_safe(auth["client_token"], origin), "Vault token")
    ttl = auth.get("lease_duration")
    return Login(
        token=token,
        origin=origin,
        owned=True,
        ttl=float(ttl) if isinstance(ttl, int | float) else 0.0,
        renewable=auth.get("renewable") is True,
    )
