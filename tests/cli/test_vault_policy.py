"""`runner vault-policy` without a server: its text, to the letter, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.cli import main

BEARER = {"type": "bearer", "base_url": "https://example.com", "shared": True}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNNER_USER", raising=False)
    # Whoever asks Vault here fails.
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    connection(
        tmp_path, "tickets", "vault://secret/support/tickets#token", headers={"X": "vault://kv1/legacy#x"}
    )
    connection(tmp_path, "twin", "vault://secret/support/tickets?version=3#key")
    connection(tmp_path, "mine", "vault://secret/people/{{ user }}/desk#token", shared=False)
    connection(tmp_path, "local", "env://TOKEN")
    own = {"secrets": {"own": "vault://database/creds/ro#password"}}
    workflow(tmp_path, "report", "mine", **own)
    workflow(tmp_path, "sync", "tickets", "twin", "local")
    return tmp_path


def connection(root: Path, name: str, reference: str, **more: Any) -> None:
    write(root, f"connections.d/{name}.yaml", {**BEARER, "auth": {"token": reference}, **more})


def workflow(root: Path, name: str, *connections: str, **more: Any) -> None:
    actions = [
        {"id": f"a{number}", "connection": used, "request": {"path": "/"}}
        for number, used in enumerate(connections)
    ]
    write(root, f"workflows.d/{name}.yaml", {"actions": actions, **more})


def write(root: Path, path: str, value: Any) -> None:
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text(json.dumps(value), encoding="utf-8")


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["vault-policy", *arguments]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["vault-policy", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def rules(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("path ")]


WHOLE = """\
# The least Vault policy for every workflow and connection of the project
#
# A run needs beside this only what Vault's default policy allows, which a token has unless its role says
# otherwise: update auth/token/renew-self, auth/token/revoke-self and sys/leases/renew, read
# auth/token/lookup-self. To ask which engine is at a mount needs no rule (sys/internal/ui/mounts).
#
# Taken for KV version 2, since nothing says what it is: secret/. With vault.mounts in runner.yaml, or --vault, it is known.

# workflow report: secrets.own
path "database/creds/ro" {
  capabilities = ["read"]
}

# connection tickets: headers.X
path "kv1/legacy" {
  capabilities = ["read"]
}

# connection mine: auth.token
# + stands for any user: this token can read what belongs to all of them; --as USER names one
path "secret/data/people/+/desk" {
  capabilities = ["read"]
}

# connection tickets: auth.token
# connection twin: auth.token
path "secret/data/support/tickets" {
  capabilities = ["read"]
}
"""


def test_the_whole_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, "runner.yaml", {"vault": {"mounts": {"kv1": "kv1", "database/": "dynamic"}}})
    assert printed(capsys) == WHOLE


def test_a_named_workflow_and_user(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mounts = {"vault": {"mounts": {"secret": "kv2", "database": "dynamic"}}}
    write(project, "runner.yaml", {**mounts, "environments": {"eu": {}}})
    text = printed(capsys, "report", "--as", "ann", "--env", "eu")
    assert text.startswith(
        "# The least Vault policy for the workflow report and the connections used there (environment eu, user ann)\n"
    )
    assert rules(text) == ['path "database/creds/ro" {', 'path "secret/data/people/ann/desk" {']
    assert "Taken for" not in text
    assert "stands for any user" not in text


def test_workflows_in_any_order_and_twice(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = printed(capsys, "sync", "report")
    assert first == printed(capsys, "report", "workflows.d/sync.yaml", "sync")
    assert "the workflows report, sync and" in first
    assert len(rules(first)) == 4


def test_runner_user_counts(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNNER_USER", "bob")
    assert 'path "secret/data/people/bob/desk" {' in rules(printed(capsys))


def test_a_user_in_a_part_of_a_segment(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    connection(project, "mine", "vault://secret/team-{{ user }}/{{user}}#token", shared=False)
    assert 'path "secret/data/+/+" {' in rules(printed(capsys))
    assert 'path "secret/data/team-ann/ann" {' in rules(printed(capsys, "--as", "ann"))


def test_the_longest_mount_counts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, "runner.yaml", {"vault": {"mounts": {"secret": "kv1", "secret/support": "kv2"}}})
    assert rules(printed(capsys, "sync"))[1:] == ['path "secret/support/data/tickets" {']


@pytest.mark.parametrize(
    ("reference", "path", "remark"),
    [
        ("vault://s/a%2A#f", "s/data/a*", True),
        ("vault://s/%2B/b#f", "s/data/+/b", True),
        ("vault://s/%24%7Ba#f", "s/data/\\u0024{a", False),
        ("vault://s/a%2Ab/a+b#f", "s/data/a*b/a+b", False),
        ("vault://s/%C2%85%22%5C#f", 's/data/\\u0085\\"\\\\', False),
    ],
)
def test_characters_that_mean_something_in_policies(
    project: Path, capsys: pytest.CaptureFixture[str], reference: str, path: str, *, remark: bool
) -> None:
    connection(project, "tickets", reference)
    text = printed(capsys, "sync")
    assert f'path "{path}" {{' in rules(text)
    assert ("Vault has no escape" in text) is remark


def test_a_path_that_is_not_known_is_no_policy(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    connection(project, "twin", "vault://secret/{{ environment }}/{{ vars.team }}#key")
    write(project, "runner.yaml", {"environments": {"eu": {"vars": {"team": "a"}}, "us": {}}})
    told = refused(capsys)
    assert "connections.d/twin.yaml:1:" in told
    assert "choose one with --env: eu, us" in told
    assert 'path "secret/data/eu/a" {' in rules(printed(capsys, "--env", "eu"))
    assert "give vars.team a string in runner.yaml" in refused(capsys, "--env", "us")
    assert rules(printed(capsys, "report"))  # what it does not need is no matter


def test_what_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no workflow 'synk'" in refused(capsys, "synk")
    assert "'a/b' is not a user name" in refused(capsys, "--as", "a/b")


def test_a_project_with_errors_has_no_policy(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, "connections.d/broken.yaml", {**BEARER, "auth": {}})
    assert main(["vault-policy"]) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "connections.d/broken.yaml" in captured.err


def test_4_where_vault_is_asked_and_away(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "t")
    monkeypatch.setenv("VAULT_MAX_RETRIES", "0")
    assert main(["vault-policy", "--vault"]) == 4
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "refused the connection" in captured.err


def test_nothing_is_asked_where_nothing_refers_to_vault(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workflow(project, "alone", "local")
    assert "No reference to Vault" in printed(capsys, "alone", "--vault")
