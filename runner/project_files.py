"""Which files a project has, and which of its workflows a check of a few files has to read."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

_ESCAPE = re.compile(rb"\\(?:[xuU/]|\r?\n)")
"""What may write a name in other letters than its own, in YAML's double quotes."""


def listed(root: Path, folder: str) -> list[str]:
    """List the files below a folder of a project, as paths below the project; links to folders are not followed."""
    top = str(root / folder)
    found = []
    for here, _, names in os.walk(top):
        below = folder + here[len(top) :].replace(os.sep, "/")
        found += [f"{below}/{name}" for name in names]
    return sorted(found, key=lambda path: path.split("/"))


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
