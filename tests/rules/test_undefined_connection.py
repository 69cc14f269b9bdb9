"""Connections that do not exist, and actions without the one they need."""

from pathlib import Path

import pytest

from tests.rules.projects import TICKETS, brief
from tests.rules.projects import spine as findings

RULE = "undefined-connection"


def found_in(root: Path, text: str) -> list[tuple[str, str, str, str | None]]:
    files = {
        "workflows.d/w.yaml": text,
        "connections.d/tickets.yaml": TICKETS,
        "connections.d/eu/pager.yaml": TICKETS,
    }
    found = findings(root, files)
    return [(*line, item.help) for line, item in zip(brief(root, found), found, strict=True)]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("ticket", "did you mean 'tickets'?"),
        ("eu/page", "did you mean 'eu/pager'?"),
        ("zzz", "connections: eu/pager, tickets"),
        ("tickets.yaml", "did you mean 'tickets'?"),
    ],
)
@pytest.mark.parametrize("style", ["%s", "'%s'", '"%s"', "|-\n      %s", ">-\n      %s"])
def test_an_unknown_name(name: str, remedy: str, style: str, tmp_path: Path) -> None:
    text = f"actions:\n  - id: it\n    request: {{path: /}}\n    connection: {style % name}\n"
    ((rule, message, marked, help_),) = found_in(tmp_path, text)
    assert (rule, message, help_) == (RULE, f"no connection '{name}'", remedy)
    assert marked.strip("'\"|>-\n ") == name


def test_the_default_connection(tmp_path: Path) -> None:
    text = "defaults: {connection: pager}\nactions:\n  - {id: a, request: {path: /}}\n  - {id: b, request: {path: /b}}\n"
    assert found_in(tmp_path, text) == [(RULE, "no connection 'pager'", "pager", "did you mean 'eu/pager'?")]


def test_a_path_needs_a_connection(tmp_path: Path) -> None:
    message = "a request with `path` needs a connection, and this action names none"
    remedy = "add `connection: NAME` to the action or to `defaults`, or write `url` in place of `path`"
    assert found_in(tmp_path, "actions:\n  - {id: a, request: {path: /}}\n") == [
        (RULE, message, "path", remedy)
    ]


def test_a_url_takes_none(tmp_path: Path) -> None:
    text = "actions:\n  - {id: a, connection: tickets, request: {url: 'https://example.com/'}}\n"
    ((rule, message, marked, _),) = found_in(tmp_path, text)
    assert (rule, marked) == (RULE, "connection")
    assert (
        message
        == "a request with `url` takes no connection: credentials go to the host of their connection only"
    )


@pytest.mark.parametrize(
    "text",
    [
        "actions:\n  - {id: a, connection: eu/pager, request: {path: /}}\n",
        "defaults: {connection: tickets}\nactions:\n  - {id: a, request: {path: /}}\n  - {id: b, set: {a: 1}}\n",
        "defaults: {connection: tickets}\nactions:\n  - {id: a, request: {url: 'https://example.com/'}}\n",
        "actions:\n  - {id: a, request: {url: 'https://example.com/'}}\n",
        "finally:\n  - {id: b, connection: tickets, request: {path: /}}\nactions:\n  - {id: a, set: {a: 1}}\n",
    ],
)
def test_what_is_right(text: str, tmp_path: Path) -> None:
    assert found_in(tmp_path, text) == []


def test_every_section_is_checked(tmp_path: Path) -> None:
    part = "\n  - {id: %s, connection: nope, request: {path: /}}\n"
    text = "".join(f"{name}:{part % name}" for name in ("actions", "on_failure", "finally"))
    assert [item[0] for item in found_in(tmp_path, text)] == [RULE] * 3


def test_a_connection_that_cannot_be_read_exists(tmp_path: Path) -> None:
    files = {
        "workflows.d/w.yaml": "actions:\n  - {id: a, connection: tickets, request: {path: /}}\n",
        "connections.d/tickets.yaml": "type: [\n",
    }
    assert [item.rule for item in findings(tmp_path, files)] == ["yaml-syntax"]


def test_broken_defaults_are_not_guessed(tmp_path: Path) -> None:
    text = "defaults: {conection: tickets}\nactions:\n  - {id: a, request: {path: /}}\n"
    assert [item[0] for item in found_in(tmp_path, text)] == ["unknown-key"]


def test_an_environment_overrides_a_connection_that_exists(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "environments: {dev: {connections: {ticket: {timeout: 1s}}}}\n",
        "connections.d/tickets.yaml": TICKETS,
    }
    found = findings(tmp_path, files, environment="dev")
    assert brief(tmp_path, found) == [(RULE, "no connection 'ticket'", "ticket")]


def test_an_action_with_another_mistake_is_checked_too(tmp_path: Path) -> None:
    text = "actions:\n  - {id: a, conection: x, connection: nope, request: {path: /}, retry: often}\n"
    assert ("undefined-connection", "nope") in [
        (rule, marked) for rule, _, marked, _ in found_in(tmp_path, text)
    ]
