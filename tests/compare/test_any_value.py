"""Whatever the files hold, the comparison ends with a result that every report can show."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runner import reports
from runner.compare import compare
from runner.compare.conceal import scalars
from runner.document import Pointer, parse
from runner.project import load
from tests.compare.test_shuffled import PROJECT

SETTINGS = """
vars: {a: 1}
limits: {body: 1MiB}
policy: {hosts: [a], secrets: {a: [b]}, max_attempts: 2}
vault: {address: "https://vault.example.com"}
environments: {staging: {vars: {a: 2}, connections: {tickets: {timeout: 1s, auth: {token: "vault://a/b#c"}}}, policy: {hosts: [b]}}}
"""
FILES = {**PROJECT, "runner.yaml": SETTINGS}
VALUES = st.sampled_from(
    [
        None,
        True,
        0,
        1.5,
        -1,
        "",
        "x",
        "{{ vars.a }}",
        "{{ broken",
        "vault://a/b#c",
        "vault://",
        "1m",
        "\x00\ud800",
        "\x1b[0m",
    ]
    + [[], [None], [[1]], {}, {"a": None}, {"id": 1}, {"request": 1}, {"timeout": [1]}]  # type: ignore[list-item]
)


def mutated(data: st.DataObject) -> dict[str, bytes]:
    """Put other values, keys and texts into places drawn at random."""
    files: dict[str, bytes] = {}
    for path, text in FILES.items():
        document, _ = parse(text, path)
        assert document is not None
        value = document.value
        for _ in range(data.draw(st.integers(min_value=0, max_value=2))):
            places = sorted(
                {pointer[:depth] for pointer, _ in scalars(value) for depth in range(1, len(pointer) + 1)},
                key=str,
            )
            if places:
                change(value, data.draw(st.sampled_from(places)), data)
        files[path] = json.dumps(value).encode()
    return files


def change(value: Any, pointer: Pointer, data: st.DataObject) -> None:
    for part in pointer[:-1]:
        value = value[part]
    if data.draw(st.booleans()):
        value[pointer[-1]] = data.draw(VALUES)
    elif data.draw(st.booleans()):
        del value[pointer[-1]]
    elif isinstance(value, dict):
        value[
            data.draw(
                st.sampled_from(["", "x-a", "extends", "if", "retry", "expect", "request", "a.b", "\x1b"])
            )
        ] = data.draw(VALUES)


@given(st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_no_value_breaks_it(data: st.DataObject) -> None:
    before = {path: text.encode() for path, text in FILES.items()}
    after = mutated(data)
    for one, other in ((before, after), (after, before), (after, mutated(data))):
        result = compare(load(Path("/nowhere"), files=one), load(Path("/nowhere"), files=other))
        assert bool(result["changes"] or result["indirect"]) >= bool(result["danger"])
        for form in ("text", "markdown", "json"):
            assert "\x1b" not in reports.render(form, "diff", result)
            assert "\x00" not in reports.render(form, "diff", result)
    assert compare(load(Path("/nowhere"), files=after), load(Path("/nowhere"), files=after))["changes"] == []
