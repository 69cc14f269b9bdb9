"""`runner validate PATH` reads what a check of that file needs, and no more: it runs at every commit."""

from pathlib import Path

import pytest

from runner.cli import main
from runner.document import read

CONNECTION = "type: none\nbase_url: https://{name}.example.com\nshared: true\ntest: {{path: /}}\n"
WORKFLOW = "actions: [{{id: a, connection: {name}, request: {{path: /x}}}}]\n"


def test_other_workflows_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "connections.d").mkdir()
    (tmp_path / "workflows.d").mkdir()
    for name in ("one", "two", "three"):
        (tmp_path / f"connections.d/{name}.yaml").write_text(CONNECTION.format(name=name))
        (tmp_path / f"workflows.d/{name}.yaml").write_text(WORKFLOW.format(name=name))
    (tmp_path / "workflows.d/three.yaml").write_text("actions: [")
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []

    def recorded(path: Path, shown: str) -> object:
        opened.append(shown)
        return read(path, shown)

    monkeypatch.setattr("runner.project.read", recorded)
    assert main(["validate", "workflows.d/one.yaml"]) == 0
    assert capsys.readouterr().out == "no errors in 1 file\n"
    assert [path for path in opened if path.startswith("workflows.d/")] == ["workflows.d/one.yaml"]
    opened.clear()
    assert main(["validate", "connections.d/two.yaml"]) == 0
    assert [path for path in opened if path.startswith("workflows.d/")] == ["workflows.d/two.yaml"]
    assert main(["validate"]) == 3


def test_a_link_to_a_file_is_the_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, shared = tmp_path / "real", tmp_path / "shared.yaml"
    (real / "workflows.d").mkdir(parents=True)
    shared.write_text("actions: [{id: a, wait: 1s}]\n")
    (real / "workflows.d/link.yaml").symlink_to(shared)
    (tmp_path / "project").symlink_to(real)
    monkeypatch.chdir(tmp_path / "project")
    for path in ("workflows.d/link.yaml", "workflows.d", ".", "workflows.d/.."):
        assert main(["validate", path]) == 0, path
    assert capsys.readouterr().out == "no errors in 1 file\n" * 4
