"""`runner runs` and what it says, with a history as `runner run` makes it."""

import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from runner.cli import main
from runner.history import locks
from tests.cli.terminal import Terminal
from tests.projects import request
from tests.servers.http import Server, reply

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def failing() -> set[str]:
    return set()


@pytest.fixture
def api(failing: set[str]) -> Iterator[Server]:
    def answer(asked: Any) -> Any:
        return reply(
            {"path": asked.path},
            200 if asked.path not in failing else 504 if "gateway" in asked.path else 500,
        )

    with Server({"* /**": answer}) as server:
        yield server


@pytest.fixture
def project(api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "connections.d").mkdir()
    (tmp_path / "workflows.d").mkdir()
    (tmp_path / "connections.d/api.yaml").write_text(
        json.dumps({"type": "none", "base_url": api.url, "shared": True})
    )
    write(tmp_path, [request("a", "POST", "/a"), request("b", "POST", "/b")])
    monkeypatch.chdir(tmp_path)
    for name in ("RUNNER_STATE", "RUNNER_USER", "CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(directory: Path, actions: list[Any], **more: Any) -> None:
    workflow = {"inputs": {"day": {"default": "mon"}, "key": {"secret": True, "type": "string"}}, **more}
    use = {
        "id": "uses",
        "if": False,
        "request": {"url": "https://example.com", "headers": {"K": "{{ inputs.key }}"}},
    }
    (directory / "workflows.d/main.yaml").write_text(json.dumps({**workflow, "actions": [*actions, use]}))


@pytest.fixture
def runner(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    before = signal.getsignal(signal.SIGTERM)

    def command(*arguments: str, **environ: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name, value in environ.items():
                patch.setenv(name, value)
            code = main(list(arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    yield command
    signal.signal(signal.SIGTERM, before)


def listed(runner: Command, *arguments: str) -> list[dict[str, Any]]:
    code, out, _ = runner("runs", "--format", "json", *arguments)
    assert code == 0
    data = json.loads(out)
    assert data["format"] == "runner.d/runs/1"
    runs: list[dict[str, Any]] = data["runs"]
    return runs


KEY = "the-key-of-this-run"


def test_from_a_failure_to_the_end(runner: Command, api: Server, failing: set[str], project: Path) -> None:
    failing.add("/b")
    code, out, err = runner("run", "main", "-i", "day=tue", "--as", "ann", RUNNER_INPUT_KEY=KEY)
    assert (code, out) == (1, "")
    (run,) = listed(runner)
    assert f"`runner runs resume {run['run']}` goes on where it stopped" in err
    assert (run["status"], run["user"], run["executions"], run["commit"]) == ("failed", "ann", 1, None)

    code, out, _ = runner("runs")
    assert re.search(rf"{run['run']}  .*  main +failed +\S+ +ann +-", out)

    code, out, err = runner("runs", "resume", run["run"])
    assert code == 2
    assert "the input 'key' is missing" in err
    assert "RUNNER_INPUT_KEY" in err
    assert api.count("POST", "/b") == 1

    failing.clear()
    code, out, err = runner("runs", "resume", run["run"][-8:-3], RUNNER_INPUT_KEY=KEY)
    assert (code, json.loads(out)) == (0, {}), err
    assert re.search(r"^kept +a  ", err, re.MULTILINE)
    assert (api.count("POST", "/a"), api.count("POST", "/b")) == (1, 2)

    code, out, err = runner("runs", "show", run["run"])
    assert code == 0
    for expected in (
        "main  succeeded",
        "as           ann",
        'day  "tue"',
        "key  (secret: given again on a resume)",
        "resume 1  ",
        "  kept       a",
        "500",
    ):
        assert expected in out
    code, out, _ = runner("runs", "show", run["run"], "--format", "json")
    shown = json.loads(out)
    assert shown["format"] == "runner.d/run-history/1"
    assert (shown["inputs"], shown["give_again"], shown["open"]) == ({"day": "tue"}, ["key"], [])
    assert [execution["status"] for execution in shown["executions"]] == ["failed", "succeeded"]
    assert [(each["execution"], each["key"], each["status"]) for each in shown["actions"]] == [
        (1, "a", "succeeded"), (1, "b", "failed"), (1, "uses", "skipped"),
        (2, "a", "succeeded"), (2, "b", "succeeded"), (2, "uses", "skipped"),
    ]  # fmt: skip
    assert shown["actions"][1]["attempts"][0]["status"] == 500
    assert KEY not in (project / ".runner/history.db").read_bytes().decode("latin-1")

    assert runner("runs", "resume", run["run"])[0] == 0
    assert (api.count("POST", "/a"), api.count("POST", "/b")) == (1, 2)


def test_changed_files(runner: Command, api: Server, failing: set[str], project: Path) -> None:
    failing.add("/b")
    runner("run", "main", RUNNER_INPUT_KEY=KEY)
    (run,) = listed(runner)
    failing.clear()
    write(project, [request("a", "POST", "/a"), request("b", "POST", "/new")])
    code, _, err = runner("runs", "resume", run["run"], "--with-current-files", RUNNER_INPUT_KEY=KEY)
    assert code == 2
    assert "POST /new" in err or "/new" in err
    assert "add --yes" in err
    assert api.count("POST", "/new") == 0
    broken = project / "workflows.d/main.yaml"
    text = broken.read_text()
    broken.write_text("actions: 1\n")
    assert runner("runs", "resume", run["run"], "--with-current-files", "--yes", RUNNER_INPUT_KEY=KEY)[0] == 3
    broken.write_text(text)
    failing.add("/b")
    code, _, err = runner("runs", "resume", run["run"], RUNNER_INPUT_KEY=KEY)
    assert code == 1
    assert "the files have changed since the run began (workflows.d/main.yaml)" in err
    assert (api.count("POST", "/new"), api.count("POST", "/b")) == (0, 2)
    # The new files stay those of the run, also where it fails once more and they have changed again.
    failing.add("/new")
    files = ("--with-current-files", "--yes")
    assert runner("runs", "resume", run["run"], *files, RUNNER_INPUT_KEY=KEY)[0] == 1
    failing.clear()
    write(project, [request("a", "POST", "/a"), request("b", "POST", "/b")])
    code, _, err = runner("runs", "resume", run["run"], RUNNER_INPUT_KEY=KEY)
    assert code == 0, err
    assert (api.count("POST", "/new"), api.count("POST", "/a"), api.count("POST", "/b")) == (2, 1, 2)


def test_filters_delete_and_prune(runner: Command, failing: set[str], project: Path) -> None:
    assert runner("runs") == (0, "", "there are no runs yet: `runner run WORKFLOW` makes one\n")
    assert not (project / ".runner").exists(), "a look makes nothing"
    assert runner("run", "main", "--no-history", RUNNER_INPUT_KEY=KEY)[0] == 0
    assert not (project / ".runner/history.db").exists()
    runner("run", "main", RUNNER_INPUT_KEY=KEY)
    failing.add("/a")
    runner("run", "main", RUNNER_INPUT_KEY=KEY)
    assert [run["status"] for run in listed(runner)] == ["failed", "succeeded"]
    assert len(listed(runner, "--status", "failed", "--workflow", "main", "--since", "1h")) == 1
    assert listed(runner, "--since", "2999-01-01T00:00:00Z") == []
    # A time in another zone is the moment that it means.
    now = datetime.now(UTC)
    for zone in (timezone(timedelta(hours=5)), timezone(timedelta(hours=-5))):
        for minutes, found in ((-30, True), (30, False)):
            given = (now + timedelta(minutes=minutes)).astimezone(zone).isoformat()
            assert bool(listed(runner, "--since", given)) is found, given
    code, out, err = runner("runs", "--limit", "1")
    assert (code, len(out.splitlines())) == (0, 2)
    assert "--limit N shows more" in err
    for wrong in (("--since", "soon"), ("--limit", "0"), ("--status", "fine")):
        assert runner("runs", *wrong)[0] == 2
    failed, succeeded = (run["run"] for run in listed(runner))
    lock = locks.take_run(project / ".runner", failed)
    assert lock is not None
    code, _, err = runner("runs", "delete", succeeded, failed)
    assert code == 6
    assert "another process holds its lock" in err
    assert runner("runs", "resume", failed)[0] == 6
    lock.release()
    assert len(listed(runner)) == 2
    assert runner("runs", "delete", succeeded)[0] == 0
    assert runner("runs", "show", succeeded)[0] == 2
    assert runner("runs", "prune", "--keep", "30d")[2] == "deleted 0 runs; 1 left\n"
    assert runner("runs", "prune", "--keep", "0s", "--dry-run")[2] in (
        "would delete 1 run; 0 left\n",
        "would delete 0 runs; 1 left\n",
    )
    with sqlite3.connect(project / ".runner/history.db") as file:
        file.execute("UPDATE run SET started_at = '2020-01-01T00:00:00.000Z'")
    file.close()
    assert runner("runs", "prune", "--keep", "30d")[2] == "deleted 1 run; 0 left\n"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (ProcessLookupError, "has just ended, or goes on in another container"),
        (PermissionError, "another user"),
    ],
)
def test_a_process_that_cannot_be_told_to_stop(
    problem: type[OSError], said: str, runner: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert runner("run", "main", RUNNER_INPUT_KEY=KEY)[0] == 0
    (run,) = (each["run"] for each in listed(runner))
    with sqlite3.connect(project / ".runner/history.db") as file:
        file.execute("UPDATE run SET status = 'running'")
        file.execute("UPDATE execution SET ended = NULL")
    file.close()

    def kill(*_: int) -> None:
        raise problem

    monkeypatch.setattr(os, "kill", kill)
    lock = locks.take_run(project / ".runner", run)
    assert lock is not None
    code, _, err = runner("runs", "cancel", run)
    lock.release()
    assert code == 2
    assert said in err


def test_other_state_directories_and_bad_files(runner: Command, project: Path, tmp_path: Path) -> None:
    assert runner("run", "main", "--state", "kept/here", RUNNER_INPUT_KEY=KEY)[0] == 0
    assert (project / "kept/here/history.db").exists()
    assert len(listed(runner, "--state", "kept/here")) == 1
    (project / "file").write_text("")
    (project / "link").symlink_to("nowhere/at/all")
    for state, reason in (
        ("file", "it is no directory"),
        ("link", "it is a symbolic link that leads nowhere"),
    ):
        code, _, err = runner("run", "main", "--state", state, RUNNER_INPUT_KEY=KEY)
        assert (code, reason in err) == (4, True)
    (project / "bad").mkdir()
    (project / "bad/history.db").write_bytes(b"no database" * 1000)
    code, _, err = runner("run", "main", "--state", "bad", RUNNER_INPUT_KEY=KEY)
    assert code == 4
    assert "is damaged" in err
    code, _, err = runner("runs", RUNNER_STATE=str(project / "bad"))
    assert code == 4


def test_the_commit_and_whether_the_files_are_its(runner: Command, project: Path) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=me", "-c", "user.email=me@example.com")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=project, check=True, capture_output=True, encoding="utf-8"
        ).stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "x")
    commit = git("rev-parse", "HEAD")
    runner("run", "main", RUNNER_INPUT_KEY=KEY)
    assert listed(runner)[0]["commit"] == commit
    assert git("status", "--porcelain") == "", "git ignores the state directory"
    name = listed(runner)[0]["run"]
    assert f"{commit} (files as committed)" in runner("runs", "show", name)[1]
    git("pack-refs", "--all")
    write(project, [request("a", "POST", "/other")])
    runner("run", "main", RUNNER_INPUT_KEY=KEY)
    name = listed(runner)[0]["run"]
    assert f"{commit} (changed since: workflows.d/main.yaml)" in runner("runs", "show", name)[1]


def test_a_write_of_unknown_outcome_is_asked_about(
    runner: Command, api: Server, failing: set[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, [request("pay", "POST", "/gateway"), request("b", "POST", "/b")])
    failing.add("/gateway")
    runner("run", "main", RUNNER_INPUT_KEY=KEY)
    failing.clear()
    (run,) = listed(runner)
    code, _, err = runner("runs", "resume", run["run"], RUNNER_INPUT_KEY=KEY)
    assert code == 2
    assert "1 write may or may not have reached the server when the run ended: 'pay'" in err
    assert "--retry-unknown sends it again" in err
    monkeypatch.setattr("sys.stdin", Terminal("\n"))
    code, _, err = runner("runs", "resume", run["run"], RUNNER_INPUT_KEY=KEY)
    assert (code, api.count("POST", "/gateway")) == (1, 1)
    assert "send again? [y/N]" in err
    assert "nothing was done" in err
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    code, _, err = runner("runs", "resume", run["run"], RUNNER_INPUT_KEY=KEY)
    assert (code, api.count("POST", "/gateway")) == (0, 2), err
    assert f"resuming {run['run']}: main, which failed" in err


def test_what_is_needed_and_kept_nowhere_is_refused(
    runner: Command, api: Server, failing: set[str], project: Path
) -> None:
    login = request("login", "POST", "/login", more={"sensitive": True, "output": "{{ response.body.path }}"})
    write(project, [login, request("b", "POST", "/b", headers={"X-T": "{{ actions.login.output }}"})])
    failing.add("/b")
    runner("run", "main", RUNNER_INPUT_KEY=KEY)
    failing.clear()
    code, _, err = runner("runs", "resume", listed(runner)[0]["run"], RUNNER_INPUT_KEY=KEY)
    assert code == 2
    assert "'login' (its output is sensitive, which is never kept)" in err
    assert "`idempotent: true`" in err
    assert api.count("POST", "/b") == 1


def test_a_run_without_its_secrets_is_in_the_history(runner: Command, api: Server, project: Path) -> None:
    connection = {"type": "bearer", "base_url": api.url, "shared": True, "auth": {"token": "env://NOT_SET"}}
    (project / "connections.d/api.yaml").write_text(json.dumps(connection))
    code, _, err = runner("run", "main", "--report", "json=r.json", RUNNER_INPUT_KEY=KEY)
    assert code == 4
    (run,) = listed(runner)
    assert run["status"] == "failed"
    assert json.loads((project / "r.json").read_text())["run"] == run["run"]
    assert "error[secret-unavailable]" in runner("runs", "show", run["run"])[1]
    code, _, err = runner("runs", "resume", run["run"], RUNNER_INPUT_KEY=KEY, NOT_SET="a-token-of-now")
    assert code == 0, err
    assert api.requests[-1].header("Authorization") == "Bearer a-token-of-now"
