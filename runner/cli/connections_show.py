"""`runner connections show NAME`."""

import argparse

from runner.cli import checked
from runner.cli.arguments import add_format
from runner.cli.connection_facts import shown_url, users
from runner.cli.output import Output
from runner.diagnostics import ProjectError
from runner.errors import JsonObject
from runner.model import Connection
from runner.project import Project
from runner.reports.json import dumps
from runner.reports.text.style import Style, one_line, table
from runner.settings import Settings

EXAMPLES = ("runner connections show tickets", "runner connections show tickets --env staging --format json")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("name", metavar="NAME", help="name of the connection, or its file")
    parser.add_argument("--env", dest="environment", metavar="NAME", help="an environment of runner.yaml")
    add_format(parser, "text", "json")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Show where a connection goes, which secrets it names and who uses it."""
    project = checked.load(settings)
    with checked.showing(project, output):
        connection = _find(project, options.name)
    shown = _described(project, connection)
    if options.format == "json":
        output.data(dumps(shown))
    else:
        output.data(_text(shown, Style(color=output.color)))
    return 0


def _find(project: Project, given: str) -> Connection:
    """Give a connection; raises ProjectError where its file has errors."""
    name = checked.connection_name(project, given)
    if name not in project.connections:
        file = f"connections.d/{name}.yaml"
        own = [item for item in project.diagnostics if item.primary.span.path == file]
        raise ProjectError(own or project.diagnostics)
    return project.connections[name]


def _described(project: Project, connection: Connection) -> JsonObject:
    test = connection.test
    return {
        "format": "runner.d/connection/1",
        "name": connection.name,
        "file": f"connections.d/{connection.name}.yaml",
        "type": connection.type,
        "description": connection.description,
        "base_url": shown_url(project, connection),
        "environment": project.environment,
        "shared": connection.shared,
        "extends": connection.extends,
        "secrets": {where: ref.text for where, ref in connection.secrets.items()},
        "headers": sorted(connection.headers),
        "query": sorted(connection.query),
        "allow": None
        if connection.allow is None
        else [f"{rule.method} {rule.path}" for rule in connection.allow],
        "tls_verified": connection.tls.verify,
        "test": None if test is None else f"{test.method} {test.path.text}",
        "used_by": users(project, connection.name),
        "flows": _flows(project, connection),
    }


def _flows(project: Project, connection: Connection) -> list[JsonObject]:
    """Say where the secrets of a connection go, and which other secrets go to it; `by` names workflow and action."""
    from runner import flow

    own = {ref.text for ref in connection.secrets.values()}
    sending = [
        f"{workflow.name}: {action.id}"
        for workflow in project.workflows.values()
        for action in workflow.every_action
        if action.connection == connection.name
    ]
    listed: list[JsonObject] = []
    for each in flow.compute(project):
        if each.connection == connection.name or each.source.text in own:
            by = [f"{each.workflow}: {each.action}"] if each.workflow else []
            if not each.workflow and each.connection == connection.name:
                by = sending
            listed.append({**each.to_json(), "by": by})
    return listed


def _text(shown: JsonObject, style: Style) -> str:
    allow = "anything" if shown["allow"] is None else ", ".join(shown["allow"]) or "nothing"
    secrets = [[f"  {where}", text] for where, text in shown["secrets"].items()]
    rows = [
        ["type", shown["type"]],
        ["base URL", shown["base_url"]],
        ["environment", shown["environment"]],
        ["shared", "yes" if shown["shared"] else "no: each person has credentials of their own"],
        ["extends", shown["extends"]],
        ["headers", ", ".join(shown["headers"])],
        ["query", ", ".join(shown["query"])],
        ["allowed", allow],
        ["TLS", None if shown["tls_verified"] else "NOT verified"],
        ["test", shown["test"] or "none"],
        ["used by", ", ".join(shown["used_by"]) or "no workflow"],
    ]
    known = [[name, one_line(str(value))] for name, value in rows if value]
    lines = [style.paint(one_line(shown["name"]), "strong") + f"  ({one_line(shown['file'])})"]
    if shown["description"]:
        lines.append(one_line(shown["description"]))
    lines += ["", *table(known)]
    if secrets:
        lines += [
            "secrets",
            *table([[one_line(where), one_line(text)] for where, text in secrets]),
        ]
    if shown["flows"]:
        reached = [
            [f"  {each['host']}", each["secret"], each["channel"], _grouped(each["by"])]
            for each in shown["flows"]
        ]
        lines += ["secrets go to", *table([[one_line(str(cell)) for cell in row] for row in reached])]
    return "\n".join(lines) + "\n"


def _grouped(names: list[str]) -> str:
    """Write `WORKFLOW: ACTION` of several actions as `WORKFLOW (ACTION, ACTION)`."""
    actions: dict[str, list[str]] = {}
    for name in names:
        workflow, _, action = name.partition(": ")
        actions.setdefault(workflow, []).append(action)
    return ", ".join(f"{name} ({', '.join(each)})" for name, each in actions.items()) or "no action"
