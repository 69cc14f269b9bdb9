"""Markdown for one comment on a pull request, and for the summary of a job.

The first line is a comment that nobody sees: by it a bot finds its own earlier comment and replaces it.
"""

from runner.diagnostics import Diagnostic, Label, Severity
from runner.reports import Findings, about_file
from runner.reports.markdown.diff import diff as diff
from runner.reports.markdown.escape import bounded, code, inline, row
from runner.reports.markdown.plan import plan as plan
from runner.reports.markdown.run import run as run

MARKER = "<!-- runner.d: validate -->"


def diagnostics(findings: Findings) -> str:
    """Give a table of what was found, or a line that says that nothing was."""
    counts = _counts(findings)
    if not findings.diagnostics:
        return f"{MARKER}\n### runner validate: {counts}\n"
    head = [
        MARKER,
        f"### runner validate: {counts}",
        "",
        row(["", "Place", "Message"]),
        row(["---", "---", "---"]),
    ]
    rows = [_row(item, findings) for item in findings.diagnostics]
    return bounded(head, rows, "{} more are not shown here; `runner validate` shows them all.")


def _counts(findings: Findings) -> str:
    parts = [_counted(findings.errors, "error")]
    if findings.warnings:
        parts.append(_counted(findings.warnings, "warning"))
    return f"{', '.join(parts)} in {_counted(findings.files, 'file')}"


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


def _row(item: Diagnostic, findings: Findings) -> str:
    severity = "**error**" if item.severity is Severity.ERROR else "warning"
    said = [inline(item.message)]
    if item.primary.message:
        said.append(inline(item.primary.message))
    said += [f"{inline(label.message or 'related')}: {_place(label, findings)}" for label in item.related[:5]]
    if item.help:
        said.append(f"help: {inline(item.help)}")
    return row([f"{severity} {code(item.rule)}", _place(item.primary, findings), "<br>".join(said)])


def _place(label: Label, findings: Findings) -> str:
    span = label.span
    where = "" if about_file(span) else f":{span.start.line}:{span.start.column}"
    return code(f"{findings.path(span)}{where}")
