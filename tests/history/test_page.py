"""Each sentence of the docs about crashes, and about what holds on many machines, names the test that backs it."""

import re
from pathlib import Path

import pytest

from tests.pages import section

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("page", "part"),
    [("history", "## What a crash can do"), ("many-machines", "## What is guaranteed")],
)
def test_every_sentence_has_its_test(page: str, part: str) -> None:
    told = section(ROOT / f"docs/{page}.md", part)
    sentences = re.findall(r"^- .*$", told, re.MULTILINE)
    assert len(sentences) >= 8
    for sentence in sentences:
        found = re.search(r"<!-- (\S+)::(\w+)(?:\[(.*)\])? -->$", sentence)
        assert found, sentence
        path, name, case = found.groups()
        text = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {name}(" in text, sentence
        if case:
            from tests.history.test_crash import CASES

            assert tuple(case.split("-", 1)) in CASES, sentence
