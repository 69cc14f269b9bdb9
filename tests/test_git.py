"""Projects as revisions of git have them: real repositories, clones and hooks."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.document import LARGEST_FILE
from runner.errors import Exit, UsageError
from runner.git import Repository

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}


class Git:
    """A repository that a test writes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def __call__(self, *arguments: str) -> str:
        names = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"]
        done = subprocess.run(
            ["git", *names, *arguments],
            cwd=self.directory,
            env=ENVIRON,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str | bytes], message: str = "m") -> str:
        for name, content in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self("add", "-A")
        self("commit", "-q", "--allow-empty", "-m", message)
        return self("rev-parse", "HEAD")

    def clone(self, name: str, *options: str) -> "Git":
        made = Git(self.directory.parent / name)
        made("clone", "-q", *options, f"file://{self.directory}", ".")
        return made

    @property
    def repository(self) -> Repository:
        return Repository(self.directory, ENVIRON)


@pytest.fixture
def git(tmp_path: Path) -> Git:
    made = Git(tmp_path / "origin")
    made("init", "-q", "-b", "main")
    return made


def refused(git: Git, base: str | None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        git.repository.range(base)
    assert caught.value.exit_code == Exit.USAGE
    return caught.value


def test_files_are_those_of_the_revision(git: Git) -> None:
    first = git.commit(
        {
            "connections.d/eu/a.yaml": "a",
            "workflows.d/b.yaml": "b\n",
            "runner.yaml": "c",
            "other.yaml": "d",
            "README.md": "e",
        }
    )
    git("rm", "-q", "runner.yaml")
    second = git.commit({"connections.d/eu/a.yaml": "changed", "workflows.d/ünï.yaml": "x"})
    (git.directory / "workflows.d/b.yaml").write_text("not committed")
    repository = git.repository
    assert repository.files(first) == {
        "connections.d/eu/a.yaml": b"a",
        "workflows.d/b.yaml": b"b\n",
        "runner.yaml": b"c",
    }
    assert repository.files(second) == {
        "connections.d/eu/a.yaml": b"changed",
        "workflows.d/b.yaml": b"b\n",
        "workflows.d/ünï.yaml": b"x",
    }


def test_a_project_below_the_top_of_its_repository(git: Git) -> None:
    commit = git.commit({"team/x/workflows.d/a.yaml": "mine", "workflows.d/a.yaml": "theirs"})
    assert Repository(git.directory / "team/x", ENVIRON).files(commit) == {"workflows.d/a.yaml": b"mine"}


def test_a_revision_from_before_the_project_is_empty(git: Git) -> None:
    first = git.commit({"README.md": "a"})
    git.commit({"workflows.d/a.yaml": "a"})
    assert git.repository.files(first) == {}


def test_links_are_followed_inside_the_tree(git: Git) -> None:
    (git.directory / "workflows.d").mkdir(parents=True)
    for name, target in {
        "a": "../shared/real.yaml",
        "b": "a.yaml",
        "c": "gone.yaml",
        "d": "/etc/passwd",
        "e": "e.yaml",
    }.items():
        (git.directory / f"workflows.d/{name}.yaml").symlink_to(target)
    files = git.repository.files(git.commit({"shared/real.yaml": "content"}))
    assert files == {f"workflows.d/{name}.yaml": content for name, content in
                     {"a": b"content", "b": b"content", "c": b"", "d": b"", "e": b""}.items()}  # fmt: skip


def test_a_file_that_is_too_large_stays_too_large(git: Git) -> None:
    commit = git.commit({"workflows.d/a.yaml": b"#" * (LARGEST_FILE + 5), "workflows.d/b.yaml": b"\xff\x00"})
    files = git.repository.files(commit)
    assert len(files["workflows.d/a.yaml"]) > LARGEST_FILE
    assert files["workflows.d/b.yaml"] == b"\xff\x00"


def test_the_default_is_where_the_work_left_the_default_branch(git: Git) -> None:
    base = git.commit({"a": "1"})
    clone = git.clone("clone")
    clone("switch", "-q", "-c", "work")
    clone.commit({"a": "2"})
    git.commit({"b": "1"})
    clone("fetch", "-q")
    chosen = clone.repository.range(None)
    assert (chosen.base, chosen.base_name, chosen.head) == (base, "origin/main", None)


def test_another_default_branch(git: Git) -> None:
    git("branch", "-m", "trunk")
    base = git.commit({"a": "1"})
    clone = git.clone("clone")
    assert (clone.repository.range(None).base_name, clone.repository.range(None).base) == (
        "origin/trunk",
        base,
    )


def test_without_origin_the_default_is_the_last_commit(git: Git) -> None:
    head = git.commit({"a": "1"})
    chosen = git.repository.range(None)
    assert (chosen.base, chosen.base_name, chosen.head, chosen.head_name) == (
        head,
        "HEAD",
        None,
        "working tree",
    )


def test_ranges(git: Git) -> None:
    first = git.commit({"a": "1"})
    git("tag", "v1")
    git("switch", "-q", "-c", "side")
    side = git.commit({"b": "1"})
    git("switch", "-q", "main")
    second = git.commit({"a": "2"})
    find = git.repository.range
    assert (find("v1").base, find("v1").head) == (first, None)
    assert (find("v1..main").base, find("v1..main").head) == (first, second)
    assert (find("..side").base, find("side..").head) == (second, second)
    assert (find("side..main").base, find("side...main").base, find("side...main").head) == (
        side,
        first,
        second,
    )


@pytest.mark.parametrize("name", ["nothing", "", "-x", "--help", "HEAD:a", "v1..nothing", "main..--all"])
def test_what_is_no_revision(git: Git, name: str) -> None:
    git.commit({"a": "1"})
    git("tag", "v1")
    assert "no revision" in refused(git, name).message


def test_a_repository_without_a_commit(git: Git) -> None:
    assert refused(git, None).message == "the repository has no commit yet"


def test_a_branch_that_was_not_fetched(git: Git) -> None:
    git.commit({"a": "1"})
    assert refused(git.clone("clone"), "origin/other").help == "fetch it: git fetch origin other"


def test_histories_that_have_nothing_in_common(git: Git) -> None:
    git.commit({"a": "1"})
    git("switch", "-q", "--orphan", "other")
    git.commit({"b": "1"})
    assert "no commit in common" in refused(git, "main...other").message


def fetch_command(problem: UsageError) -> list[str]:
    """Take the command out of the help and split it as a shell does."""
    import shlex

    assert problem.help is not None
    assert "git fetch" in problem.help
    return shlex.split(problem.help[problem.help.index("git fetch") :].partition(";")[0])


@pytest.mark.parametrize("base", [None, "v1", "main..v1"])
def test_a_shallow_clone_says_what_to_fetch_and_that_works(git: Git, base: str | None) -> None:
    first = git.commit({"workflows.d/a.yaml": "1"})
    git("tag", "v1")
    git("switch", "-q", "-c", "work")
    git.commit({"workflows.d/a.yaml": "2"})
    git("switch", "-q", "main")
    clone = git.clone("clone", "--depth=1", "--branch=work", "--no-tags")
    problem = refused(clone, base)
    assert "shallow" in problem.message
    clone(*fetch_command(problem)[1:])
    if base is None:
        assert clone.repository.range(None).base == first
    clone("fetch", "-q", "--tags")
    assert clone.repository.range("v1").base == first


def test_a_base_that_was_cut_off(git: Git) -> None:
    git.commit({"a": "0"})
    git("switch", "-q", "-c", "work")
    git.commit({"a": "1"})
    git.commit({"a": "2"})
    git("switch", "-q", "main")
    git.commit({"b": "1"})
    clone = git.clone("clone", "--depth=1", "--no-single-branch", "--branch=work")
    problem = refused(clone, None)
    assert "no commit in common" in problem.message
    clone(*fetch_command(problem)[1:])
    assert clone.repository.range(None).base_name == "origin/main"


def test_a_shallow_clone_has_the_files_of_what_it_has(git: Git) -> None:
    git.commit({"workflows.d/a.yaml": "1"})
    clone = git.clone("clone", "--depth=1")
    chosen = clone.repository.range("HEAD")
    assert clone.repository.files(chosen.base) == {"workflows.d/a.yaml": b"1"}


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Repository(tmp_path, {**ENVIRON, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)})
    assert "is in no git repository" in caught.value.message
    assert caught.value.help


