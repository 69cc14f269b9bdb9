"""What other tools read of this repository: pre-commit hooks, the GitHub Action, the GitLab template.

Each is checked by a linter of its own kind, and its commands are run as the tool would run them.
"""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.rules.projects import write

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(sys.executable).parent
ACTION = ROOT / "action.yml"
GITLAB = ROOT / "docs" / "ci" / "gitlab-template.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
PAGE = ROOT / "docs" / "editors.md"

GOOD = {
    "connections.d/tickets.yaml": "type: none\nbase_url: https://tickets.example.com\n",
    "workflows.d/search.yaml": "actions:\n  - {id: search, connection: tickets, request: {path: /search}}\n",
}
CHANGED = GOOD["workflows.d/search.yaml"].replace("{path", "{method: DELETE, path")
BROKEN = CHANGED.replace("tickets,", "tickts,")
IDENTITY = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.com",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.com",
}


def run(*command: str | Path, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": os.defpath, "HOME": str(cwd), **IDENTITY, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def git(cwd: Path, *arguments: str) -> str:
    done = run("git", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


# Linters


def lint(schema: str, *files: Path) -> str:
    """Check files against a schema that check-jsonschema carries; gives what it says, nothing where all is well."""
    tool = PROGRAMS / "check-jsonschema"
    done = run(tool, "--builtin-schema", schema, "--data-transform", "gitlab-ci", *files)
    return "" if done.returncode == 0 else done.stdout


def test_the_action_is_one_by_the_schema_of_actions(tmp_path: Path) -> None:
    assert lint("vendor.github-actions", ACTION) == ""
    wrong = tmp_path / "action.yml"
    wrong.write_text(ACTION.read_text().replace("using: composite", "using: shell"))
    assert "shell" in lint("vendor.github-actions", wrong)


@pytest.mark.parametrize("path", [ACTION, HOOKS], ids=lambda path: path.name)
def test_security_linter_finds_nothing(path: Path) -> None:
    done = run(PROGRAMS / "zizmor", "--offline", "--no-progress", "--persona", "pedantic", path)
    assert done.returncode == 0, done.stdout


def test_the_security_linter_would_find_an_injection(tmp_path: Path) -> None:
    wrong = tmp_path / "action.yml"
    wrong.write_text(ACTION.read_text().replace('"$BASE" --format', '"${{ inputs.base }}" --format'))
    done = run(PROGRAMS / "zizmor", "--offline", "--no-progress", wrong)
    assert done.returncode != 0
    assert "template-injection" in done.stdout


def test_the_gitlab_template_is_one_by_the_schema_of_pipelines(tmp_path: Path) -> None:
    assert lint("vendor.gitlab-ci", GITLAB) == ""
    wrong = tmp_path / "gitlab.yml"
    wrong.write_text(GITLAB.read_text().replace("expose_as:", "exposed_as:"))
    assert "exposed_as" in lint("vendor.gitlab-ci", wrong)


def test_the_hooks_are_valid_by_pre_commit_itself(tmp_path: Path) -> None:
    done = run(PROGRAMS / "pre-commit", "validate-manifest", HOOKS, HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "hooks.yaml"
    wrong.write_text(HOOKS.read_text().replace("language: python", "language: ruby++"))
    done = run(PROGRAMS / "pre-commit", "validate-manifest", wrong, HOME=str(tmp_path))
    assert done.returncode != 0


def examples(name: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"^```yaml\n# {re.escape(name)}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        (".github/workflows/api-workflows.yaml", "vendor.github-workflows"),
        (".gitlab-ci.yml", "vendor.gitlab-ci"),
    ],
)
def test_the_examples_of_the_page_are_valid(name: str, schema: str, tmp_path: Path) -> None:
    found = examples(name)
    assert found
    for number, text in enumerate(found):
        path = tmp_path / f"{number}.yml"
        path.write_text(text)
        assert lint(schema, path) == ""


def test_the_example_for_pre_commit_is_valid(tmp_path: Path) -> None:
    (text,) = examples(".pre-commit-config.yaml")
    path = tmp_path / "config.yaml"
    path.write_text(text)
    done = run(PROGRAMS / "pre-commit", "validate-config", path, HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout
    named = {hook["id"] for repository in read(path)["repos"] for hook in repository["hooks"]}
    assert named <= {hook["id"] for hook in read(HOOKS)}


# What they do


@pytest.fixture
def clone(tmp_path: Path) -> tuple[Path, str]:
    """A shallow clone of a branch with a change, as CI systems make one, and the revision that it left from."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet", "--initial-branch=main")
    write(origin / "ops", GOOD)
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message=base")
    base = git(origin, "rev-parse", "HEAD")
    git(origin, "checkout", "--quiet", "-b", "change")
    (origin / "ops/workflows.d/search.yaml").write_text(CHANGED)
    git(origin, "commit", "--quiet", "--all", "--message=change")
    made = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=change", origin.as_uri(), str(made))
    return made, base


def hook() -> dict[str, Any]:
    """Give the one hook of pre-commit."""
    (entry,) = read(HOOKS)
    assert isinstance(entry, dict)
    return entry


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        ("connections.d/a.yaml", True),
        ("workflows.d/eu/a.yml", True),
        ("teams/ops/workflows.d/a.yaml", True),
        ("runner.yaml", True),
        ("teams/ops/runner.yaml", True),
        ("users.yaml", True),
        ("myusers.yaml", False),
        ("README.md", False),
        ("myconnections.d/a.yaml", False),
        ("connections.d/a.json", False),
        ("other/trunner.yaml", False),
    ],
)
def test_the_hook_runs_for_files_of_projects(path: str, *, selected: bool) -> None:
    assert bool(re.search(hook()["files"], path)) is selected
    assert hook()["pass_filenames"] is False


def test_the_hook_checks_the_project(tmp_path: Path) -> None:
    program, *arguments = hook()["entry"].split()
    write(tmp_path / "ops", GOOD)
    done = run(PROGRAMS / program, *arguments, "-C", "ops", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "no errors in 2 files\n")
    write(tmp_path / "ops", {"workflows.d/search.yaml": BROKEN})
    done = run(PROGRAMS / program, *arguments, "-C", "ops", cwd=tmp_path)
    assert done.returncode == 3
    assert "undefined-connection" in done.stdout


class Job:
    """A job of GitHub Actions: runs the steps of the action with a `gh` that notes what it is asked."""

    def __init__(self, directory: Path, clone: Path, base: str) -> None:
        self.clone = clone
        self.temp = directory / "temp"
        (self.temp / "runner.d" / "bin").mkdir(parents=True)
        (self.temp / "runner.d/bin/runner").symlink_to(PROGRAMS / "runner")
        self.programs = directory / "programs"
        self.programs.mkdir()
        self.asked = directory / "asked"
        self.gh('printf "%s\\n" "$*" >> "$ASKED"\ncase "$*" in *--paginate*) echo "$KNOWN";; esac\n')
        self.summary = directory / "summary.md"
        self.summary.touch()
        self.known = ""
        self.values = {
            "inputs.project": "ops",
            "inputs.fail-on": "error",
            "inputs.comment": "true",
            "inputs.token": "t",
            "inputs.base || github.event.pull_request.base.sha": base,
            "github.event.pull_request.number": "7",
        }

    def gh(self, script: str) -> None:
        path = self.programs / "gh"
        path.write_text(f"#!/bin/sh\n{script}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def step(self, name: str) -> subprocess.CompletedProcess[str]:
        (step,) = [step for step in read(ACTION)["runs"]["steps"] if step["name"] == name]
        environ = {
            key: re.sub(r"\$\{\{ (.*?) \}\}", lambda match: self.values[match[1]], value)
            for key, value in step["env"].items()
        }
        return run(
            "bash",
            "--noprofile",
            "--norc",
            "-eo",
            "pipefail",
            "-c",
            step["run"],
            cwd=self.clone,
            **environ,
            PATH=f"{self.programs}{os.pathsep}{os.defpath}",
            RUNNER_TEMP=str(self.temp),
            GITHUB_ACTION_PATH=str(ROOT),
            GITHUB_ACTIONS="true",
            GITHUB_WORKSPACE=str(self.clone),
            GITHUB_STEP_SUMMARY=str(self.summary),
            GITHUB_REPOSITORY="example/automation",
            ASKED=str(self.asked),
            KNOWN=self.known,
        )

    @property
    def requests(self) -> list[str]:
        return self.asked.read_text().splitlines() if self.asked.exists() else []


@pytest.fixture
def job(clone: tuple[Path, str], tmp_path: Path) -> Job:
    return Job(tmp_path, *clone)


COMMENTS = "repos/example/automation/issues/7/comments"


def test_the_action_annotates_and_fails_the_job(job: Job) -> None:
    assert job.step("Validate").returncode == 0
    (job.clone / "ops/workflows.d/search.yaml").write_text(BROKEN)
    done = job.step("Validate")
    assert done.returncode == 3
    assert "::error file=ops/workflows.d/search.yaml,line=2," in done.stdout
    assert "### runner validate: 1 error" in job.summary.read_text()


def test_the_action_fetches_the_base_and_comments_what_changed(job: Job) -> None:
    done = job.step("Diff")
    assert (done.returncode, done.stdout) == (0, "")
    assert "DELETE" in job.summary.read_text()
    looked, posted = job.requests
    assert looked.startswith(f"api --paginate {COMMENTS}?per_page=100 --jq")
    assert posted == f"api --silent --method POST {COMMENTS} --field body=@{job.temp}/runner-diff.md"
    assert (job.temp / "runner-diff.md").read_text() == job.summary.read_text()


def test_the_action_replaces_its_earlier_comment(job: Job) -> None:
    job.known = "41\n42"
    assert job.step("Diff").returncode == 0
    patched = job.requests[1]
    assert patched.startswith(
        "api --silent --method PATCH repos/example/automation/issues/comments/41 --field"
    )


@pytest.mark.parametrize(("known", "requests"), [("", 1), ("41", 2)])
def test_no_difference_makes_no_new_comment(known: str, requests: int, job: Job) -> None:
    (job.clone / "ops/workflows.d/search.yaml").write_text(GOOD["workflows.d/search.yaml"])
    job.known = known
    assert job.step("Diff").returncode == 0
    assert len(job.requests) == requests


def test_a_comment_that_may_not_be_written_does_not_fail_the_job(job: Job) -> None:
    job.gh("echo 'HTTP 403: Resource not accessible by integration' >&2; exit 1\n")
    done = job.step("Diff")
    assert done.returncode == 0
    assert "::warning title=runner.d::the comment could not be written" in done.stdout
    assert "DELETE" in job.summary.read_text()


@pytest.mark.parametrize(
    ("name", "value"), [("inputs.comment", "false"), ("github.event.pull_request.number", "")]
)
def test_without_a_pull_request_or_a_wish_there_is_no_comment(name: str, value: str, job: Job) -> None:
    job.values[name] = value
    assert job.step("Diff").returncode == 0
    assert job.requests == []
    assert "DELETE" in job.summary.read_text()


def test_a_base_that_does_not_exist_fails_the_job(job: Job) -> None:
    job.values["inputs.base || github.event.pull_request.base.sha"] = "0" * 40
    assert job.step("Diff").returncode not in (0, 1)
    assert job.summary.read_text() == ""


def test_the_comment_of_a_bot_is_found_by_its_first_line(tmp_path: Path) -> None:
    """The filter itself, with the jq that `gh` has built in."""
    script = (ROOT / ".ci/sticky-comment").read_text()
    (program,) = re.findall(r"--jq '([^']*)'", script)
    assert program == '.[] | select(.user.type == "Bot" and (.body | startswith(env.MARKER))) | .id'
    assert "export MARKER" in script


def gitlab_job(name: str, clone: Path, base: str) -> subprocess.CompletedProcess[str]:
    template = read(GITLAB)
    variables = {**template["variables"], "RUNNER_PROJECT": "ops"}
    script = "\n".join(template[name]["script"])
    path = f"{PROGRAMS}{os.pathsep}{os.defpath}"
    more = {"CI_PROJECT_DIR": str(clone), "CI_MERGE_REQUEST_DIFF_BASE_SHA": base}
    return run("bash", "-eo", "pipefail", "-c", script, cwd=clone, PATH=path, **more, **variables)


def test_the_gitlab_job_leaves_its_reports(clone: tuple[Path, str]) -> None:
    folder, base = clone
    assert gitlab_job("runner-validate", folder, base).returncode == 0
    assert json.loads((folder / "gl-code-quality-report.json").read_text()) == []
    (folder / "ops/workflows.d/search.yaml").write_text(BROKEN)
    done = gitlab_job("runner-validate", folder, base)
    assert done.returncode == 3
    assert "undefined-connection" in done.stdout
    (found,) = json.loads((folder / "gl-code-quality-report.json").read_text())
    assert found["location"]["path"] == "ops/workflows.d/search.yaml"
    assert 'failures="1"' in (folder / "runner-validate.xml").read_text()
    reports = read(GITLAB)["runner-validate"]["artifacts"]["reports"].values()
    assert all((folder / report).exists() for report in reports)


def test_the_gitlab_job_says_what_changed(clone: tuple[Path, str]) -> None:
    folder, base = clone
    done = gitlab_job("runner-diff", folder, base)
    assert done.returncode == 0, done.stdout
    assert "DELETE" in done.stdout
    (report,) = read(GITLAB)["runner-diff"]["artifacts"]["paths"]
    assert "DELETE" in (folder / report).read_text()
