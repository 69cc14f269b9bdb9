"""Findings for the tests of formats: ordinary ones, and texts that try to break out of a format."""

from runner.diagnostics import Diagnostic, Label, Severity
from runner.reports import Findings
from runner.source import Position, Span, whole_file

FILE = "workflows.d/a.yaml"

NASTY = (
    "::error file=x::y",
    "a\n::set-output name=x::y",
    "a\r\n::stop-commands::t",
    "100%0A25%",
    "a,b:c",
    "##[add-mask]x",
    "| a | b |\n| --- | --- |\n| c |",
    "a\\|b\\\\|c",
    "`code` ``x`` ```\nblock",
    "<script>alert(1)</script><img src=x onerror=y>",
    "-->\n<!-- runner.d: validate -->",
    "@team #12 !3 https://example.com www.example.com [a](https://example.com) ![i](u)",
    "$x$ **b** _i_ ~~s~~ &lt; &#64;team",
    "]]></failure><failure>",
    '"quoted" & <tag attr="v">',
    "\x1b[31mred\x07\x9b1m\x7f",
    "a\u202eb\u2066c\u200bd\ufeffe\u2028f",
    "\ud800",
    "日本語 é 😀",
    "",
    " ",
    "a\tb",
)


def span(line: int = 3, start: int = 5, end: int = 9, *, last: int | None = None, path: str = FILE) -> Span:
    return Span(path, Position(line, start), Position(last or line, end))


def diagnostic(
    message: str = "no action 'serch'",
    *,
    rule: str = "undefined-reference",
    severity: Severity = Severity.ERROR,
    where: Span | None = None,
    concealed: bool = False,
    related: tuple[Label, ...] = (),
    help: str | None = None,
) -> Diagnostic:
    return Diagnostic(
        rule=rule,
        severity=severity,
        message=message,
        primary=Label(where or span(), concealed=concealed),
        related=related,
        help=help,
    )


def of(*diagnostics: Diagnostic, below: str = "", texts: dict[str, str] | None = None) -> Findings:
    return Findings(diagnostics=diagnostics, files=3, below=below, texts=texts or {})


def nasty(text: str) -> Diagnostic:
    """A diagnostic that holds a text wherever one from a file can stand."""
    path = f"workflows.d/{text}.yaml"
    return diagnostic(
        text,
        where=span(path=path),
        related=(Label(span(8, 1, 2, path=path), text),),
        help=text,
    )


SECRET = "hunter2-hunter2-hunter2"
SOURCE = f"type: bearer\nauth:\n  token: {SECRET}\n"
CONCEALED = diagnostic(
    "'auth.token' takes a secret reference",
    rule="hardcoded-secret",
    where=span(3, 10, 10 + len(SECRET)),
    concealed=True,
    related=(Label(span(3, 10, 10 + len(SECRET)), "typed in here", concealed=True),),
    help="store it in Vault",
)
WHOLE = diagnostic("the file is not UTF-8 text", rule="not-text", where=whole_file(FILE))
LONG = diagnostic("goes on", where=span(2, 3, 4, last=6))
WARNING = diagnostic("accepts any certificate", rule="tls-not-verified", severity=Severity.WARNING)
