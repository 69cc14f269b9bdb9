"""`runner version`."""

import importlib.metadata
import json
import platform
from pathlib import Path

import pytest

from runner import __version__
from runner.cli import main
from runner.cli.version import LIBRARIES, installed
from runner.dispatch import Dispatch
from runner.transport_choice import in_use


def test_versions_are_those_that_python_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["format"] == "runner.d/version/1"
    assert data["runner.d"] == __version__
    assert data["python"] == platform.python_version()
    assert data["libraries"] == {name: importlib.metadata.version(name) for name in LIBRARIES}


def test_libyaml_is_what_yaml_itself_says(capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    assert main(["version", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["libyaml"] is yaml.__with_libyaml__


def test_text_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"runner.d {__version__}"
    assert [line.split()[0] for line in lines[3:-1]] == list(LIBRARIES)


@pytest.mark.parametrize(
    ("chosen", "used", "text"),
    [
        ("", "httptools", "requests go by httptools"),
        ("httpx", "httpx", "requests go by httpx"),
        ("curl", None, "RUNNER_TRANSPORT names no transport: httptools or httpx"),
    ],
)
def test_the_transport_is_the_one_that_a_run_uses(
    chosen: str,
    used: str | None,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RUNNER_TRANSPORT", chosen)
    assert main(["version"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == text
    assert main(["version", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["transport"] == used
    if used is not None:
        assert next(iter(Dispatch({"RUNNER_TRANSPORT": chosen})._candidates()))[0] == used


def test_without_the_fast_one_the_other_is_used() -> None:
    assert in_use({}, {"httpx"}) == "httpx"
    assert in_use({}, ()) is None


def test_what_is_missing_is_said_and_does_not_break(tmp_path: Path) -> None:
    (tmp_path / "PyYAML-6.0.1.dist-info").mkdir()
    assert installed(("pyyaml", "httpx"), [str(tmp_path), str(tmp_path / "nowhere")]) == {
        "pyyaml": "6.0.1",
        "httpx": None,
    }
