"""`runner validate --vault`: what is proven of references on a real server, and that no value is read for it."""

import json
import os
from typing import Any

import pytest

from runner.cli.vault_proof import RULES
from tests.e2e.program import Ended, Program
from tests.integration import vault_stub
from tests.integration.broker import Broker
from tests.integration.vault_workspace import APPROLE, Workspace, accessors, enable
from tests.servers.http import Server, reply

ONLY = [word for rule in RULES for word in ("--rule", rule)]
VALUE = "the-value-that-nobody-reads"


@pytest.fixture
def project(vault: Workspace) -> Program:
    vault.put("secret/app", {"token": VALUE, "other": VALUE, "object": {"inner": VALUE}})
    vault.policy("names", "secret/subkeys/*")
    vault.policy("both", "secret/subkeys/*", "secret/data/*")
    return Program(vault.directory / "project", {"PATH": os.defpath, **vault.environ()})


def connect(project: Program, *references: str, more: str = "") -> None:
    """Write a connection for each reference, c0, c1, ...; the reference begins at line 4, column 15."""
    for number, reference in enumerate(references):
        project.write(
            f"connections.d/c{number}.yaml",
            f"type: bearer\nbase_url: https://example.com\nshared: true\nauth: {{token: '{reference}'}}\n{more}",
        )


def proven(project: Program, token: str, *arguments: str, code: int = 0, **environ: str) -> list[str]:
    """Validate with a token; gives `file:line:column rule severity`, and shows no value."""
    return [
        f"{item['file'].removeprefix('connections.d/')}:{item['line']}:{item['column']} {item['severity']} {item['rule']}"
        for item in found(project, token, *arguments, code=code, **environ)
    ]


def found(project: Program, token: str, *arguments: str, code: int = 0, **environ: str) -> list[Any]:
    ended = project.run("validate", "--vault", "--format", "json", *arguments, VAULT_TOKEN=token, **environ)
    assert ended.code == code, ended.out + ended.err
    assert VALUE not in ended.out + ended.err
    return [item for item in json.loads(ended.out)["diagnostics"] if item["rule"] in RULES]


def told(project: Program, token: str, *arguments: str) -> Ended:
    return project.run("validate", "--vault", *arguments, VAULT_TOKEN=token)


def test_what_exists_and_may_be_read_is_proven(project: Program, vault: Workspace) -> None:
    connect(project, "vault://secret/app#token", "vault://secret/app#other")
    ended = told(project, vault.token("both"), "-v", *ONLY)
    assert (ended.code, ended.out) == (0, "no errors in 2 files\n")
    assert ended.err == (
        "secret/app#other: exists with this field; may be read\n"
        "secret/app#token: exists with this field; may be read\n"
    )


def test_every_finding_is_told_at_its_place(project: Program, vault: Workspace) -> None:
    for _ in range(2):
        vault.put("secret/old", {"token": VALUE})
    vault.put("secret/gone", {"token": VALUE})
    vault.ask("DELETE", "secret/data/gone")
    vault.put("secret/closed", {"token": VALUE})
    vault.policy("closed", "secret/data/closed:deny")
    connect(
        project,
        "vault://secret/app#tokn",
        "vault://secret/apq#token",
        "vault://secret/gone#token",
        "vault://secret/old?version=1#token",
        "vault://secret/old?version=9#token",
        "vault://secret/closed#token",
        "vault://nowhere/app#token",
        "vault://secret/app#object",
        "vault://secret/app#token",
    )
    project.write(
        "workflows.d/job.yaml",
        "secrets: {mine: 'vault://secret/app#missing'}\nactions: [{id: a, set: {x: '{{ secrets.mine }}'}, sensitive: true}]\n",
    )
    items = found(project, vault.token("both", "closed"), code=3)
    assert [
        (item["file"].rpartition("/")[2], item["line"], item["column"], item["rule"]) for item in items
    ] == [
        ("c0.yaml", 4, 15, "secret-field-missing"),
        ("c1.yaml", 4, 15, "secret-not-found"),
        ("c2.yaml", 4, 15, "secret-not-found"),
        ("c3.yaml", 4, 15, "secret-version-old"),
        ("c4.yaml", 4, 15, "secret-not-found"),
        ("c5.yaml", 4, 15, "secret-not-readable"),
        ("c6.yaml", 4, 15, "secret-not-readable"),
        ("c7.yaml", 4, 15, "secret-not-readable"),
        ("job.yaml", 1, 17, "secret-field-missing"),
    ]
    message = [item["message"] for item in items]
    assert message[0] == "'secret/app' has no field 'tokn'; it has: object, other, token"
    assert items[0]["help"] == "did you mean 'token'?"
    assert message[1] == "nothing is stored at 'secret/apq'"
    assert message[2].startswith("version 1 of 'secret/gone' was deleted at ")
    assert message[3] == "pinned to version 1 of 'secret/old', the newest is 2"
    assert items[3]["severity"] == "warning"
    assert message[4] == "'secret/old' has no version 9; the newest is 2"
    assert message[5] == "the policies of the token do not allow to read 'secret/data/closed'"
    assert items[5]["help"] == 'add to one of them: path "secret/data/closed" { capabilities = ["read"] }'
    assert message[6].startswith("Vault has no secrets engine at 'nowhere/'")
    assert message[7] == "the field 'object' of 'secret/app' is an object, not a string"


