"""`runner schedules export SCHEDULER`: the entries for the scheduler that people have."""

import argparse
import os
import sys
from pathlib import Path

from runner import registry, schedulers
from runner.cli import checked, triggers
from runner.cli.arguments import not_empty, one_of
from runner.cli.output import Output
from runner.errors import Exit, UsageError
from runner.settings import Settings

EXAMPLES = (
    "runner schedules export cron | crontab -",
    "runner schedules export systemd --output /etc/systemd/system",
    "runner schedules export kubernetes --image registry.example.com/automation:1 --directory /app",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    names = registry.names("schedulers")
    parser.add_argument("scheduler", metavar="SCHEDULER", type=one_of(*names), help=", ".join(names))
    parser.add_argument(
        "workflows", metavar="WORKFLOW", nargs="*", help="these only (default: all with triggers)"
    )
    parser.add_argument(
        "--output", metavar="DIR", type=not_empty, help="write the files there; they may not exist"
    )
    parser.add_argument(
        "--program", metavar="PATH", type=not_empty, help="the program to start (default: this one)"
    )
    parser.add_argument(
        "--directory", metavar="DIR", type=not_empty, help="the project's directory there (default: here)"
    )
    parser.add_argument(
        "--image",
        metavar="NAME",
        type=not_empty,
        help="container image, for gitlab (default python:3.12) and kubernetes",
    )
    parser.add_argument(
        "--package",
        metavar="NAME",
        type=not_empty,
        default="runner.d",
        help="what pip installs, for github and gitlab",
    )


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Write the entries to stdout, or as files."""
    project = checked.load_valid(settings, output)
    if project is None:
        return int(Exit.PROJECT)
    entries = triggers.entries(project, options.workflows)
    place = schedulers.Place(
        program=options.program or _this_program(),
        directory=options.directory or str(project.root),
        image=options.image,
        package=options.package,
    )
    files: dict[str, str] = registry.load("schedulers", options.scheduler).export(entries, place)
    if options.output is not None:
        _write(files, settings.cwd / options.output, output)
    elif len(files) == 1:
        output.data(next(iter(files.values())))
    else:
        output.data("\n".join(f"# file: {name}\n{text}" for name, text in files.items()))
    return int(Exit.DONE)


def _this_program() -> str:
    path = Path(sys.argv[0])
    return str(path.resolve()) if path.name == "runner" and path.is_file() else "runner"


def _write(files: dict[str, str], directory: Path, output: Output) -> None:
    """Write new files; none of them where one of them is there already."""
    for name in files:
        if (directory / name).exists():
            raise UsageError(
                f"'{directory / name}' exists", help="remove it first, or choose another --output"
            )
    for name, text in files.items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if name.endswith(".sh"):
                os.chmod(path, 0o755)  # noqa: S103, PTH101 - a script
        except OSError as problem:
            raise UsageError(f"'{path}' could not be written: {problem.strerror}") from None
        output.say(f"wrote {path}")
