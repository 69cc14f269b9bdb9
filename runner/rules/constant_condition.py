"""A condition is always true, or always false.

Mostly the braces are missing: `if: actions.search.status == 'failed'` is text, and text that is not empty is true. Or
they end too early: in `"{{ inputs.a }} and {{ inputs.b }}"` the result is a text such as `false and false`, which is
true as well. Or an `or` takes a literal: `inputs.site == 'eu' or 'us'` is never false.

The same is said of `expect.that` and of `fail_when`. Of `if: false` speaks `unreachable-action`.

```bad
# workflows.d/report.yaml
inputs:
  site: {type: string}
actions:
  - id: search
    if: "inputs.site == 'eu'"
    request: {url: "https://example.com/{{ inputs.site }}"}
```
```good
# workflows.d/report.yaml
inputs:
  site: {type: string}
actions:
  - id: search
    if: "{{ inputs.site == 'eu' }}"
    request: {url: "https://example.com/{{ inputs.site }}"}
```
"""

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.expression import facts
from runner.project import Project
from runner.rules import ROOTS, settled
from runner.template import Template

SEVERITY = Severity.WARNING
SUMMARY = "a condition is always true, or always false"

_NAMES = re.compile(rf"\b(?:{'|'.join(sorted(ROOTS))})\b|[=<>!]=|[<>]")


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the conditions of actions, of expectations and of connections."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.condition is True:
                span = workflow.document.span((*action.pointer, "if"))
                yield warning(
                    "constant-condition", "the condition is always true", span, help="leave `if` out"
                )
            elif isinstance(action.condition, Template):
                yield from _condition(action.condition)
            for each in action.expect.that:
                yield from _condition(each)
    for connection in project.connections.values():
        if connection.fail_when is not None:
            yield from _condition(connection.fail_when)
        for each in connection.test.expect.that if connection.test else ():
            yield from _condition(each)


def _condition(template: Template) -> Iterator[Diagnostic]:
    verdict = settled(template)
    if verdict is None:
        return
    message = f"the condition is always {'true' if verdict else 'false'}"
    if template.constant:
        named = _NAMES.search(template.text)
        remedy = 'put braces around the whole of it: "{{ ... }}"' if named else "leave it out"
    elif template.references and not facts(template).text_around:
        remedy = "compare on both sides of `or` and `and`: a == 'x' or a == 'y', or a in ['x', 'y']"
    elif template.references:
        message += ": there is text beside the braces, and text that is not empty is true"
        remedy = 'put one pair of braces around the whole condition: "{{ a and b }}"'
    else:
        remedy = "use a value that can differ, or leave it out"
    yield warning("constant-condition", message, template.span, help=remedy)
