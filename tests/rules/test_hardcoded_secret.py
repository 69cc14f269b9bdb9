"""Credentials typed into files: found by field, by name and by shape; never shown."""

from pathlib import Path

import pytest

from runner.rules.hardcoded_secret import is_credential
from tests.rules.projects import TICKETS, underlined
from tests.rules.projects import findings as every_finding
from tests.rules.projects import spine as findings

RULE = "hardcoded-secret"
BODY = "Zx81Qw3rTy55Pl0kM92nBv7cXs4dFg6hJk2L"  # no pattern in it, and nobody's

SHAPES = {
    "GitHub": "ghp" + "_" + BODY,
    "GitHub, fine-grained": "github" + "_pat_" + BODY,
    "GitHub app": "ghs" + "_" + BODY,
    "GitLab": "glpat" + "-" + BODY[:20],
    "Slack bot": "xox" + "b-1234567890-" + BODY[:12],
    "Slack user": "xox" + "p-1234567890-" + BODY[:12],
    "Slack webhook": "https://hooks.slack" + ".com/services/T012AB3CD/B045EF6GH/" + BODY[:24],
    "Stripe": "sk" + "_live_" + BODY[:24],
    "AWS": "AKIA" + "Q3EGZRTY5PL0KM92",
    "Google": "AIza" + BODY[:35],
    "Vault": "hv" + "s." + BODY[:24],
    "npm": "npm" + "_" + BODY,
    "JWT": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0." + BODY[:20],
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "private key, PKCS8": "-----BEGIN " + "PRIVATE KEY-----",
    "OpenSSH key": "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
}

PLACES = {
    "connections.d/c.yaml": "type: none\nbase_url: https://example.com\ndescription: see SECRET here\n",
    "workflows.d/w.yaml": "actions:\n  - {id: a, set: {a: [1, {b: 'see SECRET here'}]}}\n",
    "runner.yaml": "vars: {a: 'SECRET'}\n",
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("path", PLACES)
def test_known_shapes_anywhere(shape: str, path: str, tmp_path: Path) -> None:
    value = SHAPES[shape]
    found = findings(tmp_path, {path: PLACES[path].replace("SECRET", value)})
    assert [item.rule for item in found] == [RULE]
    assert found[0].primary.concealed
    assert underlined(tmp_path, found[0].primary.span) in value
    assert value[-12:] not in repr(found[0])
    assert "vault://" in (found[0].help or "")


@pytest.mark.parametrize(
    "text",
    [
        "# SECRET\ntype: none\nbase_url: https://example.com\n",
        "x-SECRET: 1\ntype: none\nbase_url: https://example.com\n",
        "type: none\nbase_url: https://example.com\ndescription: |\n  first\n  SECRET\n",
        "type: none\nbase_url: https://example.com\ndescription: >\n  first\n  SECRET second\n",
        'type: none\nbase_url: https://example.com\ndescription: "a\\tb SECRET"\n',
        "type: none\r\nbase_url: https://example.com\r\ndescription: SECRET\r\n",
    ],
)
def test_also_in_comments_keys_and_blocks(text: str, tmp_path: Path) -> None:
    found = findings(tmp_path, {"connections.d/c.yaml": text.replace("SECRET", SHAPES["GitHub"])})
    assert [item.rule for item in found] == [RULE]
    span = found[0].primary.span
    line = text.replace("\r", "").split("\n")[span.start.line - 1]
    assert span.start.column == line.index("SECRET") + 1
    assert span.end.column - span.start.column == len(SHAPES["GitHub"])
    assert found[0].message == "this looks like a GitHub token"


def test_a_file_that_is_no_yaml_is_searched_too(tmp_path: Path) -> None:
    found = findings(tmp_path, {"connections.d/c.yaml": f"token: [{SHAPES['GitHub']}\n"})
    assert sorted(item.rule for item in found) == [RULE, "yaml-syntax"]


def test_a_private_key_is_concealed_to_its_end(tmp_path: Path) -> None:
    key = f"-----BEGIN PRIVATE KEY-----\n  {BODY}\n  {BODY}\n  -----END PRIVATE KEY-----"
    text = f"type: none\nbase_url: https://example.com\ndescription: |\n  {key}\n"
    found = findings(tmp_path, {"connections.d/c.yaml": text})
    assert [item.rule for item in found] == [RULE]
    assert underlined(tmp_path, found[0].primary.span) == key


@pytest.mark.parametrize(
    "text",
    [
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "ghp_short",
        "AKIA",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----",
        "https://example.com/a:b@c",
        "https://{{ vars.user }}:{{ vars.password }}@example.com",
        "mailto:user@example.com",
        "see https://example.com: write to a@example.com",
        "eyJhbGciOiJIUzI1NiJ9",
    ],
)
def test_what_is_no_token(text: str, tmp_path: Path) -> None:
    files = {
        "workflows.d/w.yaml": f"description: '{text.replace('{{', '').replace('}}', '')}'\nactions:\n  - {{id: a, set: {{a: 1}}}}\n"
    }
    assert findings(tmp_path, files) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://bot:hunter2hunter2@example.com/api",
        "postgres://bot:hunter2hunter2@db/x",
        "see http://:hunter2hunter2@localhost",
    ],
)
def test_a_password_in_a_url(url: str, tmp_path: Path) -> None:
    files = {"workflows.d/w.yaml": f"actions:\n  - {{id: a, set: {{a: '{url}'}}}}\n"}
    found = findings(tmp_path, files)
    assert [(item.rule, item.message) for item in found] == [(RULE, "the URL holds a password")]
    assert underlined(tmp_path, found[0].primary.span) == "hunter2hunter2"
    assert found[0].primary.concealed