def test_a_newest_version_that_is_deleted_still_counts(project: Program, vault: Workspace) -> None:
    for _ in range(2):
        vault.put("secret/old", {"token": VALUE})
    vault.ask("DELETE", "secret/data/old")
    connect(project, "vault://secret/old?version=1#token")
    assert proven(project, vault.token("both")) == ["c0.yaml:4:15 warning secret-version-old"]
    assert proven(project, vault.token("both"), *ONLY, "--fail-on", "warning", code=3)
    vault.ask("PUT", "secret/destroy/old", {"versions": [1]})
    assert proven(project, vault.token("both"), code=3) == ["c0.yaml:4:15 error secret-not-found"]


def test_a_token_for_names_alone_proves_names_and_a_note_limits_it(
    project: Program, vault: Workspace
) -> None:
    connect(project, "vault://secret/app#token", "vault://secret/app#tokn", "vault://secret/apq#token")
    token = vault.token("names")
    assert proven(project, token, code=3) == [
        "c1.yaml:4:15 error secret-field-missing",
        "c2.yaml:4:15 error secret-not-found",
    ]
    connect(project, *["vault://secret/app#token"] * 3)
    ended = told(project, token, *ONLY, "--fail-on", "warning")
    assert (ended.code, ended.out) == (0, "no errors in 3 files\n")
    assert ended.err == (
        "note: the token may ask for names of fields and read no value: that a run may read the secrets is not proven\n"
    )


def test_the_token_of_a_run_that_may_not_ask_for_names(project: Program, vault: Workspace) -> None:
    connect(project, "vault://secret/app#token")
    (item,) = found(project, vault.token("reader"))
    assert (item["rule"], item["severity"]) == ("secret-unproven", "warning")
    assert item["help"].endswith('path "secret/subkeys/app" { capabilities = ["read"] }')


def test_a_token_that_may_do_nothing_there(project: Program, vault: Workspace) -> None:
    vault.put("secret/elsewhere", {"a": VALUE})
    vault.policy("elsewhere", "secret/data/elsewhere")
    connect(project, "vault://secret/app#token")
    (item,) = found(project, vault.token("elsewhere"), code=3)
    assert item["rule"] == "secret-not-readable"


def test_a_token_without_the_default_policy(project: Program, vault: Workspace) -> None:
    connect(project, "vault://secret/app#token", "vault://secret/app#tokn")
    token = vault.token("both", no_default_policy=True)
    ended = told(project, token)
    assert ended.code == 3
    assert "note: the token may not ask what it may do (sys/capabilities-self" in ended.err
    assert "error[secret-field-missing]" in ended.out
    connect(project, *["vault://secret/app#token"] * 2)
    reader = vault.token("reader", no_default_policy=True)
    assert proven(project, reader) == [f"c{number}.yaml:4:15 warning secret-unproven" for number in range(2)]


