"""Projects made of texts, what checking them finds, and what a finding underlines."""

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

from runner import registry
from runner.check import check
from runner.diagnostics import Diagnostic
from runner.project import Project, load
from runner.source import Span

TICKETS = "type: none\nbase_url: https://tickets.example.com\n"


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write a project; texts are dedented."""
    for name in ("connections.d", "workflows.d"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8", newline="")
    return root


def loaded(root: Path, files: Mapping[str, str], *, environment: str | None = None) -> Project:
    return load(write(root, files), environment=environment)


def findings(root: Path, files: Mapping[str, str], *, environment: str | None = None) -> list[Diagnostic]:
    return check(loaded(root, files, environment=environment))


SPINE = frozenset(
    {
        "duplicate-name",
        "hardcoded-secret",
        "malformed-secret-ref",
        "malformed-url",
        "plain-http",
        "template-syntax",
        "unavailable-root",
        "undefined-connection",
        "undefined-reference",
        "unknown-filter",
        "unshared-connection",
    }
)
"""The rules without which no project can run."""


def spine(root: Path, files: Mapping[str, str], *, environment: str | None = None) -> list[Diagnostic]:
    """Give what loading and the rules of `SPINE` find: other rules have their own opinion of the same files."""
    others = set(registry.names("rules")) - SPINE
    return [item for item in findings(root, files, environment=environment) if item.rule not in others]


def underlined(root: Path, span: Span) -> str:
    """Give the text between the two positions of a span."""
    text = (root / span.path).read_text(encoding="utf-8")
    lines = re.split(r"(?<=\n)", text)
    start = sum(map(len, lines[: span.start.line - 1])) + span.start.column - 1
    end = sum(map(len, lines[: span.end.line - 1])) + span.end.column - 1
    return text[start:end]


def brief(root: Path, found: list[Diagnostic]) -> list[tuple[str, str, str]]:
    """Give rule, message and underlined text of each finding."""
    return [(item.rule, item.message, underlined(root, item.primary.span)) for item in found]
