"""Whatever the files hold, the comparison ends with a result that every report can show."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from runner import reports
from runner.compare import compare
from runner.compare.conceal import scalars
from runner.document import parse
from runner.project import load
from tests.compare.test_shuffled import PROJECT

SETTINGS = """
vars: {a: 1}
limits: {body: 1MiB}
policy: {hosts: [a], secrets: {a: [b]}, max_attempts: 2}
vault: {address: "https://vault.example.com"}
environments:
  staging:
    vars: {a: 2}
    connections: {tickets: {timeout: 1s, auth: {token: "vault://a/b#c"}}}
    policy: {hosts: [b]}
"""
FILES = {**PROJECT, "runner.yaml": SETTINGS}
TEXTS = ("", "x", "{{ vars.a }}", "{{ broken", "vault://a/b#c", "vault://", "1m", "\x00\ud800", "\x1b[0m")
VALUES: tuple[Any, ...] = (
    *TEXTS,
    None,
    True,
    0,
    1.5,
    -1,
    [],
    [None],
    [[1]],
    {},
    {"a": None},
    {"id": 1},
    {"request": 1},
)
KEYS = ("", "x-a", "extends", "if", "retry", "expect", "request", "a.b", "\x1b")


def mutated(draw: random.Random) -> dict[str, bytes]:
    """Put other values, keys and texts into places drawn at random."""
    files: dict[str, bytes] = {}
    for path, text in FILES.items():
        document, _ = parse(text, path)
        assert document is not None
        value = document.value
        for _ in range(draw.randint(0, 2)):
            change(value, draw)
        files[path] = json.dumps(value).encode()
    return files


def change(value: Any, draw: random.Random) -> None:
    pointers = {pointer[:depth] for pointer, _ in scalars(value) for depth in range(1, len(pointer) + 1)}
    places = sorted(pointers - {("type",), ("base_url",)}, key=str)
    pointer = draw.choice(places)
    for part in pointer[:-1]:
        value = value[part]
    how = draw.random()
    if how < 0.5:
        value[pointer[-1]] = draw.choice(VALUES)
    elif how < 0.75:
        del value[pointer[-1]]
    elif isinstance(value, dict):
        value[draw.choice(KEYS)] = draw.choice(VALUES)


@pytest.mark.parametrize("seed", range(40))
def test_no_value_breaks_it(seed: int) -> None:
    draw = random.Random(seed)
    written = {path: text.encode() for path, text in FILES.items()}
    one, other = mutated(draw), mutated(draw)
    for before, after in ((written, one), (one, written), (one, other), (one, one)):
        result = compare(load(Path("/nowhere"), files=before), load(Path("/nowhere"), files=after))
        if before is after:
            assert result["changes"] == result["indirect"] == []
        assert result["changes"] or result["indirect"] or not result["danger"]
        for form in ("text", "markdown", "json"):
            shown = reports.render(form, "diff", result)
            assert not {"\x1b", "\x00"} & set(shown)
