"""Start-up: which command is meant, where options may stand, and what is imported for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from runner.cli import COMMANDS, main, split
from runner.errors import UsageError

HEAVY = ("yaml", "jinja2", "jsonschema", "httpx", "httpcore", "hvac", "requests", "asyncio", "ssl", "dataclasses",
         "logging", "importlib.metadata", "runner.errors")  # fmt: skip


def modules_after(*arguments: str, cwd: Path | None = None) -> set[str]:
    """Run a command in a fresh process and give the names of all modules it imported."""
    script = f"import sys\nfrom runner.cli import main\nmain({list(arguments)!r})\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=cwd, timeout=60
    )
    assert done.stdout
    return set(done.stderr.split())


@pytest.mark.parametrize(
    "arguments", [("version",), ("--help",), ("--version",), ("version", "--format", "json")]
)
def test_small_commands_import_next_to_nothing(arguments: tuple[str, ...]) -> None:
    assert modules_after(*arguments) & set(HEAVY) == set()


def test_validate_never_pays_for_http_or_vault(tmp_path: Path) -> None:
    (tmp_path / "workflows.d").mkdir()
    (tmp_path / "workflows.d/a.yaml").write_text("actions: [{id: a, set: {x: 1}}]\n")
    found = modules_after("validate", cwd=tmp_path)
    assert "yaml" in found
    assert found & {"httpx", "hvac", "requests", "asyncio", "ssl"} == set()


def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        assert main([*name.split(), "--help"]) == 0
        printed = capsys.readouterr().out
        assert printed.startswith(f"usage: runner {name} ")
        assert f"\n  runner {name}" in printed or f"| runner {name}" in printed
        for option in ("--project", "--quiet", "--verbose", "--color"):
            assert option in printed


@pytest.mark.parametrize(
    ("options", "code", "profiled"),
    [("--help", 0, False), ("--engine=temporal://127.0.0.1:9/default", 4, False), ("--help", 0, True)],
)
def test_a_process_ends_with_its_command(options: str, code: int, profiled: bool) -> None:
    """All is written, and Python is not taken down: that takes long, and aborts under the threads of Temporal's library."""
    script = (
        "import atexit, sys; atexit.register(print, 'taken down'); from runner.cli import main;"
        f"{'sys.setprofile(lambda *_: None);' * profiled} sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "runs", options], capture_output=True, text=True, check=False, timeout=60
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert ("taken down" in done.stdout) == profiled
    assert ("usage: runner runs" in done.stdout) == (not code)
    assert ("cannot be reached" in done.stderr) == bool(code)


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("validate", "validate", ""),
        ("-C dir validate -q", "validate", "-C dir -q"),
        ("--color never -v run escalate", "run", "--color never -v escalate"),
        ("connections", "connections", ""),
        ("connections --format json", "connections", "--format json"),
        ("connections --format json show a", "connections show", "--format json a"),
        ("-C validate connections -v test --all", "connections test", "-C validate -v --all"),
        ("run -i a=b escalate", "run", "-i a=b escalate"),
        ("help connections test", "connections test", "--help"),
        ("-q", None, "-q"),
        ("run -- validate", "run", "-- validate"),
    ],
)
def test_options_stand_before_and_after_the_command(line: str, name: str | None, rest: str) -> None:
    assert split(line.split()) == (name, rest.split())


@pytest.mark.parametrize(
    ("line", "message", "remedy"),
    [
        ("valdate", "unknown command 'valdate'", "did you mean 'validate'?"),
        ("xyz", "unknown command 'xyz'", "`runner --help` lists the commands"),
        ("workflows shwo a", "unknown command 'workflows shwo'", "did you mean 'workflows show'?"),
    ],
)
def test_unknown_commands_get_a_suggestion(line: str, message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        split(line.split())
    assert (caught.value.message, caught.value.help) == (message, remedy)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["validate", "--forma", "json"], "unknown option '--forma'"),
        (["version", "--fromat=json"], "unknown option '--fromat=...'"),
        (["plan", "a", "token=hunter2hunter2"], "unexpected argument 'token=...'"),
        (["version", "--color"], "--color"),
        (["version", "-C", ""], "the value is empty"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert expected in captured.err.splitlines()[0]
    assert captured.err.splitlines()[1].startswith("  = help: ")
    assert len(captured.err.splitlines()) == 2
    assert "hunter2" not in captured.err


def test_python_dash_m_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runner", "version"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("runner.d ")
