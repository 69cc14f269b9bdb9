"""`runner init [DIR]`: a project to begin with."""

import argparse
import os
from pathlib import Path

from runner.cli.output import Output
from runner.errors import UsageError
from runner.settings import Settings

EXAMPLES = ("runner init", "runner init ops && cd ops && runner validate")

STARTER = Path(__file__).parent.parent / "starter"
FILES = {
    "runner.yaml": "runner.yaml",
    "connections.d/github.yaml": "connections.d/github.yaml",
    "workflows.d/open-issues.yaml": "workflows.d/open-issues.yaml",
    ".github/workflows/runner.yml": "github.yml",
    ".gitlab-ci.yml": "gitlab.yml",
}
"""The files of a new project, and where each comes from."""


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "directory", metavar="DIR", nargs="?", default=".", help="where (default: here); made if need be"
    )


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Write the files; nothing that is there is touched."""
    root = settings.cwd / (settings.project or ".") / options.directory
    taken = [name for name in FILES if os.path.lexists(root / name)]
    folders = [name for name in ("connections.d", "workflows.d") if os.path.lexists(root / name)]
    if taken or folders:
        there = ", ".join([*(f"{name}/" for name in folders), *(name for name in taken if "d/" not in name)])
        raise UsageError(
            f"'{options.directory}' holds {there} already: nothing was written",
            help="name another directory: `runner init DIR`",
        )
    try:
        for name, source in FILES.items():
            _write(root / name, (STARTER / source).read_bytes())
            output.say(f"wrote {name}")
    except OSError as problem:
        raise UsageError(
            f"'{options.directory}' cannot be written to: {problem.strerror or 'unknown reason'}",
            help="name a directory that is yours: `runner init DIR`",
        ) from None
    output.say(
        "next: store the token that connections.d/github.yaml names, then `runner validate` and "
        "`runner plan open-issues -i owner=acme -i repository=site`"
    )
    return 0


def _write(path: Path, content: bytes) -> None:
    """Write a file that is not there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644), "wb") as file:
        file.write(content)
