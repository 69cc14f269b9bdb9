"""`runner vault-policy [WORKFLOW...]`."""

import argparse
import asyncio
from collections.abc import Mapping, Sequence

from runner import vault_policy
from runner.cli import checked, vault_proof
from runner.cli.output import Output
from runner.errors import Exit
from runner.plan import find_workflow
from runner.project import Project
from runner.settings import Settings
from runner.vault_policy import Use

EXAMPLES = (
    "runner vault-policy > runner.hcl",
    "runner vault-policy escalate --env production --as ann | vault policy write runner -",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "workflows", metavar="WORKFLOW", nargs="*", help="for these (default: all, and every connection)"
    )
    parser.add_argument("--env", dest="environment", metavar="NAME", help="an environment of runner.yaml")
    parser.add_argument(
        "--as", dest="user", metavar="USER", help="for the personal secrets of this user (or RUNNER_USER)"
    )
    parser.add_argument(
        "--vault", action="store_true", help="ask Vault which engine is at which mount; reads no secret"
    )


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Write the policy to stdout."""
    project = checked.load_valid(settings, output)
    if project is None:
        return int(Exit.PROJECT)
    user = checked.user(project, settings)
    found = {each.name: each for each in (find_workflow(project, name) for name in options.workflows)}
    needed = vault_policy.uses(project, list(found.values()) if found else None)
    mounts = _ask(project, needed, settings, output) if options.vault else None
    text = vault_policy.policy_text(project, needed, title=_title(sorted(found)), user=user, mounts=mounts)
    output.data(text)
    return int(Exit.DONE)


def _title(names: Sequence[str]) -> str:
    if not names:
        return "every workflow and connection of the project"
    return f"the workflow{'s' if len(names) > 1 else ''} {', '.join(names)} and the connections used there"


def _ask(project: Project, needed: Sequence[Use], settings: Settings, output: Output) -> Mapping[str, str]:
    labels = {
        path: found[0].ref.text
        for path, found in vault_policy.paths(project, needed, checked.user(project, settings)).items()
    }
    if not labels:
        return {}
    from runner.secrets.vault.proof import find_mounts

    output.progress("asking Vault ...")
    return asyncio.run(find_mounts(vault_proof.asker(project, settings, output), labels))
