"""What one rule says of a project: message and underlined text, with the place checked against the file."""

from collections.abc import Mapping
from pathlib import Path

from runner.diagnostics import Diagnostic
from tests.rules.projects import findings, underlined

SCALARS = {
    "plain": "{V}",
    "single quoted": "'{V}'",
    "double quoted": '"{V}"',
    "literal block": "|-\n{I}{V}",
    "folded block": ">-\n{I}{V}",
    "tag of text": '!!str "{V}"',
}
"""One value in every style that YAML has for text."""


def styled(style: str, value: str, indent: int) -> str:
    """Write a value in a style; lines of a block are indented by `indent` spaces."""
    if style == "single quoted":
        value = value.replace("'", "''")
    return SCALARS[style].replace("{I}", " " * indent).replace("{V}", value)


def quoted(style: str, marked: str) -> str:
    """Give a part of a template as it stands in the file: single quotes double an apostrophe."""
    return marked.replace("'", "''") if style == "single quoted" else marked


def of_rule(
    root: Path, rule: str, files: Mapping[str, str], *, environment: str | None = None
) -> list[Diagnostic]:
    return [item for item in findings(root, files, environment=environment) if item.rule == rule]


def said(
    root: Path, rule: str, files: Mapping[str, str], *, environment: str | None = None
) -> list[tuple[str, str]]:
    """Give message and underlined text of what a rule finds; every message has a remedy and stands where it says."""
    found = of_rule(root, rule, files, environment=environment)
    assert all(item.help for item in found)
    return [(item.message, underlined(root, item.primary.span)) for item in found]


def only_place(root: Path, rule: str, path: str, text: str, marked: str) -> Diagnostic:
    """Check that a rule finds one thing, and that it is the one place in the text where `marked` stands."""
    (found,) = of_rule(root, rule, {path: text})
    assert underlined(root, found.primary.span) == marked
    assert text.count(marked) == 1, "the test cannot tell which one is meant"
    before = text[: text.index(marked)]
    start = found.primary.span.start
    assert (start.line, start.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
    return found