def test_engines_without_names_are_judged_by_capabilities(project: Program, vault: Workspace) -> None:
    vault.mount("old", "kv1")
    vault.mount("rabbitmq", "rabbitmq")
    vault.ask("POST", "old/app", {"token": VALUE})
    vault.policy("plain", "old/app", "rabbitmq/creds/role")
    connect(project, "vault://old/app#token", "vault://rabbitmq/creds/role#password")
    with Broker(vault, ttl=3600) as broker:
        ended = told(project, vault.token("plain"), "-v", *ONLY)
        assert broker.users == {}
    assert (ended.code, ended.out) == (0, "no errors in 2 files\n")
    assert (
        "old/app#token: may be read; that it exists with this field is not proven: the engine at 'old/'"
        in ended.err
    )
    assert "rabbitmq/creds/role#password: may be read; that it exists" in ended.err

    connect(project, "vault://old/other#token", "vault://rabbitmq/creds/other#password")
    assert proven(project, vault.token("plain"), code=3) == [
        "c0.yaml:4:15 error secret-not-readable",
        "c1.yaml:4:15 error secret-not-readable",
    ]
    connect(project, "vault://old/app?version=2#token", "vault://secret/app#token")
    assert proven(project, vault.token("plain", "both"), code=3) == ["c0.yaml:4:15 error secret-not-found"]
    # Beside a token for names a path without names cannot be judged at all.
    connect(project, "vault://old/app#token", "vault://secret/app#token")
    vault.policy("beside", "old/elsewhere")
    assert proven(project, vault.token("names", "beside")) == ["c0.yaml:4:15 warning secret-unproven"]


def test_a_path_below_a_personal_placeholder(project: Program, vault: Workspace) -> None:
    vault.put("secret/people/ann", {"token": VALUE})
    project.write(
        "connections.d/mine.yaml",
        "type: bearer\nbase_url: https://example.com\nauth: {token: 'vault://secret/people/{{ user }}#token'}\n",
    )
    token = vault.token("both")
    (item,) = found(project, token)
    assert (item["rule"], item["help"]) == ("secret-unproven", "name the user with --as USER or RUNNER_USER")
    assert found(project, token, "--as", "ann") == []
    assert [item["rule"] for item in found(project, token, code=3, RUNNER_USER="bob")] == ["secret-not-found"]
    assert told(project, token, "--as", "../ann").code == 2
    assert project.run("validate", "--as", "ann").code == 2


def test_the_environment_chooses_what_is_proven(project: Program, vault: Workspace) -> None:
    vault.put("secret/eu/app", {"token": VALUE})
    connect(project, "vault://secret/{{ environment }}/{{ vars.name }}#token")
    project.write("runner.yaml", "vars: {name: app}\nenvironments: {eu: {}, us: {}}\n")
    token = vault.token("both")
    assert proven(project, token) == ["c0.yaml:4:15 warning secret-unproven"]
    assert proven(project, token, "--env", "eu") == []
    assert proven(project, token, "--env", "us", code=3) == ["c0.yaml:4:15 error secret-not-found"]


def test_files_and_rules_can_be_chosen(project: Program, vault: Workspace) -> None:
    connect(project, "vault://secret/app#tokn", "vault://secret/apq#token", "env://NOWHERE")
    token = vault.token("both")
    assert proven(project, token, "connections.d/c1.yaml", code=3) == ["c1.yaml:4:15 error secret-not-found"]
    assert proven(project, token, "--rule", "secret-field-missing", code=3) == [
        "c0.yaml:4:15 error secret-field-missing"
    ]
    # Where nothing refers to Vault, it is not asked.
    assert proven(project, "", "connections.d/c2.yaml", VAULT_ADDR="http://127.0.0.1:1") == []


def test_errors_in_the_files_come_first(project: Program) -> None:
    connect(project, "vault://secret/app#token", more="unknown: 1\n")
    ended = project.run("validate", "--vault", VAULT_ADDR="http://127.0.0.1:1", VAULT_TOKEN="t")
    assert ended.code == 3
    assert "error[unknown-key]" in ended.out
    assert ended.err == "note: Vault was not asked: the project has errors\n"


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "t"}, "refused the connection"),
        ({"VAULT_ADDR": "", "VAULT_TOKEN": "t"}, "no Vault address is set"),
        ({"VAULT_TOKEN": "s.dead-dead-dead"}, "does not accept the token from VAULT_TOKEN"),
        ({}, "there is no way to log in to Vault"),
        ({"VAULT_TOKEN": "t", "VAULT_NAMESPACE": "none-such"}, "none-such"),
    ],
)
def test_4_where_vault_cannot_be_asked(project: Program, environ: dict[str, str], told: str) -> None:
    connect(project, "vault://secret/app#token", "vault://secret/app#other")
    ended = project.run("validate", "--vault", **environ)
    assert (ended.code, ended.out) == (4, "")
    assert told in ended.err
    assert ended.err.count("error:") == 1
    assert "= help: " in ended.err


