"""Reads the files of a project as a revision of git has them: by `git` itself, without a checkout and without network."""

import posixpath
import subprocess
from collections.abc import Mapping
from pathlib import Path

from runner.document import LARGEST_FILE
from runner.errors import UsageError
from runner.frozen import dataclass

_PLACES = frozenset(
    {"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_NAMESPACE"}
    | {"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_LITERAL_PATHSPECS", "GIT_TRACE"}
)
"""Variables that a hook of git gets and that would lead somewhere else than the project's directory."""

_OURS = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # A partial clone would fetch what is missing, from the network.
    "GIT_NO_LAZY_FETCH": "1",
}

_FETCH_ALL = "git fetch --unshallow origin '+refs/heads/*:refs/remotes/origin/*'"
_LINKS = 5
"""Symbolic links that are followed one after another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What is compared: two commits as full hashes, `head` None for the working tree; `base_name` is for people."""

    base: str
    base_name: str
    head: str | None = None
    head_name: str = "working tree"


class Repository:
    """The repository that a directory lies in. Every method raises UsageError where git cannot answer."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._directory = directory
        kept = {name: value for name, value in environ.items() if name not in _PLACES}
        self._environ = {**kept, **_OURS}
        answer = self._git("rev-parse", "--is-shallow-repository", "--show-prefix")
        if answer.returncode:
            raise _no_repository(directory, answer.stderr.decode("utf-8", "replace"))
        shallow, _, prefix = answer.stdout.decode("utf-8", "surrogateescape").partition("\n")
        self.shallow = shallow == "true"
        self._prefix = prefix.removesuffix("\n")

    def range(self, given: str | None) -> Range:
        """Read `BASE`, `BASE..HEAD` or `BASE...HEAD` (from where the two parted); nothing is the default base."""
        if given is None:
            return self._default()
        left, dots, right = given.partition("..")
        if not dots:
            return Range(base=self.commit(given), base_name=given)
        parted = right.startswith(".")
        left, right = left or "HEAD", right.removeprefix(".") or "HEAD"
        base, head = self.commit(left), self.commit(right)
        if parted:
            base = self._parting(base, head, left, right)
        name = f"{left} where {right} parted from it" if parted else left
        return Range(base=base, base_name=name, head=head, head_name=right)

    def commit(self, name: str) -> str:
        """Give the full hash of the commit that a name stands for."""
        if name and not name.startswith("-"):
            answer = self._git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
            if answer.returncode == 0:
                return answer.stdout.decode().strip()
        if self.shallow:
            raise UsageError(
                f"there is no revision '{name}' in this clone, which is shallow: its history was cut off",
                help=f"fetch the rest: {_FETCH_ALL}",
            )
        if name == "HEAD":
            raise UsageError(
                "the repository has no commit yet", help="commit first: there is nothing to compare with"
            )
        remedy = "give a branch, a tag or a commit that `git log` knows"
        if name.startswith("origin/"):
            remedy = f"fetch it: git fetch origin {name.removeprefix('origin/')}"
        raise UsageError(f"there is no revision '{name}' in this repository", help=remedy)

    def files(self, commit: str) -> dict[str, bytes]:
        """Read the files of the project in a commit, by their paths below the project's directory."""
        below = [
            f"{self._prefix}{name}" for name in ("connections.d", "workflows.d", "runner.yaml", "users.yaml")
        ]
        listed = self._asked("ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", *below)
        names: dict[str, str] = {}
        found: dict[str, bytes] = {}
        for entry in listed.decode("utf-8", "surrogateescape").split("\0"):
            facts, _, path = entry.partition("\t")
            if not path.endswith((".yaml", ".yml")):
                continue
            mode, kind, name, size = facts.split()
            shown = path.removeprefix(self._prefix)
            if kind != "blob":  # a submodule
                continue
            if size.isdigit() and int(size) > LARGEST_FILE:
                found[shown] = bytes(LARGEST_FILE + 1)  # enough to be refused for its size
            elif mode == "120000":
                target = self._target(commit, path)
                if target is None:
                    found[shown] = b""
                else:
                    names[shown] = f"{commit}:{target}"
            else:
                names[shown] = name
        contents = self._contents(list(names.values()))
        found.update(zip(names, contents, strict=True))
        return found

    def _default(self) -> Range:
        """Where the work parted from origin's default branch, else the last commit."""
        head = self.commit("HEAD")
        branch = self._default_branch()
        if branch is not None:
            base = self._parting(self.commit(branch), head, branch, "HEAD")
            return Range(base=base, base_name=branch)
        if self.shallow and self._git("config", "--get", "remote.origin.url").returncode == 0:
            raise UsageError(
                "nothing to compare with: this clone is shallow and does not know origin's default branch",
                help=f"fetch it: {_FETCH_ALL}; or name a base: `runner diff BASE`",
            )
        return Range(base=head, base_name="HEAD")

    def _default_branch(self) -> str | None:
        answer = self._git("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        named = [answer.stdout.decode("utf-8", "surrogateescape").strip()] if answer.returncode == 0 else []
        for name in [*named, "origin/main", "origin/master"]:
            if (
                self._git("rev-parse", "--verify", "--quiet", f"refs/remotes/{name}^{{commit}}").returncode
                == 0
            ):
                return name
        return None

    def _parting(self, one: str, other: str, one_name: str, other_name: str) -> str:
        answer = self._git("merge-base", one, other)
        if answer.returncode == 0:
            return answer.stdout.decode().split()[0]
        message = f"'{one_name}' and '{other_name}' have no commit in common"
        if self.shallow:
            raise UsageError(
                f"{message} in this clone, which is shallow: its history was cut off",
                help=f"fetch the rest: {_FETCH_ALL}",
            )
        raise UsageError(message, help="name the base: `runner diff BASE`")

    def _target(self, commit: str, path: str) -> str | None:
        """Follow symbolic links inside the tree; None for one that leads out of it or round and round."""
        for _ in range(_LINKS):
            listed = self._asked("ls-tree", "-z", "--full-tree", commit, "--", path)
            if not listed.startswith(b"120000 "):
                return path
            (link,) = self._contents([f"{commit}:{path}"])
            target = link.decode("utf-8", "surrogateescape")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            if path.startswith(("/", "..")):
                return None
        return None

    def _contents(self, names: list[str]) -> list[bytes]:
        """Read objects in one process. A path that leads nowhere (a broken link) is empty."""
        if not names:
            return []
        asked = "".join(f"{name}\n" for name in names if "\n" not in name)
        answer = self._asked("cat-file", "--batch", given=asked.encode("utf-8", "surrogateescape"))
        contents: list[bytes] = []
        at = 0
        for name in names:
            if "\n" in name:
                contents.append(b"")
                continue
            end = answer.index(b"\n", at)
            facts = answer[at:end].split(b" ")
            at = end + 1
            if facts[-1] == b"missing":
                if ":" not in name:  # a partial clone, or a damaged one
                    raise UsageError(
                        f"the object {name} is missing in this clone",
                        help="fetch it: git fetch --refetch origin",
                    )
                contents.append(b"")
                continue
            size = int(facts[-1])
            contents.append(answer[at : at + size] if facts[-2] == b"blob" else b"")
            at += size + 1
        return contents

    def _asked(self, *arguments: str, given: bytes = b"") -> bytes:
        answer = self._git(*arguments, given=given)
        if answer.returncode:
            reason = answer.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
            raise UsageError(
                f"git {arguments[0]} failed: {reason or f'exit code {answer.returncode}'}",
                help=f"fetch what is missing: {_FETCH_ALL}" if self.shallow else "try `git fsck`",
            )
        return answer.stdout

    def _git(self, *arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        try:
            return subprocess.run(  # noqa: S603 - no shell, and no argument that git takes for an option
                ["git", "--no-pager", "-C", str(self._directory), *arguments],  # noqa: S607 - the user's git
                env=self._environ,
                input=given,
                capture_output=True,
                check=False,
            )
        except OSError as problem:
            reason = "it is not installed" if isinstance(problem, FileNotFoundError) else problem.strerror
            raise UsageError(
                f"`git` cannot be started: {reason}",
                help="install git: the revisions to compare are read by it",
            ) from None


def _no_repository(directory: Path, said: str) -> UsageError:
    if "dubious ownership" in said:
        return UsageError(
            f"git refuses to read '{directory}': it belongs to somebody else",
            help=f"if you trust it: git config --global --add safe.directory {directory}",
        )
    if "not a git repository" in said:
        return UsageError(
            f"'{directory}' is in no git repository, so there is nothing to compare with",
            help="go to a clone of the repository; `git status` tells whether you are in one",
        )
    return UsageError(
        f"git cannot read the repository of '{directory}': {said.strip().partition(chr(10))[0]}",
        help="see what `git status` says there",
    )
