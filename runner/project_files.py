"""Which files a project has, and which of its workflows a check of a few files has to read."""

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from runner.diagnostics import Diagnostic, error
from runner.source import whole_file

_ESCAPE = re.compile(rb"\\(?:[xuU/]|\r?\n)")
"""What may write a name in other letters than its own, in YAML's double quotes."""


def listed(root: Path, folder: str) -> tuple[list[str], list[Diagnostic]]:
    """List the files below a folder of a project, as paths below the project, and tell of folders that are not looked into.

    What begins with a dot is as if it were not there.
    """
    top = str(root / folder)
    found: list[str] = []
    told: list[Diagnostic] = []

    def shown(path: str) -> str:
        return folder + path[len(top) :].replace(os.sep, "/")

    def tell(path: str, message: str, remedy: str) -> None:
        told.append(error("unreadable-file", message, whole_file(shown(path)), help=remedy))

    def refused(problem: OSError) -> None:
        if not isinstance(problem, FileNotFoundError):
            why = f"the folder cannot be read: {problem.strerror}"
            tell(str(problem.filename), why, "check as whom the command goes, and who may read the folder")

    for here, folders, names in os.walk(top, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            if Path(here, name).is_symlink():
                why = "a symbolic link to a folder is not followed: what is in it is not read"
                tell(f"{here}{os.sep}{name}", why, "put the folder itself there; links to files are read")
        found += [f"{shown(here)}/{name}" for name in names]
    return sorted(found, key=lambda path: path.split("/")), told


def printable(root: Path, texts: Mapping[str, str]) -> dict[str, str]:
    """Leave out the texts whose lines are not shown: of files that a symbolic link brings in from outside of the project.

    Who may propose a file to be checked must not read with it what else the machine holds.
    """
    return {path: text for path, text in texts.items() if not _foreign(root, path)}


def _foreign(root: Path, path: str) -> bool:
    file = root / path
    if not file.is_symlink():
        return False
    real = Path(os.path.realpath(file))
    homes = (root, root / path.partition("/")[0])  # a folder may be a link of its own
    return not any(real.is_relative_to(os.path.realpath(home)) for home in homes)


def needed(
    paths: Sequence[str], workflows: Iterable[str], content: Callable[[str], bytes]
) -> frozenset[str] | None:
    """Choose the workflow files that must be read to know all that is wrong in `paths`; None means all of them.

    A workflow is judged by itself, the settings and the connections. A connection is judged by what uses it as well:
    the workflows that hold its name, however they may write it. Settings and folders of connections concern them all.
    """
    chosen: set[str] = set()
    files = list(workflows)
    for path in paths:
        wanted = path.rstrip("/")
        folder, _, below = wanted.partition("/")
        if folder == "workflows.d":
            chosen.update(
                file for file in files if not below or file == wanted or file.startswith(f"{wanted}/")
            )
        elif folder == "connections.d" and re.fullmatch(r"\S+\.yaml", below):
            name = below.removesuffix(".yaml").encode()
            chosen.update(file for file in files if _may_name(content(file), name))
        else:
            return None
    return frozenset(chosen)


def connections_in(paths: Sequence[str]) -> frozenset[str]:
    """Name the connections whose files are among the paths."""
    folder = "connections.d/"
    return frozenset(
        path.removeprefix(folder).removesuffix(".yaml") for path in paths if path.startswith(folder)
    )


def _may_name(raw: bytes, name: bytes) -> bool:
    return name in raw or (b"\\" in raw and _ESCAPE.search(raw) is not None)
