"""Ids, headers and files that are one name twice."""

from pathlib import Path

import pytest

from tests.rules.projects import TICKETS, underlined
from tests.rules.projects import spine as findings

RULE = "duplicate-name"


@pytest.mark.parametrize("style", ["it", "'it'", '"it"', "|-\n      it", ">-\n      it"])
@pytest.mark.parametrize("section", ["actions", "on_failure", "finally"])
def test_one_id_twice(section: str, style: str, tmp_path: Path) -> None:
    text = "actions:\n  - id: it\n    set: {a: 1}\n  - id: other\n    set: {a: 1}\n"
    text += "" if section == "actions" else f"{section}:\n"
    text += f"  - id: {style}\n    set: {{a: 1}}\n"
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [(item.rule, item.message) for item in found] == [(RULE, "two actions have the id 'it'")]
    assert underlined(tmp_path, found[0].primary.span) == style
    assert found[0].primary.span.start.line > 4
    assert [(label.span.start.line, label.message) for label in found[0].related] == [(2, "first here")]


def test_ids_of_two_workflows_are_their_own(tmp_path: Path) -> None:
    text = "actions:\n  - {id: it, set: {a: 1}}\n"
    assert findings(tmp_path, {"workflows.d/a.yaml": text, "workflows.d/b.yaml": text}) == []


def test_three_of_one_id_are_two_mistakes(tmp_path: Path) -> None:
    text = "actions:\n" + "  - {id: it, set: {a: 1}}\n" * 3
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [item.primary.span.start.line for item in found] == [3, 4]


@pytest.mark.parametrize("name", ["finally", "on_failure"])
def test_steps_of_a_call_and_of_a_list_have_names_of_their_own(name: str, tmp_path: Path) -> None:
    call = f"actions:\n  - {{id: {name}, workflow: w}}\n"
    files = {
        "workflows.d/v.yaml": call,
        "workflows.d/w.yaml": f"actions:\n  - {{id: {name}, set: {{a: 1}}}}\n",
    }
    found = findings(tmp_path, files)
    assert [item.rule for item in found] == [RULE]
    assert found[0].message.startswith(f"the steps of '{name}', which calls a workflow, would be named like")
    assert underlined(tmp_path, found[0].primary.span) == name
    assert findings(tmp_path / "b", {**files, "workflows.d/v.yaml": call.replace(name, "actions")}) == []


HEADERS = "{X-Api-Version: a, 'x-api-version': b, Other: c}"


@pytest.mark.parametrize(
    "files",
    [
        {"connections.d/c.yaml": f"{TICKETS}headers: {HEADERS}\n"},
        {"connections.d/c.yaml": f"{TICKETS}test: {{path: /, expect: {{headers: {HEADERS}}}}}\n"},
        {
            "workflows.d/w.yaml": f"actions:\n  - {{id: a, request: {{url: 'https://example.com', headers: {HEADERS}}}}}\n"
        },
        {
            "workflows.d/w.yaml": f"actions:\n  - {{id: a, request: {{url: 'https://example.com'}}, expect: {{headers: {HEADERS}}}}}\n"
        },
        {"runner.yaml": f"environments: {{dev: {{connections: {{c: {{headers: {HEADERS}}}}}}}}}\n"},
    ],
)
def test_headers_that_differ_in_case(files: dict[str, str], tmp_path: Path) -> None:
    found = findings(tmp_path, files)
    message = "the headers 'X-Api-Version' and 'x-api-version' are the same: HTTP takes no notice of case"
    assert [(item.rule, item.message) for item in found] == [(RULE, message)]
    assert underlined(tmp_path, found[0].primary.span) == "'x-api-version'"
    assert underlined(tmp_path, found[0].related[0].span) == "X-Api-Version"


@pytest.mark.parametrize(
    "files",
    [
        {
            "workflows.d/w.yaml": f"actions:\n  - {{id: a, request: {{url: 'https://example.com', method: POST, json: {{headers: {HEADERS}}}}}}}\n"
        },
        {"workflows.d/w.yaml": f"actions:\n  - {{id: a, set: {{headers: {HEADERS}}}}}\n"},
        {"connections.d/c.yaml": f"{TICKETS}query: {{a: 1, A: 2}}\nheaders: {{A: b, B: c}}\n"},
    ],
)
def test_other_keys_keep_their_case(files: dict[str, str], tmp_path: Path) -> None:
    assert findings(tmp_path, files) == []


def test_files_that_differ_in_case(tmp_path: Path) -> None:
    files = {
        "connections.d/eu/Tickets.yaml": TICKETS,
        "connections.d/eu/tickets.yaml": TICKETS,
        "connections.d/tickets.yaml": TICKETS,
    }
    found = findings(tmp_path, files)
    assert [(item.rule, item.message) for item in found] == [
        (RULE, "the connections 'eu/Tickets' and 'eu/tickets' differ in case only")
    ]
    assert found[0].primary.span.path == "connections.d/eu/tickets.yaml"
