"""`docs/presets.md` lists exactly the presets. `pytest --update-golden tests/presets/test_page.py` writes the list anew."""

from pathlib import Path

import pytest

from runner import presets
from runner.presets import Preset

PAGE = Path(__file__).parents[2] / "docs" / "presets.md"
_HEAD = "The list is made from the files.\n\n"
_SAYS = {"base_url", "headers", "test", "error_message"}
"""Keys that are told of in columns of their own, or that are in every preset."""


def code(names: object) -> str:
    return ", ".join(f"`{name}`" for name in names)  # type: ignore[attr-defined]


def row(preset: Preset) -> str:
    test = preset.defaults.get("test")
    cells = [
        f"`{preset.id}`",
        preset.name,
        f"`{preset.defaults['base_url']}`",
        code(preset.schemes),
        code(preset.variables),
        f"`{test.get('method', 'GET')} {test['path']}`" if test else "",
        code(key for key in preset.defaults if key not in _SAYS),
        code(preset.unverified),
    ]
    return f"| {' | '.join(cells)} |"


def listed() -> str:
    loaded = sorted(map(presets.load, presets.names()), key=lambda each: (each.category, each.id))
    lines = []
    for category in sorted({each.category for each in loaded}):
        lines += [
            f"### {category}",
            "",
            "| type | product | base URL | ways to sign in | variables | test request | supplies as well | not verified |",
            "|---|---|---|---|---|---|---|---|",
            *(row(each) for each in loaded if each.category == category),
            "",
        ]
    return "\n".join(lines[:-1]) + "\n"


def test_the_page_lists_exactly_the_presets(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        text = text.partition(_HEAD)[0] + _HEAD + listed()
        PAGE.write_text(text, encoding="utf-8")
    assert text.partition(_HEAD)[2] == listed()
