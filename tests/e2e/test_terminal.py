"""On a terminal: colours, and a line that shows what is going on; piped: neither."""

import os
import pty
import subprocess

import pytest

from tests.e2e.program import RUNNER, TOKEN, Program


def on_terminal(program: Program, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run a command with a terminal as its stdout and stderr; give its code and all that the terminal got."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [RUNNER, *arguments],
        cwd=program.directory,
        env={**program.environ, "TERM": "xterm", **environ},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux says so when the last one has closed the other end
                break
            if not piece:
                break
            seen += piece
        code = process.wait(30)
    os.close(ours)
    return code, seen.decode()


def test_progress_and_colours(program: Program) -> None:
    code, seen = on_terminal(program, "run", "job")
    assert code == 0
    assert "\r\x1b[Krunning  ask ..." in seen
    assert "\x1b[32mok\x1b[0m" in seen
    last = seen.rpartition("\x1b[K")[2]
    assert "running" not in last


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_they_are_not_wanted(program: Program, environ: dict[str, str]) -> None:
    _, seen = on_terminal(program, "run", "job", **environ)
    assert "\x1b[32m" not in seen


def test_a_pipe_gets_plain_lines(program: Program) -> None:
    ended = program.run("run", "job", TERM="xterm")
    assert "\x1b" not in ended.out + ended.err
    assert "\r" not in ended.err
    assert "\x1b[32m" in program.run("run", "job", "--color", "always").err


def test_a_server_cannot_paint_our_terminal(program: Program) -> None:
    program.write(
        "workflows.d/evil.yaml",
        'actions:\n  - {id: a, set: {x: "\\e[2J\\e[31mred"}}\n  - {id: b, fail: "{{ actions.a.output.x }}"}\n',
    )
    _, seen = on_terminal(program, "run", "evil")
    assert "\x1b[2J" not in seen
    assert "\\x1b[2J" in seen


def test_github_learns_what_to_mask_and_stdout_stays_clean(program: Program) -> None:
    ended = program.run("run", "job", GITHUB_ACTIONS="true")
    assert f"::add-mask::{TOKEN}\n" in ended.err
    assert TOKEN not in ended.out
    assert "::add-mask::" not in program.run("run", "job").err
