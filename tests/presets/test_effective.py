"""A preset under the keys of a connection: what comes out, where each value is from, and what is said of mistakes."""

from pathlib import Path
from typing import Any

import pytest

from runner import flow
from runner.check import check
from runner.compare import compare
from runner.connection_test import send_tests
from runner.diagnostics import Diagnostic
from runner.login import Login
from runner.secret_ref import SecretRef
from runner.sensitive import Redactor
from runner.template import Template
from tests.projects import finished, make
from tests.rules.projects import loaded

ZENDESK = """\
type: zendesk
shared: true
variables: {subdomain: acme}
auth: {email: robot@example.com, api_token: "vault://secret/desk#token"}
"""


def text(value: object) -> str:
    assert isinstance(value, Template | SecretRef)
    return value.text


def found(root: Path, files: dict[str, str], environment: str | None = None) -> list[Diagnostic]:
    return [
        item
        for item in check(loaded(root, files, environment=environment))
        if item.rule != "unused-connection"
    ]


def test_a_preset_supplies_what_the_file_leaves_out(tmp_path: Path) -> None:
    project = make(
        tmp_path,
        {
            "connections.d/desk.yaml": ZENDESK,
            "connections.d/code.yaml": (
                "type: github\nshared: true\nauth: {token: 'vault://secret/code#t'}\n"
                "headers: {accept: text/plain, X-Team: a}\ntest: {path: /zen}\n"
            ),
        },
    )
    desk, code = project.connections["desk"], project.connections["code"]
    assert (desk.type, desk.preset, desk.named_type) == ("basic", "zendesk", "zendesk")
    assert desk.base_url.text == "https://acme.zendesk.com"
    assert (desk.auth.username, desk.auth.username_suffix) == ("robot@example.com", "/token")
    assert {name: ref.text for name, ref in desk.secrets.items()} == {
        "auth.password": "vault://secret/desk#token"
    }
    assert desk.sources["base_url"] == "preset zendesk"
    assert desk.sources["shared"] == "file"
    # headers are merged by name, whatever their case; other keys are replaced as a whole
    assert {name: text(item) for name, item in code.headers.items()} == {
        "X-GitHub-Api-Version": "2022-11-28",
        "accept": "text/plain",
        "X-Team": "a",
    }
    assert code.test is not None
    assert (code.test.path.text, code.test.expect.that) == ("/zen", ())
    assert code.sources["headers.X-GitHub-Api-Version"] == "preset github"
    assert (code.sources["headers.accept"], code.sources["test"]) == ("file", "file")


def test_layers(tmp_path: Path) -> None:
    """The environment over the file over what it extends over the preset."""
    project = make(
        tmp_path,
        {
            "runner.yaml": (
                "vars: {site: acme}\nenvironments:\n  staging:\n    vars: {site: acme-test}\n"
                "    connections: {child: {timeout: 5s}}\n"
            ),
            "connections.d/desk.yaml": ZENDESK.replace("acme", '"{{ vars.site }}"'),
            "connections.d/child.yaml": "extends: desk\nshared: true\nretry: {attempts: 1}\n",
        },
        environment="staging",
    )
    child = project.connections["child"]
    assert child.base_url.text == "https://{{ vars.site }}.zendesk.com"
    assert flow.connection_host(project, child) == "acme-test.zendesk.com"
    assert {key: child.sources[key] for key in ("base_url", "auth", "retry", "timeout")} == {
        "base_url": "preset zendesk",
        "auth": "extends connections.d/desk.yaml",
        "retry": "file",
        "timeout": "environment in runner.yaml",
    }


def test_a_way_to_sign_in_has_keys_of_its_own(tmp_path: Path) -> None:
    project = make(
        tmp_path,
        {
            "connections.d/a.yaml": (
                "type: cloudflare\nshared: true\n"
                "auth: {type: global_key, email: 'vault://secret/cf#email', key: 'vault://secret/cf#key'}\n"
            ),
            "connections.d/b.yaml": (
                "type: jira\nshared: true\nvariables: {cloud_id: 1a2b}\n"
                "auth: {type: scoped_token, email: a@example.com, api_token: 'vault://secret/jira#t'}\n"
            ),
            "connections.d/c.yaml": (
                "type: datadog\nshared: true\nvariables: {site: datadoghq.eu}\n"
                "auth: {api_key: 'vault://secret/dd#k'}\n"
            ),
        },
    )
    secrets = {where: ref.text for where, ref in project.connections["a"].secrets.items()}
    assert secrets == {
        "auth.key": "vault://secret/cf#key",
        "headers.X-Auth-Email": "vault://secret/cf#email",
    }
    assert project.connections["b"].base_url.text == "https://api.atlassian.com/ex/jira/1a2b"
    assert [key.name for key in project.connections["c"].auth.keys] == ["DD-API-KEY"]


