"""Rules, one file each: a mistake that loading alone does not see, or the page that explains one that it does.

A rule's file is named after it. Its docstring is the page that `runner explain` prints: what the rule means and why,
then a bad and a good example, both of which are tests. It holds `SEVERITY`, `SUMMARY` and `check(project)`.
"""

import re
from collections.abc import Collection, Iterator

from runner.document import Document, Pointer
from runner.errors import FailureError
from runner.model import Action, Workflow
from runner.project import SETTINGS, Project
from runner.project import filled as filled
from runner.reference import Reference
from runner.source import Span
from runner.template import Template
from runner.template_text import holds

ROOTS = frozenset(
    {"inputs", "vars", "environment", "actions", "run", "item", "index", "response", "secrets", "error", "auth",
     "request"}
)  # fmt: skip
"""Every name that templates of some field know (SPEC 4.4)."""

_PART = re.compile(r"\s*(?:\.\s*\w+|\[\s*(?:'[^']*'|\"[^\"]*\"|-?\d+)\s*\])")


def every_template(project: Project) -> Iterator[tuple[Template, Workflow | None]]:
    """Give each template of the project, with the workflow it stands in, or None in a connection.

    Those of actions and connections that have errors elsewhere are among them.
    """
    for connection in project.connections.values():
        for template in connection.templates:
            yield template, None
    for template in project.stray_templates:
        yield template, None
    for workflow in project.workflows.values():
        for template in workflow.templates:
            yield template, workflow


def field(template: Template) -> str:
    """Name the field of a template as it is written inside its action."""
    if template.owner is None:
        return template.field
    section, index = template.owner
    return template.field.removeprefix(f"{section}[{index}].")


def place(template: Template, reference: Reference, parts: int) -> Span:
    """Find the place of a reference up to a number of its parts: of `actions.serch.output`, one part is `actions.serch`."""
    at = reference.start + len(reference.root)
    for _ in range(parts):
        match = _PART.match(template.text, at)
        if not match:
            at = reference.end
            break
        at = match.end()
    return template.place(reference.start, at)


def strings(document: Document) -> Iterator[tuple[Pointer, str]]:
    """Give each text value of a file with its pointer; keys that start with `x-` at the top level are left out."""
    pending: list[tuple[Pointer, object]] = [((), document.value)]
    while pending:
        pointer, value = pending.pop()
        if isinstance(value, str):
            yield pointer, value
        elif isinstance(value, dict):
            pending += [
                ((*pointer, key), item) for key, item in value.items() if pointer or not key.startswith("x-")
            ]
        elif isinstance(value, list):
            pending += [((*pointer, index), item) for index, item in enumerate(value)]


def settings_unread(project: Project) -> bool:
    """Tell whether runner.yaml has errors, so that nothing is known of what it says."""
    return any(found.primary.span.path == SETTINGS for found in project.diagnostics)


def doubled(workflow: Workflow) -> bool:
    """Tell whether an id is used twice: then nothing can be said of the order of that workflow."""
    ids = [action.id for action in workflow.every_action] + [action.id for action in workflow.broken]
    return len(set(ids)) < len(ids)


def used(workflow: Workflow, root: str, declared: Collection[str] | None = None) -> frozenset[str] | None:
    """Name what the templates of a workflow use of a root; None where that cannot be told.

    That is so where the root is used as a whole, where the file has errors, and where a name is used that is not
    `declared`: it may be a misspelling of any of them.
    """
    if workflow.unread:
        return None
    names: set[str] = set()
    for template in workflow.templates:
        if template.faults:
            return None
        for reference in template.references:
            if reference.root == root:
                name = str(reference.path[0]) if reference.path else None
                if name is None or (declared is not None and name not in declared):
                    return None
                names.add(name)
    return frozenset(names)


def asks(action: Action) -> bool:
    """Tell whether an action has a condition that can be false."""
    condition = action.condition
    if not isinstance(condition, Template):
        return condition is False
    return settled(condition) is not True


def settled(condition: Template) -> bool | None:
    """Say what a condition comes to in every run, or None where that depends on something."""
    from runner.expression import facts

    if condition.faults:
        return None
    if condition.references:
        found = facts(condition)
        # Text beside a value is text that is not empty, whatever the value is.
        return True if found.text_around else found.verdict
    try:
        value = condition.render({})
    except FailureError:
        return None
    return holds(value)
