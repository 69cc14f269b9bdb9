"""`runner connections test [NAME...|--all]`."""

import argparse
import asyncio

from runner import reports
from runner.check import check
from runner.cli import checked, logs
from runner.cli.output import Output
from runner.errors import Exit, JsonObject, UsageError
from runner.project import FOLDERS, SETTINGS, Project
from runner.reports.text.style import one_line
from runner.settings import Settings

EXAMPLES = ("runner connections test --all", "runner connections test tickets --env staging --as ann")

NO_ENDPOINT = "no test endpoint"
NO_SECRET = "secret unavailable"  # noqa: S105 - a classification, no password


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="names of connections, or their files")
    parser.add_argument("--all", action="store_true", help="every connection that has a test endpoint")
    parser.add_argument("--env", dest="environment", metavar="NAME", help="an environment of runner.yaml")
    parser.add_argument(
        "--as", dest="user", metavar="USER", help="whose personal connections to use (or RUNNER_USER)"
    )
    parser.add_argument("--format", metavar="FORMAT", default="text", help="text or json (default text)")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Send the test requests, through the same code as a run, and classify the answers."""
    reports.load(options.format, "connection_tests")
    if bool(options.names) == options.all:
        message = "which connections?" if not options.names else "names and --all exclude each other"
        raise UsageError(message, help="name some, or give --all")
    logs.install(output)
    project = checked.load(settings)
    names = (
        sorted(project.connection_names)
        if options.all
        else list(dict.fromkeys(checked.connection_name(project, name) for name in options.names))
    )
    # Workflows may have errors: whoever tests a connection is often looking for the cause of something else.
    if not checked.show(project, check(project, [FOLDERS["connection"], SETTINGS]), output):
        return int(Exit.PROJECT)
    if settings.github_actions:
        output.redactor.watch(output.mask)
    results = _test(project, names, settings, output)
    output.data(reports.render(options.format, "connection_tests", results, color=output.color))
    return _exit_code(results, chosen=not options.all)


def _test(project: Project, names: list[str], settings: Settings, output: Output) -> list[JsonObject]:
    if not names:
        return []
    from runner.connection_test import send_tests

    output.progress(f"testing {len(names)} connection{'s' if len(names) > 1 else ''} ...")
    return asyncio.run(
        send_tests(
            project,
            names,
            environ=settings.environ,
            redactor=output.redactor,
            warn=lambda text: output.say(f"warning: {one_line(text)}"),
            user=settings.user,
        )
    )


def _exit_code(results: list[JsonObject], *, chosen: bool) -> int:
    """Unavailable secrets count more than failed tests; a connection without a test fails where it was named."""
    found = {str(each["classification"]) for each in results}
    if NO_SECRET in found:
        return int(Exit.UNAVAILABLE)
    fine = {"ok"} if chosen else {"ok", NO_ENDPOINT}
    return int(Exit.DONE if found <= fine else Exit.FAILED)
