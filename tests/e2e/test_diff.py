"""`runner diff` as people and CI start it, and every example of its page."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.program import RUNNER
from tests.pages import Shell, blocks

PAGE = Path(__file__).parents[2] / "docs/diff.md"
ENVIRON = {"PATH": os.defpath, "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
CONNECTION = "type: none\nbase_url: https://a.example.com\nshared: true\ntest: {path: /}\n"
WORKFLOW = "actions:\n  - {id: one, connection: a, request: {path: /x}}\n"


class Checkout:
    """A project in a git repository."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.git("init", "-q", "-b", "main")
        self.write("connections.d/a.yaml", CONNECTION)
        self.write("workflows.d/w.yaml", WORKFLOW)
        self.commit()

    def write(self, path: str, text: str) -> None:
        (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
        (self.directory / path).write_text(text, encoding="utf-8")

    def git(self, *arguments: str) -> None:
        names = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *names, *arguments], cwd=self.directory, env=ENVIRON, check=True)

    def commit(self) -> None:
        self.git("add", ".")
        self.git("commit", "-q", "-m", "m")

    def diff(self, *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [RUNNER, "diff", *arguments],
            cwd=self.directory,
            env={**ENVIRON, **environ},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "project")


def test_the_page_holds(tmp_path: Path) -> None:
    directory = tmp_path / "project"
    directory.mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "runner").symlink_to(RUNNER)
    shell = Shell(directory, {**ENVIRON, "PATH": f"{programs}:{os.defpath}"}, {})
    for block in blocks(PAGE, "yaml", "console"):
        name = re.match(r"# (\S+\.yaml)\n", block.text)
        if block.language == "console":
            shell.play(block)
        elif name:
            path = directory / name[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def test_the_exit_code_tells_whether_there_is_a_difference(checkout: Checkout) -> None:
    assert checkout.diff("--exit-code").returncode == 0
    checkout.write("workflows.d/w.yaml", "# moved\n" + WORKFLOW)
    assert checkout.diff("--exit-code").returncode == 0
    checkout.write("workflows.d/w.yaml", WORKFLOW.replace("/x", "/y"))
    assert checkout.diff("--exit-code").returncode == 1
    assert checkout.diff().returncode == 0


def test_what_changes_only_through_something_else_is_a_difference(checkout: Checkout) -> None:
    checkout.write("connections.d/a.yaml", CONNECTION + "timeout: 5s\n")
    done = checkout.diff("--exit-code", "--format", "json")
    assert done.returncode == 1
    assert [item["workflow"] for item in json.loads(done.stdout)["indirect"]] == ["w"]


def test_files_that_git_does_not_know_count(checkout: Checkout) -> None:
    checkout.write("workflows.d/new.yaml", WORKFLOW.replace("{path: /x}", "{path: /x, method: DELETE}"))
    done = checkout.diff("HEAD")
    assert "! new-write: DELETE /x through a\n" in done.stdout
    assert "+ workflows.d/new.yaml\n" in done.stdout


def test_two_revisions_leave_the_working_tree_out(checkout: Checkout) -> None:
    checkout.write("workflows.d/w.yaml", WORKFLOW.replace("/x", "/y"))
    checkout.commit()
    checkout.write("workflows.d/w.yaml", WORKFLOW.replace("/x", "/z"))
    done = checkout.diff("HEAD~1..HEAD")
    assert "~ request.path: /x → /y\n" in done.stdout
    assert "/z" not in done.stdout


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_a_side_with_errors_is_told_first_and_does_not_change_the_exit_code(
    checkout: Checkout, form: str
) -> None:
    checkout.write("workflows.d/w.yaml", WORKFLOW + "outputs: {a: '{{ nothing }}'}\n")
    checkout.write("workflows.d/broken.yaml", "actions: [\n")
    done = checkout.diff("--format", form)
    assert done.returncode == 0
    if form == "json":
        assert json.loads(done.stdout)["head"]["errors"] == 2
    else:
        notice = "working tree has 2 errors, so it is compared as far as it can be read"
        assert notice in "\n".join(done.stdout.splitlines()[:6])
    assert "nothing" in done.stdout
    assert "broken.yaml (cannot be read in head)" in done.stdout.replace("\\", "") or form == "json"
    assert checkout.diff("--format", form, "--exit-code").returncode == 1


def test_a_base_that_does_not_validate(checkout: Checkout) -> None:
    checkout.write("workflows.d/w.yaml", "actions: [\n")
    checkout.commit()
    checkout.write("workflows.d/w.yaml", WORKFLOW)
    done = checkout.diff()
    assert re.search(r"^note: HEAD \(\w{12}\) has 1 error, ", done.stdout, re.MULTILINE)
    assert "~ workflows.d/w.yaml (cannot be read in base)\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing",), "there is no revision 'nothing' in this repository"),
        (("--format", "junit"), "there is no format 'junit' for comparisons"),
        (("a", "b"), "unexpected argument 'b'"),
    ],
)
def test_wrong_usage(checkout: Checkout, arguments: tuple[str, ...], message: str) -> None:
    done = checkout.diff(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {message}\n")
    assert "  = help: " in done.stderr


def test_without_a_repository_or_git(tmp_path: Path, checkout: Checkout) -> None:
    (checkout.directory / ".git").rename(tmp_path / "elsewhere")
    done = checkout.diff(GIT_CEILING_DIRECTORIES=str(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "is in no git repository" in done.stderr
    done = checkout.diff(PATH=str(tmp_path))
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "error: `git` cannot be started: it is not installed",
    )


def test_a_shallow_clone(tmp_path: Path, checkout: Checkout) -> None:
    checkout.git("switch", "-q", "-c", "work")
    checkout.write("workflows.d/w.yaml", WORKFLOW.replace("/x", "/y"))
    checkout.commit()
    checkout.git("switch", "-q", "main")
    clone = tmp_path / "clone"
    url = f"file://{checkout.directory}"
    checkout.git("clone", "-q", "--depth=1", "--branch=work", url, str(clone))
    checkout.directory = clone
    done = checkout.diff()
    assert (done.returncode, done.stdout) == (2, "")
    (command,) = re.findall(r"fetch it: (git fetch .*); or", done.stderr)
    subprocess.run(["bash", "-c", command], cwd=clone, env=ENVIRON, check=True, capture_output=True)
    assert "~ request.path: /x → /y\n" in checkout.diff().stdout


def test_a_project_below_the_top_of_a_repository(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "all")
    for path in ("connections.d/a.yaml", "workflows.d/w.yaml"):
        checkout.write(f"team/{path}", (checkout.directory / path).read_text())
    checkout.commit()
    checkout.write("team/workflows.d/w.yaml", WORKFLOW.replace("/x", "/y"))
    assert "no difference" in checkout.diff().stdout
    assert "~ request.path: /x → /y\n" in checkout.diff("-C", "team").stdout


HOSTILE = "\\e[31m\\n### @everyone <script>|x|</script> [a](http://b) `c`\\u202e"


def test_text_of_files_cannot_break_out(checkout: Checkout) -> None:
    checkout.write("workflows.d/w.yaml", WORKFLOW + f'outputs: {{"a{HOSTILE}": "{HOSTILE}"}}\n')
    text = checkout.diff("--color", "always").stdout
    assert "\x1b[31m" not in text
    assert "\u202e" not in text
    assert "\n###" not in text
    markdown = checkout.diff("--format", "markdown").stdout
    assert "<script" not in markdown
    assert not re.search(r"(?<!\\)\[a(?<!\\)\]", markdown)
    assert "@everyone" not in markdown
    assert "\x1b" not in markdown
    assert len([line for line in markdown.splitlines() if line.startswith("#")]) == 1
