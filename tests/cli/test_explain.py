"""`runner explain`: every rule has a page, and the examples of every page do what they say."""

import json
import re
from pathlib import Path

import pytest

from runner import registry
from runner.cli import main
from runner.cli.explain import names, page
from runner.cli.rule_pages import READING, VAULT
from runner.cli.validate import READING_RULES
from runner.cli.vault_proof import RULES
from tests.rules.projects import findings
from tests.rules.test_rules import files_of

WITHOUT_EXAMPLES = {"file-too-large", "not-text", "yaml-nesting", *VAULT}
"""Rules whose mistake cannot be shown in a page."""

FILES = set(registry.names("rules"))


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["explain", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_every_rule_that_can_be_reported_has_a_page() -> None:
    assert set(names()) == FILES | set(READING_RULES) | set(RULES)
    assert set(READING) == set(READING_RULES) - FILES
    assert set(VAULT) == set(RULES)


@pytest.mark.parametrize("name", names())
def test_a_page_says_what_why_and_how(name: str) -> None:
    found = page(name)
    assert found.severity in ("error", "warning")
    assert found.summary
    assert not found.summary.endswith(".")
    assert found.text.partition("\n")[0].endswith(".")
    assert "```" not in found.text
    kinds = {kind for kind, _ in found.examples}
    assert kinds == (set() if name in WITHOUT_EXAMPLES else {"bad", "good"})


@pytest.mark.parametrize("name", [name for name in READING if name not in WITHOUT_EXAMPLES])
def test_the_examples_of_rules_of_reading_do_what_they_say(name: str, tmp_path: Path) -> None:
    for number, (kind, files) in enumerate(page(name).examples):
        found = findings(tmp_path / str(number), files_of(files))
        rules = {item.rule for item in found}
        assert rules == ({name} if kind == "bad" else set()), (kind, found)


def test_the_list_names_each_rule_with_its_severity(capsys: pytest.CaptureFixture[str]) -> None:
    header, *lines = told(capsys).splitlines()
    assert header.split() == ["RULE", "SEVERITY", "MEANING"]
    rows = [re.split(" {2,}", line, maxsplit=2) for line in lines]
    assert [row[0] for row in rows] == names()
    listed = json.loads(told(capsys, "--format", "json"))
    assert listed["format"] == "runner.d/rules/1"
    assert [[each["rule"], each["severity"], each["summary"]] for each in listed["rules"]] == rows
    markdown = told(capsys, "--format", "markdown").splitlines()[2:]
    assert markdown == [f"| `{rule}` | {severity} | {summary} |" for rule, severity, summary in rows]


def test_a_page_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "undefined-connection")
    found = page("undefined-connection")
    assert text.startswith(f"error[undefined-connection]\n\n{found.text}\n\nBad:\n\n    # ")
    assert "\n\nGood:\n\n    # " in text


def test_a_page_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = page("plain-http")
    assert json.loads(told(capsys, "plain-http", "--format", "json")) == {
        "format": "runner.d/rule/1",
        "rule": "plain-http",
        "severity": "error",
        "summary": found.summary,
        "text": found.text,
        "examples": [{"kind": kind, "files": files} for kind, files in found.examples],
    }


@pytest.mark.parametrize("name", names())
def test_a_page_as_markdown_has_whole_blocks(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, name, "--format", "markdown")
    assert text.startswith(f"# {name}\n\nSeverity: ")
    assert text.count("```yaml\n") * 2 == text.count("```")
    assert "```bad" not in text


@pytest.mark.parametrize("given", ["error[plain-http]", "plain_http", "Plain-HTTP"])
def test_a_name_is_taken_as_it_is_copied(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, given) == told(capsys, "plain-http")


def test_a_rule_that_does_not_exist_is_a_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "undefined-refrence"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "did you mean 'undefined-reference'?" in captured.err
