"""The table of exit codes, each code from outside."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.program import TOKEN, Program, free_of
from tests.servers.http import Server
from tests.servers.listeners import refused_port


def test_0_a_run_that_succeeds_prints_its_outputs(program: Program, server: Server) -> None:
    ended = program.run("run", "job")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == {"items": [1, 2, 3]}
    assert f"ok       ask  GET {server.url}/body/json  200" in ended.err
    assert "job succeeded in" in ended.err
    assert server.count("GET", "/body/json") == 1


@pytest.mark.parametrize("command", ["validate", "plan job", "workflows", "connections", "version", "--help"])
def test_0_commands_that_only_read(program: Program, server: Server, command: str) -> None:
    ended = program.run(*command.split())
    assert ended.code == 0, ended.err
    assert ended.out
    assert ended.err == ""
    assert server.requests == ()


def test_0_quiet_says_nothing_but_data(program: Program) -> None:
    ended = program.run("-q", "run", "job")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == {"items": [1, 2, 3]}


def test_1_a_run_that_fails(program: Program) -> None:
    program.workflow("id: ask, connection: api, request: {path: /status/404}", "id: rest, set: {x: 1}")
    ended = program.run("run", "job")
    assert ended.code == 1
    assert ended.out == ""
    assert "FAILED   ask" in ended.err
    assert "--> workflows.d/job.yaml:2:" in ended.err
    assert "skipped  rest  an action before it failed" in ended.err
    assert "job failed in" in ended.err


def test_1_a_connection_test_that_fails(program: Program, server: Server) -> None:
    assert program.run("connections", "test", "--all").code == 0
    ended = program.run("connections", "test", "api", API_TOKEN="wrong-wrong-wrong")
    assert ended.code == 1
    assert ended.out.startswith("unauthorized  api")
    assert "0 of 1 connections ok" in ended.out
    with refused_port() as port:
        program.connection(f"http://127.0.0.1:{port}")
        ended = program.run("connections", "test", "--all", "--format", "json")
    assert ended.code == 1
    assert json.loads(ended.out)["connections"][0]["classification"] == "unreachable"


@pytest.mark.parametrize(
    "line",
    ["valdate", "validate --foramt json", "run", "run nothing", "run job -i x=1", "run job --env nowhere",
     "run job --report json=nowhere/run.json", "validate -C nowhere", "connections test", "schema x", ""],
)  # fmt: skip
def test_2_wrong_usage_sends_nothing(program: Program, server: Server, line: str) -> None:
    ended = program.run(*line.split())
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err
    assert server.requests == ()


@pytest.mark.parametrize("command", ["validate", "plan job", "run job", "connections test --all"])
def test_3_errors_in_the_project_send_nothing(program: Program, server: Server, command: str) -> None:
    program.write("connections.d/bad.yaml", "type: beaer\nbase_url: https://example.com\n")
    ended = program.run(*command.split())
    assert ended.code == 3
    assert "did you mean 'bearer'?" in ended.out + ended.err
    assert server.requests == ()


def test_4_secrets_that_are_unavailable_send_nothing(program: Program, server: Server) -> None:
    ended = program.run("run", "job", "--report", "junit=run.xml", "--report", "json=run.json", API_TOKEN="")
    assert ended.code == 4
    assert "env API_TOKEN: the environment variable is empty" in ended.err
    assert "--> connections.d/api.yaml:4:" in ended.err
    assert server.requests == ()
    report = json.loads((program.directory / "run.json").read_text())
    assert (report["status"], report["error"]["kind"]) == ("failed", "secret-unavailable")
    assert 'errors="1"' in (program.directory / "run.xml").read_text()
    assert program.run("connections", "test", "--all", API_TOKEN="").code == 4


def test_5_a_run_that_takes_too_long(program: Program) -> None:
    program.workflow(
        "id: ask, connection: api, request: {path: /hold}",
        more="finally:\n  - {id: last, connection: api, request: {path: /body/json}}\n",
    )
    ended = program.run("run", "job", "--timeout", "300ms")
    assert ended.code == 5
    assert "job timed out in" in ended.err
    assert "ok       finally/last" in ended.err


def test_70_a_bug(program: Program, tmp_path: Path) -> None:
    """A broken installation stands for a bug: the module of a command fails when it is used."""
    script = (
        "import sys, runner.cli.version as v\n"
        "def broken(*_): raise ZeroDivisionError('text of the exception')\n"
        "v.installed = broken\n"
        "from runner.cli import main\n"
        "sys.exit(main(['version']))\n"
    )
    program.write("bug.py", script)
    ended = program.shell(f"{sys.executable} bug.py")
    assert ended.code == 70
    assert "a bug in runner.d: ZeroDivisionError" in ended.err
    assert "Traceback" not in ended.err
    assert "text of the exception" not in ended.err


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 143, "terminated"),
    ],
)
def test_130_and_143_a_signal_in_the_middle_of_a_run(
    program: Program, server: Server, number: signal.Signals, code: int, word: str
) -> None:
    """A terminal that is gone is often told twice: that is no second signal."""
    program.workflow(
        "id: slow, connection: api, request: {path: /slow/1}",
        "id: never, connection: api, request: {path: /body/json}",
        more="finally:\n  - {id: last, connection: api, request: {path: /echo}}\n",
    )
    with program.start("run", "job", "-v", "--report", "json=run.json") as process:
        assert process.stderr is not None
        seen = ""
        while "start    slow" not in seen:
            line = process.stderr.readline()
            assert line, seen
            seen += line
        process.send_signal(number)
        line = process.stderr.readline()
        assert line.startswith(f"{word}: what is in flight gets a moment to end")
        if number == signal.SIGHUP:
            process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == ""
    assert f"job was {word} in" in err
    assert server.count("GET", "/echo") == 1, "finally must have run"
    assert server.count("GET", "/body/json") == 0
    report = json.loads((program.directory / "run.json").read_text())
    assert report["status"] == word
    assert [path.name for path in program.directory.glob(".*.part")] == []


def test_a_second_signal_ends_at_once(program: Program, server: Server) -> None:
    program.workflow("id: slow, connection: api, request: {path: /hold}")
    with program.start("run", "job", "-v", "--report", "json=run.json") as process:
        assert process.stderr is not None
        for awaited in ("start    slow", "terminated: what is in flight"):
            while awaited not in (line := process.stderr.readline()):
                assert line
            process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=5)
    assert process.returncode == 143
    assert "stopped at once" in err
    listed = json.loads(program.run("runs", "--format", "json").out)["runs"][0]
    assert f"= help: `runner runs resume {listed['run']}`" in err
    assert listed["duration"] > 0
    assert list(program.directory.glob("*.json")) == []
    assert list(program.directory.glob(".*.part")) == []


def test_no_secret_is_shown_whatever_happens(program: Program) -> None:
    echoed = "id: {0}, connection: api, on_error: continue, request: {{path: {1}}}"
    program.workflow(*(echoed.format(f"a{n}", path) for n, path in enumerate(
        ["/echo", "/echo-authorization", "/echo-error/500", "/echo-redirect", "/not-http", "/close"]
    )))  # fmt: skip
    ended = program.run("run", "job", "-vv", "--report", "json=run.json", "--report", "junit=run.xml")
    assert "secret-in-output" in ended.err
    files = [(program.directory / name).read_text() for name in ("run.json", "run.xml")]
    assert free_of([TOKEN], ended.out, ended.err, *files)


def test_a_signal_before_the_run_leaves_no_file_and_sends_nothing(program: Program, server: Server) -> None:
    os.mkfifo(program.directory / "pipe")  # nobody reads it: opening the second report waits
    with program.start("run", "job", "--report", "json=run.json", "--report", "junit=pipe") as process:
        deadline = time.monotonic() + 30
        while not list(program.directory.glob(".run.json.*.part")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (143, "terminated\n")
    assert list(program.directory.glob(".run.json.*")) == []
    assert server.requests == ()
