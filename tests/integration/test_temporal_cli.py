"""Commands on an engine, from outside: a real server, a worker, and `runner` as a user types it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.backends.temporal import KEPT_OPEN
from runner.history.runs import Filter
from runner.project import load
from tests.engines import Cluster, until
from tests.projects import make, request
from tests.servers.http import Response, Server, reply
from tests.servers.temporal import Temporal

RUNNER = Path(sys.executable).with_name("runner")


@pytest.fixture
def cluster(temporal: Temporal) -> Iterator[Cluster]:
    with Cluster(temporal) as made:
        yield made


@pytest.fixture
def server() -> Iterator[Server]:
    broken = {"/broken"}

    def answer(asked: Any) -> Response:
        if asked.path in broken:
            broken.discard(asked.path)
            return reply({}, 500)
        return reply({"path": asked.path})

    with Server({"* /**": answer}) as made:
        yield made


class Shell:
    """Types commands in a project."""

    def __init__(self, root: Path, cluster: Cluster) -> None:
        self.root = root
        self.environ = {"PATH": os.defpath, "RUNNER_ENGINE": cluster.url}

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [RUNNER, *words],
            cwd=self.root,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )


@pytest.fixture
def shell(tmp_path: Path, server: Server, cluster: Cluster) -> Shell:
    api = {"type": "none", "base_url": server.url, "shared": True}
    workflows = {
        "ok": {"actions": [request("a", path="/a")], "outputs": {"path": "{{ actions.a.output.path }}"}},
        "broken": {
            "actions": [request("a", "POST", "/a"), request("b", "POST", "/broken")],
            "outputs": {"path": "{{ actions.b.output.path }}"},
        },
        "long": {
            "concurrency": {"key": "one", "on_conflict": "fail"},
            "actions": [request("a", path="/long"), {"id": "wait", "wait": "1h"}],
            "finally": [request("bye", path="/bye")],
        },
        "polite": {
            "concurrency": {"key": "one", "on_conflict": "skip"},
            "actions": [request("a", path="/polite")],
        },
        "patient": {
            "concurrency": {"key": "one", "on_conflict": "queue"},
            "actions": [request("a", path="/patient")],
        },
        "timed": {
            "triggers": [{"schedule": "0 7 * * 1-5", "timezone": "Europe/Berlin", "catch_up": "1h"}],
            "actions": [request("a", path="/timed")],
        },
    }
    files = {f"workflows.d/{name}.yaml": value for name, value in workflows.items()}
    make(tmp_path, {"connections.d/api.yaml": api, **files})
    return Shell(tmp_path, cluster)


def test_run_show_list_delete(shell: Shell, cluster: Cluster) -> None:
    cluster.worker()
    done = shell("run", "ok", "--report", "json=report.json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"path": "/a"}
    assert "ok       a  GET" in done.stderr
    report = json.loads((shell.root / "report.json").read_text())
    assert report["status"] == "succeeded"
    assert not (shell.root / ".runner").exists(), "the engine keeps the history"
    run_id = report["run"]
    shown = shell("runs", "show", run_id)
    assert "ok       a  GET" in shown.stdout
    assert json.loads(shell("runs", "show", run_id, "--format", "json").stdout)["status"] == "succeeded"
    quiet = shell("-q", "run", "broken")
    assert quiet.stdout == ""
    assert [line.split()[0] for line in quiet.stderr.splitlines() if not line.startswith(" ")] == [
        "FAILED",
        "broken",
    ]
    listed = json.loads(shell("runs", "--workflow", "ok", "--format", "json").stdout)["runs"]
    assert [(each["run"], each["workflow"], each["status"]) for each in listed] == [
        (run_id, "ok", "succeeded")
    ]
    assert "no run fits" in shell("runs", "--status", "skipped").stderr
    assert shell("runs", "delete", run_id).returncode == 0


def test_lists_are_filtered_as_those_of_the_history(
    shell: Shell, cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    """Also of runs whose execution goes on because they can be resumed, and of one that was ended from outside."""
    project = load(shell.root)
    cluster.worker()
    runs = {name: cluster.submit(project, name) for name in ("ok", "broken", "polite", "long")}
    for name in ("ok", "broken"):
        cluster.follow(runs[name])
    later = cluster.submit(project, "ok")
    cluster.follow(later)
    until(lambda: server.count("GET", "/long") == 1)

    def listed(**wanted: Any) -> list[str]:
        return [each.id for each in cluster.ask(lambda found: found.runs(Filter(**wanted)))]

    everything = [later, runs["long"], runs["polite"], runs["broken"], runs["ok"]]
    until(lambda: listed() == everything)
    assert listed(limit=2) == everything[:2]
    assert listed(workflow="ok") == [later, runs["ok"]]
    assert listed(workflow="ok", limit=1) == [later]
    assert listed(statuses=["failed"]) == [runs["broken"]]
    assert listed(statuses=["running"]) == [runs["long"]]
    started = cluster.ask(lambda found: found.noted(later)).started_at
    assert listed(since=started.isoformat()) == [later]
    assert listed(since=(started + timedelta(seconds=1)).isoformat()) == []

    assert shell("runs", "delete", later, runs["long"]).returncode == 6
    assert cluster.ask(lambda found: found.noted(later)).status == "succeeded", "all or none"

    async def end(found: Any) -> None:
        await found.client.get_workflow_handle(runs["long"]).terminate()

    cluster.ask(end)
    until(lambda: listed(statuses=["crashed"]) == [runs["long"]])
    assert "crashed" in shell("runs", "show", runs["long"]).stdout
    assert shell("runs", "resume", runs["long"]).returncode == 2
    assert shell("runs", "delete", runs["long"]).returncode == 0


def test_what_failed_is_resumed(shell: Shell, cluster: Cluster, server: Server) -> None:
    cluster.worker()
    failed = shell("run", "broken")
    assert failed.returncode == 1
    assert "answered 500" in failed.stderr
    assert [line.split()[0] for line in failed.stderr.splitlines()[:3]] == ["run", "ok", "FAILED"]
    run_id = re.search(r"runs resume (\S+)", failed.stderr)
    assert run_id is not None
    assert KEPT_OPEN == 7 * 24 * 3600
    done = shell("runs", "resume", run_id[1])
    assert done.stdout == '{\n  "path": "/broken"\n}\n'
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["run", "kept", "ok", "broken"]
    assert (server.count("POST", "/a"), server.count("POST", "/broken")) == (1, 2)
    again = shell("runs", "resume", run_id[1])
    assert (again.returncode, "nothing is left to do" in again.stderr) == (0, True)


def test_one_at_a_time_and_cancel(shell: Shell, cluster: Cluster, server: Server) -> None:
    cluster.worker()
    detached = shell("run", "long", "--detach")
    assert detached.returncode == 0, detached.stderr
    run_id = detached.stdout.strip()
    until(lambda: server.count("GET", "/long") == 1)
    refused = shell("run", "long")
    assert refused.returncode == 6, refused.stderr
    assert "another run holds the lock 'one'" in refused.stderr
    skipped = shell("run", "polite")
    assert (skipped.returncode, "another run holds the lock 'one'" in skipped.stderr) == (0, True)
    queued = shell("run", "patient", "--detach").stdout.strip()
    assert shell("runs", "resume", run_id).returncode == 6
    assert shell("runs", "delete", run_id).returncode == 6
    assert shell("runs", "cancel", run_id).returncode == 0
    assert shell("runs", "delete", run_id).returncode == 0
    assert server.count("GET", "/bye") == 1
    assert cluster.follow(queued).status == "succeeded"
    until(lambda: shell("runs", "show", run_id).returncode == 2)


def test_schedules(shell: Shell, cluster: Cluster, temporal: Temporal) -> None:
    """Applied once, they are kept; a changed one is updated; one is started by hand, as its time would."""
    cluster.worker()
    name = f"--name={cluster.queue}"
    refused = shell("schedules", "apply", name)
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    made = shell("schedules", "apply", name, "--yes")
    assert (made.returncode, f"create runner.d/{cluster.queue}/timed" in made.stderr) == (0, True)
    assert "nothing to do" in shell("schedules", "apply", name, "--yes").stderr
    path = shell.root / "workflows.d/timed.yaml"
    path.write_text(path.read_text().replace("0 7 * * 1-5", "0 8 * * *"))
    assert "update" in shell("schedules", "apply", name, "--yes").stderr
    tool = Path(sys.executable).with_name("temporal")
    schedule = ("--schedule-id", f"runner.d/{cluster.queue}/timed")

    def temporal_cli(*words: str) -> str:
        command: list[str | Path] = [tool, *words, "--address", temporal.host, *schedule]
        return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True).stdout

    described = temporal_cli("schedule", "describe", "-o", "json")
    assert "Europe/Berlin" in described
    assert "SKIP" in described.upper()
    temporal_cli("schedule", "trigger")
    until(lambda: '"timed", "succeeded"' in statuses(shell))
    path.unlink()
    left = shell("schedules", "apply", name, "--yes")
    assert "no workflow has triggers" in left.stderr
    assert "delete" in shell("schedules", "apply", name, "--yes", "--prune").stderr
    assert "nothing to do" in shell("schedules", "apply", name, "--yes", "--prune").stderr


def statuses(shell: Shell) -> str:
    listed = json.loads(shell("runs", "--format", "json").stdout)["runs"]
    return json.dumps([[each["workflow"], each["status"]] for each in listed])


def test_what_is_refused(shell: Shell, cluster: Cluster) -> None:
    shell.environ["RUNNER_ENGINE"] = "http://127.0.0.1:7233"
    wrong = shell("run", "ok")
    assert (wrong.returncode, "temporal://HOST:PORT/NAMESPACE" in wrong.stderr) == (2, True)
    shell.environ["RUNNER_ENGINE"] = "temporal://127.0.0.1:9/default"
    nobody = shell("run", "ok")
    assert (nobody.returncode, "cannot be reached" in nobody.stderr) == (4, True)
    del shell.environ["RUNNER_ENGINE"]
    assert shell("run", "ok", "--detach").returncode == 2
    assert shell("worker").returncode == 2
    assert "Traceback" not in wrong.stderr + nobody.stderr


def test_a_worker_ends_in_order(cluster: Cluster) -> None:
    worker = cluster.worker()
    assert worker.stop() == 0
    assert "no step was in flight" in "".join(worker.said)
