"""stdout closed, full, or read by somebody who stops reading; reports that cannot be finished."""

import json
from pathlib import Path

import pytest

from tests.e2e.program import Program
from tests.servers.http import Server


@pytest.fixture
def long_output(program: Program) -> Program:
    """A run whose outputs do not fit into a pipe's buffer."""
    program.workflow(
        "id: ask, connection: api, request: {path: /size/1/length}",
        more='outputs: {text: "{{ actions.ask.output }}"}\n',
    )
    return program


def test_head_ends_nothing_but_the_pipe(long_output: Program) -> None:
    ended = long_output.shell("{ runner run job; echo code $? >&2; } | head -c 10")
    assert ended.out == '{\n  "text"'
    assert "code 0" in ended.err
    assert "Broken pipe" not in ended.err
    assert "Traceback" not in ended.err
    assert "job succeeded" in ended.err


def test_head_keeps_the_code_of_the_command(program: Program) -> None:
    for number in range(200):
        program.write(f"workflows.d/w{number}.yaml", "actions: [{id: a, set: {x: '{{ inputs.nothing }}'}}]\n")
    ended = program.shell("{ runner validate; echo code $? >&2; } | head -n 1")
    assert ended.err == "code 3\n"


@pytest.mark.parametrize(
    ("command", "code"), [("validate", 1), ("version", 1), ("plan job", 1), ("run job", 1), ("--help", 1)]
)
def test_a_full_disk_under_stdout_is_a_failure(program: Program, command: str, code: int) -> None:
    ended = program.shell(f"runner {command} > /dev/full")
    assert ended.code == code
    assert ended.err.endswith("error: stdout could not be written: No space left on device\n")
    assert "Traceback" not in ended.err
    assert "Exception ignored" not in ended.err


def test_a_harder_code_wins_over_a_full_disk(program: Program) -> None:
    program.write("workflows.d/bad.yaml", "actions: 1\n")
    assert program.shell("runner validate > /dev/full").code == 3


def test_a_closed_stdout_is_told(program: Program, server: Server) -> None:
    ended = program.shell("runner run job >&-")
    assert ended.code == 1
    assert "error: stdout could not be written" in ended.err
    assert server.count("GET", "/body/json") == 1


def test_a_closed_stderr_changes_nothing(program: Program) -> None:
    ended = program.shell("runner run job 2>&-")
    assert ended.code == 0
    assert json.loads(ended.out) == {"items": [1, 2, 3]}


def test_no_standard_stream_at_all(program: Program, server: Server) -> None:
    ended = program.shell("runner run job --report json=run.json <&- >&- 2>&-")
    assert ended.code == 1
    assert json.loads((program.directory / "run.json").read_text())["status"] == "succeeded"
    assert server.count("GET", "/body/json") == 1


def test_a_full_disk_under_the_report(program: Program) -> None:
    ended = program.run("run", "job", "--report", "json=/dev/full")
    assert ended.code == 1
    assert json.loads(ended.out) == {"items": [1, 2, 3]}
    assert "error: the report json=/dev/full could not be written: No space left on device" in ended.err
    assert "the run itself ended as 'succeeded'" in ended.err


def test_a_report_goes_to_a_device_as_well(program: Program) -> None:
    ended = program.run("run", "job", "-q", "--report", "junit=/dev/stderr")
    assert ended.code == 0
    assert ended.err.startswith("<?xml")


def test_an_unwritable_directory_is_known_before_anything_is_sent(program: Program, server: Server) -> None:
    target = Path("/proc/nowhere.json")  # even root cannot write there
    ended = program.run("run", "job", "--report", f"json={target}")
    assert ended.code == 2
    assert f"the report json={target} cannot be written" in ended.err
    assert server.requests == ()


def test_a_plain_locale_changes_nothing(program: Program) -> None:
    for environ in ({"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"PYTHONUTF8": "0"}):
        ended = program.run("plan", "job", "--format", "json", **environ)
        assert ended.code == 0, ended.err
        headers = json.loads(ended.out)["actions"][0]["request"]["headers"]
        assert headers == {"Authorization": "Bearer ‹secret env API_TOKEN›"}
