"""`runner connections test [NAME...|--all|--changed BASE]`."""

import argparse
import time

from runner import last_tests, reports
from runner.check import check
from runner.cli import checked, logs, stopping
from runner.cli.arguments import not_empty
from runner.cli.connection_facts import shown_url
from runner.cli.histories import state_of
from runner.cli.output import Output
from runner.errors import Exit, JsonObject, RunnerError, UsageError
from runner.project import FOLDERS, SETTINGS, Project
from runner.reports.text.style import one_line
from runner.settings import Settings
from runner.users import FILE as USERS

EXAMPLES = (
    "runner connections test --all",
    "runner connections test tickets --env staging --as ann",
    "runner connections test --changed origin/main --format junit > connections.xml",
)

NO_ENDPOINT = "no test endpoint"
NO_SECRET = "secret unavailable"  # noqa: S105 - a classification, no password


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="names of connections, or their files")
    parser.add_argument("--all", action="store_true", help="every connection that has a test endpoint")
    parser.add_argument(
        "--changed",
        metavar="BASE",
        type=not_empty,
        help="the connections that mean something else than in this revision of git",
    )
    parser.add_argument("--env", dest="environment", metavar="NAME", help="an environment of runner.yaml")
    parser.add_argument(
        "--as", dest="user", metavar="USER", help="whose personal connections to use (or RUNNER_USER)"
    )
    parser.add_argument(
        "--format", metavar="FORMAT", default="text", help="text, json or junit (default text)"
    )


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Send the test requests, through the same code as a run, and classify the answers."""
    reports.load(options.format, "connection_tests")
    chosen = [bool(options.names), options.all, options.changed is not None]
    if sum(chosen) != 1:
        message = "names, --all and --changed exclude each other" if any(chosen) else "which connections?"
        raise UsageError(message, help="name some, or give --all or --changed BASE")
    logs.install(output)
    project = checked.load(settings)
    names = _names(options, project, settings)
    # Workflows may have errors: whoever tests a connection is often looking for the cause of something else.
    if not checked.show(project, check(project, [FOLDERS["connection"], SETTINGS, USERS]), output):
        return int(Exit.PROJECT)
    if settings.github_actions:
        output.redactor.watch(output.mask)
    results = _test(project, names, settings, output)
    if options.changed is not None and not names:
        output.say(f"no connection means something else than in {options.changed}: nothing was sent")
    _keep(project, results, settings, output)
    output.data(reports.render(options.format, "connection_tests", results, color=output.color))
    return _exit_code(results, chosen=bool(options.names))


def _names(options: argparse.Namespace, project: Project, settings: Settings) -> list[str]:
    if options.all:
        return sorted(project.connection_names)
    if options.changed is not None:
        return _changed(project, options.changed, settings)
    return list(dict.fromkeys(checked.connection_name(project, name) for name in options.names))


def _changed(project: Project, base: str, settings: Settings) -> list[str]:
    """Name the connections that are new since a revision, or mean something else, by whatever file that is."""
    from runner import project as projects
    from runner.compare.conceal import Concealer
    from runner.compare.side import Side
    from runner.git import Repository

    repository = Repository(project.root, settings.environ)
    files = repository.files(repository.range(base).base)
    before = projects.load(project.root, files=files)
    if project.environment in before.environments:
        before = projects.load(project.root, files=files, environment=project.environment)
    concealer = Concealer()
    old, new = Side(before, concealer), Side(project, concealer)

    def meaning(side: Side, name: str) -> tuple[object, ...]:
        connection = side.project.connections.get(name)
        url = shown_url(side.project, connection) if connection else None
        return side.connection(name, side.project.environment), url

    return [
        name
        for name in sorted(project.connection_names)
        if name not in before.connection_names or meaning(old, name) != meaning(new, name)
    ]


def _keep(project: Project, results: list[JsonObject], settings: Settings, output: Output) -> None:
    """Keep the results for `runner connections`; where that fails nothing is lost but that."""
    sent = [result for result in results if result["classification"] != NO_ENDPOINT]
    if not sent:
        return
    try:
        last_tests.keep(
            state_of(settings, project.root),
            project.environment,
            checked.user(project, settings),
            sent,
            time.time(),
        )
    except (OSError, RunnerError) as problem:
        reason = problem.message if isinstance(problem, RunnerError) else problem.strerror or "unknown reason"
        output.detail(f"warning: the results are not kept: {one_line(reason)}")


def _test(project: Project, names: list[str], settings: Settings, output: Output) -> list[JsonObject]:
    if not names:
        return []
    from runner.connection_test import send_tests

    output.progress(f"testing {len(names)} connection{'s' if len(names) > 1 else ''} ...")
    return stopping.carry_out(
        send_tests(
            project,
            names,
            environ=settings.environ,
            redactor=output.redactor,
            warn=lambda text: output.say(f"warning: {one_line(text)}"),
            user=checked.user(project, settings),
        )
    )


def _exit_code(results: list[JsonObject], *, chosen: bool) -> int:
    """Unavailable secrets count more than failed tests; a connection without a test fails where it was named."""
    found = {str(each["classification"]) for each in results}
    if NO_SECRET in found:
        return int(Exit.UNAVAILABLE)
    fine = {"ok"} if chosen else {"ok", NO_ENDPOINT}
    return int(Exit.DONE if found <= fine else Exit.FAILED)
