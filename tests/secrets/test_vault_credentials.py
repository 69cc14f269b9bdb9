"""Credentials for a login: where they come from, and what is wrong with them, without showing them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from runner import secret_ref
from runner.errors import SecretsError
from runner.secrets.vault import VaultSource
from runner.secrets.vault.credentials import BIGGEST_FILE, Credentials
from runner.secrets.vault.explain import VaultProblemError
from runner.source import whole_file


def problem_of(
    config: dict[str, Any], directory: Path, environ: dict[str, str] | None = None
) -> VaultProblemError:
    with pytest.raises(VaultProblemError) as caught:
        Credentials(environ or {}, directory).required(config, "token")
    assert caught.value.help
    assert caught.value.everywhere
    return caught.value


def test_the_line_break_at_the_end_of_a_file_goes_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b" two words \r\n")
    credentials = Credentials({}, tmp_path)

    assert credentials.required({"token_file": "t"}, "token") == " two words "
    assert credentials.known == {" two words "}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\xff\xfe\x00", "is not text"),
        (b"x" * (BIGGEST_FILE + 1), "is over 1 MiB"),
    ],
)
def test_files_that_hold_no_credential(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "t").write_bytes(content)

    problem = problem_of({"token_file": "t"}, tmp_path)

    assert problem.message == f"the file {tmp_path / 't'} of vault.auth.token_file {message}"


def test_a_directory_in_place_of_a_file(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory" in problem_of({"token_file": "."}, tmp_path).message


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "vault.auth.token is missing"),
        (
            {"token": "env://A", "token_file": "t"},
            "vault.auth.token and vault.auth.token_file are both given",
        ),
        ({"token": "typed-in-value"}, "vault.auth.token holds a typed-in value"),
        ({"token": "env://NONE"}, "the environment variable NONE of vault.auth.token is not set"),
        ({"token": "env://EMPTY"}, "the environment variable EMPTY of vault.auth.token is empty"),
    ],
)
def test_what_is_missing_or_too_much(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    assert problem_of(config, tmp_path, {"EMPTY": ""}).message == message


@pytest.mark.parametrize(
    ("config", "environ", "message"),
    [
        ({}, {}, "no Vault address is set"),
        (
            {"address": "vault.test"},
            {},
            "the Vault address 'vault.test' from vault.address in runner.yaml has no scheme",
        ),
        (
            {"auth": {"method": "userpass", "username": "../eve", "password": "env://P"}},
            {"VAULT_ADDR": "http://127.0.0.1:9", "P": "pw"},
            "vault.auth.username is no user name",
        ),
        (
            {"auth": {"method": "cert", "cert": "c.pem", "key": "k.pem"}},
            {"VAULT_ADDR": "http://127.0.0.1:9"},
            "the client certificate",
        ),
        (
            {"auth": {"method": "jwt", "role": "r"}},
            {
                "VAULT_ADDR": "http://127.0.0.1:9",
                "ACTIONS_ID_TOKEN_REQUEST_URL": "http://elsewhere.test/token",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
            },
            "ACTIONS_ID_TOKEN_REQUEST_URL is no https address",
        ),
        (
            {"auth": {"method": "jwt", "role": "r"}},
            {
                "VAULT_ADDR": "http://127.0.0.1:9",
                "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:9/token",
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
            },
            "GitHub Actions did not answer",
        ),
    ],
)
def test_wrong_settings_reach_the_user_as_one_problem(
    tmp_path: Path, config: dict[str, Any], environ: dict[str, str], message: str
) -> None:
    refs = [
        secret_ref.parse(text, whole_file("t.yaml")).resolve(user=None, environment=None, variables={})
        for text in ("vault://secret/a#b", "vault://secret/c#d")
    ]
    source = VaultSource(config, environ, warn=lambda _: None, directory=tmp_path)

    async def read() -> None:
        try:
            await source.read(refs)
        finally:
            await source.close()

    with pytest.raises(SecretsError) as caught:
        asyncio.run(read())

    (problem,) = caught.value.problems
    assert problem.message.startswith(message)
    assert problem.help
    assert problem.reference == "secret/a#b, secret/c#d"
