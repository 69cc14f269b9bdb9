"""A call gives a workflow other inputs than it declares.

An input without a default is missing in `with`, one in `with` is not declared, or a secret of the caller is given to an
input that is not `secret: true`: it would stand in reports and in the history. A secret input takes a template over a secret,
never typed-in text.

Values whose type is wrong are reported by `type-mismatch`.

```bad
# workflows.d/night.yaml
actions:
  - id: sync
    workflow: sync
    with: {day: 3}
# workflows.d/sync.yaml
inputs:
  days: {type: integer}
actions:
  - id: read
    request: {url: https://example.com/tickets, query: {days: "{{ inputs.days }}"}}
```
```good
# workflows.d/night.yaml
actions:
  - id: sync
    workflow: sync
    with: {days: 3}
# workflows.d/sync.yaml
inputs:
  days: {type: integer}
actions:
  - id: read
    request: {url: https://example.com/tickets, query: {days: "{{ inputs.days }}"}}
```
"""

from collections.abc import Iterator

from runner import template
from runner.calls import callee
from runner.diagnostics import Diagnostic, Label, Severity, names_hint
from runner.model import Action, Input, Workflow
from runner.plan import secret_label
from runner.project import Project
from runner.rules import place

SEVERITY = Severity.ERROR
SUMMARY = "a call gives a workflow other inputs than it declares"


def check(project: Project) -> Iterator[Diagnostic]:
    """Compare `with` of every call with the inputs of the workflow that it calls."""
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            called = callee(project, action)
            if called is not None and "inputs" not in called.unread:
                yield from _call(workflow, action, called)


def _call(workflow: Workflow, action: Action, called: Workflow) -> Iterator[Diagnostic]:
    document = workflow.document
    for name, declared in called.inputs.items():
        if declared.required and name not in action.inputs:
            span = document.span((*action.pointer, "workflow"))
            about = f": {declared.description}" if declared.description else ""
            yield _finding(
                f"the workflow '{called.name}' needs the input '{name}'{about}",
                Label(span),
                f"add with: {{{name}: ...}}",
                declared,
            )
    known = called.document.value.get("inputs") if isinstance(called.document.value, dict) else None
    names = list(known) if isinstance(known, dict) else []
    for name in action.inputs:
        if name not in names:
            span = document.span((*action.pointer, "with", name), key=True)
            remedy = names_hint(name, names, what="inputs")
            yield _finding(f"the workflow '{called.name}' has no input '{name}'", Label(span), remedy)
        elif name in called.inputs:
            yield from _secrecy(workflow, action, called.inputs[name])


def _secrecy(workflow: Workflow, action: Action, declared: Input) -> Iterator[Diagnostic]:
    """Check that secrets go into secret inputs, and nothing typed in does."""
    tree = action.inputs[declared.name]
    pointer = (*action.pointer, "with", declared.name)
    if declared.secret:
        if not any(not each.constant for each in template.templates(tree)):
            yield _finding(
                f"the input '{declared.name}' is secret: a value typed in here is in git for good",
                Label(workflow.document.span(pointer), concealed=True),
                f"name it under `secrets` of this workflow, and write {{{{ secrets.{declared.name} }}}} here",
                declared,
            )
        return
    for each in template.templates(tree):
        for reference in each.references:
            if secret_label(workflow, reference) is not None:
                yield _finding(
                    f"'{reference.text}' is secret, and the input '{declared.name}' is not",
                    Label(place(each, reference, 2 if reference.root == "actions" else 1)),
                    f"declare the input `{declared.name}` as `secret: true`",
                    declared,
                )


def _finding(message: str, primary: Label, remedy: str, declared: Input | None = None) -> Diagnostic:
    related = (Label(declared.span, "declared here"),) if declared is not None else ()
    return Diagnostic(
        rule="unfit-call", severity=SEVERITY, message=message, primary=primary, related=related, help=remedy
    )
