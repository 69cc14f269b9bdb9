"""`runner connections logout NAME`."""

import argparse
import asyncio
from typing import TYPE_CHECKING

from runner.check import check
from runner.cli import checked, logs
from runner.cli.output import Output
from runner.cli.person import AtTerminal
from runner.errors import Exit
from runner.project import FOLDERS, SETTINGS
from runner.reports.text.style import one_line
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.login import Login

EXAMPLES = ("runner connections logout tickets", "runner connections logout calendar --as ann --yes")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("name", metavar="NAME", help="name of a connection, or its file")
    parser.add_argument("--env", dest="environment", metavar="NAME", help="an environment of runner.yaml")
    parser.add_argument(
        "--as", dest="user", metavar="USER", help="whose personal credentials (or RUNNER_USER)"
    )
    parser.add_argument(
        "--no-revoke", action="store_true", help="delete in Vault only, whatever the provider keeps"
    )
    parser.add_argument("--yes", action="store_true", help="do it without asking first")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Say what will end, ask, revoke, delete."""
    from runner.login import Login

    logs.install(output)
    project = checked.load(settings)
    name = checked.connection_name(project, options.name)
    if not checked.show(project, check(project, [FOLDERS["connection"], SETTINGS]), output):
        return int(Exit.PROJECT)
    if settings.github_actions:
        output.redactor.watch(output.mask)
    person = AtTerminal(settings, output)

    async def work() -> int:
        login = Login.of(
            project,
            name,
            environ=settings.environ,
            redactor=output.redactor,
            warn=lambda text: output.say(f"warning: {one_line(text)}"),
            user=settings.user,
        )
        try:
            return await _log_out(login, person, options, output)
        finally:
            await login.close()

    return asyncio.run(work())


async def _log_out(login: "Login", person: AtTerminal, options: argparse.Namespace, output: Output) -> int:
    from runner.login import users_of

    await login.open(writing=False)
    if not login.ended:
        output.error(f"nothing is stored for {login.connection.name}")
        return int(Exit.DONE)
    revokes = "revocation_url" in login.connection.auth_urls and not options.no_revoke
    lines = [f"log out: {login.connection.name} ({login.connection.type})"]
    if revokes:
        lines.append("  revoke the tokens at the provider")
    else:
        why = "as --no-revoke says" if options.no_revoke else "runner.d knows no way to"
        lines.append(f"  the credentials stay valid at the provider: they are not revoked, {why}")
    for place in login.ended:
        lines.append(f"  delete version {place.version} of {place.store.label} in Vault")
        if place.others:
            lines.append(f"    with it goes what else is there: {', '.join(place.others)}")
        users = users_of(login.project, place, login.connection.name)
        if users:
            lines.append(f"    also used by: {', '.join(users)}")
    output.error("\n".join(one_line(line) if not line.startswith(" ") else line for line in lines))
    if not options.yes and not person.agrees("go on?"):
        output.error("nothing was changed")
        return int(Exit.FAILED)
    if revokes:
        await login.revoke()
        output.error("revoked at the provider")
    for place in login.ended:
        await place.store.delete()
        output.error(
            f"version {place.version} of {place.store.label} is deleted; "
            f"back with: vault kv undelete -versions={place.version} {place.store.label}"
        )
    return int(Exit.DONE)
