"""`runner schedules`: the list of triggers."""

import argparse

from runner.cli import checked
from runner.cli.arguments import add_format
from runner.cli.output import Output
from runner.errors import JsonObject
from runner.model import Trigger
from runner.project import Project
from runner.reports.json import dumps
from runner.reports.text.style import Style, one_line, table
from runner.settings import Settings

EXAMPLES = ("runner schedules", "runner schedules --format json", "runner schedules export systemd")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_format(parser, "text", "json")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """List every trigger of every workflow that can be read."""
    project = checked.load(settings)
    rows = _rows(project)
    if options.format == "json":
        output.data(dumps({"format": "runner.d/schedules/1", "schedules": rows}))
    elif rows:
        head = ["WORKFLOW", "SCHEDULE", "TIME ZONE", "OVERLAP", "CATCH UP"]
        keys = ("workflow", "schedule", "timezone", "overlap", "catch_up")
        lines = table([head, *([one_line(str(row[key] or "-")) for key in keys] for row in rows)])
        output.data("\n".join([Style(color=output.color).paint(lines[0], "strong"), *lines[1:]]) + "\n")
    else:
        output.say("no workflow has triggers")
    checked.tell_unread(project.workflow_names - set(project.workflows), output)
    return 0


def _rows(project: Project) -> list[JsonObject]:
    return [
        _row(name, workflow.document.get(trigger.pointer), trigger)
        for name, workflow in sorted(project.workflows.items())
        for trigger in workflow.triggers
    ]


def _row(name: str, written: JsonObject, trigger: Trigger) -> JsonObject:
    return {
        "workflow": name,
        "schedule": written["schedule"],
        "timezone": trigger.timezone,
        "overlap": trigger.overlap,
        "catch_up": written.get("catch_up"),
        "environment": trigger.environment,
        "inputs": dict(trigger.inputs),
    }
