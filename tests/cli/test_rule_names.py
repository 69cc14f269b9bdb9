"""`--rule` knows every rule: also those that reading, binding and schemas apply."""

import ast
from collections.abc import Iterator
from pathlib import Path

import runner
from runner import registry
from runner.cli.validate import READING_RULES

SOURCE = Path(runner.__file__).parent


def named_rules() -> Iterator[str]:
    """Give every rule that code outside `rules/` reports."""
    for path in SOURCE.rglob("*.py"):
        if path.parent.name in ("rules", "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            place = {"error": 0, "warning": 0, "_report": 1, "_stop": 1}.get(name)
            given = [node.args[place]] if place is not None and len(node.args) > place else []
            given += [keyword.value for keyword in node.keywords if keyword.arg == "rule"]
            for value in given:
                either = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                yield from (str(part.value) for part in either if isinstance(part, ast.Constant))


def test_every_rule_can_be_asked_for() -> None:
    known = {*READING_RULES, *registry.names("rules")}
    found = set(named_rules())
    assert "yaml-syntax" in found  # the search itself works
    assert found - known == set()
    assert set(READING_RULES) <= found
