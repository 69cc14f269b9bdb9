"""The project that a command works on, checked: what is wrong with it goes to stderr before anything else happens."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runner import project as projects
from runner import project_files, users
from runner.cli.output import Output
from runner.diagnostics import Diagnostic, ProjectError, Severity, names_hint
from runner.errors import UsageError
from runner.project import Project
from runner.reports import Findings
from runner.reports.text import counted, shortly
from runner.settings import Settings


def load(settings: Settings) -> Project:
    """Find and read the project; raises UsageError where there is none."""
    directory = Path(settings.project) if settings.project else None
    root = projects.find(directory, settings.cwd)
    return projects.load(root, environment=settings.environment)


def user(project: Project, settings: Settings) -> str | None:
    """Give the name of the user whom `--as` or RUNNER_USER means; raises UsageError for one who is not known."""
    return users.resolve(project.users, settings.user)


def load_valid(settings: Settings, output: Output) -> Project | None:
    """Read and check the project and show what was found; None where it has errors."""
    from runner.check import check

    project = load(settings)
    return project if show(project, check(project), output) else None


def show(project: Project, found: Sequence[Diagnostic], output: Output, *, sending: bool = True) -> bool:
    """Show errors on stderr, with the warnings beside them; warnings alone are counted. Whether there is no error."""
    errors = sum(item.severity is Severity.ERROR for item in found)
    if not errors:
        if found and not output.quiet:
            output.error(f"{counted(len(found), 'warning')} in the project: `runner validate` shows them")
        return True
    told = [item for item in found if item.severity is Severity.ERROR or not output.quiet]
    findings = Findings(
        diagnostics=tuple(told),
        concealing=tuple(found),
        texts=project_files.printable(project.root, project.texts),
    )
    if told:
        output.error(shortly(findings, color=output.error_color).rstrip("\n"))
    if errors and sending:
        output.error(f"\n{counted(errors, 'error')} in the project: nothing was sent")
    return not errors


@contextmanager
def showing(project: Project, output: Output) -> Iterator[None]:
    """Show the diagnostics of a ProjectError with their source lines, and let it go on with nothing left to say."""
    try:
        yield
    except ProjectError as problem:
        show(project, problem.diagnostics, output, sending=False)
        raise ProjectError(()) from None


def connection_name(project: Project, given: str) -> str:
    """Take the name of a connection, or the path of its file; raises UsageError where there is none."""
    path = given.removeprefix("./").removeprefix("connections.d/").removesuffix(".yaml")
    for name in (given, path):
        if name in project.connection_names:
            return name
    raise UsageError(
        f"no connection '{given}'", help=names_hint(given, project.connection_names, what="connections")
    )


def tell_unread(names: Iterable[str], output: Output) -> None:
    """Say which files a list leaves out because they have errors."""
    missing = sorted(names)
    if missing:
        output.error(
            f"warning: left out, because they have errors: {', '.join(missing)}; `runner validate` says why"
        )
