"""`runner connections`: the list."""

import argparse

from runner.cli import checked
from runner.cli.arguments import add_format
from runner.cli.connection_facts import shown_url, users
from runner.cli.output import Output
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
    found = [
        {
            "name": name,
            "type": connection.type,
            "base_url": shown_url(project, connection),
            "shared": connection.shared,
            "description": connection.description,
            "used_by": users(project, name),
        }
        for name, connection in sorted(project.connections.items())
    ]
    if options.format == "json":
        output.data(dumps({"format": "runner.d/connections/1", "connections": found}))
    elif found:
        rows = [["CONNECTION", "TYPE", "BASE URL", "SHARED", "USED BY"]]
        rows += [
            [
                one_line(str(each["name"])),
                one_line(str(each["type"])),
                one_line(str(each["base_url"])),
                "yes" if each["shared"] else "no",
                one_line(", ".join(users(project, str(each["name"])))) or "-",
            ]
            for each in found
        ]
        lines = table(rows)
        head = Style(color=output.color).paint(lines[0], "strong")
        output.data("\n".join([head, *lines[1:]]) + "\n")
    else:
        output.say("there are no connections: put one into connections.d/")
    checked.tell_unread(project.connection_names - set(project.connections), output)
    return 0
