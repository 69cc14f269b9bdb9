"""`runner workflows`: the list."""

import argparse

from runner.cli import checked
from runner.cli.arguments import add_format
from runner.cli.output import Output
from runner.model import Workflow
from runner.reports.json import dumps
from runner.reports.text.style import Style, one_line, table
from runner.settings import Settings

EXAMPLES = ("runner workflows", "runner workflows --format json", "runner workflows show escalate")


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_format(parser, "text", "json")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """List every workflow that can be read, and name those that cannot."""
    project = checked.load(settings)
    found = sorted(project.workflows.items())
    if options.format == "json":
        output.data(
            dumps(
                {
                    "format": "runner.d/workflows/1",
                    "workflows": [
                        {
                            "name": name,
                            "description": workflow.description,
                            "file": workflow.document.path,
                            "inputs": [
                                {"name": each.name, "required": each.required, "secret": each.secret}
                                for each in workflow.inputs.values()
                            ],
                            "connections": list(workflow.connections),
                        }
                        for name, workflow in found
                    ],
                }
            )
        )
    else:
        style = Style(color=output.color)
        rows = [
            [one_line(name), _inputs(workflow), one_line(workflow.description or "")]
            for name, workflow in found
        ]
        head = [["WORKFLOW", "INPUTS", "DESCRIPTION"]] if rows else []
        lines = table(head + rows)
        if lines:
            output.data("\n".join([style.paint(lines[0], "strong"), *lines[1:]]) + "\n")
        else:
            output.say("there are no workflows: put one into workflows.d/")
    checked.tell_unread(project.workflow_names - set(project.workflows), output)
    return 0


def _inputs(workflow: Workflow) -> str:
    """Name the inputs; those that need not be given stand in brackets."""
    return (
        one_line(
            ", ".join(each.name if each.required else f"[{each.name}]" for each in workflow.inputs.values())
        )
        or "-"
    )
