"""Text for people: what a terminal shows, and plain lines when piped."""

from collections.abc import Sequence

from runner.diagnostics import Diagnostic, Severity
from runner.errors import JsonObject
from runner.reports import Findings
from runner.reports.text import diff as comparison
from runner.reports.text import outcome, requests
from runner.reports.text.conceal import Concealment
from runner.reports.text.snippet import Sources, excerpt
from runner.reports.text.style import Style, one_line
from runner.result import RunResult

COLORED = True


def diagnostics(findings: Findings, *, color: bool = False) -> str:
    """Give every diagnostic with its source line, and a last line that counts them."""
    blocks = [*_blocks(findings, Style(color=color)), summary(findings)]
    return "\n\n".join(blocks) + "\n"


def shortly(findings: Findings, *, color: bool = False) -> str:
    """Give the diagnostics without the last line, for commands that go on to something else."""
    return "\n\n".join(_blocks(findings, Style(color=color))) + "\n" if findings.diagnostics else ""


def summary(findings: Findings) -> str:
    """Count what was found: `2 errors, 1 warning in 3 files`."""
    parts = [counted(findings.errors, "error")]
    if findings.warnings:
        parts.append(counted(findings.warnings, "warning"))
    return f"{', '.join(parts)} in {counted(findings.files, 'file')}"


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `no errors`, `1 file`, `2 files`."""
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def plan(plan: JsonObject, *, color: bool = False) -> str:
    """Give the requests of a plan, in their order."""
    return requests.plan(plan, Style(color=color))


def diff(compared: JsonObject, *, color: bool = False) -> str:
    """Give a comparison: what to look at first, then every change."""
    return comparison.diff(compared, Style(color=color))


def run(result: RunResult, *, color: bool = False) -> str:
    """Give a whole run: each action as it ended, and how the run did."""
    style = Style(color=color)
    lines = [outcome.action(action, style) for action in result.actions]
    return "\n".join([*lines, outcome.summary(result, style)]) + "\n"


def connection_tests(results: Sequence[JsonObject], *, color: bool = False) -> str:
    """Give a table of connections, and for each one that is not ok what to do."""
    return outcome.connection_tests(results, Style(color=color))


def _blocks(findings: Findings, style: Style) -> list[str]:
    # A binary file shows nothing that a person could read.
    binary = {item.primary.span.path for item in findings.diagnostics if item.rule == "not-text"}
    sources = Sources({path: text for path, text in findings.texts.items() if path not in binary})
    concealment = Concealment((*findings.diagnostics, *findings.concealing))
    return ["\n".join(_block(item, sources, concealment, style)) for item in findings.diagnostics]


def _block(item: Diagnostic, sources: Sources, concealment: Concealment, style: Style) -> list[str]:
    role = "bad" if item.severity is Severity.ERROR else "warn"
    head = style.paint(f"{item.severity.value}[{item.rule}]", role)
    labels = (item.primary, *item.related)
    gutter = max(len(str(label.span.start.line)) for label in labels)
    lines = [f"{head}: {style.paint(one_line(item.message), 'strong')}"]
    lines += excerpt(item.primary.span, sources, concealment, style, gutter=gutter, role=role)
    margin = " " * gutter
    for label in item.related:
        lines.append(f"{margin} = note: {one_line(label.message or 'related')}")
        lines += excerpt(label.span, sources, concealment, style, gutter=gutter, role="gutter")
    if item.primary.message:
        lines.append(f"{margin} = note: {one_line(item.primary.message)}")
    if item.help:
        lines.append(f"{margin} = {style.paint('help', 'help')}: {one_line(item.help)}")
    return lines
