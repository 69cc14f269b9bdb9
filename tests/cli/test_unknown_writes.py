"""Writes of unknown outcome: nobody sends them again by accident, here or on an engine."""

import argparse
import io

import pytest

from runner.backends.temporal.address import parse
from runner.cli import engine_runs
from runner.cli.output import Output
from runner.cli.person import DeclinedError
from runner.cli.unknown_writes import agree_to_send_again
from runner.errors import UsageError
from runner.settings import Settings
from tests.cli.terminal import Terminal


def test_where_nobody_is_there_they_are_named_with_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(UsageError, match=r"^12 writes may or may not .*: 'a0', .*'a9', \.\.\.$") as problem:
        agree_to_send_again([f"a{number}" for number in range(12)], Output(stderr=io.StringIO()))
    assert "--retry-unknown" in str(problem.value.help)


def test_a_resume_on_an_engine_asks_before_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    options = argparse.Namespace(id="r1", retry_unknown=False, with_current_files=False, input_file=None)
    address = parse("temporal://127.0.0.1:9/default")
    state = {"phase": "failed", "unknown": ["post"]}
    monkeypatch.setattr(engine_runs, "asked", lambda *_: state)
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    err = io.StringIO()
    with pytest.raises(DeclinedError):
        engine_runs.resume(options, Settings(environ={}), Output(stderr=err), address)
    assert err.getvalue() == (
        "1 write may or may not have reached the server when the run ended: 'post'\nsend again? [y/N] "
    )
