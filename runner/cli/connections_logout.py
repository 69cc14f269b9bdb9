"""`runner connections logout NAME`."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from runner.cli import one_login
from runner.cli.output import Output
from runner.cli.person import agree
from runner.errors import Exit, FailureError
from runner.reports.text.style import one_line
from runner.settings import Settings

if TYPE_CHECKING:
    from runner.login import Login

EXAMPLES = ("runner connections logout tickets", "runner connections logout calendar --as ann --yes")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    one_login.options(parser)
    parser.add_argument(
        "--no-revoke", action="store_true", help="delete in Vault only, whatever the provider keeps"
    )
    parser.add_argument("--yes", action="store_true", help="do it without asking first")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Say what will end, ask, revoke, delete."""

    async def work(login: "Login") -> int:
        return await _log_out(login, options, output)

    return one_login.carry_out(options.name, settings, output, work)


async def _log_out(login: "Login", options: argparse.Namespace, output: Output) -> int:
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
    one_login.warn_of_strangers(login, output)
    if not options.yes:
        agree("go on?", output)
        await login.open(writing=False)  # a run may have renewed the tokens while the question stood there
        if not login.ended:
            output.error(f"nothing is stored for {login.connection.name} any more")
            return int(Exit.DONE)
    if revokes:
        try:
            await login.revoke()
        except FailureError as problem:
            remedy = "nothing was deleted; --no-revoke deletes in Vault all the same"
            raise FailureError(replace(problem.failure, help=remedy)) from None
        output.error("revoked at the provider")
    for place in login.ended:
        await place.store.delete()
        output.error(
            f"version {place.version} of {place.store.label} is deleted; "
            f"back with: vault kv undelete -versions={place.version} {place.store.label}"
        )
    return int(Exit.DONE)
