"""What a check adds by itself in a job of GitHub Actions: annotations in the log, and the summary of the job."""

from collections.abc import Mapping
from pathlib import Path

from runner import reports
from runner.cli.output import Output
from runner.reports import Findings
from runner.settings import Settings


def announce(findings: Findings, settings: Settings, output: Output) -> None:
    """Write an annotation for each diagnostic and append the table of all to the job's summary."""
    annotations = reports.render("github", "diagnostics", findings)
    if annotations:
        output.error(annotations.rstrip("\n"))
    path = settings.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        try:
            with Path(path).open("a", encoding="utf-8", errors="replace") as summary:
                summary.write(output.clean(reports.render("markdown", "diagnostics", findings)) + "\n")
        except OSError as problem:
            output.error(f"warning: the job's summary could not be written: {problem.strerror}")


def harmless(text: str) -> str:
    """Give text for the log of a job, without what the job's runner would obey."""
    from runner.reports.github import without_commands

    return without_commands(text)


def path_in_repository(root: Path, environ: Mapping[str, str]) -> str:
    """Give the project's path below its repository, with a slash at its end, or nothing where it is the repository."""
    tops = [
        Path(environ[name]).resolve() for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR") if environ.get(name)
    ]
    tops += [folder for folder in (root, *root.parents) if (folder / ".git").exists()][:1]
    for top in tops:
        if root.is_relative_to(top):
            below = root.relative_to(top).as_posix()
            return "" if below == "." else f"{below}/"
    return ""
