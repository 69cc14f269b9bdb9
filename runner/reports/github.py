"""Workflow commands of GitHub Actions: one annotation per diagnostic, at its place in the pull request.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
GitHub shows 10 errors and 10 warnings of a step; the job summary and the log have them all.
"""

from runner.diagnostics import Diagnostic, Label
from runner.reports import Findings, about_file, visible
from runner.source import Span


def diagnostics(findings: Findings) -> str:
    """Give a command for each diagnostic."""
    return "".join(f"{_command(item, findings)}\n" for item in findings.diagnostics)


def _command(item: Diagnostic, findings: Findings) -> str:
    lines = [item.message]
    if item.primary.message:
        lines.append(item.primary.message)
    lines += [f"{label.message or 'related'}: {findings.path(label.span)}:{_where(label.span)}"
              for label in item.related]  # fmt: skip
    if item.help:
        lines.append(f"help: {item.help}")
    properties = {"file": findings.path(item.primary.span), **_place(item.primary), "title": item.rule}
    written = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{item.severity.value} {written}::{'%0A'.join(map(_data, lines))}"


def _place(label: Label) -> dict[str, str]:
    span = label.span
    if about_file(span):
        return {"line": "1"}
    place = {"line": str(span.start.line), "endLine": str(span.end.line)}
    if span.start.line == span.end.line:  # GitHub refuses columns of a place that spans lines
        place["col"] = str(span.start.column)
        if not label.concealed:  # the length of a credential says something too
            place["endColumn"] = str(span.end.column)
    return place


def _where(span: Span) -> str:
    return f"{span.start.line}:{span.start.column}"


def without_commands(text: str) -> str:
    """Take the old form of commands out of text: the runner of a job obeys `##[` wherever it stands in a line."""
    return text.replace("##[", "##\\x5b")


def _data(text: str) -> str:
    # `visible` leaves no line break; the percent sign is how GitHub writes what would end a command.
    return without_commands(visible(text).replace("%", "%25"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
