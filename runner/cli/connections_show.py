"""`runner connections show NAME`."""

import argparse
from typing import Any

from runner.cli import checked
from runner.cli.arguments import add_format
from runner.cli.connection_facts import shown_url, users
from runner.cli.output import Output
from runner.cli.yaml_text import flow
from runner.diagnostics import ProjectError
from runner.effective import MERGED
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
        "type": connection.named_type,
        "auth_type": connection.type,
        "description": connection.description,
        "base_url": shown_url(project, connection),
        "environment": project.environment,
        "shared": connection.shared,
        "extends": connection.extends,
        "values": _values(project, connection),
        "secrets": {connection.said(where): ref.text for where, ref in connection.secrets.items()},
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


def _values(project: Project, connection: Connection) -> list[JsonObject]:
    """Give the effective value of every key that something says, and where it comes from; typed-in secrets concealed."""
    from runner.compare.conceal import Concealer
    from runner.compare.side import Side

    concealer = Concealer()
    concealer.learn(project, project.documents)
    effective = Side(project, concealer).connection(connection.name, project.environment)
    sources = {name.lower(): source for name, source in connection.sources.items()}
    listed: list[JsonObject] = []
    for key, item in effective.items():
        for name, value in _parts(key, item):
            source = sources.get(name.lower())
            if source is not None:
                listed.append({"key": name, "value": value, "from": source})
    shown: list[JsonObject] = concealer.shown(listed)
    return shown


def _parts(key: str, item: Any) -> list[tuple[str, Any]]:
    """Take headers and query parameters one by one: a preset and a file may each give some."""
    if key in MERGED and isinstance(item, dict):
        return [(f"{key}.{name}", value) for name, value in item.items()]
    return [(key, item)]


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


def _type(shown: JsonObject) -> str:
    same = shown["type"] == shown["auth_type"]
    return str(shown["type"]) if same else f"{shown['type']}, signs in by {shown['auth_type']}"


def _text(shown: JsonObject, style: Style) -> str:
    allow = "anything" if shown["allow"] is None else ", ".join(shown["allow"]) or "nothing"
    secrets = [[f"  {where}", text] for where, text in shown["secrets"].items()]
    rows = [
        ["type", _type(shown)],
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
    if shown["values"]:
        rows = [[f"  {each['key']}", each["from"], flow(each["value"])] for each in shown["values"]]
        lines += ["values, and where each comes from", *table([list(map(one_line, row)) for row in rows])]
    if shown["flows"]:
        reached = [
            [f"  {each['host']}", each["secret"], each["channel"], _by(each, shown["name"])]
            for each in shown["flows"]
        ]
        lines += ["secrets go to", *table([[one_line(str(cell)) for cell in row] for row in reached])]
    return "\n".join(lines) + "\n"


def _by(each: JsonObject, name: str) -> str:
    other = each.get("connection", name)
    return f"of the connection {other}" if other != name and not each["by"] else _grouped(each["by"])


def _grouped(names: list[str]) -> str:
    """Write `WORKFLOW: ACTION` of several actions as `WORKFLOW (ACTION, ACTION)`."""
    actions: dict[str, list[str]] = {}
    for name in names:
        workflow, _, action = name.partition(": ")
        actions.setdefault(workflow, []).append(action)
    return ", ".join(f"{name} ({', '.join(each)})" for name, each in actions.items()) or "no action"
