"""A template cannot be read.

A brace that is not closed, an expression that is none, a tag that templates do not have: `import`, `include` and
`extends` would read other files. Attributes that start with `__` are refused as well.

```bad
# workflows.d/hello.yaml
inputs:
  name: {type: string}
actions:
  - id: hello
    set: {text: "Hello {{ inputs.name }"}
```
```good
# workflows.d/hello.yaml
inputs:
  name: {type: string}
actions:
  - id: hello
    set: {text: "Hello {{ inputs.name }}"}
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error
from runner.project import Project
from runner.rules import every_template

SEVERITY = Severity.ERROR
SUMMARY = "a template cannot be read"


def check(project: Project) -> Iterator[Diagnostic]:
    """Report what reading each template found, except unknown names of filters and tests."""
    for template, _ in every_template(project):
        for fault in template.faults:
            if fault.rule == "template-syntax":
                yield error(
                    fault.rule, fault.message, template.place(fault.start, fault.end), help=fault.help
                )
