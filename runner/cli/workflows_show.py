"""`runner workflows show NAME`."""

import argparse

from runner import calls
from runner import plan as plans
from runner.cli import checked
from runner.cli.arguments import add_format
from runner.cli.output import Output
from runner.errors import JsonObject
from runner.model import Action, Input, Workflow
from runner.order import Order
from runner.project import Project
from runner.reports import mermaid
from runner.reports.json import dumps
from runner.reports.text.style import Style, one_line, table
from runner.settings import Settings

EXAMPLES = (
    "runner workflows show escalate",
    "runner workflows show escalate --format json",
    "runner workflows show escalate --format mermaid",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("name", metavar="NAME", help="name of the workflow, or its file")
    add_format(parser, "text", "json", "mermaid")


def run(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Show the inputs, the connections and the actions of one workflow."""
    project = checked.load(settings)
    workflow = plans.find_workflow(project, options.name)
    shown = _described(project, workflow)
    if options.format == "json":
        output.data(dumps(shown))
    elif options.format == "mermaid":
        output.data(mermaid.workflow(shown))
    else:
        output.data(_text(shown, Style(color=output.color)))
    return 0


def _described(project: Project, workflow: Workflow) -> JsonObject:
    return {
        "format": "runner.d/workflow/1",
        "name": workflow.name,
        "file": workflow.document.path,
        "description": workflow.description,
        "inputs": [_input(each) for each in workflow.inputs.values()],
        "connections": [
            {
                "name": name,
                "type": project.connections[name].type if name in project.connections else None,
                "secrets": [ref.text for ref in project.connections[name].secrets.values()]
                if name in project.connections
                else [],
            }
            for name in calls.connections(project, workflow)
        ],
        "secrets": {name: ref.text for name, ref in workflow.secrets.items()},
        "actions": _actions(workflow),
        "outputs": list(workflow.outputs),
        "called": [
            {
                "name": each.name,
                "file": each.document.path,
                "secrets": {name: ref.text for name, ref in each.secrets.items()},
                "actions": _actions(each),
            }
            for each in calls.reached(project, workflow)[1:]
        ],
    }


def _input(declared: Input) -> JsonObject:
    return {
        "name": declared.name,
        "type": declared.schema.get("type"),
        "description": declared.description,
        "required": declared.required,
        "secret": declared.secret,
        "default": None if declared.secret else declared.default,
    }


def _actions(workflow: Workflow) -> list[JsonObject]:
    order = Order(workflow)
    return [_action(action, order) for action in workflow.every_action]


def _action(action: Action, order: Order) -> JsonObject:
    return {
        "id": action.id,
        "section": action.section,
        "kind": action.kind,
        "name": action.name,
        "connection": action.connection,
        "after": list(order.direct(action)),
        "needs": None if action.needs is None else list(action.needs),
        "for_each": action.for_each is not None,
        "repeat": action.repeat is not None,
        "calls": action.config if action.kind == "workflow" else None,
        "conditional": action.condition is not None,
        "on_error": action.on_error,
        "sensitive": action.sensitive,
    }


def _text(shown: JsonObject, style: Style) -> str:
    lines = [style.paint(one_line(shown["name"]), "strong") + f"  ({one_line(shown['file'])})"]
    if shown["description"]:
        lines.append(one_line(shown["description"]))
    blocks = {
        "inputs": [
            [
                one_line(each["name"]),
                one_line(str(each["type"] or "any")),
                "secret" if each["secret"] else "required" if each["required"] else _default(each),
                one_line(each["description"] or ""),
            ]
            for each in shown["inputs"]
        ],
        "connections": [
            [one_line(each["name"]), one_line(each["type"] or "?"), one_line(", ".join(each["secrets"]))]
            for each in shown["connections"]
        ],
        "secrets": [[one_line(name), one_line(text)] for name, text in shown["secrets"].items()],
        "actions": [
            [
                one_line(each["id"]),
                each["kind"],
                one_line(each["connection"] or each["calls"] or ""),
                _notes(each),
            ]
            for each in shown["actions"]
        ],
        "calls": [
            [one_line(each["name"]), one_line(each["file"]), one_line(", ".join(each["secrets"].values()))]
            for each in shown["called"]
        ],
        "outputs": [[one_line(name)] for name in shown["outputs"]],
    }
    for title, rows in blocks.items():
        if rows:
            lines += ["", style.paint(title, "strong"), *(f"  {line}" for line in table(rows))]
    return "\n".join(lines) + "\n"


def _default(declared: JsonObject) -> str:
    return one_line(f"default {dumps(declared['default']).strip()}")


def _notes(action: JsonObject) -> str:
    notes = [action["section"]] if action["section"] != "actions" else []
    if action["needs"] is not None:
        notes.append(f"needs {', '.join(map(one_line, action['needs'])) or 'nothing'}")
    notes += [name for name in ("for_each", "repeat") if action[name]]
    notes += ["if"] if action["conditional"] else []
    notes += ["on_error: continue"] if action["on_error"] == "continue" else []
    notes += ["sensitive"] if action["sensitive"] else []
    return ", ".join(notes)
