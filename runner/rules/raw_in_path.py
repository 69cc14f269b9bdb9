"""A path takes a value without percent-encoding it.

What is put into a path is encoded, so that `a/b` stays one segment and nothing can leave its place. `| raw` switches
that off for a value: if it comes from outside, it chooses the resource, and adds a query.

Where a value holds several segments on purpose, a comment silences this and says why.

```bad
# workflows.d/read.yaml
inputs:
  file: {type: string}
actions:
  - id: read
    connection: files
    request: {path: "/files/{{ inputs.file | raw }}"}
# connections.d/files.yaml
type: none
base_url: https://files.example.com
```
```good
# workflows.d/read.yaml
inputs:
  file: {type: string}
actions:
  - id: read
    connection: files
    request: {path: "/files/{{ inputs.file }}"}
# connections.d/files.yaml
type: none
base_url: https://files.example.com
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.expression import facts
from runner.project import Project
from runner.rules import every_template
from runner.template import Mode

SEVERITY = Severity.WARNING
SUMMARY = "a path takes a value without percent-encoding it"


def check(project: Project) -> Iterator[Diagnostic]:
    """Look for the filter `raw` in paths."""
    for template, _ in every_template(project):
        if template.mode is Mode.PATH and "raw" in template.text:
            for start, end in facts(template).raw:
                yield warning(
                    "raw-in-path",
                    "`raw` puts the value into the path as it is: it can name another resource",
                    template.place(start, end),
                    help="leave `raw` out; or silence this with a comment that says where the value comes from",
                )
