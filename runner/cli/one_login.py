"""What `connections login` and `connections logout` begin and end with: one checked connection, as one user."""

import argparse
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from runner.check import check
from runner.cli import checked, logs, stopping
from runner.cli.output import Output
from runner.errors import Exit
from runner.project import FOLDERS, SETTINGS
from runner.reports.text.style import one_line
from runner.settings import Settings
from runner.users import FILE as USERS

if TYPE_CHECKING:
    from runner.login import Login


def options(parser: argparse.ArgumentParser) -> None:
    """Say which connection, where, and as whom."""
    parser.add_argument("name", metavar="NAME", help="name of a connection, or its file")
    parser.add_argument("--env", dest="environment", metavar="NAME", help="an environment of runner.yaml")
    parser.add_argument(
        "--as", dest="user", metavar="USER", help="whose personal credentials (or RUNNER_USER)"
    )


def warn_of_strangers(login: "Login", output: Output) -> None:
    """Say which of the stored credentials were given for another host."""
    for place in login.strangers():
        output.error(
            f"warning: what is stored in {place.store.label} was given for {place.host}, and this connection goes to {login.host}"
        )


def carry_out(
    name: str, settings: Settings, output: Output, work: Callable[["Login"], Awaitable[int]]
) -> int:
    """Do something with the credentials of a connection; gives the exit code."""
    from runner.login import Login

    logs.install(output)
    project = checked.load(settings)
    name = checked.connection_name(project, name)
    if not checked.show(project, check(project, [FOLDERS["connection"], SETTINGS, USERS]), output):
        return int(Exit.PROJECT)
    if settings.github_actions:
        output.redactor.watch(output.mask)
    user = checked.user(project, settings)

    async def whole() -> int:
        login = Login.of(
            project,
            name,
            environ=settings.environ,
            redactor=output.redactor,
            warn=lambda text: output.say(f"warning: {one_line(text)}"),
            user=user,
        )
        try:
            return await work(login)
        finally:
            await login.close()

    return stopping.carry_out(whole())
