"""The path of a file leaves the directory that it is relative to, or belongs to the project itself.

`save_to` writes below the working directory. `file` of a body or of a part of `multipart` reads below the working
directory, or else below the project's. An absolute path and `..` lead elsewhere: what is sent then is no file that was
reviewed, and what is written may be anybody's. Neither may an answer become a part of the project.

```bad
# workflows.d/report.yaml
actions:
  - id: report
    request:
      url: https://example.com/report.pdf
      save_to: ../reports/today.pdf
```
```good
# workflows.d/report.yaml
actions:
  - id: report
    request:
      url: https://example.com/report.pdf
      save_to: reports/today.pdf
```
"""

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error
from runner.project import Project
from runner.template import Mode, Template, templates
from runner.template_paths import OF_THE_PROJECT, file_problem

SEVERITY = Severity.ERROR
SUMMARY = "the path of a file leads out of its directory"

_HOLE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the literal text of the path of every file."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.kind != "request":
                continue
            for each in templates(action.config.body):
                if each.mode is Mode.FILE:
                    yield from _path(each)
            if action.config.save_to is not None:
                yield from _path(action.config.save_to, saved=True)


def _path(template: Template, *, saved: bool = False) -> Iterator[Diagnostic]:
    text = _HOLE.sub("_", template.text)
    wrong = file_problem(text)
    remedy = "write a relative path without '..': files lie below the working directory"
    first = next((part for part in text.split("/") if part not in ("", ".")), "")
    if not wrong and saved and first in OF_THE_PROJECT:
        wrong, remedy = f"`{first}` belongs to the project", "save into a directory of its own"
    if wrong:
        yield error("file-outside-project", wrong, template.span, help=remedy)
