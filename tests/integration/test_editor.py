"""What an editor shows with the schemas: the YAML language server, driven over its protocol."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner import registry
from tests.editor.language_server import ROOT, LanguageServer, running

CONNECTION = "# yaml-language-server: $schema=../schemas/connection.schema.json\n"
WORKFLOW = "# yaml-language-server: $schema=../schemas/workflow.schema.json\n"
PROJECT = "# yaml-language-server: $schema=schemas/project.schema.json\n"
ACTION = f"{WORKFLOW}actions:\n  - id: page\n    "

connection = ROOT / "connections.d" / "editor.yaml"
workflow = ROOT / "workflows.d" / "editor.yaml"
project = ROOT / "runner.yaml"


@pytest.fixture(scope="module")
def server() -> Iterator[LanguageServer]:
    with running(ROOT) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (connection, f"{CONNECTION}▮", {"type", "base_url", "auth", "test", "retry", "extends"}),
        (connection, f"{CONNECTION}type: ▮", set(registry.names("auth"))),
        (
            connection,
            f"{CONNECTION}type: none\nbase_url: https://example.com\ntest:\n  ▮",
            {"path", "expect"},
        ),
        (workflow, f"{WORKFLOW}▮", {"inputs", "actions", "outputs", "finally", "on_failure"}),
        (workflow, f"{ACTION}▮", {*registry.names("actions"), "if", "connection", "expect", "on_error"}),
        (workflow, f"{ACTION}request:\n      ▮", {"method", "path", "json", "form", "query"}),
        (workflow, f"{ACTION}request:\n      method: ▮", {"GET", "POST", "DELETE"}),
        (workflow, f"{ACTION}request: {{path: /}}\n    retry:\n      ▮", {"attempts", "on", "backoff"}),
        (workflow, f"{ACTION}request: {{path: /}}\n    on_error: ▮", {"fail", "continue"}),
        (workflow, f"{WORKFLOW}finally:\n  - id: tell\n    ▮", {"request", "set"}),
        (project, f"{PROJECT}▮", {"vault", "vars", "environments", "policy", "limits"}),
        (project, f"{PROJECT}vault:\n  auth:\n    method: ▮", set(registry.names("secrets.vault.login"))),
        (project, f"{PROJECT}environments:\n  staging:\n    ▮", {"vars", "connections", "vault"}),
    ],
)
def test_keys_and_values_are_completed(
    path: Path, text: str, expected: set[str], server: LanguageServer
) -> None:
    assert expected <= set(server.labels(path, text))


@pytest.mark.parametrize(
    ("type_", "offered", "other"),
    [
        ("bearer", {"token", "prefix"}, {"username", "key"}),
        ("basic", {"username", "password"}, {"token", "key"}),
        ("api_key", {"key", "name", "in", "prefix"}, {"token", "username"}),
        ("none", set(), {"token", "username", "key"}),
    ],
)
def test_the_fields_of_auth_are_those_of_the_type(
    type_: str, offered: set[str], other: set[str], server: LanguageServer
) -> None:
    text = f"{CONNECTION}type: {type_}\nbase_url: https://example.com\nauth:\n  ▮"
    found = set(server.labels(connection, text))
    assert offered <= found
    assert not other & found


@pytest.mark.parametrize(
    ("method", "offered", "other"),
    [
        ("jwt", {"role", "source", "audience"}, {"role_id"}),
        ("approle", {"role_id", "secret_id"}, {"source"}),
    ],
)
def test_the_keys_of_a_login_are_those_of_the_method(
    method: str, offered: set[str], other: set[str], server: LanguageServer
) -> None:
    found = set(server.labels(project, f"{PROJECT}vault:\n  auth:\n    method: {method}\n    ▮"))
    assert offered <= found
    assert not other & found


@pytest.mark.parametrize(
    ("path", "text", "parts"),
    [
        (
            connection,
            f"{CONNECTION}base_▮url: https://example.com\n",
            ("Absolute", "https://example.com/api/v2"),
        ),
        (
            connection,
            f"{CONNECTION}type: bearer\nauth:\n  to▮ken: vault://a/b#c\n",
            ("secret reference", "vault://secret/support/tickets#api_token"),
        ),
        (workflow, f"{ACTION}re▮quest: {{path: /}}\n", ("One HTTP exchange", "method: POST")),
        (workflow, f"{ACTION}request: {{path: /}}\n    ex▮pect: {{status: 200}}\n", ("must be", "Example")),
        (project, f"{PROJECT}pol▮icy: {{}}\n", ("reviewers", "require_https: true")),
    ],
)
def test_help_says_what_a_key_is_with_an_example(
    path: Path, text: str, parts: tuple[str, ...], server: LanguageServer
) -> None:
    shown = server.hover(path, text)
    assert [part for part in parts if part not in shown] == [], shown


@pytest.mark.parametrize(
    ("path", "text", "line", "said"),
    [
        (connection, f"{CONNECTION}type: beerer\nbase_url: https://example.com\n", 2, '"bearer"'),
        (
            connection,
            f"{CONNECTION}type: bearer\nbase_url: https://example.com\nauth: {{token: typed-in}}\n",
            4,
            "^(vault|env)://",
        ),
        (
            connection,
            f"{CONNECTION}type: bearer\nbase_url: https://example.com\nauth:\n  token: vault://a/b#c\n  tokn: x\n",
            6,
            "tokn is not allowed",
        ),
        (connection, f"{CONNECTION}type: none\nbase_url: https://example.com\nshard: true\n", 4, "shard"),
        (connection, f"{CONNECTION}type: none\n", 2, '"base_url"'),
        (workflow, f"{ACTION}request: {{path: search}}\n", 4, '"^/"'),
        (workflow, f"{ACTION}request: {{path: /}}\n    set: {{x: 1}}\n", 3, "only one"),
        (workflow, f"{ACTION}wait: 1s\n    connection: tickets\n", 5, ""),
        (workflow, f"{ACTION}fail: no\nouputs: {{}}\n", 5, "ouputs is not allowed"),
        (project, f"{PROJECT}policy: {{require_https: maybe}}\n", 2, "boolean"),
    ],
)
def test_a_mistake_is_underlined(path: Path, text: str, line: int, said: str, server: LanguageServer) -> None:
    found = server.problems(path, text)
    assert [message for number, message in found if number == line and said in message], found


@pytest.mark.parametrize(
    "path",
    [*sorted((ROOT / "connections.d").glob("*.yaml")), *sorted((ROOT / "workflows.d").glob("*.yaml"))],
    ids=lambda path: path.name,
)
def test_the_examples_of_this_repository_are_clean(path: Path, server: LanguageServer) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../schemas/")
    assert server.problems(path, text) == []


def test_the_project_file_of_this_repository_is_clean(server: LanguageServer) -> None:
    text = project.read_text(encoding="utf-8")
    assert text.startswith(PROJECT)
    assert server.problems(project, text) == []
