"""`runner connections delete NAME`."""

import argparse

from runner.cli import checked
from runner.cli.connection_facts import credentials, users
from runner.cli.output import Output
from runner.cli.person import confirm
from runner.errors import UsageError
from runner.project import FOLDERS, SETTINGS, Project
from runner.settings import Settings

EXAMPLES = ("runner connections delete tickets", "runner connections delete tickets --yes")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("name", metavar="NAME", help="name of the connection, or its file")
    parser.add_argument("--yes", action="store_true", help="do it without asking")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Delete the file of a connection that nothing uses; what is in Vault stays there."""
    project = checked.load(settings)
    name = checked.connection_name(project, options.name)
    used = needing(project, name)
    if used:
        raise UsageError(
            f"the connection '{name}' is in use: {', '.join(used)}", help="take it out of these first"
        )
    path = project.root / FOLDERS["connection"] / f"{name}.yaml"
    steps = [f"delete {FOLDERS['connection']}/{name}.yaml"]
    connection = project.connections.get(name)
    if connection is not None and connection.secrets:
        steps.append(f"leave its secrets where they are: {', '.join(credentials(connection))}")
    confirm(steps, output, yes=options.yes)
    try:
        path.unlink()
    except OSError as problem:
        raise UsageError(
            f"{path} cannot be deleted: {problem.strerror or 'unknown reason'}",
            help="check who may write to its directory",
        ) from None
    output.say(f"deleted {FOLDERS['connection']}/{name}.yaml")
    return 0


def needing(project: Project, name: str) -> list[str]:
    """Name what would be broken without a connection, and the files that cannot be read and hold its name."""
    used = [f"{FOLDERS['workflow']}/{workflow}.yaml" for workflow in users(project, name)]
    for other in sorted(project.connection_names - {name}):
        document = project.documents.get(f"{FOLDERS['connection']}/{other}.yaml")
        if document and isinstance(document.value, dict) and document.value.get("extends") == name:
            used.append(f"{document.path} extends it")
    settings = project.documents.get(SETTINGS)
    environments = settings.value.get("environments") if settings and isinstance(settings.value, dict) else {}
    for environment, item in sorted(environments.items()) if isinstance(environments, dict) else ():
        if isinstance(item, dict) and name in (item.get("connections") or {}):
            used.append(f"{SETTINGS}, environment {environment}")
    unread = project.workflow_names - set(project.workflows)
    broken = {workflow.name for workflow in project.workflows.values() if workflow.unread}
    for workflow in sorted(unread | broken):
        path = f"{FOLDERS['workflow']}/{workflow}.yaml"
        if path not in used and name in project.texts.get(path, ""):
            used.append(f"{path} has errors and may use it")
    return used
