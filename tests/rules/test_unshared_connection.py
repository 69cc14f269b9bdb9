"""`shared` against the references of a connection."""

from pathlib import Path

import pytest

from tests.rules.projects import brief, underlined
from tests.rules.projects import spine as findings

RULE = "unshared-connection"
TEAM = "vault://secret/team#t"
OWN = "vault://secret/users/{{ user }}#t"
STYLED = ["V", "'V'", '"V"', "|-\n    V", ">-\n    V"]


def connection(reference: str, *lines: str, style: str = "'V'") -> str:
    more = "".join(f"{line}\n" for line in lines)
    return f"type: bearer\nbase_url: https://example.com\n{more}auth:\n  token: {style.replace('V', reference)}\n"


@pytest.mark.parametrize("style", STYLED)
@pytest.mark.parametrize(
    ("reference", "lines", "message"),
    [
        (
            TEAM,
            (),
            "the connection is personal (`shared` is not true): its reference must contain {{ user }}",
        ),
        (
            TEAM,
            ("shared: false",),
            "the connection is personal (`shared` is not true): its reference must contain {{ user }}",
        ),
        (OWN, ("shared: true",), "the connection is shared: its reference may not contain {{ user }}"),
    ],
)
def test_the_reference_is_underlined(
    reference: str, lines: tuple[str, ...], message: str, style: str, tmp_path: Path
) -> None:
    found = findings(tmp_path, {"connections.d/c.yaml": connection(reference, *lines, style=style)})
    assert [(item.rule, item.message) for item in found] == [(RULE, message)]
    assert reference in underlined(tmp_path, found[0].primary.span)


@pytest.mark.parametrize(
    "text",
    [
        connection(TEAM, "shared: true"),
        connection(OWN),
        connection(OWN, "shared: false"),
        connection("env://T", "shared: true"),
        connection("env://T"),
        connection(OWN, f"headers: {{X-App: '{TEAM}'}}"),
        "type: none\nbase_url: https://example.com\n",
    ],
)
def test_what_is_right(text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, {"connections.d/c.yaml": text}) == []


def test_references_in_headers_and_query_count(tmp_path: Path) -> None:
    text = f"type: none\nbase_url: https://example.com\nshared: true\nheaders: {{A: '{OWN}'}}\nquery: {{b: '{OWN}'}}\n"
    assert [item.rule for item in findings(tmp_path, {"connections.d/c.yaml": text})] == [RULE, RULE]


def test_an_inherited_reference_is_a_mistake_of_the_heir(tmp_path: Path) -> None:
    files = {
        "connections.d/a.yaml": connection(TEAM, "shared: true"),
        "connections.d/b.yaml": "extends: a\nshared: false\n",
    }
    found = findings(tmp_path, files)
    assert [line[2] for line in brief(tmp_path, found)] == ["false"]
    assert found[0].primary.span.path == "connections.d/b.yaml"
    assert [label.span.path for label in found[0].related] == ["connections.d/a.yaml"]


def test_a_trigger_reaches_personal_connections_through_the_workflows_that_it_calls(tmp_path: Path) -> None:
    personal = (
        "type: bearer\nbase_url: https://a.test\nauth: {token: 'vault://s/{{ user }}#t'}\ntest: {path: /}\n"
    )
    files = {
        "connections.d/own.yaml": personal,
        "workflows.d/night.yaml": (
            "triggers: [{schedule: '0 7 * * *'}]\nactions:\n  - {id: a, workflow: middle}\n"
        ),
        "workflows.d/middle.yaml": "actions:\n  - {id: a, workflow: last}\n",
        "workflows.d/last.yaml": "actions:\n  - {id: a, connection: own, request: {path: /}}\n",
    }
    found = findings(tmp_path, files)
    assert [(item.rule, underlined(tmp_path, item.primary.span)) for item in found] == [
        ("unshared-connection", "middle")
    ]
    assert found[0].message.startswith("the connection 'own' is personal")
