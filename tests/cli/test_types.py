"""`runner types NAME`: what a way to sign in sets is told apart by whether a file may say otherwise."""

import argparse
import json
from typing import Any

import pytest

from runner import presets, registry
from runner.cli import types
from runner.cli.output import Output
from runner.cli.yaml_text import indented, written
from runner.settings import Settings

DEFAULTS, FIXED = "  sets, where the file does not say otherwise", "  sets"


def told(name: str, capsys: pytest.CaptureFixture[str], form: str = "text") -> str:
    types.run(argparse.Namespace(name=name, format=form), Settings({}), Output())
    return capsys.readouterr().out


def ways(text: str) -> dict[str, list[str]]:
    """Give the lines below the title of each way to sign in."""
    found: dict[str, list[str]] = {}
    for block in text.split("\n\n"):
        title, *lines = block.splitlines()
        if title.startswith("auth, type "):
            found[title.removeprefix("auth, type ").partition(":")[0].partition(" ")[0]] = lines
    return found


def below(lines: list[str], title: str) -> list[str]:
    """Give the lines that stand deeper than a title, and right below it."""
    if title not in lines:
        return []
    after = lines[lines.index(title) + 1 :]
    return after[: next((n for n, line in enumerate(after) if not line.startswith("    ")), len(after))]


@pytest.mark.parametrize("name", presets.names())
def test_all_that_a_way_to_sign_in_sets_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    listed = ways(told(name, capsys))
    data = {each["name"]: each for each in json.loads(told(name, capsys, "json"))["auth"]}
    for scheme in presets.load(name).schemes.values():
        given: dict[str, Any] = dict(scheme.given)
        assert data[scheme.name]["sets"] == given
        for title, fields in (
            (DEFAULTS, given.keys() & scheme.fields.keys()),
            (FIXED, given.keys() - scheme.fields.keys()),
        ):
            part = {key: item for key, item in given.items() if key in fields}
            assert below(listed[scheme.name], title) == indented(indented(written(part)))


@pytest.mark.parametrize("name", registry.names("auth"))
def test_an_auth_type_fits_a_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(name, capsys)
    fields = text.partition("\n\na connection\n")[0]
    assert max(map(len, fields.splitlines())) <= 100
    properties = (registry.load("auth", name).SCHEMA or {"properties": {}})["properties"]
    for field, described in properties.items():
        assert f"\n  {field} " in fields
        for value in described.get("enum", ()):
            assert str(value) in fields
