"""The schema of `vault` in runner.yaml."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from runner import registry
from runner.secrets.vault.config_schema import CONFIG_SCHEMA

GOOD: list[dict[str, Any]] = [
    {"method": "token", "token": "env://MINE"},
    {"method": "token", "token_file": "token"},
    {"method": "approle", "role_id": "r", "secret_id": "env://SECRET_ID", "wrapped": True, "mount": "m"},
    {"method": "approle", "role_id": "env://ROLE", "secret_id_file": "f"},
    {"method": "jwt", "role": "r"},
    {"method": "jwt", "role": "r", "source": "github_actions", "audience": "https://vault.test"},
    {"method": "jwt", "role": "r", "source": "gitlab", "variable": "ID_TOKEN"},
    {"method": "kubernetes", "role": "r", "token_file": "/var/run/token"},
    {"method": "userpass", "username": "u", "password": "env://P"},
    {"method": "cert"},
    {"method": "cert", "cert": "c.pem", "key": "k.pem", "name": "n"},
]

BAD: list[tuple[dict[str, Any], str, list[str]]] = [
    ({}, "required", ["auth"]),
    ({"method": "ldap"}, "enum", ["auth", "method"]),
    ({"method": "token"}, "required", ["auth"]),
    ({"method": "token", "token": "s.typed-in"}, "pattern", ["auth", "token"]),
    ({"method": "token", "token": "env://A", "mount": "m"}, "additionalProperties", ["auth"]),
    ({"method": "approle", "role_id": "r", "secret_id": "typed in"}, "pattern", ["auth", "secret_id"]),
    ({"method": "approle", "secret_id": "env://S"}, "required", ["auth"]),
    ({"method": "jwt", "role": "r", "secret_id": "env://S"}, "additionalProperties", ["auth"]),
    ({"method": "userpass", "username": "u", "password": "typed in"}, "pattern", ["auth", "password"]),
    ({"method": "cert", "cert": "c.pem"}, "dependentRequired", ["auth"]),
]


def errors(config: dict[str, Any]) -> list[jsonschema.ValidationError]:
    return list(jsonschema.Draft202012Validator(CONFIG_SCHEMA).iter_errors(config))


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(CONFIG_SCHEMA)


@pytest.mark.parametrize("auth", GOOD)
def test_good_logins(auth: dict[str, Any]) -> None:
    assert errors({"auth": auth}) == []


@pytest.mark.parametrize(("auth", "keyword", "path"), BAD)
def test_a_mistake_gives_one_error_at_its_key(auth: dict[str, Any], keyword: str, path: list[str]) -> None:
    assert [(error.validator, list(error.path)) for error in errors({"auth": auth})] == [(keyword, path)]


def test_every_method_has_a_good_example_here() -> None:
    assert {auth["method"] for auth in GOOD} == set(registry.names("secrets.vault.login"))


def test_unknown_keys_and_mounts_are_refused() -> None:
    assert errors({"adress": "https://vault.test"})[0].validator == "additionalProperties"
    assert errors({"mounts": {"secret": "kv3"}})[0].validator == "enum"
    assert errors({"address": "https://vault.test", "namespace": "n", "mounts": {"secret": "kv2"}}) == []


def test_every_key_says_what_it_is() -> None:
    undescribed = [
        name
        for name, schema in properties(CONFIG_SCHEMA)
        if schema is not True and "description" not in schema
    ]

    assert undescribed == []


def properties(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        if "if" not in schema or "properties" in schema:
            yield from schema.get("properties", {}).items()
        for key, value in schema.items():
            if key != "if":
                yield from properties(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from properties(item)
