"""A name is used twice where it must be one thing.

Two actions of a workflow with one `id`, in whichever of its lists: `actions.ID` could be either. An action that calls a
workflow and is named `finally` or `on_failure`: in the history its steps would have the names of those lists' actions. Two headers that
differ in upper and lower case only: to HTTP they are the same. Two files whose names differ in case only: on macOS and
Windows they are the same file.

```bad
# workflows.d/report.yaml
actions:
  - id: read
    request: {url: https://example.com/tickets}
  - id: read
    request: {url: https://example.com/users}
```
```good
# workflows.d/report.yaml
actions:
  - id: read_tickets
    request: {url: https://example.com/tickets}
  - id: read_users
    request: {url: https://example.com/users}
```
"""

from collections.abc import Iterable, Iterator
from typing import Any

from runner.diagnostics import Diagnostic, Label, Severity
from runner.document import Document, Pointer
from runner.model import SECTIONS
from runner.project import Project
from runner.source import Span, whole_file

SEVERITY = Severity.ERROR
SUMMARY = "a name is used twice where it must be one thing"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check ids, headers and file names."""
    for workflow in project.workflows.values():
        yield from _ids(workflow.document)
    for document in project.documents.values():
        yield from _headers(document)
    yield from _files("connection", "connections.d", project.connection_names)
    yield from _files("workflow", "workflows.d", project.workflow_names)


def _ids(document: Document) -> Iterator[Diagnostic]:
    value = document.value if isinstance(document.value, dict) else {}
    first: dict[str, Pointer] = {}
    for section in SECTIONS:
        listed = value.get(section)
        for index, item in enumerate(listed if isinstance(listed, list) else []):
            name = item.get("id") if isinstance(item, dict) else None
            if not isinstance(name, str):
                continue
            place: Pointer = (section, index, "id")
            if name in SECTIONS[1:] and "workflow" in item:
                yield Diagnostic(
                    rule="duplicate-name",
                    severity=SEVERITY,
                    message=f"the steps of '{name}', which calls a workflow, would be named like those of the list `{name}`",
                    primary=Label(document.span(place)),
                    help="give the action another id",
                )
            if name in first:
                message = f"two actions have the id '{name}'"
                remedy = "give each its own: ids are one set over `actions`, `on_failure` and `finally`"
                yield _twice(message, document.span(place), document.span(first[name]), remedy)
            first.setdefault(name, place)


def _headers(document: Document) -> Iterator[Diagnostic]:
    pending: list[tuple[Pointer, Any]] = [((), document.value)]
    while pending:
        pointer, value = pending.pop()
        if isinstance(value, list):
            pending += [((*pointer, index), item) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            continue
        if pointer[-1:] == ("headers",):
            yield from _same_header(document, pointer, value)
        pending += [
            ((*pointer, key), item) for key, item in value.items() if key not in ("json", "schema", "set")
        ]


def _same_header(document: Document, pointer: Pointer, headers: Iterable[str]) -> Iterator[Diagnostic]:
    first: dict[str, str] = {}
    for name in headers:
        other = first.setdefault(name.lower(), name)
        if other != name:
            message = f"the headers '{other}' and '{name}' are the same: HTTP takes no notice of case"
            here = document.span((*pointer, name), key=True)
            yield _twice(message, here, document.span((*pointer, other), key=True), "keep one of them")


def _files(what: str, folder: str, names: Iterable[str]) -> Iterator[Diagnostic]:
    first: dict[str, str] = {}
    for name in sorted(names):
        other = first.setdefault(name.lower(), name)
        if other != name:
            message = f"the {what}s '{other}' and '{name}' differ in case only"
            here, there = whole_file(f"{folder}/{name}.yaml"), whole_file(f"{folder}/{other}.yaml")
            yield _twice(message, here, there, "rename one: on macOS and Windows both are one file")


def _twice(message: str, here: Span, there: Span, remedy: str) -> Diagnostic:
    return Diagnostic(
        rule="duplicate-name",
        severity=SEVERITY,
        message=message,
        primary=Label(here),
        related=(Label(there, "first here"),),
        help=remedy,
    )
