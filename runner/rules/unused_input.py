"""A workflow declares an input and uses it nowhere.

Whoever runs the workflow thinks that the input changes something. It was probably forgotten after a change, or a
template means it and is spelt otherwise.

```bad
# workflows.d/report.yaml
inputs:
  days: {type: integer, default: 14}
actions:
  - id: search
    request: {url: https://example.com/search}
```
```good
# workflows.d/report.yaml
inputs:
  days: {type: integer, default: 14}
actions:
  - id: search
    request:
      url: https://example.com/search
      query: {days: "{{ inputs.days }}"}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.project import Project
from runner.rules import used

SEVERITY = Severity.WARNING
SUMMARY = "a workflow declares an input and uses it nowhere"


def check(project: Project) -> Iterator[Diagnostic]:
    """Compare the declared inputs of every workflow with those that its templates use."""
    for workflow in project.workflows.values():
        names = used(workflow, "inputs", workflow.inputs) if workflow.inputs else None
        for declared in workflow.inputs.values():
            if names is not None and declared.name not in names:
                yield warning(
                    "unused-input",
                    f"the input '{declared.name}' is used nowhere",
                    declared.span,
                    help=f"use it as {{{{ inputs.{declared.name} }}}}, or remove it",
                )
