"""A run with its secrets in a real Vault, from outside."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import TOKEN, Program, free_of
from tests.servers.http import Server
from tests.servers.openbao import OpenBao


@pytest.fixture(scope="module")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with OpenBao.development(tmp_path_factory.mktemp("openbao")) as running:
        running.ask("POST", "secret/data/app", {"data": {"token": TOKEN}})
        yield running


@pytest.fixture
def vaulted(tmp_path: Path, server: Server, openbao: OpenBao) -> Program:
    """A project whose token is in Vault, with a workflow that the server answers only to that token."""
    made = Program(
        tmp_path, {"PATH": os.defpath, "VAULT_ADDR": openbao.address, "VAULT_TOKEN": openbao.root_token}
    )
    made.connection(server.url, reference="vault://secret/app#token")
    made.workflow(
        f"id: ask, connection: api, request: {{path: /bearer/{TOKEN}}}",
        more='outputs: {known: "{{ actions.ask.output.authenticated }}"}\n',
    )
    return made


def test_a_run_reads_its_secret_and_shows_it_nowhere(
    vaulted: Program, server: Server, openbao: OpenBao
) -> None:
    vaulted.workflow("id: ask, connection: api, request: {path: /body/json}")
    ended = vaulted.run("run", "job", "-vv", "--report", "json=run.json")
    assert ended.code == 0, ended.err
    assert server.requests[0].header("Authorization") == f"Bearer {TOKEN}"
    report = (vaulted.directory / "run.json").read_text()
    assert free_of([TOKEN, openbao.root_token], ended.out, ended.err, report)


def test_connections_test(vaulted: Program) -> None:
    vaulted.write("connections.d/none.yaml", "type: none\nbase_url: https://example.com\nshared: true\n")
    ended = vaulted.run("connections", "test", "--all")
    assert ended.code == 0, ended.out + ended.err
    assert "ok                api" in ended.out
    assert "no test endpoint  none" in ended.out
    assert vaulted.run("connections", "test", "none").code == 1


@pytest.mark.parametrize(
    ("reference", "token", "told"),
    [
        ("vault://secret/app#tokn", None, "token"),
        ("vault://secret/nowhere#token", None, "secret/nowhere"),
        ("vault://secret/app#token", "wrong-wrong-wrong", ""),
    ],
)
def test_4_what_vault_does_not_give(
    vaulted: Program, server: Server, reference: str, token: str | None, told: str
) -> None:
    vaulted.connection(server.url, reference=reference)
    ended = vaulted.run("run", "job", **({"VAULT_TOKEN": token} if token else {}))
    assert ended.code == 4
    assert "--> connections.d/api.yaml:4:" in ended.err
    assert "= help: " in ended.err
    assert told in ended.err
    assert server.requests == ()


def test_validate_and_plan_never_ask_vault(vaulted: Program) -> None:
    for command in (("validate",), ("plan", "job", "--format", "json")):
        ended = vaulted.run(*command, VAULT_ADDR="http://127.0.0.1:1")
        assert (ended.code, ended.err) == (0, "")
        assert json.loads(ended.out)["format"] == "runner.d/plan/1" if "plan" in command else ended.out
