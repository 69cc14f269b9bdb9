"""Annotations: read back as GitHub's runner reads workflow commands."""

import re

import pytest

from runner import reports
from runner.diagnostics import Label
from runner.reports import Findings
from tests.reports.findings import (
    CONCEALED,
    FILE,
    LONG,
    NASTY,
    SECRET,
    SOURCE,
    WARNING,
    WHOLE,
    diagnostic,
    nasty,
    of,
    span,
)

Command = tuple[str, dict[str, str], str]


def commands(findings: Findings) -> list[Command]:
    """Parse as the runner does: trim, `::name properties::data`, then the escapes; any other line is no command."""
    found = []
    for line in reports.render("github", "diagnostics", findings).splitlines():
        match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line.strip())
        assert match, line
        pairs = (pair.split("=", 1) for pair in match[2].split(","))
        properties = {name: _plain(value) for name, value in pairs}
        found.append((match[1], properties, _plain(match[3])))
    return found


def _plain(text: str) -> str:
    for escape, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, char)
    return text


def test_an_annotation_has_place_rule_message_and_help() -> None:
    related = (Label(span(20, 7, 9), "it stands here"),)
    found = diagnostic("action 'x' stands after this one", related=related, help="move it")
    assert commands(of(found)) == [
        (
            "error",
            {
                "file": FILE,
                "line": "3",
                "endLine": "3",
                "col": "5",
                "endColumn": "9",
                "title": "undefined-reference",
            },
            f"action 'x' stands after this one\nit stands here: {FILE}:20:7\nhelp: move it",
        )
    ]


def test_nothing_found_is_nothing_said() -> None:
    assert reports.render("github", "diagnostics", of()) == ""


def test_a_warning_is_a_warning() -> None:
    assert [name for name, _, _ in commands(of(WARNING, WHOLE))] == ["warning", "error"]


def test_a_place_over_several_lines_has_no_columns() -> None:
    ((_, properties, _),) = commands(of(LONG))
    assert properties == {"file": FILE, "line": "2", "endLine": "6", "title": "undefined-reference"}


def test_a_message_about_a_file_stands_at_its_first_line() -> None:
    ((_, properties, _),) = commands(of(WHOLE))
    assert properties == {"file": FILE, "line": "1", "title": "not-text"}


def test_files_are_named_from_the_root_of_the_repository() -> None:
    other = diagnostic(where=span(path="/elsewhere/a.yaml"))
    files = [properties["file"] for _, properties, _ in commands(of(WHOLE, other, below="teams/ops/"))]
    assert files == [f"teams/ops/{FILE}", "/elsewhere/a.yaml"]


@pytest.mark.parametrize("text", NASTY)
def test_text_cannot_break_out(text: str) -> None:
    ((name, properties, data),) = commands(of(nasty(text)))
    shown = reports.visible(text).replace("##[", "##\\x5b")
    assert (name, properties["title"]) == ("error", "undefined-reference")
    assert set(properties) == {"file", "line", "endLine", "col", "endColumn", "title"}
    assert properties["file"] == f"workflows.d/{shown}.yaml"
    said = [
        shown,
        f"{shown or 'related'}: workflows.d/{shown}.yaml:8:1",
        *([f"help: {shown}"] if text else []),
    ]
    assert data.rstrip(" ") == "\n".join(said).rstrip(" ")


def test_a_concealed_text_shows_in_no_way() -> None:
    text = reports.render("github", "diagnostics", of(CONCEALED, texts={FILE: SOURCE}))
    assert SECRET not in text
    assert "endColumn" not in text, "its length says something too"
