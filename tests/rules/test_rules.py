"""Every rule's page: its bad examples give exactly that rule, its good ones nothing."""

import json
import re
from pathlib import Path

import pytest

from runner import registry
from runner.diagnostics import Severity
from tests.rules.projects import SPINE, findings


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
    assert set(registry.names("rules")) >= SPINE


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


@pytest.fixture(autouse=True)
def _deprecated_description(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """No key is deprecated now: for the page of that rule one is."""
    if "deprecated-" in request.node.name:
        stub = {"properties": {"description": {"deprecated": True, "description": "write a comment instead"}}}
        monkeypatch.setattr(
            registry.load("rules", "deprecated"), "schema_text", lambda _: json.dumps(stub, indent=2)
        )


@pytest.mark.parametrize(("name", "number", "block"), examples("bad"))
def test_the_bad_example_gives_exactly_its_rule(name: str, number: int, block: str, tmp_path: Path) -> None:
    severity = registry.load("rules", name).SEVERITY
    found = findings(tmp_path, files_of(block))
    if severity is Severity.ERROR:  # what is wrong is often unused as well
        found = [item for item in found if item.rule == name or item.severity is Severity.ERROR]
    assert {item.rule for item in found} == {name}, found
    assert all(item.severity is severity for item in found)
    assert all(item.help or name == "template-syntax" for item in found), "every message has a remedy"


@pytest.mark.parametrize(("name", "number", "block"), examples("good"))
def test_the_good_example_gives_nothing(name: str, number: int, block: str, tmp_path: Path) -> None:
    assert findings(tmp_path, files_of(block)) == []
