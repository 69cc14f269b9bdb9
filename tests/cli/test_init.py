"""`runner init`: a project that validates at once, and nothing of anybody's overwritten."""

import re
from pathlib import Path

import pytest
import yaml

from runner.check import check
from runner.cli import COMMANDS, main
from runner.cli.init import FILES
from runner.project import load


def test_a_new_project_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "ops"]) == 0
    told = capsys.readouterr().err
    root = tmp_path / "ops"
    assert {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} == set(FILES)
    assert all(f"wrote {name}" in told for name in FILES)
    assert check(load(root)) == []
    assert main(["-C", "ops", "plan", "open-issues", "-i", "owner=acme", "-i", "repository=site"]) == 0
    assert "https://api.github.com/repos/acme/site/issues?" in capsys.readouterr().out
    for name in (".github/workflows/runner.yml", ".gitlab-ci.yml"):
        text = (root / name).read_text(encoding="utf-8")
        assert yaml.safe_load(text)
        commands = re.findall(r"- (?:run: )?runner (\w+)", text)
        assert len(commands) > 2
        assert set(commands) <= set(COMMANDS)
    for path in root.rglob("*.y*ml"):
        assert path.read_text(encoding="utf-8").startswith("#"), f"{path} says what it is"


@pytest.mark.parametrize("there", ["runner.yaml", "connections.d/mine.yaml", ".gitlab-ci.yml"])
def test_nothing_is_overwritten(
    there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_text("mine", encoding="utf-8")
    assert main(["init"]) == 2
    told = capsys.readouterr().err
    assert there.partition("/")[0] in told
    assert "nothing was written" in told
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


def test_a_directory_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert main(["init", "file"]) == 2
    assert "cannot be written to" in capsys.readouterr().err
