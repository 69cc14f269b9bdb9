"""An action names a connection that does not exist, or needs one and names none.

The name of a connection is the path of its file below `connections.d/` without `.yaml`: `eu/tickets` is
`connections.d/eu/tickets.yaml`. A request with `path` goes through a connection, its own or that of
`defaults.connection`. A request with `url` has none: credentials go to the host of their connection and nowhere else.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
# workflows.d/report.yaml
actions:
  - id: read
    connection: ticket
    request: {path: /tickets}
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
# workflows.d/report.yaml
actions:
  - id: read
    connection: tickets
    request: {path: /tickets}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error, names_hint
from runner.document import Pointer
from runner.model import SECTIONS, Action, Workflow
from runner.project import Project

SEVERITY = Severity.ERROR
SUMMARY = "an action names a connection that does not exist, or needs one and names none"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the connection of every action and of the defaults."""
    for workflow in project.workflows.values():
        default = _default(workflow)
        if default is not None:
            yield from _unknown(project, workflow, default, ("defaults", "connection"))
        for pointer, name in _named(workflow):
            yield from _unknown(project, workflow, name, pointer)
        for action in workflow.every_action:
            yield from _action(workflow, action, default)


def _default(workflow: Workflow) -> str | None:
    defaults = workflow.document.value.get("defaults") if isinstance(workflow.document.value, dict) else None
    name = defaults.get("connection") if isinstance(defaults, dict) else None
    return name if isinstance(name, str) else None


def _named(workflow: Workflow) -> Iterator[tuple[Pointer, str]]:
    """Give what requests name, in actions with other errors too: those are not part of the workflow."""
    value = workflow.document.value if isinstance(workflow.document.value, dict) else {}
    for section in SECTIONS:
        listed = value.get(section)
        for index, item in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(item, dict) and "request" in item and isinstance(item.get("connection"), str):
                yield (section, index, "connection"), item["connection"]


def _unknown(project: Project, workflow: Workflow, name: str, pointer: Pointer) -> Iterator[Diagnostic]:
    if name in project.connection_names:
        return
    remedy = names_hint(name, project.connection_names, what="connections")
    if not project.connection_names:
        remedy = f"there are none: write connections.d/{name}.yaml"
    yield error(
        "undefined-connection", f"no connection '{name}'", workflow.document.span(pointer), help=remedy
    )


def _action(workflow: Workflow, action: Action, default: str | None) -> Iterator[Diagnostic]:
    document = workflow.document
    written = document.get(action.pointer)
    named = isinstance(written, dict) and "connection" in written
    if action.kind != "request":
        return
    place: Pointer = (*action.pointer, "request")
    if action.config.url is not None and named:
        yield error(
            "undefined-connection",
            "a request with `url` takes no connection: credentials go to the host of their connection only",
            document.span((*action.pointer, "connection"), key=True),
            help="write `path` in place of `url`, or leave the connection out",
        )
    elif (
        action.config.path is not None
        and action.connection is None
        and not (default or "defaults" in workflow.unread)
    ):
        yield error(
            "undefined-connection",
            "a request with `path` needs a connection, and this action names none",
            document.span((*place, "path"), key=True),
            help="add `connection: NAME` to the action or to `defaults`, or write `url` in place of `path`",
        )
