"""The text form of diagnostics: alignment, concealment, counting."""

import pytest

from runner.diagnostics import Diagnostic, Label, Severity, error
from runner.reports import Findings, text
from runner.source import Position, Span, whole_file

FILE = "workflows.d/a.yaml"


def span(line: int, start: int, end: int, *, last: int | None = None, path: str = FILE) -> Span:
    return Span(path, Position(line, start), Position(last or line, end))


def shown(
    source: str, *diagnostics: Diagnostic, color: bool = False, hidden: tuple[Diagnostic, ...] = ()
) -> str:
    findings = Findings(diagnostics=diagnostics, concealing=hidden, texts={FILE: source}, files=1)
    return text.diagnostics(findings, color=color)


def lines(source: str, where: Span) -> tuple[str, str]:
    """Give the source line and the caret line of one diagnostic, without the gutter."""
    printed = shown(source, error("r", "m", where)).splitlines()
    return printed[2].partition("| ")[2], printed[3].partition("| ")[2]


def test_the_form_of_the_specification() -> None:
    source = "\n" * 11 + '    for_each: "{{ actions.serch.output }}"\n'
    found = error(
        "undefined-reference",
        "no action 'serch' before this one",
        span(12, 19, 32),
        help="did you mean 'actions.search'?",
    )
    assert shown(source, found) == (
        "error[undefined-reference]: no action 'serch' before this one\n"
        "  --> workflows.d/a.yaml:12:19\n"
        '12 |     for_each: "{{ actions.serch.output }}"\n'
        "   |                   ^^^^^^^^^^^^^\n"
        "   = help: did you mean 'actions.search'?\n"
        "\n"
        "1 error in 1 file\n"
    )


@pytest.mark.parametrize(
    ("source", "where", "line", "carets"),
    [
        ("\tkey: x", span(1, 2, 5), "    key: x", "    ^^^"),
        ("日本: x", span(1, 5, 6), "日本: x", "      ^"),
        ("日本: x", span(1, 1, 3), "日本: x", "^^^^"),
        ("e\u0301: x", span(1, 5, 6), "e\u0301: x", "   ^"),
        ("key: |\n  text", span(1, 6, 7, last=2), "key: |", "     ^"),
        ("note: long text \n  more", span(1, 7, 7, last=2), "note: long text", "      ^^^^^^^^^"),
        ("key", span(1, 4, 4), "key", "   ^"),
        ("key", span(1, 40, 50), "key", "   ^"),
        ("a\x1b[31mb", span(1, 7, 8), "a\ufffd[31mb", "      ^"),
        ("a\u202eb", span(1, 3, 4), "a\ufffdb", "  ^"),
    ],
    ids=[
        "tab",
        "wide",
        "wide-marked",
        "combining",
        "block",
        "rest-of-line",
        "empty",
        "beyond",
        "escape",
        "bidi",
    ],
)
def test_carets_stand_under_what_is_meant(source: str, where: Span, line: str, carets: str) -> None:
    assert lines(source, where) == (line, carets)


def test_lines_are_counted_as_yaml_counts_them() -> None:
    assert lines("a: 1\r\nb: 2\rc: 3\u2028d: 4", span(4, 1, 2)) == ("d: 4", "^")


def test_of_a_long_line_the_part_around_the_place_is_shown() -> None:
    line, carets = lines("x" * 5000 + "HERE" + "y" * 5000, span(1, 5001, 5005))
    assert len(line) < 180
    assert line.startswith("…")
    assert line.endswith("…")
    assert line[carets.index("^") : carets.rindex("^") + 1] == "HERE"


def test_a_file_as_such_has_no_source_line() -> None:
    printed = shown("text: 1\n", error("r", "m", whole_file(FILE)))
    assert printed == f"error[r]: m\n --> {FILE}\n\n1 error in 1 file\n"


def test_related_places_are_notes_and_share_the_gutter() -> None:
    found = Diagnostic(
        rule="duplicate-name",
        severity=Severity.WARNING,
        message="m",
        primary=Label(span(10, 1, 2)),
        related=(Label(span(2, 1, 2), "first here"),),
    )
    printed = shown("\n".join("abcdefghij"), found).splitlines()
    assert printed[2] == "10 | j"
    assert printed[4:7] == ["   = note: first here", f"  --> {FILE}:2:1", "2  | b"]


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ((), "no errors in 1 file"),
        (("error",), "1 error in 1 file"),
        (("error", "error", "warning"), "2 errors, 1 warning in 1 file"),
        (("warning", "warning"), "no errors, 2 warnings in 1 file"),
    ],
)
def test_the_last_line_counts(severities: tuple[str, ...], expected: str) -> None:
    found = [
        Diagnostic(rule="r", severity=Severity(name), message="m", primary=Label(span(1, 1, 2)))
        for name in severities
    ]
    assert shown("a", *found).splitlines()[-1] == expected


