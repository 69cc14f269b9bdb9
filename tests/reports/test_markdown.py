"""Markdown for a comment: read back with a real Markdown parser, so that what breaks out is seen."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from runner import reports
from runner.diagnostics import Label
from runner.reports import Findings
from runner.reports.markdown.escape import LONGEST, code, inline
from tests.reports.findings import (
    CONCEALED,
    FILE,
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

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
MARKER = "<!-- runner.d: validate -->"
OURS = {"<code>", "</code>", "<br>"}


def rendered(findings: Findings) -> str:
    return reports.render("markdown", "diagnostics", findings)


def cells(text: str) -> list[list[str]]:
    """Give the table's rows as people read them; fails where anything stands in it but our own markup."""
    tokens = PARSER.parse(text)
    assert tokens[0].type == "html_block"
    assert tokens[0].content.strip() == MARKER
    assert tokens[1].type == "heading_open"
    kinds = [token.type for token in tokens if token.level == 0]
    assert kinds == [
        "html_block",
        "heading_open",
        "inline",
        "heading_close",
        "table_open",
        "table_close",
    ] or [kind for kind in kinds if kind != "inline"] == [
        "html_block",
        "heading_open",
        "heading_close",
        "table_open",
        "table_close",
    ]
    rows: list[list[str]] = []
    body = False
    for token in tokens:
        body = body or token.type == "tbody_open"
        if token.type == "tr_open" and body:
            rows.append([])
        if token.type == "inline" and body:
            rows[-1].append(_read(token))
    assert {len(row) for row in rows} == {3}
    return rows


def _read(token: Token) -> str:
    text = ""
    for part in token.children or ():
        if part.type == "html_inline":
            assert part.content in OURS, part.content
            text += "\n" if part.content == "<br>" else ""
        elif part.type in ("strong_open", "strong_close"):
            assert token.content.startswith("**error**")
        else:
            assert part.type in ("text", "text_special"), part
            text += part.content
    return text.replace("\u200b", "")


def test_a_row_has_severity_rule_place_message_and_help() -> None:
    related = (Label(span(20, 7, 9), "it stands here"),)
    found = diagnostic("action 'x' stands after this one", related=related, help="move it")
    assert cells(rendered(of(found, WARNING, WHOLE, below="ops/"))) == [
        [
            "error undefined-reference",
            f"ops/{FILE}:3:5",
            f"action 'x' stands after this one\nit stands here: ops/{FILE}:20:7\nhelp: move it",
        ],
        ["warning tls-not-verified", f"ops/{FILE}:3:5", "accepts any certificate"],
        ["error not-text", f"ops/{FILE}", "the file is not UTF-8 text"],
    ]


def test_the_first_line_is_the_mark_that_a_bot_finds() -> None:
    assert rendered(of()).splitlines() == [MARKER, "### runner validate: no errors in 3 files"]
    assert rendered(of(WARNING)).splitlines()[:2] == [
        MARKER,
        "### runner validate: no errors, 1 warning in 3 files",
    ]


def strict(text: str) -> str:
    """What is left of a text when it is shown: escapes for what nobody sees; a cell has no spaces at its ends."""
    return reports.visible(text).strip(" ")


@pytest.mark.parametrize("text", NASTY)
def test_text_cannot_break_out(text: str) -> None:
    ((_, place, message),) = cells(rendered(of(nasty(text))))
    assert place == f"workflows.d/{reports.visible(text)}.yaml:3:5"
    assert message.splitlines()[0].strip(" ") == strict(text)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_out(text: str) -> None:
    ((_, _, message),) = cells(rendered(of(diagnostic(f"x{text}x"))))
    assert message == f"x{reports.visible(text)}x"


@settings(deadline=None)
@given(st.text(alphabet="\\|`<>&*_[]()~#@!$:{}=+^-. a1\n", max_size=40))
def test_no_syntax_breaks_out(text: str) -> None:
    ((_, place, message),) = cells(rendered(of(diagnostic(f"x{text}x", where=span(path=f"{text}.yaml")))))
    assert message == f"x{reports.visible(text)}x"
    assert place.strip(" ") == f"{reports.visible(text)}.yaml:3:5".strip(" ")


@pytest.mark.parametrize(
    "text", ["@ann", "a@example.com", "#12", "https://example.com", "HTTP://example.com", "www.example.com"]
)
def test_nobody_is_called_and_nothing_is_linked(text: str) -> None:
    written = inline(text)
    assert text not in written
    assert written.replace("&#8203;", "") == text


def test_a_reference_can_be_copied() -> None:
    assert code("vault://secret/app#token") == "<code>vault://secret/app#token</code>"


def test_many_findings_are_cut_to_what_a_comment_holds() -> None:
    found = [diagnostic(f"no action '{number}' {'日' * 200}", where=span(number)) for number in range(1, 400)]
    text = rendered(of(*found))
    assert LONGEST * 0.9 < len(text.encode()) <= LONGEST
    table, _, rest = text.rpartition("\n\n")
    shown = len(cells(table + "\n"))
    assert rest == f"{len(found) - shown} more are not shown here; `runner validate` shows them all.\n"


def test_one_long_text_is_cut() -> None:
    ((_, _, message), (_, _, other)) = cells(rendered(of(diagnostic("x" * 100_000), diagnostic())))
    assert message == "x" * 599 + "…"
    assert other == "no action 'serch'"


def test_a_concealed_text_shows_in_no_way() -> None:
    assert SECRET not in rendered(of(CONCEALED, texts={FILE: SOURCE}))
