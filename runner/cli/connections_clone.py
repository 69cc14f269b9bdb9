"""`runner connections clone NAME NEW`."""

import argparse
import os
import re
from typing import Any

from runner import flow
from runner import project as projects
from runner.check import check
from runner.cli import checked
from runner.cli.arguments import not_empty
from runner.cli.output import Output
from runner.cli.person import confirm
from runner.cli.yaml_text import indented, written
from runner.diagnostics import Severity
from runner.errors import Exit, UsageError
from runner.model import Connection
from runner.project import FOLDERS, Project
from runner.settings import Settings

EXAMPLES = (
    "runner connections clone tickets tickets-test",
    "runner connections clone tickets us/tickets --base-url https://us.example.com/api/v2",
)

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("name", metavar="NAME", help="name of the connection, or its file")
    parser.add_argument("new", metavar="NEW", type=not_empty, help="name of the new one")
    parser.add_argument("--base-url", metavar="URL", type=not_empty, help="base URL of the new one")
    parser.add_argument("--yes", action="store_true", help="do it without asking")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Write a connection that extends another one."""
    project = checked.load(settings)
    name = checked.connection_name(project, options.name)
    new = options.new.removeprefix("./").removeprefix(f"{FOLDERS['connection']}/").removesuffix(".yaml")
    if not _NAME.fullmatch(new):
        raise UsageError(
            f"'{options.new}' is no name for a connection",
            help="letters, digits, _, - and . with / between folders, such as eu/tickets",
        )
    path = f"{FOLDERS['connection']}/{new}.yaml"
    if new in project.connection_names or (project.root / path).exists():
        raise UsageError(f"{path} is there already", help="choose another name, or delete it first")
    text = f"# Another instance of {name}: keys given here replace its keys.\nextends: {name}\n"
    steps = [f"write {path}, which extends {name}"]
    next_step = f"`runner connections test {new}` tells whether it works"
    if options.base_url:
        text += "\n".join(written({"base_url": options.base_url})) + "\n"
        steps.append(f"send its requests to {options.base_url}")
        made = _with(project, path, text)
        moved = _credentials(project, made, name, new)
        if moved:
            text += (
                "# Another host gets credentials of its own. Store them there, or name where they are.\n"
                "auth:\n" + "\n".join(indented(written(moved))) + "\n"
            )
            steps.append("name credentials of its own, which you store: those of the other host stay there")
            next_step = f"`runner connections login {new}` stores its credentials and tests them"
    if _wrong(project, _with(project, path, text), path, output):
        return int(Exit.PROJECT)
    confirm(steps, output, yes=options.yes)
    _write(project, path, text)
    output.say(f"wrote {path}; {next_step}")
    return 0


def _with(project: Project, path: str, text: str) -> Project:
    """Give the project as it would be with one more file."""
    files = {name: item.encode("utf-8", "replace") for name, item in project.texts.items()}
    return projects.load(
        project.root, environment=project.environment, files={**files, path: text.encode("utf-8")}
    )


def _credentials(project: Project, made: Project, name: str, new: str) -> dict[str, Any]:
    """Give `auth` with references to secrets of its own, where the new connection goes to another host."""
    old, clone = project.connections.get(name), made.connections.get(new)
    if old is None or clone is None:
        return {}
    if flow.connection_host(project, old) == flow.connection_host(made, clone):
        return {}
    auth = _written_auth(project, old)
    moved = _moved(auth, new)
    return moved if isinstance(moved, dict) and moved != auth else {}


def _written_auth(project: Project, connection: Connection) -> Any:
    """Give `auth` as the connection, or what it extends, writes it."""
    name: Any = connection.name
    while isinstance(name, str):
        document = project.documents.get(f"{FOLDERS['connection']}/{name}.yaml")
        value = document.value if document else {}
        if "auth" in value:
            return value["auth"]
        name = value.get("extends")
    return {}


def _moved(value: Any, name: str) -> Any:
    """Put the name of a connection in place of the last segment of the path of each Vault reference of a value."""
    if isinstance(value, dict):
        return {key: _moved(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, name) for item in value]
    match = (
        re.fullmatch(r"(vault://[^#?]+/)([^/#?]+)(?:\?[^#]*)?(#.*)", value)
        if isinstance(value, str)
        else None
    )
    if match is None:
        return value
    kept = match[2] if "{{" in match[2] else ""
    return f"{match[1]}{name}{'/' + kept if kept else ''}{match[3]}"


def _wrong(project: Project, made: Project, path: str, output: Output) -> bool:
    """Show the errors that the new file would bring; whether there are any."""
    before = {(item.rule, item.message, item.primary.span) for item in check(project)}
    found = [
        item
        for item in check(made)
        if item.severity is Severity.ERROR
        and (item.primary.span.path == path or (item.rule, item.message, item.primary.span) not in before)
    ]
    return bool(found) and not checked.show(made, found, output, sending=False)


def _write(project: Project, path: str, text: str) -> None:
    """Write a file that is not there yet; raises UsageError."""
    target = project.root / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        number = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise UsageError(
            f"{path} cannot be written: {problem.strerror or 'unknown reason'}",
            help="check who may write to its directory",
        ) from None