def test_messages_cannot_pass_for_lines_or_colours_of_ours() -> None:
    printed = shown("a", error("r", "x\n1 error\x1b[2J", span(1, 1, 2), help="a\u202eb"))
    assert "x\\n1 error\\x1b[2J" in printed
    assert "a\\u202eb" in printed


def test_colours_only_where_they_are_wanted() -> None:
    assert "\x1b[" not in shown("a", error("r", "m", span(1, 1, 2)))
    assert "\x1b[1;31merror[r]\x1b[0m" in shown("a", error("r", "m", span(1, 1, 2)), color=True)


SECRET = "hunter2hunter2"


def test_a_concealed_place_is_blank_in_every_printed_line() -> None:
    source = f"x: [{SECRET}, other]\n"
    concealed = error("hardcoded-secret", "m", span(1, 5, 19), concealed=True)
    printed = shown(source, concealed, error("r", "m", span(1, 21, 26)))
    assert SECRET not in printed
    assert printed.count("x: [••••••••, other]") == 2
    assert "               ^^^^^\n" in printed


def test_a_place_stays_concealed_when_its_diagnostic_is_filtered_out() -> None:
    concealed = error("hardcoded-secret", "m", span(1, 4, 18), concealed=True)
    printed = shown(f"x: {SECRET} y", error("r", "m", span(1, 19, 20)), hidden=(concealed,))
    assert SECRET not in printed
    assert "x: •••••••• y" in printed


def test_a_concealed_place_over_lines_blanks_each_of_them() -> None:
    source = f"x: |\n  {SECRET}\n  {SECRET}\ny: 1\n"
    concealed = error("hardcoded-secret", "m", span(1, 4, 17, last=3), concealed=True)
    others = [error("r", "m", span(line, 3, 9)) for line in (2, 3)]
    assert SECRET not in shown(source, concealed, *others)


def test_the_blank_does_not_tell_the_length() -> None:
    printed = [
        shown(f"x: {value}", error("h", "m", span(1, 4, 4 + len(value)), concealed=True))
        for value in ("a", SECRET * 5)
    ]
    assert printed[0] == printed[1]


UNREAD = [
    f"token: {SECRET}: x",
    f"  api_key: '{SECRET}",
    f"auth: {{token: {SECRET}, x: [",
    f"auth:\n  tokn: {SECRET}",
    f"auth:\n  token: |\n    {SECRET}\n   bad",
    f"secrets:\n  anything: {SECRET}",
    f"headers: {{Authorization: Bearer {SECRET}",
    f'X-Auth-Token: "{SECRET}',
    f"password:\n  {SECRET}",
    f"- client_secret: {SECRET}",
    f"aws_secret_access_key = {SECRET}",
    f"url: https://example.com/?api_key={SECRET}",
    f"auth:\n  token: vault://app?version=3#f, version={SECRET}",
]


@pytest.mark.parametrize("source", UNREAD)
def test_what_looks_like_a_credential_is_blank_in_files_that_could_not_be_read(source: str) -> None:
    where = next(number for number, line in enumerate(source.split("\n"), 1) if SECRET in line)
    printed = shown(source, error("yaml-syntax", "m", span(where, 1, 2)))
    assert SECRET not in printed
    assert "••••••••" in printed


@pytest.mark.parametrize(
    "source",
    [
        "token: vault://secret/app#token",
        "auth:\n  token: vault://secret/app?version=9#api_token",
        "auth: {token: 'env://TOKEN'}",
        "auth:\n  type: bearer",
        "path: /keyboards",
        "author: somebody",
        "description: all about tokens",
    ],
)
def test_what_is_no_credential_is_shown(source: str) -> None:
    number = len(source.split("\n"))
    assert source.rsplit("\n", maxsplit=1)[-1] in shown(source, error("yaml-syntax", "m", span(number, 1, 2)))


def test_templates_are_shown_where_the_rules_have_looked() -> None:
    source = 'token: "{{ actions.serch.output }}"'
    assert source in shown(source, error("undefined-reference", "m", span(1, 12, 25)))


def test_a_misspelt_key_of_a_credential_is_blank_too() -> None:
    source = f"auth:\n  tokn: {SECRET}\n"
    assert SECRET not in shown(source, error("unknown-key", "m", span(2, 3, 7)))


def test_binary_files_show_nothing() -> None:
    printed = shown("\x00\x01 token", error("not-text", "m", span(1, 1, 2)))
    assert "|" not in printed


def test_what_rules_conceal_hides_no_more_than_that() -> None:
    source = f"auth: {{token: {SECRET}, tokn: {SECRET}x}}"
    concealed = error("hardcoded-secret", "m", span(1, 15, 29), concealed=True)
    printed = shown(source, concealed)
    assert SECRET not in printed
    assert "auth: {token: ••••••••, tokn: ••••••••\n" in printed