def test_no_git(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Repository(tmp_path, {"PATH": str(tmp_path)})
    assert caught.value.message == "`git` cannot be started: it is not installed"


def test_variables_that_a_hook_gets_lead_nowhere_else(git: Git, tmp_path: Path) -> None:
    commit = git.commit({"team/workflows.d/a.yaml": "1"})
    other = Git(tmp_path / "other")
    other("init", "-q")
    hook = {"GIT_DIR": str(other.directory / ".git"), "GIT_INDEX_FILE": ".git/index", "GIT_PREFIX": "x/"}
    repository = Repository(git.directory / "team", {**ENVIRON, **hook})
    assert repository.files(commit) == {"workflows.d/a.yaml": b"1"}


def test_words_of_git_do_not_depend_on_the_language(tmp_path: Path) -> None:
    environ = {
        **ENVIRON,
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "de_DE.UTF-8",
        "GIT_CEILING_DIRECTORIES": str(tmp_path.parent),
    }
    with pytest.raises(UsageError) as caught:
        Repository(tmp_path, environ)
    assert "is in no git repository" in caught.value.message


def test_a_missing_object_is_told(git: Git) -> None:
    commit = git.commit({"workflows.d/a.yaml": "1"})
    name = git("rev-parse", "HEAD:workflows.d/a.yaml")
    (git.directory / ".git/objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(UsageError):
        git.repository.files(commit)


def test_nothing_is_written(git: Git) -> None:
    git.commit({"workflows.d/a.yaml": "1"})

    def state() -> set[tuple[str, int]]:
        return {(str(path), path.stat().st_mtime_ns) for path in git.directory.rglob("*") if path.is_file()}

    before = state()
    chosen = git.repository.range(None)
    git.repository.files(chosen.base)
    assert state() == before
