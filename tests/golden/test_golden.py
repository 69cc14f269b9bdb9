"""Each folder here is a project and a command; what the command prints is compared with what was printed before.

`cmd` holds one line as one types it: variables, `runner`, its arguments; `< FILE` gives standard input. `stdout`,
`stderr` and `exit` are what is expected (an empty stream has no file). `pytest --update-golden` writes them anew.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("*/cmd"))
EXPECTED = ("stdout", "stderr", "exit")
RUNNER = Path(sys.executable).with_name("runner")


def _too_large(project: Path) -> None:
    (project / "workflows.d/large.yaml").write_text("# padding\n" * 120_000)


def _binary(project: Path) -> None:
    (project / "workflows.d/picture.yaml").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)


def _alias_bomb(project: Path) -> None:
    lines = ["x-a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [f"x-a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    (project / "workflows.d/bomb.yaml").write_text("\n".join(lines) + "\n")


def _deep(project: Path) -> None:
    (project / "workflows.d/deep.yaml").write_text("x-deep: " + "[" * 20_000 + "]" * 20_000 + "\n")


def _escape_sequences(project: Path) -> None:
    (project / "workflows.d/escape.yaml").write_text('description: "\x1b[31mred\x1b[0m"\n')


# What git should not hold, or would show badly.
GENERATED: dict[str, Callable[[Path], None]] = {
    "file-too-large": _too_large,
    "binary-file": _binary,
    "alias-bomb": _alias_bomb,
    "deep-nesting": _deep,
    "control-characters": _escape_sequences,
}


def ran(case: Path, project: Path) -> dict[str, str]:
    """Run the command of a case in a copy of its project, with nothing in the environment but what it says."""
    shutil.copytree(
        case, project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("cmd", "stdout", "stderr", "exit")
    )
    if case.name in GENERATED:
        GENERATED[case.name](project)
    words = shlex.split((case / "cmd").read_text())
    environ = {"PATH": os.defpath}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environ[name] = value
    given = None
    if "<" in words:
        given = (project / words[words.index("<") + 1]).read_text()
        del words[words.index("<") :]
    assert words[0] == "runner"
    done = subprocess.run(
        [RUNNER, *words[1:]],
        cwd=project,
        env=environ,
        capture_output=True,
        input=given or "",
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    place = str(project)
    return {
        "stdout": done.stdout.replace(place, "PROJECT"),
        "stderr": done.stderr.replace(place, "PROJECT"),
        "exit": f"{done.returncode}\n",
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden(case: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    actual = ran(case, tmp_path / "project")
    assert "Traceback" not in actual["stderr"]
    if request.config.getoption("--update-golden"):
        for name, text in actual.items():
            if text:
                (case / name).write_text(text, encoding="utf-8")
            else:
                (case / name).unlink(missing_ok=True)
    expected = {
        name: (case / name).read_text(encoding="utf-8") if (case / name).exists() else "" for name in EXPECTED
    }
    assert actual == expected


def test_every_generated_project_has_a_case() -> None:
    assert set(GENERATED) <= {case.name for case in CASES}