@pytest.mark.parametrize("where", ["base_url", "proxy"])
def test_a_password_in_the_url_of_a_connection_is_reported_once(where: str, tmp_path: Path) -> None:
    lines = {"base_url": "https://example.com", where: "https://bot:hunter2hunter2@example.com"}
    text = "type: none\n" + "".join(f"{key}: {value}\n" for key, value in lines.items())
    found = findings(tmp_path, {"connections.d/c.yaml": text})
    assert [item.rule for item in found] == [RULE]


NAMES = [
    "Authorization",
    "Cookie",
    "X-Api-Key",
    "X-Auth-Token",
    "PRIVATE-TOKEN",
    "api_key",
    "apikey",
    "access_token",
]
VALUE = "hunter2hunter2"
STYLED = ["V", "'V'", '"V"', "|-\n    V", ">-\n    V", '"\\x56"']


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["headers", "query"])
def test_credentials_by_name(name: str, key: str, tmp_path: Path) -> None:
    text = TICKETS + f"{key}:\n  {name}: {VALUE}\n"
    found = findings(tmp_path, {"connections.d/c.yaml": text})
    assert [item.rule for item in found] == [RULE]
    assert underlined(tmp_path, found[0].primary.span) == VALUE
    assert found[0].primary.concealed
    assert VALUE not in repr(found[0])
    what = "header" if key == "headers" else "query parameter"
    assert found[0].message == f"the {what} '{name}' holds a typed-in credential"


@pytest.mark.parametrize("style", STYLED)
def test_credentials_by_name_in_every_style(style: str, tmp_path: Path) -> None:
    text = TICKETS + f"headers:\n  X-Api-Key: {style.replace('V', VALUE)}\n"
    found = findings(tmp_path, {"connections.d/c.yaml": text})
    assert [item.rule for item in found] == [RULE]
    assert found[0].primary.span.start.line == 4


def test_credentials_by_name_in_actions(tmp_path: Path) -> None:
    text = (
        "actions:\n  - id: a\n    request:\n      url: https://example.com\n      method: POST\n"
        f"      headers: {{Authorization: 'Bearer {VALUE}'}}\n      query: {{api_key: {VALUE}}}\n      form: {{password: {VALUE}}}\n"
    )
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [item.message.split(" '")[0] for item in found] == [
        "the header",
        "the query parameter",
        "the form field",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "headers: {Authorization: 'vault://secret/a#b'}",
        "headers: {Authorization: 'Bearer {{ vars.x | default(1) }}'}",
        "headers: {X-Api-Version: '2024-01', Accept: application/json, Idempotency-Key: abc}",
        "query: {page_token: abc, key_id: abc, sort_key: name, tokens: 'many', max_tokens: '100'}",
        "query: {api_key: null, token: true}",
    ],
)
def test_what_is_no_credential(line: str, tmp_path: Path) -> None:
    assert findings(tmp_path, {"connections.d/c.yaml": TICKETS + "shared: true\n" + line + "\n"}) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Authorization", True),
        ("Proxy-Authorization", True),
        ("X-Amz-Security-Token", True),
        ("sessionToken", True),
        ("X-API-KEY", True),
        ("Ocp-Apim-Subscription-Key", True),
        ("DD-APPLICATION-KEY", True),
        ("key", True),
        ("clientSecret", True),
        ("client_secret", True),
        ("Set-Cookie", True),
        ("X-Request-Id", False),
        ("Content-Type", False),
        ("keyword", False),
        ("tokenize", False),
        ("token_type", False),
        ("secretary", False),
        ("partition_key", False),
        ("nextPageToken", False),
        ("X-CSRF-Token", False),
    ],
)
def test_names_are_read_by_their_words(name: str, expected: bool) -> None:
    assert is_credential(name) is expected


