"""`runner validate [PATH...]`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from runner import project as projects
from runner import project_files, registry, reports
from runner.cli import github_job, vault_proof
from runner.cli.arguments import one_of
from runner.cli.output import Output
from runner.diagnostics import Diagnostic, names_hint
from runner.errors import Exit, JsonObject, UsageError
from runner.project import Project
from runner.settings import Settings

EXAMPLES = (
    "runner validate",
    "runner validate workflows.d/escalate.yaml --format json",
    "runner validate --vault --env production --as ann",
)

FORMATS = ("text", "json", "github", "gitlab", "sarif", "junit", "markdown")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("paths", metavar="PATH", nargs="*", help="files or folders (default: the project)")
    parser.add_argument(
        "--format", metavar="FORMAT", default="text", help=f"{', '.join(FORMATS)} (default text)"
    )
    parser.add_argument(
        "--rule", metavar="NAME", action="append", default=[], help="show only this rule; may be repeated"
    )
    parser.add_argument(
        "--fail-on",
        metavar="SEVERITY",
        type=one_of("error", "warning"),
        default="error",
        help="exit with 3 from this severity on: error or warning (default error)",
    )
    parser.add_argument("--env", dest="environment", metavar="NAME", help="check as for this environment")
    parser.add_argument(
        "--vault",
        action="store_true",
        help="ask Vault, too: every secret exists and may be read; no value is read",
    )
    parser.add_argument(
        "--as", dest="user", metavar="USER", help="with --vault: whose personal secrets (or RUNNER_USER)"
    )


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Check and show everything that is found, errors and warnings."""
    from runner.check import check

    reports.load(options.format, "diagnostics")
    if options.user and not options.vault:
        raise UsageError("--as needs --vault", help="only Vault knows what belongs to a user")
    root = _root(settings, options.paths)
    paths = [_inside(root, settings.cwd, path) for path in options.paths]
    # Vault is asked for what all files name.
    project = projects.load(root, environment=settings.environment, only=[] if options.vault else paths)
    files = _files(project, paths, options.paths)
    found = check(project, paths)
    if options.vault:
        found = vault_proof.added(project, found, paths, settings, output)
    _known_rules(options.rule, found)
    shown = [item for item in found if not options.rule or item.rule in options.rule]
    findings = reports.Findings(
        diagnostics=tuple(shown),
        concealing=tuple(found),
        texts=project_files.printable(root, project.texts),
        files=files,
        below=github_job.path_in_repository(root, settings.environ),
        flows=_flows(project, paths) if options.format == "json" else None,
    )
    in_job = settings.github_actions and options.format == "text"
    if shown or options.format != "text" or not output.quiet:
        text = reports.render(options.format, "diagnostics", findings, color=output.color)
        output.data(github_job.harmless(text) if in_job else text)
    if in_job:
        github_job.announce(findings, settings, output)
    worst = findings.errors or (options.fail_on == "warning" and findings.warnings)
    return int(Exit.PROJECT if worst else Exit.DONE)


def _flows(project: Project, paths: Sequence[str]) -> tuple[JsonObject, ...]:
    """Say which secret reaches which host, of the files that are checked."""
    from runner import flow

    return tuple(
        each.to_json()
        for each in flow.compute(project)
        if not paths
        or any(path in (".", each.span.path) or each.span.path.startswith(f"{path}/") for path in paths)
    )


def _root(settings: Settings, paths: Sequence[str]) -> Path:
    """Find the project: as always, or where the first path leads (a tool may call from anywhere)."""
    directory = Path(settings.project) if settings.project else None
    if directory is None and paths:
        start = settings.cwd / paths[0]
        if start.exists():
            return projects.find(None, start if start.is_dir() else start.parent)
    return projects.find(directory, settings.cwd)


def _inside(root: Path, cwd: Path, given: str) -> str:
    path = cwd / given
    if not path.exists():
        raise UsageError(f"no file or folder '{given}'", help="give paths as from the working directory")
    # A link to a file keeps its own name, by which the project has it.
    real = path.resolve() if path.is_dir() else path.parent.resolve() / path.name
    try:
        return real.relative_to(root).as_posix()
    except ValueError:
        message = f"'{given}' is not in the project {root}"
        raise UsageError(message, help="check one project at a time; -C DIR chooses it") from None


def _files(project: Project, paths: Sequence[str], given: Sequence[str]) -> int:
    """Count the files that are checked; raises UsageError for a path that holds none."""
    known = {*project.texts, *(item.primary.span.path for item in project.diagnostics)}
    if not paths:
        return len(known)
    found: set[str] = set()
    for path, word in zip(paths, given, strict=True):
        below = {name for name in known if path in (".", name) or name.startswith(f"{path}/")}
        if not below:
            raise UsageError(
                f"'{word}' holds no file of the project",
                help="checked are .yaml files in connections.d/ and workflows.d/, and runner.yaml",
            )
        found |= below
    return len(found)


def _known_rules(wanted: Sequence[str], found: Sequence[Diagnostic]) -> None:
    """Refuse a rule that does not exist: the check would pass for ever."""
    # Rules of reading, binding and schemas have no file of their own.
    known = {*registry.names("rules"), *READING_RULES, *vault_proof.RULES, *(item.rule for item in found)}
    for name in wanted:
        if name not in known:
            raise UsageError(f"there is no rule '{name}'", help=names_hint(name, known, what="rules"))


READING_RULES = (
    "action-kind",
    "alias-expansion",
    "duplicate-key",
    "file-too-large",
    "hardcoded-secret",
    "invalid-value",
    "malformed-secret-ref",
    "missing-key",
    "not-text",
    "undefined-connection",
    "unknown-key",
    "unreadable-file",
    "unsupported-yaml",
    "wrong-type",
    "yaml-nesting",
    "yaml-syntax",
)
"""Rules that reading a file applies, and not a file of `runner/rules/`."""
