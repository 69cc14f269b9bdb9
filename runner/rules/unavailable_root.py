"""A template uses a name that its field does not have.

Every field says which names its templates know: a request does not know `response`, which does not exist before it is
sent; the headers of a connection do not know the `inputs` of a workflow; `error` exists in `on_failure` and `finally`;
`item` and `index` exist under `for_each`.

An `if`, a `for_each`, the `vars` and the `concurrency.key` of a workflow may not use a secret either: whether an action was
skipped, and how many items it had, stands in every report, so a condition over a secret tells something of it.

```bad
# workflows.d/report.yaml
actions:
  - id: read
    request:
      url: https://example.com/reports
      query: {page: "{{ response.body.next }}"}
```
```good
# workflows.d/report.yaml
actions:
  - id: read
    request:
      url: https://example.com/reports
    output: "{{ response.body.next }}"
outputs: {next: "{{ actions.read.output }}"}
```
"""

import re
from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Severity, error
from runner.model import Workflow
from runner.project import Project
from runner.reference import Reference
from runner.rules import ROOTS, every_template, field, place
from runner.template import Template

SEVERITY = Severity.ERROR
SUMMARY = "a template uses a name that its field does not have"

_LEADS = re.compile(r"\bpaginate\.(?:next|more)\Z")
_LIST = re.compile(r"for_each\b")
_WHERE = {
    "item": "only in an action with `for_each`",
    "index": "only in an action with `for_each`",
    "error": "only in `on_failure` and `finally`",
    "response": "only where there is an answer: `output`, `expect.that`, `fail_when` and `error_message` of a connection, `token` of a session",
    "request": "only in `string_to_sign` of a connection of type hmac",
    "auth": "only in `login` and `logout` of a connection of type session",
    "secrets": "only in what a request sends",
    "inputs": "only in a workflow",
    "actions": "only in actions and `outputs` of a workflow",
}


def check(project: Project) -> Iterator[Diagnostic]:
    """Check the roots of every reference against those of its field."""
    for template, workflow in every_template(project):
        for reference in template.references:
            root = reference.root
            if root in ROOTS and root not in template.roots:
                message = f"'{root}' is not available in `{field(template)}`"
                leads = _LEADS.search(template.field) is not None
                if leads:
                    message = f"'{root}' is not available in `{field(template)}`: it is made of the answer"
                elif root in ("item", "index"):
                    message = f"'{root}' is available only in an action with `for_each`"
                names = f"names here: {', '.join(sorted(template.roots)) or 'none'}"
                remedy = (
                    f"{_WHERE[root]}; {names}"
                    if root in _WHERE and root not in ("item", "index") and not leads
                    else names
                )
                yield error("unavailable-root", message, place(template, reference, 0), help=remedy)
            elif workflow is not None:
                yield from _secret(template, reference, workflow)


def _secret(template: Template, reference: Reference, workflow: Workflow) -> Iterator[Diagnostic]:
    """Find secrets in what decides or is shown: conditions, and the variables that conditions may use."""
    path = reference.path
    name = path[0] if path else None
    where = field(template)
    deciding = template.owner is not None and (where == "if" or _LIST.match(where) is not None)
    top = template.pointer[0] if template.owner is None else None
    if not deciding and top not in ("vars", "concurrency"):
        return
    what = "a condition cannot depend on it" if where == "if" else "`for_each` cannot go through it"
    remedy = "whether an action is skipped is in every report: decide by something that is no secret"
    if where != "if":
        remedy = "how many items there are, and which, is in every report: take them from something that is no secret"
    if top == "concurrency":
        what = "the key of a lock cannot depend on it"
        remedy = "who sees which runs wait for each other learns something of the key: take what is no secret"
    elif not deciding:
        what = "`vars` cannot hold it"
        remedy = f"write {{{{ {reference.root}.{name} }}}} where it is sent"
    if reference.root == "inputs" and name in workflow.inputs and workflow.inputs[str(name)].secret:
        yield error(
            "unavailable-root",
            f"'inputs.{name}' is secret: {what}",
            place(template, reference, 1),
            help=remedy,
        )
    if reference.root == "actions" and path[1:2] in ((), ("output",)):
        action = next((item for item in workflow.every_action if item.id == name), None)
        if action is not None and action.sensitive:
            parts = min(len(path), 2)
            message = f"the output of '{name}' is sensitive: {what}"
            yield error("unavailable-root", message, place(template, reference, parts), help=remedy)
