"""A template chooses a name at run time, so that no check can follow it.

`actions[inputs.which]`, `secrets[vars.name]`, or `actions` and `secrets` as a whole: nobody can say in review which
output is read, or which secret goes where. The checks then take it that every one of them is used.

Choose among values instead: `{% if %}`, `a if condition else b`, or a mapping in `vars`.

```bad
# workflows.d/report.yaml
inputs:
  which: {type: string, enum: [tickets, users]}
actions:
  - id: tickets
    request: {url: https://example.com/tickets}
  - id: users
    request: {url: https://example.com/users}
outputs:
  found: "{{ actions[inputs.which].output }}"
```
```good
# workflows.d/report.yaml
inputs:
  which: {type: string, enum: [tickets, users]}
actions:
  - id: tickets
    request: {url: https://example.com/tickets}
  - id: users
    request: {url: https://example.com/users}
outputs:
  found: "{{ actions.tickets.output if inputs.which == 'tickets' else actions.users.output }}"
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, warning
from runner.project import Project
from runner.rules import every_template, place

SEVERITY = Severity.WARNING
SUMMARY = "a template chooses a name at run time, so that no check can follow it"

_CHOSEN = frozenset({"actions", "inputs", "vars", "secrets"})
_WHOLE = frozenset({"actions", "secrets"})


def check(project: Project) -> Iterator[Diagnostic]:
    """Look for computed keys after roots, and for roots used as a whole."""
    for template, _ in every_template(project):
        for reference in template.references:
            root = reference.root
            if reference.path or root not in template.roots or root not in _CHOSEN:
                continue
            if reference.dynamic:
                message = f"which of `{root}` this is, is known at run time only: it cannot be checked"
            elif root in _WHOLE:
                message = f"`{root}` as a whole: what of it is used cannot be checked"
            else:
                continue
            yield warning(
                "dynamic-reference",
                message,
                place(template, reference, 0),
                help=f"name each one, {root}.NAME, and choose with `if`",
            )