MISTAKES: list[tuple[str, tuple[str, str, str, str | None]]] = [
    (
        ZENDESK.replace("zendesk", "zendsk"),
        ("invalid-value", "1:7", "'type' must be an auth type or a preset", "did you mean 'zendesk'?"),
    ),
    (
        ZENDESK.replace("variables: {subdomain: acme}\n", ""),
        (
            "missing-key",
            "1:7",
            "'subdomain' is missing in 'variables': Zendesk needs it",
            "for example `variables: {subdomain: acme}`",
        ),
    ),
    (
        ZENDESK.replace("acme", "acme.example.com/x"),
        ("invalid-value", "3:24", "'variables.subdomain' is not as Zendesk has it", "what stands before"),
    ),
    (
        ZENDESK.replace("{subdomain: acme}", "{subdomain: acme, region: eu}"),
        ("unknown-key", "3:30", "unknown key 'region'", "subdomain"),
    ),
    (
        ZENDESK.replace("acme", '"{{ vars.site }}"'),
        ("undefined-reference", "3:24", "no variable 'site'", None),
    ),
    (
        ZENDESK.replace("email:", "mail:"),
        ("unknown-key", "4:8", "unknown key 'mail'", "did you mean 'email'?"),
    ),
    (
        ZENDESK.replace("auth: {", "auth: {type: oath, "),
        ("invalid-value", "4:14", "'auth.type' must be one of", None),
    ),
    (
        ZENDESK.replace('"vault://secret/desk#token"', "hunter-two"),
        ("hardcoded-secret", "4:45", "'auth.api_token' takes a secret reference", "store it in Vault"),
    ),
    (
        "type: freshdesk\nshared: true\nvariables: {subdomain: a}\nauth: {api_key: hunter-two}\n",
        ("hardcoded-secret", "4:17", "'auth.api_key' takes a secret reference", "store it in Vault"),
    ),
    (
        "type: slack\nshared: true\n",
        ("missing-key", "1:1", "the key 'auth' is missing", None),
    ),
    (
        "type: datadog\nshared: true\nvariables: {site: datadoghq.com.example.com}\nauth: {api_key: 'vault://s/a#b'}\n",
        ("invalid-value", "3:19", "one of datadoghq.com, us3.datadoghq.com", None),
    ),
    (
        "type: bearer\nshared: true\nbase_url: https://example.com\nvariables: {a: b}\nauth: {token: 'vault://s/a#b'}\ntest: {path: /}\n",
        ("unknown-key", "4:1", "'variables' does not apply here", None),
    ),
]


@pytest.mark.parametrize(("connection", "expected"), MISTAKES, ids=lambda item: str(item)[:40])
def test_a_mistake_is_told_at_its_place(
    connection: str, expected: tuple[str, str, str, str | None], tmp_path: Path
) -> None:
    rule, place, message, remedy = expected
    mistakes = found(tmp_path, {"connections.d/c.yaml": connection})
    told = [item for item in mistakes if item.rule == rule and message in item.message]
    assert told, mistakes
    start = told[0].primary.span.start
    assert (told[0].primary.span.path, f"{start.line}:{start.column}") == ("connections.d/c.yaml", place)
    assert remedy is None or remedy in str(told[0].help)
    assert "hunter-two" not in "".join(f"{item.message}{item.help}" for item in mistakes)


def test_a_variable_is_judged_as_the_environment_has_it(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "vars: {site: acme}\nenvironments: {staging: {vars: {site: a/b}}}\n",
        "connections.d/c.yaml": ZENDESK.replace("acme", '"{{ vars.site }}"'),
    }
    assert found(tmp_path, files) == []
    assert [item.rule for item in found(tmp_path, files, "staging")] == ["invalid-value"]


def test_a_comparison_sees_what_a_preset_brings(tmp_path: Path) -> None:
    before = loaded(tmp_path / "a", {"connections.d/c.yaml": ZENDESK})
    after = loaded(tmp_path / "b", {"connections.d/c.yaml": ZENDESK.replace("acme", "other")})
    result = compare(before, after)
    kinds = {item["kind"] for item in result["danger"]}
    assert {"new-host", "connection"} <= kinds
    (entry,) = (each for each in result["changes"][0]["entries"] if each["key"] == "base_url")
    assert entry["through"] == "preset zendesk"
    assert (entry["before"], entry["after"]) == ("https://acme.zendesk.com", "https://other.zendesk.com")
    written_out: Any = loaded(
        tmp_path / "c",
        {
            "connections.d/c.yaml": ZENDESK
            + "error_message: '{{ response.body.description | default(response.body.error) }}'\n"
        },
    )
    assert compare(before, written_out)["changes"] == []


def test_messages_name_what_the_file_names(tmp_path: Path) -> None:
    """A preset has names of its own for the fields of its auth type: no message speaks of others."""
    project = make(
        tmp_path,
        {
            "connections.d/desk.yaml": ZENDESK.replace("vault://secret/desk#token", "env://BLANK"),
            "connections.d/dd.yaml": (
                "type: datadog\nshared: true\nvariables: {site: datadoghq.eu}\n"
                "auth: {api_key: 'env://KEY', application_key: 'env://LINES'}\n"
            ),
        },
    )
    environ = {"BLANK": " ", "KEY": "a-key-of-datadog", "LINES": "two\nlines of a key"}
    tests = finished(
        send_tests(project, ["desk", "dd"], environ=environ, redactor=Redactor(), warn=lambda _: None)
    )
    assert [(each["file"], each["line"], each["message"]) for each in tests] == [
        (
            "connections.d/desk.yaml",
            project.connections["desk"].auth_secrets["password"].span.start.line,
            "the secret for auth.api_token of the connection 'desk' is empty",
        ),
        (
            "connections.d/dd.yaml",
            4,
            "the secret for auth.application_key of the connection 'dd' holds a line break",
        ),
    ]
    channels = {each.channel for each in flow.compute(project) if each.connection == "dd"}
    assert channels == {"auth.api_key", "auth.application_key"}
    login = Login.of(
        project=make(tmp_path / "login", {"connections.d/desk.yaml": ZENDESK}),
        name="desk", environ={}, redactor=Redactor(), warn=lambda _: None, user=None,
    )  # fmt: skip
    assert [login.word(name) for name in login.asked] == ["api_token"]