def test_the_login_of_a_run_is_used_and_ended(project: Program, vault: Workspace) -> None:
    enable(vault, "approle")
    role = "auth/approle/role/runner"
    vault.ask("POST", role, {"token_policies": ["both"]})
    role_id = vault.ask("GET", f"{role}/role-id")["data"]["role_id"]
    secret_id = vault.ask("POST", f"{role}/secret-id", {})["data"]["secret_id"]
    project.write("runner.yaml", json.dumps({"vault": {"auth": {**APPROLE["auth"], "role_id": role_id}}}))
    connect(project, "vault://secret/app#token", "vault://secret/app#tokn")
    ended = project.run("validate", "--vault", "-vv", SECRET_ID=secret_id)
    assert ended.code == 3, ended.err
    assert "error[secret-field-missing]" in ended.out
    assert accessors(vault) == 0
    ended = project.run("validate", "--vault", SECRET_ID="wrong-wrong-wrong")
    assert ended.code == 4
    assert "Vault refused the login by approle" in ended.err
    assert "wrong-wrong-wrong" not in ended.err


def test_nothing_but_harmless_questions_is_asked(project: Program) -> None:
    def mount(path: str, kind: str, version: str = "") -> Any:
        return lambda _: reply({"data": {"path": path, "type": kind, "options": {"version": version}}})

    routes = vault_stub.routes(
        {
            "GET /v1/sys/internal/ui/mounts/old/app": mount("old/", "kv", "1"),
            "GET /v1/sys/internal/ui/mounts/db/creds/r": mount("db/", "database"),
            "GET /v1/secret/subkeys/app": lambda _: reply(
                {"data": {"subkeys": {"a": None}, "metadata": {"version": 1}}}
            ),
            "POST /v1/sys/capabilities-self": lambda request: reply(
                {"data": {path: ["read"] for path in request.json()["paths"]}}
            ),
        }
    )
    references = ("secret/app#a", "secret/app?version=1#a", "old/app#a", "db/creds/r#a", "db/creds/r#b")
    connect(project, *(f"vault://{each}" for each in references))
    with Server(routes) as server:
        assert proven(project, "s.any", VAULT_ADDR=server.url, VAULT_NAMESPACE="") == []
        asked = sorted({f"{request.method} {request.path}" for request in server.requests})
        posts = [request for request in server.requests if request.method == "POST"]
    assert asked == [
        "GET /v1/auth/token/lookup-self",
        "GET /v1/secret/subkeys/app",
        "GET /v1/sys/internal/ui/mounts/db/creds/r",
        "GET /v1/sys/internal/ui/mounts/old/app",
        "GET /v1/sys/internal/ui/mounts/secret/app",
        "POST /v1/sys/capabilities-self",
    ]
    (post,) = posts
    assert post.json() == {"paths": ["db/creds/r", "old/app", "secret/data/app"]}


def test_a_token_that_dies_on_the_way(project: Program) -> None:
    routes = vault_stub.routes(
        {
            "GET /v1/secret/subkeys/app": lambda _: reply({"errors": ["permission denied"]}, 403),
        }
    )
    connect(project, "vault://secret/app#a")
    with Server(routes) as server:
        ended = project.run(
            "validate", "--vault", VAULT_ADDR=server.url, VAULT_NAMESPACE="", VAULT_TOKEN="s.x"
        )
    assert ended.code == 4
    assert "does not accept the token from VAULT_TOKEN" in ended.err


def test_a_server_too_old_to_tell_names(project: Program) -> None:
    routes = vault_stub.routes(
        {
            "GET /v1/secret/subkeys/app": lambda _: reply({"errors": ["unsupported path"]}, 404),
            "POST /v1/sys/capabilities-self": lambda _: reply({"secret/data/app": ["read"]}),
        }
    )
    connect(project, "vault://secret/app#a")
    with Server(routes) as server:
        assert proven(project, "s.any", VAULT_ADDR=server.url, VAULT_NAMESPACE="") == [
            "c0.yaml:4:15 warning secret-unproven"
        ]
