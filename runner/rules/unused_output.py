"""An action computes its `output`, and nothing uses it.

`output` says what later actions get of an answer. Where none of them, and no output of the workflow, asks for it, it
was probably forgotten, or a template means another action.

An `output` without a template is not reported: `output: null` keeps an answer out of the report.

```bad
# workflows.d/report.yaml
actions:
  - id: search
    request: {url: https://example.com/search}
    output: "{{ response.body.results }}"
```
```good
# workflows.d/report.yaml
actions:
  - id: search
    request: {url: https://example.com/search}
    output: "{{ response.body.results }}"
outputs:
  found: "{{ actions.search.output | length }}"
```
"""

from collections.abc import Iterator

from runner import template
from runner.diagnostics import Diagnostic, Severity, warning
from runner.model import Workflow
from runner.project import Project
from runner.rules import used

SEVERITY = Severity.WARNING
SUMMARY = "an action computes its `output`, and nothing uses it"


def check(project: Project) -> Iterator[Diagnostic]:
    """Look for uses of the output of every action that has a key `output`."""
    for workflow in project.workflows.values():
        made = [
            action for action in workflow.every_action if any(_computed(action.output)) and action.has_output
        ]
        ids = {action.id for action in workflow.every_action}
        if not made or used(workflow, "actions", ids) is None:
            continue
        names = _wanted(workflow)
        for action in made:
            if action.id not in names:
                yield warning(
                    "unused-output",
                    f"the output of '{action.id}' is used nowhere",
                    workflow.document.span((*action.pointer, "output"), key=True),
                    help=f"use it as {{{{ actions.{action.id}.output }}}}, or remove `output`",
                )


def _computed(output: template.Tree) -> Iterator[bool]:
    for each in template.templates(output):
        yield not each.constant


def _wanted(workflow: Workflow) -> frozenset[str]:
    return frozenset(
        str(reference.path[0])
        for each in workflow.templates
        for reference in each.references
        if reference.root == "actions" and reference.path[1:2] in ((), ("output",))
    )
