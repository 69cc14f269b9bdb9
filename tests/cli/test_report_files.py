"""Files of `--report`: checked before the run, complete or not there after it."""

from pathlib import Path

import pytest

from runner.cli.output import Output
from runner.cli.report_files import discard_all, open_all, write_all
from runner.errors import UsageError
from runner.result import RunResult, Status

RESULT = RunResult(
    run_id="r1", workflow="w", status=Status.SUCCEEDED, started_at="2026-01-02T03:04:05Z", duration=0.1
)


def test_a_report_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    files = open_all(["json=run.json", "junit=run.xml"], tmp_path)
    assert not (tmp_path / "run.json").exists()
    assert write_all(files, RESULT, Output())
    discard_all(files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json", "run.xml"]


def test_nothing_is_left_of_a_run_that_never_ended(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("the last one")
    discard_all(open_all(["json=run.json"], tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert (tmp_path / "run.json").read_text() == "the last one"


def test_a_second_that_cannot_be_opened_leaves_nothing_of_the_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory"):
        open_all(["json=run.json", "junit=nowhere/run.xml"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_mode_and_the_link_of_an_older_report_stay(tmp_path: Path) -> None:
    target = tmp_path / "kept.json"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "link.json").symlink_to(target)
    files = open_all(["json=link.json"], tmp_path)
    assert write_all(files, RESULT, Output())
    assert (tmp_path / "link.json").is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert "runner.d/run/1" in target.read_text()


def test_a_full_disk_is_told_and_the_other_report_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = open_all(["json=/dev/full", "junit=run.xml"], tmp_path)
    assert not write_all(files, RESULT, Output())
    discard_all(files)
    assert (tmp_path / "run.xml").exists()
    assert capsys.readouterr().err == (
        "error: the report json=/dev/full could not be written: No space left on device\n"
        "  = help: the run itself ended as 'succeeded' (run r1); only the report is missing\n"
    )


def test_known_secrets_never_reach_a_report(tmp_path: Path) -> None:
    output = Output()
    output.redactor.add("hunter2hunter2", "secret/app#a")
    leaky = RunResult(
        run_id="r1",
        workflow="hunter2hunter2",
        status=Status.SUCCEEDED,
        started_at="2026-01-02T03:04:05Z",
        duration=0.1,
        outputs={"x": "hunter2hunter2"},
    )
    files = open_all(["json=a", "junit=b", "text=c"], tmp_path)
    assert write_all(files, leaky, output)
    for name in "abc":
        assert "hunter2" not in (tmp_path / name).read_text()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("json", "names no file"),
        ("json=", "names no file"),
        ("json=-", "names no file"),
        ("xml=run.xml", "no format 'xml'"),
        ("json=.", "Is a directory"),
        ("json=" + "x" * 300, "File name too long"),
    ],
)
def test_what_cannot_be_a_report_is_refused(spec: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        open_all([spec], tmp_path)
    assert list(tmp_path.iterdir()) == []
