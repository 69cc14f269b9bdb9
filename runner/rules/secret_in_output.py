"""An output is made of a secret.

Outputs stand in reports and in the history. So an action whose output holds a secret fails, after its request was sent;
a secret that was changed on the way (`upper`, a part of it) is not even recognised, and shows. Mark the action
`sensitive: true`: then its output is masked and kept nowhere, and later actions can still send it.

A call of a workflow whose outputs are made of a secret must be `sensitive: true` as well: then the caller can send them.

The outputs of a workflow are masked where a secret flows into them, so there it is a warning: what comes out is `***`. It
is none where a `sensitive: true` action calls the workflow: that is what such an output is for.

A hash of a secret (`sha256`, `hmac_sha256`), its length, and what only compares it are no secrets.

```bad
# workflows.d/report.yaml
secrets:
  token: vault://secret/support/reports#token
actions:
  - id: made
    set: {header: "Bearer {{ secrets.token }}"}
  - id: read
    request:
      url: https://example.com/reports
      headers: {Authorization: "{{ actions.made.output.header }}"}
```
```good
# workflows.d/report.yaml
secrets:
  token: vault://secret/support/reports#token
actions:
  - id: made
    set: {header: "Bearer {{ secrets.token }}"}
    sensitive: true
  - id: read
    request:
      url: https://example.com/reports
      headers: {Authorization: "{{ actions.made.output.header }}"}
```
"""

from collections.abc import Iterator

from runner import template
from runner.calls import callee
from runner.diagnostics import Diagnostic, Label, Severity, error, warning
from runner.expression import facts
from runner.flow import HARMLESS
from runner.model import Action, Workflow
from runner.plan import secret_label
from runner.project import Project
from runner.rules import place
from runner.template import Template, Tree

SEVERITY = Severity.ERROR
SUMMARY = "an output is made of a secret"


def check(project: Project) -> Iterator[Diagnostic]:
    """Check what outputs are made of: `set`, `output` of requests, outputs of workflows."""
    kept = {
        action.config
        for workflow in project.workflows.values()
        for action in workflow.every_action
        if action.kind == "workflow" and action.sensitive
    }
    for workflow in project.workflows.values():
        for action in workflow.every_action:
            if action.sensitive:
                continue
            trees = [action.config] if action.kind == "set" else [action.output]
            yield from _trees(workflow, trees, action.id)
            called = callee(project, action)
            if called is not None:
                yield from _call(workflow, action, called)
        if workflow.name not in kept:
            yield from _trees(workflow, list(workflow.outputs.values()), None)


def _call(workflow: Workflow, action: Action, called: Workflow) -> Iterator[Diagnostic]:
    """Find the outputs of a called workflow that are made of a secret."""
    for name, tree in called.outputs.items():
        for each in template.templates(tree):
            found = [item for item in each.references if secret_label(called, item) is not None]
            if found:
                related = Label(place(each, found[0], 2 if found[0].root == "actions" else 1), "made here")
                yield Diagnostic(
                    rule="secret-in-output",
                    severity=SEVERITY,
                    message=f"the output '{name}' of the workflow '{called.name}' is made of a secret: the action fails",
                    primary=Label(workflow.document.span((*action.pointer, "workflow"))),
                    related=(related,),
                    help="mark the action `sensitive: true`: then the output is masked and kept nowhere",
                )


def _trees(workflow: Workflow, trees: list[Tree], action: str | None) -> Iterator[Diagnostic]:
    for each in template.templates(trees):
        if each.references:
            yield from _template(workflow, each, action)


def _template(workflow: Workflow, each: Template, action: str | None) -> Iterator[Diagnostic]:
    if not any(secret_label(workflow, reference) for reference in each.references):
        return
    for use in facts(each).uses:
        reference = use.reference
        if reference.root not in each.roots or secret_label(workflow, reference) is None:
            continue
        span = place(each, reference, 2 if reference.root == "actions" else 1)
        if action is None:
            yield warning(
                "secret-in-output",
                "an output of the workflow is made of a secret: it is given as ***",
                span,
                help="give something that is no secret, or leave it out",
            )
        elif not use.judged and not HARMLESS & set(use.filters):
            yield error(
                "secret-in-output",
                f"the output of '{action}' is made of a secret: the action fails, or shows it",
                span,
                help="mark the action `sensitive: true`: then the output is masked and kept nowhere",
            )
