"""Every rule's page: its bad examples give exactly that rule, its good ones nothing."""

import re
from pathlib import Path

import pytest

from runner import registry
from runner.diagnostics import Severity
from tests.rules.projects import findings

EXPECTED = {
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


def examples(kind: str) -> list[tuple[str, int, str]]:
    found = []
    for name in registry.names("rules"):
        page = registry.load("rules", name).__doc__ or ""
        blocks = re.findall(rf"^```{kind}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
        found += [(name, number, block) for number, block in enumerate(blocks)]
    return found


def files_of(block: str) -> dict[str, str]:
    """Take the files of an example: each starts with a comment that is its path."""
    parts = re.split(r"^# ((?:connections\.d/|workflows\.d/)\S+|runner\.yaml)\n", block, flags=re.MULTILINE)
    assert parts[0] == "", "an example starts with `# path`"
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_rules_are_all_here() -> None:
    assert set(registry.names("rules")) >= EXPECTED


@pytest.mark.parametrize("name", registry.names("rules"))
def test_a_rule_has_a_page_with_a_bad_and_a_good_example(name: str) -> None:
    rule = registry.load("rules", name)
    assert isinstance(rule.SEVERITY, Severity)
    assert rule.SUMMARY
    assert not rule.SUMMARY.endswith(".")
    title, _, rest = (rule.__doc__ or "").partition("\n\n")
    assert title.endswith(".")
    assert "\n" not in title
    assert "```bad\n" in rest
    assert "```good\n" in rest


@pytest.mark.parametrize(("name", "number", "block"), examples("bad"))
def test_the_bad_example_gives_exactly_its_rule(name: str, number: int, block: str, tmp_path: Path) -> None:
    found = findings(tmp_path, files_of(block))
    assert {item.rule for item in found} == {name}, found
    severity = registry.load("rules", name).SEVERITY
    assert all(item.severity is severity for item in found)
    assert all(item.help or name == "template-syntax" for item in found), "every message has a remedy"


@pytest.mark.parametrize(("name", "number", "block"), examples("good"))
def test_the_good_example_gives_nothing(name: str, number: int, block: str, tmp_path: Path) -> None:
    assert findings(tmp_path, files_of(block)) == []
