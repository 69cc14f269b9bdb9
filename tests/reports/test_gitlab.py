"""GitLab's code quality report: its form, and fingerprints that stay while lines move."""

import json
from typing import Any

import pytest

from runner import reports
from runner.diagnostics import Diagnostic
from runner.reports import Findings
from tests.reports.findings import (
    CONCEALED,
    FILE,
    NASTY,
    SECRET,
    SOURCE,
    WARNING,
    diagnostic,
    nasty,
    of,
    span,
)


def entries(findings: Findings) -> list[dict[str, Any]]:
    text = reports.render("gitlab", "diagnostics", findings)
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    found: list[dict[str, Any]] = json.loads(text)
    return found


def fingerprints(*diagnostics: Diagnostic) -> list[str]:
    return [entry["fingerprint"] for entry in entries(of(*diagnostics))]


def test_an_entry_has_what_gitlab_asks_for() -> None:
    found = diagnostic(where=span(3, 5, 1, last=6), help="did you mean 'search'?")
    (entry,) = entries(of(found, below="ops/"))
    assert len(entry.pop("fingerprint")) == 64
    assert entry == {
        "description": "no action 'serch' (help: did you mean 'search'?)",
        "check_name": "undefined-reference",
        "severity": "major",
        "location": {"path": f"ops/{FILE}", "lines": {"begin": 3, "end": 6}},
    }


def test_severities_are_those_of_gitlab() -> None:
    assert [entry["severity"] for entry in entries(of(diagnostic(), WARNING))] == ["major", "minor"]


def test_nothing_found_is_an_empty_list() -> None:
    assert reports.render("gitlab", "diagnostics", of()) == "[]\n"


def test_a_fingerprint_stays_while_lines_move() -> None:
    assert fingerprints(diagnostic(where=span(3))) == fingerprints(diagnostic(where=span(40, 2, 6)))


def test_fingerprints_tell_findings_apart() -> None:
    found = [
        diagnostic(),
        diagnostic(where=span(9)),
        diagnostic("no action 'other'"),
        diagnostic(rule="unavailable-root"),
        diagnostic(where=span(path="workflows.d/b.yaml")),
    ]
    made = fingerprints(*found)
    assert len(set(made)) == len(found)
    assert made == fingerprints(*found), "the same at every run"
    assert made[0] == fingerprints(found[0])[0]


def test_a_fingerprint_tells_nothing_of_a_typed_in_secret() -> None:
    same = of(CONCEALED, texts={FILE: SOURCE}), of(CONCEALED, texts={FILE: SOURCE.replace(SECRET, "other")})
    first, second = (reports.render("gitlab", "diagnostics", findings) for findings in same)
    assert first == second
    assert SECRET not in first


@pytest.mark.parametrize("text", NASTY)
def test_text_cannot_break_out(text: str) -> None:
    (entry,) = entries(of(nasty(text)))
    shown = reports.visible(text)
    assert entry["description"] == (f"{shown} (help: {shown})" if text else shown)
    assert json.loads(json.dumps(entry["location"]["path"])) == f"workflows.d/{text}.yaml"
