"""A file uses a key that a later version of runner.d will not have.

The JSON Schema marks such a key as `deprecated` and its description says what to write instead; an editor with the
schema strikes it through. This version has no such key, so nothing is reported.

```bad
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
description: none of the keys of this version is deprecated, so this is found by a test with a schema of its own
```
```good
# connections.d/tickets.yaml
type: none
base_url: https://tickets.example.com
```
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from runner.diagnostics import Diagnostic, Severity, warning
from runner.document import Document, Pointer
from runner.language import NAMES, schema_text
from runner.project import FOLDERS, SETTINGS, Project
from runner.users import FILE as USERS

SEVERITY = Severity.WARNING
SUMMARY = "a file uses a key that a later version of runner.d will not have"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check every file against the schema of its kind, where that marks anything."""
    schemas = {name: _marked(schema_text(name)) for name in NAMES}
    for document in project.documents.values():
        schema = schemas[_kind(document)]
        if schema is not None:
            yield from found(schema, document)


def found(schema: Mapping[str, Any], document: Document) -> Iterator[Diagnostic]:
    """Report every key of a file that its schema marks as deprecated."""
    pending: list[tuple[Any, Any, Pointer]] = [(schema, document.value, ())]
    while pending:
        part, value, pointer = pending.pop()
        if not isinstance(part, Mapping):
            continue
        if "$ref" in part:
            name = str(part["$ref"]).rpartition("/")[2]
            pending.append((schema.get("$defs", {}).get(name), value, pointer))
        for branch in part.get("allOf", ()):
            chosen = "then" if "if" in branch and _fits(branch["if"], value) else "else"
            pending.append((branch.get(chosen) if "if" in branch else branch, value, pointer))
        if isinstance(value, list):
            pending += [(part.get("items"), item, (*pointer, index)) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            continue
        for key, item in value.items():
            below = part.get("properties", {}).get(key, part.get("additionalProperties"))
            if isinstance(below, Mapping) and below.get("deprecated") is True:
                yield warning(
                    "deprecated",
                    f"the key '{key}' is deprecated: a later version will refuse it",
                    document.span((*pointer, key), key=True),
                    help=below.get("description"),
                )
            pending.append((below, item, (*pointer, key)))


def _kind(document: Document) -> str:
    if document.path in (SETTINGS, USERS):
        return "project" if document.path == SETTINGS else "users"
    return next(kind for kind, folder in FOLDERS.items() if document.path.startswith(f"{folder}/"))


def _marked(text: str) -> dict[str, Any] | None:
    return dict(json.loads(text)) if '"deprecated": true' in text else None


def _fits(condition: Mapping[str, Any], value: Any) -> bool:
    """Judge the conditions that the schemas are made of: a required key, a key with a certain value."""
    if not isinstance(value, dict):
        return False
    wanted = condition.get("properties", {})
    return all(key in value for key in condition.get("required", ())) and all(
        value.get(key) in each.get("enum", (each.get("const"),))
        for key, each in wanted.items()
        if {"const", "enum"} & set(each)
    )
