"""`runner diff [BASE]`."""

import argparse
from pathlib import Path

from runner import project as projects
from runner import reports
from runner.cli.output import Output
from runner.diagnostics import Diagnostic
from runner.errors import Exit
from runner.project import Project
from runner.settings import Settings

EXAMPLES = ("runner diff", "runner diff origin/main --format markdown", "runner diff v1.2..v1.3 --exit-code")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "base",
        metavar="BASE",
        nargs="?",
        help="revision to compare the working tree with, or BASE..HEAD (default: where the work left origin's "
        "default branch, else HEAD)",
    )
    parser.add_argument(
        "--format", metavar="FORMAT", default="text", help="text, markdown or json (default text)"
    )
    parser.add_argument(
        "--exit-code", action="store_true", help="exit with 1 where there is a difference in meaning"
    )


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Compare two states of the project in meaning and show what a reviewer should know."""
    reports.load(options.format, "diff")
    from runner.compare import compare
    from runner.git import Repository

    root = projects.find(Path(settings.project) if settings.project else None, settings.cwd)
    repository = Repository(root, settings.environ)
    wanted = repository.range(options.base)
    before = projects.load(root, files=repository.files(wanted.base))
    after = projects.load(root, files=repository.files(wanted.head) if wanted.head else None)
    names = (f"{wanted.base_name} ({wanted.base[:12]})", wanted.head_name)
    if wanted.head:
        names = (names[0], f"{wanted.head_name} ({wanted.head[:12]})")
    compared = compare(before, after, names=names, found=(_found(before), _found(after)))
    output.data(reports.render(options.format, "diff", compared, color=output.color))
    differs = bool(compared["changes"] or compared["indirect"])
    return int(Exit.FAILED if options.exit_code and differs else Exit.DONE)


def _found(project: Project) -> list[Diagnostic]:
    from runner.check import check

    return check(project)
