"""A template reads a part of an answer that the action's own `expect.schema` rules out.

`expect.schema` is judged before `output` and `expect.that`. Where it closes a mapping with `additionalProperties:
false`, an answer with another property fails; so a template that reads one never has a value. The same holds in later
actions for `actions.ID.output` where the output is the body itself.

```bad
# workflows.d/report.yaml
actions:
  - id: read
    request: {url: https://example.com/reports}
    expect:
      schema:
        type: object
        properties: {count: {type: integer}}
        additionalProperties: false
outputs:
  found: "{{ actions.read.output.total }}"
```
```good
# workflows.d/report.yaml
actions:
  - id: read
    request: {url: https://example.com/reports}
    expect:
      schema:
        type: object
        properties: {count: {type: integer}}
        additionalProperties: false
outputs:
  found: "{{ actions.read.output.count }}"
```
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from runner.diagnostics import Diagnostic, Severity, error, names_hint
from runner.project import Project
from runner.reference import Reference
from runner.rules import place
from runner.template import Template

SEVERITY = Severity.ERROR
SUMMARY = "a template reads a part of an answer that the action's own `expect.schema` rules out"

_COMBINED = frozenset(
    {"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "then", "else", "not", "dependentSchemas"}
)
_METHODS = frozenset({"items", "keys", "values", "get"})


def check(project: Project) -> Iterator[Diagnostic]:
    """Follow the references of every workflow through the schemas that its actions give."""
    for workflow in project.workflows.values():
        schemas = {
            action.id: action.expect.schema
            for action in workflow.every_action
            if isinstance(action.expect.schema, dict)
        }
        if not schemas:
            continue
        whole = {
            action.id for action in workflow.every_action if not action.has_output and action.for_each is None
        }
        ids = {(action.section, action.index): action.id for action in workflow.every_action}
        for template in workflow.templates:
            for reference in template.references:
                if reference.guarded:
                    continue
                yield from _reference(template, reference, schemas, whole, ids)


def _reference(
    template: Template,
    reference: Reference,
    schemas: Mapping[str, Any],
    whole: set[str],
    ids: Mapping[tuple[str, int], str],
) -> Iterator[Diagnostic]:
    path = reference.path
    if reference.root == "response" and path[:1] == ("body",) and template.owner is not None:
        name, depth = ids.get(template.owner, ""), 1
    elif reference.root == "actions" and path[1:2] == ("output",) and path[0] in whole:
        name, depth = str(path[0]), 2
    else:
        return
    if name not in schemas:
        return
    wrong = _ruled_out(schemas[name], path[depth:])
    if wrong is None:
        return
    index, known = wrong
    before = Reference(reference.root, path[: depth + index], 0, 0).text
    yield error(
        "unknown-property",
        f"`expect.schema` of '{name}' rules out '{path[depth + index]}' in '{before}'",
        place(template, reference, depth + index + 1),
        help=names_hint(str(path[depth + index]), known, prefix=f"{before}.", what="properties")
        + "; or add it to the schema",
    )


def _ruled_out(schema: Any, path: tuple[str | int, ...]) -> tuple[int, list[str]] | None:
    """Find the first part of a path that no value under the schema has; with the properties that there are."""
    for index, part in enumerate(path):
        if not isinstance(schema, dict) or _COMBINED & set(schema):
            return None
        if isinstance(part, int):
            schema = schema.get("items") if "prefixItems" not in schema else None
            continue
        properties = schema.get("properties", {})
        if part in properties:
            schema = properties[part]
            continue
        if schema.get("additionalProperties") is not False or part in _METHODS:
            return None
        if schema.get("type") != "object":  # the schema may take a list or text as well
            return None
        if any(re.search(pattern, part) for pattern in schema.get("patternProperties", {})):
            return None
        return index, list(properties)
    return None