@pytest.mark.parametrize(
    "auth",
    [
        "token: hunter2hunter2",
        "token: 'Bearer hunter2hunter2'",
        "token: {a: hunter2hunter2}",
        "token: [hunter2hunter2]",
        "token: 12345678",
        "{token: hunter2hunter2, tokn: x}",
        "token: hunter2hunter2\n  prefix: {a: hunter2hunter2}",
    ],
)
def test_a_secret_field_takes_no_value_and_no_message_shows_one(auth: str, tmp_path: Path) -> None:
    text = f"type: bearer\nbase_url: https://example.com\nshared: true\nauth:\n  {auth}\n"
    if auth.startswith("{"):
        text = text.replace("auth:\n  ", "auth: ")
    found = findings(tmp_path, {"connections.d/c.yaml": text})
    assert RULE in {item.rule for item in found}
    assert "hunter2" not in repr(found)
    assert "12345678" not in repr(found)
    concealed = [item.primary.span for item in found if item.rule == RULE]
    assert all(item.primary.concealed for item in found if item.rule == RULE)
    assert len(concealed) == len(set(concealed)), "each place once"


def test_a_token_in_a_secret_field_is_reported_once(tmp_path: Path) -> None:
    text = f"type: bearer\nbase_url: https://example.com\nshared: true\nauth: {{token: {SHAPES['GitHub']}}}\n"
    found = findings(tmp_path, {"connections.d/c.yaml": text})
    assert [item.rule for item in found] == [RULE]


def test_the_default_of_a_secret_input(tmp_path: Path) -> None:
    text = "inputs: {p: {type: string, secret: true, default: hunter2hunter2}}\nactions:\n  - {id: a, set: {a: 1}}\n"
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [item.rule for item in found] == [RULE]
    assert found[0].primary.concealed
    assert underlined(tmp_path, found[0].primary.span) == "hunter2hunter2"


def test_secrets_of_a_workflow_are_references(tmp_path: Path) -> None:
    text = "secrets: {p: hunter2hunter2, q: 17}\nactions:\n  - {id: a, set: {a: '{{ secrets.p }}'}}\n"
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [(item.rule, item.primary.concealed) for item in found] == [(RULE, True), (RULE, True)]


SESSION = """\
type: session
base_url: https://example.com
shared: true
auth:
  username: robot
  password: vault://secret/desk#password
  login: {path: /PATH, json: {user: robot, deep: [{password: VALUE}], key: "{{ auth.password }}"}, headers: {X-Token: OTHER}}
  token: "{{ response.body.token }}"
"""


def test_the_body_of_a_login_is_no_place_for_a_password(tmp_path: Path) -> None:
    text = SESSION.replace("VALUE", "pass-in-git").replace("OTHER", "token-in-git").replace("PATH", "a/../b")
    found = every_finding(tmp_path, {"connections.d/c.yaml": text})
    told = [(item.rule, item.message) for item in found if item.severity == "error"]
    assert told == [
        ("url-escapes-base", "'..' in the path names another place than it seems to"),
        (RULE, "the field 'password' holds a typed-in credential"),
        (RULE, "the header 'X-Token' holds a typed-in credential"),
    ]
    assert "{{ auth.password }} here" in str(found[-1].help)
    fine = SESSION.replace("VALUE", '"{{ auth.password }}"').replace("OTHER", '""').replace("PATH", "b")
    assert RULE not in {item.rule for item in findings(tmp_path, {"connections.d/c.yaml": fine})}
