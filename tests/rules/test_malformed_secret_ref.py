"""References that are wrong, and references where none may stand, exact to the column."""

from pathlib import Path

import pytest

from tests.rules.projects import TICKETS, brief, underlined
from tests.rules.projects import spine as findings

RULE = "malformed-secret-ref"
BEARER = "type: bearer\nbase_url: https://example.com\nshared: true\nauth:\n  token: "

WRONG = [
    ("vault://secret/data/a/b#t", "data/", "a reference is written without 'data/'"),
    ("vault://secret/a/b", "vault://secret/a/b", "the reference names no field"),
    ("vault://secret/a/b#", "vault://secret/a/b#", "the reference names no field"),
    ("vault://secret/a?version=0#t", "?version=0", "'?version=0' is not a version"),
    ("vault://secret/a/../b#t", "..", "the path may not hold '..'"),
    ("vault://secret/a/%2e%2e/b#t", "%2e%2e", "the path may not hold '..'"),
    ("vault://secret#t", "secret#t", "the reference names no path below the mount"),
    ("vault://secret/a/{{inputs.x}}#t", "{{inputs.x}}", None),
    ("vault://secret/a#{{user}}", "{{user}}", "the field of a reference is literal"),
    ("env://1x", "env://1x", "not an environment reference"),
    ("vault:secret/a#t", "vault:secret/a#t", "not a secret reference"),
]
STYLED = ["V", "'V'", '"V"', "|-\n    V", ">-\n    V", "&a V", "!!str 'V'"]


@pytest.mark.parametrize("style", STYLED)
@pytest.mark.parametrize(("reference", "marked", "message"), WRONG)
def test_the_wrong_part_is_underlined(
    reference: str, marked: str, message: str | None, style: str, tmp_path: Path
) -> None:
    text = BEARER + style.replace("V", reference) + "\n"
    found = findings(tmp_path, {"connections.d/c.yaml": text})
    assert [item.rule for item in found] == [RULE], brief(tmp_path, found)
    assert underlined(tmp_path, found[0].primary.span) == marked
    assert message is None or found[0].message == message
    assert found[0].help


def test_the_remedy_of_data_is_the_reference_itself(tmp_path: Path) -> None:
    found = findings(tmp_path, {"connections.d/c.yaml": BEARER + "vault://secret/data/a/b#t\n"})
    assert found[0].help == "write vault://secret/a/b#...: MOUNT/PATH is what follows `vault kv get`"


@pytest.mark.parametrize(
    ("line", "marked"),
    [
        ("headers: {Authorization: 'Token vault://secret/a/b#t'}", "vault://secret/a/b#t"),
        (
            "headers: {Authorization: '{{ vars.x | default(1) }} vault://secret/a/b#t'}",
            "vault://secret/a/b#t",
        ),
        ("query: {list: ['vault://secret/a/b#t']}", "vault://secret/a/b#t"),
        ("test: {path: /, query: {a: 'vault://secret/a/b#t'}}", "vault://secret/a/b#t"),
        ("test: {path: /, method: POST, json: {a: 'env://TOKEN'}}", "env://TOKEN"),
    ],
)
def test_a_reference_in_a_connection_where_none_may_stand(line: str, marked: str, tmp_path: Path) -> None:
    found = findings(tmp_path, {"connections.d/c.yaml": f"{TICKETS}shared: true\n{line}\n"})
    assert [item.rule for item in found] == [RULE]
    assert underlined(tmp_path, found[0].primary.span) == marked


@pytest.mark.parametrize(
    "action",
    [
        "request: {url: https://example.com, headers: {Authorization: V}}",
        "request: {url: https://example.com, query: {a: [V]}}",
        "request: {url: https://example.com, method: POST, json: {a: {b: V}}}",
        "set: {a: V}",
        "set: {a: 'x V'}",
        "if: '{{ \"V\" }}'\n    set: {a: 1}",
    ],
)
def test_a_reference_in_an_action(action: str, tmp_path: Path) -> None:
    reference = "vault://secret/a/b#t"
    text = f"actions:\n  - id: a\n    {action.replace('V', reference)}\n"
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [item.rule for item in found] == [RULE]
    assert underlined(tmp_path, found[0].primary.span) == reference
    assert "secrets.NAME" in (found[0].help or "")


def test_in_runner_yaml(tmp_path: Path) -> None:
    text = (
        "vars: {a: 'vault://secret/a/b#t'}\n"
        "environments: {dev: {vars: {b: 'env://B'}, connections: {c: {auth: {token: 'env://C'}}}}}\n"
    )
    found = findings(
        tmp_path, {"runner.yaml": text, "connections.d/c.yaml": BEARER + "env://X\n"}, environment="dev"
    )
    assert brief(tmp_path, found) == [
        (RULE, "no secret reference may stand here: the text would be used as it is", "vault://secret/a/b#t"),
        (RULE, "no secret reference may stand here: the text would be used as it is", "env://B"),
    ]


def test_references_written_with_escapes(tmp_path: Path) -> None:
    text = 'actions: [{id: a, set: {b: "vault\\u003a\\/\\/secret/a/b#t"}}]'
    found = findings(tmp_path, {"workflows.d/w.yaml": text + "\n"})
    assert [item.message for item in found] == [
        "no secret reference may stand here: the text would be used as it is"
    ]


@pytest.mark.parametrize(
    "files",
    [
        {
            "connections.d/c.yaml": BEARER
            + "vault://secret/a/b?version=3#t\nquery: {k: 'env://K'}\nheaders: {A: 'vault://s/a#b'}\n"
        },
        {
            "connections.d/c.yaml": BEARER
            + "env://T\ntls: {ca: 'vault://secret/pki#ca'}\ndescription: reads vault://secret/a#b\n"
        },
        {
            "workflows.d/w.yaml": "secrets: {t: 'vault://secret/a/b#t'}\nactions:\n  - {id: a, name: uses vault://s/a#b, set: {a: 1}}\n"
        },
        {
            "workflows.d/w.yaml": "actions:\n  - {id: a, set: {text: 'write vault:// and the path', b: 'https://vault.example.com/a#b'}}\n"
        },
    ],
)
def test_references_in_their_places_and_prose(files: dict[str, str], tmp_path: Path) -> None:
    assert findings(tmp_path, files) == []
