"""`runner runs show ID`: what a run was given and what happened in it."""

import argparse
from pathlib import Path

from runner import project as projects
from runner.cli import engine_runs, engines, histories
from runner.cli.arguments import add_format
from runner.cli.output import Output
from runner.errors import RunnerError
from runner.reports.json import dumps
from runner.reports.text.style import Style
from runner.settings import Settings

EXAMPLES = ("runner runs show 20260131T070000-1a2b3c4d", "runner runs show 1a2b --format json")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("id", metavar="ID", help="id of the run, or the beginning of it, or of its last part")
    histories.add_state(parser)
    engines.add(parser, "the server that it runs on")
    add_format(parser, "text", "json")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Show one run."""
    address = engines.chosen(options, settings)
    if address is not None:
        return engine_runs.show(options, settings, output, address)
    from runner.history import described

    with histories.existing(settings) as history:
        found = histories.find(history, options.id)
        assert history is not None
        data = described.shown(history, found)
        documents = history.documents(found.digest)
    if options.format == "json":
        output.data(dumps(data))
        return 0
    from runner.reports.text.runs import shown

    files = _compared(settings, data["commit"], documents) if data["commit"] else None
    output.data(shown(data, Style(color=output.color), files=files))
    return 0


def _compared(settings: Settings, commit: str, documents: dict[str, str]) -> str | None:
    """Say whether the run's files were those of the commit; nothing where git cannot tell."""
    from runner.git import Repository

    try:
        root = projects.find(Path(settings.project) if settings.project else None, settings.cwd)
        files = Repository(root, settings.environ).files(commit)
    except RunnerError:
        return None
    texts = {path: raw.decode("utf-8-sig", "replace") for path, raw in files.items()}
    changed = sorted(path for path in {*documents, *texts} if documents.get(path) != texts.get(path))
    if not changed:
        return "files as committed"
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    return f"changed since: {', '.join(changed[:3])}{more}"
