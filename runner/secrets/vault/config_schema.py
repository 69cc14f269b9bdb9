"""The JSON Schema of `vault` in runner.yaml, composed from the login methods. Imports nothing heavy."""

from runner.errors import JsonObject
from runner.secrets.vault import login

CONFIG_SCHEMA: JsonObject = {
    "type": "object",
    "description": "How to reach Vault and to log in. The VAULT_* variables of Vault's command line win over it.",
    "examples": [{"address": "https://vault.example.com:8200", "auth": {"method": "jwt", "role": "runner"}}],
    "additionalProperties": False,
    "properties": {
        "address": {
            "type": "string",
            "minLength": 1,
            "description": "The address, as https://HOST:PORT. VAULT_ADDR wins over it.",
            "examples": ["https://vault.example.com:8200"],
        },
        "namespace": {
            "type": "string",
            "minLength": 1,
            "description": "The namespace (OpenBao, Vault Enterprise). VAULT_NAMESPACE wins over it.",
            "examples": ["team-a"],
        },
        "ca_cert": {
            "type": "string",
            "minLength": 1,
            "description": "The CA of Vault's certificate: a PEM file, relative to the project. VAULT_CACERT wins over it.",
            "examples": ["vault-ca.pem"],
        },
        "mounts": {
            "type": "object",
            "description": "Which engine is at which mount, for a token that may not ask Vault for it.",
            "examples": [{"secret": "kv2", "database": "dynamic"}],
            "additionalProperties": {
                "enum": ["kv1", "kv2", "dynamic"],
                "description": "KV without versions, KV with versions, or an engine that makes credentials.",
            },
        },
        "auth": login.schema(),
    },
}
