"""The short benchmark fails on what takes twice as long as it did, and on nothing less."""

from pathlib import Path

import pytest

from benchmarks.short import BOUNDS, Bound, cases, passed


def test_a_doubling_passes_the_bound(capsys: pytest.CaptureFixture[str]) -> None:
    bounds = (Bound("a", "y", 1.9), Bound("b", "y", 1.9))
    assert passed({"a": 1.0, "b": 1.5, "y": 1.0}, bounds) == []
    assert passed({"a": 1.0, "b": 2.0, "y": 1.0}, bounds) == ["b: 2.00 of 'y', at most 1.9"]
    assert capsys.readouterr().out.count("at most") == 4


def test_every_bound_has_what_it_measures(tmp_path: Path) -> None:
    named = {case.name for case in cases(tmp_path, "http://127.0.0.1:1")}
    assert {name for bound in BOUNDS for name in (bound.name, bound.yardstick)} == named
