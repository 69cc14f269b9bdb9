"""Comparisons as text, Markdown and JSON."""

import json
from typing import Any

import pytest

from runner import reports
from runner.comparison import value
from runner.reports.markdown.diff import MARKER
from runner.reports.markdown.escape import LONGEST

EMPTY: dict[str, Any] = {
    "format": "runner.d/diff/1",
    "base": {"name": "main", "errors": 0, "warnings": 0},
    "head": {"name": "working tree", "errors": 0, "warnings": 2},
    "danger": [],
    "indirect": [],
    "changes": [],
    "digest": "sha256:0",
}
ENTRY = {"sign": "~", "key": "request.path", "before": "/a", "after": "/b"}
FULL: dict[str, Any] = {
    **EMPTY,
    "base": {"name": "main", "errors": 1, "warnings": 0},
    "danger": [
        {"kind": "new-host", "message": "a.example.com", "file": "connections.d/a.yaml", "after": "a.example.com"},
        {
            "kind": "raised", "message": "timeout", "file": "workflows.d/w.yaml", "action": "one",
            "environment": "staging", "before": "30s", "after": 60,
        },
    ],
    "indirect": [{"workflow": "v", "file": "workflows.d/v.yaml", "through": ["connection a"]}],
    "changes": [
        {
            "what": "workflow", "name": "w", "file": "workflows.d/w.yaml", "change": "renamed", "was": "old",
            "entries": [{"sign": "+", "key": "vars.a", "after": 1, "through": "x.yaml"}],
            "actions": [{"id": "one", "section": "finally", "change": "changed", "entries": [ENTRY]}],
        },
        {"what": "connection", "name": "a", "file": "connections.d/a.yaml", "change": "removed", "unread": ["base"], "entries": []},
    ],
}  # fmt: skip


def test_text() -> None:
    assert reports.render("text", "diff", FULL) == (
        "main → working tree\n"
        "note: main has 1 error, so it is compared as far as it can be read\n"
        "\n"
        "look at first\n"
        "  ! new-host: a.example.com\n"
        "      connections.d/a.yaml\n"
        "  ! raised: timeout\n"
        "      workflows.d/w.yaml, action one, environment staging\n"
        "      - 30s\n"
        "      + 60\n"
        "\n"
        "changed through something else only\n"
        "  ~ workflows.d/v.yaml\n"
        "      through connection a\n"
        "\n"
        "changes\n"
        "~ workflows.d/w.yaml (was old)\n"
        "    + vars.a (through x.yaml): 1\n"
        "    ~ action one in finally\n"
        "        ~ request.path: /a → /b\n"
        "- connections.d/a.yaml (cannot be read in base)\n"
        "\n"
        "digest sha256:0\n"
    )


def test_text_of_nothing_and_of_what_is_long() -> None:
    assert reports.render("text", "diff", EMPTY).splitlines()[1] == "no difference in meaning"
    entry = {**ENTRY, "before": "a" * 60, "after": "b" * 60}
    item = {
        "what": "project",
        "name": "runner.yaml",
        "file": "runner.yaml",
        "change": "changed",
        "entries": [entry],
    }
    lines = reports.render("text", "diff", {**EMPTY, "changes": [item]}).splitlines()
    assert lines[-5:-2] == ["    ~ request.path:", f"        - {'a' * 60}", f"        + {'b' * 60}"]


def test_markdown() -> None:
    text = reports.render("markdown", "diff", FULL)
    assert text.startswith(
        f"{MARKER}\n### runner diff: 2 files changed in meaning, 2 things to look at first\n"
    )
    assert "| **new-host** | a.example.com | <code>connections.d/a.yaml</code> |\n" in text
    assert "| **raised** | timeout<br>before: <code>30s</code><br>after: <code>60</code> |" in text
    assert "    - <code>\\~</code> <code>request.path</code>: <code>/a</code> → <code>/b</code>\n" in text
    assert "no difference in meaning" in reports.render("markdown", "diff", EMPTY)


def test_markdown_stays_below_the_size_of_a_comment_with_the_danger_first() -> None:
    entries = [{"sign": "+", "key": f"vars.v{n}", "after": "x" * 300} for n in range(1000)]
    item = {
        "what": "project",
        "name": "runner.yaml",
        "file": "runner.yaml",
        "change": "changed",
        "entries": entries,
    }
    text = reports.render("markdown", "diff", {**FULL, "changes": [item]})
    assert len(text.encode()) <= LONGEST
    assert "**raised**" in text
    assert "more lines are not shown here; `runner diff` shows them all" in text


def test_json_is_the_document_itself() -> None:
    assert json.loads(reports.render("json", "diff", FULL)) == FULL


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("text", "text"),
        ("{{ inputs.a }}", "{{ inputs.a }}"),
        ("1", '"1"'),
        ("true", '"true"'),
        ("", '""'),
        (" a", '" a"'),
        ("a\nb", '"a\\nb"'),
        ("[a", '"[a"'),
        ("{a: 1}", '"{a: 1}"'),
        ('"', '"\\""'),
        (1, "1"),
        (None, "null"),
        (["ü", {}], '["ü", {}]'),
    ],
)
def test_a_text_cannot_be_taken_for_another_value(given: object, expected: str) -> None:
    assert value(given) == expected
