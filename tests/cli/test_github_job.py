"""What `runner validate` adds by itself in a job of GitHub Actions, and where CI systems find the files."""

from pathlib import Path

import pytest

from runner.cli import main
from runner.cli.github_job import path_in_repository
from tests.rules.projects import write

FILES = {
    "connections.d/c.yaml": "type: none\nbase_url: https://example.com\ntls: {verify: false}\n",
    "workflows.d/w.yaml": "actions:\n  - {id: a, connection: c, request: {path: '/{{ inputs.x }}'}}\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = write(tmp_path / "repository" / "ops", FILES)
    monkeypatch.chdir(root)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return root


@pytest.fixture
def job(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a job; gives the file of its summary."""
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    monkeypatch.setenv("GITHUB_WORKSPACE", str(project.parent))
    return summary


def test_a_job_gets_text_annotations_and_a_summary(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate"]) == 3
    captured = capsys.readouterr()
    assert captured.out.startswith("warning[tls-not-verified]: ")
    assert captured.out.endswith("1 error, 1 warning in 2 files\n")
    assert [line.partition(",line=")[0] for line in captured.err.splitlines()] == [
        "::warning file=ops/connections.d/c.yaml",
        "::error file=ops/workflows.d/w.yaml",
    ]
    before, marker, heading, *rest = job.read_text().splitlines()
    assert (before, marker) == ("before", "<!-- runner.d: validate -->")
    assert heading == "### runner validate: 1 error, 1 warning in 2 files"
    assert sum("<code>ops/" in line for line in rest) == 2


def test_annotations_show_also_when_it_is_quiet(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["validate", "-q"])
    assert capsys.readouterr().err.count("::") == 4


@pytest.mark.parametrize("form", ["json", "github", "sarif", "markdown"])
def test_a_chosen_format_is_all_there_is(form: str, job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["validate", "--format", form])
    assert capsys.readouterr().err == ""
    assert job.read_text() == "before\n"


def test_outside_of_a_job_nothing_is_added(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["validate"])
    captured = capsys.readouterr()
    assert "::" not in captured.out + captured.err


def test_a_summary_that_cannot_be_written_changes_nothing_else(
    job: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(job / "none.md"))
    assert main(["validate"]) == 3
    assert "warning: the job's summary could not be written: Not a directory" in capsys.readouterr().err


def test_source_lines_hold_no_command_of_the_old_form(
    job: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workflow = project / "workflows.d/w.yaml"
    workflow.write_text(workflow.read_text().replace("/{{", "/##[stop-commands]x{{"))
    main(["validate"])
    captured = capsys.readouterr()
    assert "stop-commands]x{{ inputs.x }}" in captured.out
    assert "##[" not in captured.out + captured.err


def test_the_path_in_the_repository(tmp_path: Path) -> None:
    repository = tmp_path / "checkout"
    root = repository / "teams" / "ops"
    root.mkdir(parents=True)
    assert path_in_repository(root, {}) == ""
    assert path_in_repository(root, {"CI_PROJECT_DIR": str(repository)}) == "teams/ops/"
    assert path_in_repository(root, {"GITHUB_WORKSPACE": str(tmp_path / "elsewhere")}) == ""
    (repository / ".git").write_text("gitdir: elsewhere\n")
    assert path_in_repository(root, {}) == "teams/ops/"
    assert path_in_repository(repository, {}) == ""
    assert path_in_repository(root, {"GITHUB_WORKSPACE": str(root)}) == ""
