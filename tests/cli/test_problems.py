"""What people see when a command ends badly."""

import threading
import types
from pathlib import Path

import pytest

from runner.cli import main
from runner.cli.logs import install
from runner.cli.output import Output
from runner.cli.problems import explain
from runner.errors import SecretProblem, SecretsError, UsageError
from runner.source import Position, Span

SECRET = "hunter2hunter2"


def broken(*_: object) -> int:
    raise KeyError(f"the value was {SECRET}")


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """`runner version` has a bug."""
    import runner.cli.version

    monkeypatch.setattr(runner.cli.version, "installed", broken)


@pytest.mark.usefixtures("bug")
def test_a_bug_is_short_and_says_what_to_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 70
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second = captured.err.splitlines()
    assert first.startswith("error: a bug in runner.d: KeyError at runner/cli/version.py:")
    assert "please report" in second
    assert SECRET not in captured.err


@pytest.mark.usefixtures("bug")
def test_the_traceback_is_for_those_who_ask(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "-vv"]) == 70
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_traceback_is_cleaned(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.verbose = 2
    output.redactor.add(SECRET, "secret/app#a")
    with pytest.raises(KeyError) as caught:
        broken()
    assert explain(caught.value, output) == 70
    printed = capsys.readouterr().err
    assert "the value was ***" in printed
    assert SECRET not in printed


def test_ctrl_c_outside_of_a_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import runner.cli.version

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner.cli.version, "run", interrupted)
    assert main(["version"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(UsageError("no workflow 'x'", help="did you mean 'y'?"), Output()) == 2
    assert capsys.readouterr().err == "error: no workflow 'x'\n  = help: did you mean 'y'?\n"


def test_every_secret_that_is_missing_is_told_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    place = Span("connections.d/a.yaml", Position(6, 10), Position(6, 20))
    problems = (
        SecretProblem(reference="secret/a#x", message="no such field", help="fields: y", spans=(place,)),
        SecretProblem(reference="secret/b#x", message="permission denied"),
    )
    assert explain(SecretsError("2 secrets are unavailable", problems=problems), Output()) == 4
    assert capsys.readouterr().err == (
        "error: 2 secrets are unavailable\n"
        "  error: secret/a#x: no such field\n"
        "    --> connections.d/a.yaml:6:10\n"
        "    = help: fields: y\n"
        "  error: secret/b#x: permission denied\n"
    )


def test_logs_of_libraries_are_cleaned_and_kept_short(capsys: pytest.CaptureFixture[str]) -> None:
    import logging

    output = Output()
    output.redactor.add(SECRET, "secret/app#a")
    root = logging.getLogger()
    before = (list(root.handlers), root.level, threading.excepthook)
    root.handlers = []  # those of pytest raise for the line that cannot be formatted
    try:
        install(output)
        logging.getLogger("httpx").info("GET https://example.com/?key=%s", SECRET)
        logging.getLogger("other").warning("key\n%s", SECRET)
        logging.getLogger("other").warning("%d", SECRET)
        dead = types.SimpleNamespace(exc_type=ValueError, exc_value=ValueError(SECRET), exc_traceback=None)
        threading.excepthook(dead)  # type: ignore[arg-type]
    finally:
        root.handlers, threading.excepthook = before[0], before[2]
        root.setLevel(before[1])
        logging.captureWarnings(False)
    assert capsys.readouterr().err == (
        "warning: other: key\\n***\n"
        "warning: a log line of other cannot be formatted\n"
        "error: a bug in runner.d: ValueError in a thread\n"
    )


def test_a_working_directory_that_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(["validate"]) == 2
    assert capsys.readouterr().err.startswith(
        "error: the working directory does not exist any more\n  = help: "
    )
