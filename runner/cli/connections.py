"""`runner connections`: the list."""

import argparse

from runner import last_tests
from runner.cli import checked
from runner.cli.arguments import add_format
from runner.cli.connection_facts import credentials, shown_url, users
from runner.cli.histories import state_of
from runner.cli.output import Output
from runner.errors import JsonObject
from runner.reports.json import dumps
from runner.reports.text.style import Style, one_line, table
from runner.settings import Settings

EXAMPLES = ("runner connections", "runner connections --env staging", "runner connections test --all")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--env", dest="environment", metavar="NAME", help="an environment of runner.yaml")
    add_format(parser, "text", "json")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """List every connection that can be read, and name those that cannot."""
    project = checked.load(settings)
    tested = last_tests.read(state_of(settings, project.root), settings.environment)
    found: list[JsonObject] = [
        {
            "name": name,
            "type": connection.named_type,
            "base_url": shown_url(project, connection),
            "shared": connection.shared,
            "description": connection.description,
            "credentials": credentials(connection),
            "used_by": users(project, name),
            "last_test": _brief(tested.get(name)),
        }
        for name, connection in sorted(project.connections.items())
    ]
    if options.format == "json":
        output.data(dumps({"format": "runner.d/connections/1", "connections": found}))
    elif found:
        rows = [["CONNECTION", "TYPE", "BASE URL", "SHARED", "CREDENTIALS", "USED BY", "LAST TEST"]]
        rows += [list(map(one_line, _row(each))) for each in found]
        lines = table(rows)
        head = Style(color=output.color).paint(lines[0], "strong")
        output.data("\n".join([head, *lines[1:]]) + "\n")
    else:
        output.say("there are no connections: put one into connections.d/")
    checked.tell_unread(project.connection_names - set(project.connections), output)
    return 0


def _brief(tested: JsonObject | None) -> JsonObject | None:
    """Leave out what the list says anyway."""
    if tested is None:
        return None
    return {key: item for key, item in tested.items() if key not in ("format", "connection")}


def _row(each: JsonObject) -> list[str]:
    last = each["last_test"]
    return [
        str(each["name"]),
        str(each["type"]),
        str(each["base_url"]),
        "yes" if each["shared"] else "no",
        ", ".join(each["credentials"]) or "-",
        ", ".join(each["used_by"]) or "-",
        f"{last.get('classification')}, {last.get('at')}" if last else "unknown",
    ]
