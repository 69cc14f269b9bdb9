"""A template uses the output of an action that may not have one.

An action with `if` may be skipped, one with `on_error: continue` may have failed, and when `on_failure` or `finally`
run any action may not have been reached. Then `actions.ID.output` does not exist, and the template that reads it fails:
in `finally` that hides cleaning up behind another error.

An action with `for_each` always has an output once it ran: null stands for an item that was skipped or failed.

Any of these makes it right: `| default(...)`, `is defined`, a condition over `actions.ID.status` around it or in the
action's own `if`, or the very `if` of the action that is read (all its parts, if it has several with `and`).

```bad
# workflows.d/report.yaml
inputs:
  details: {type: boolean, default: false}
actions:
  - id: read
    if: "{{ inputs.details }}"
    request: {url: https://example.com/reports}
outputs:
  count: "{{ actions.read.output.count }}"
```
```good
# workflows.d/report.yaml
inputs:
  details: {type: boolean, default: false}
actions:
  - id: read
    if: "{{ inputs.details }}"
    request: {url: https://example.com/reports}
  - id: note
    if: "{{ inputs.details }}"
    request:
      method: POST
      url: https://example.com/notes
      json: {count: "{{ actions.read.output.count }}"}
outputs:
  count: "{{ actions.read.output.count | default(0) }}"
```
"""

from collections.abc import Iterator

from runner.diagnostics import Diagnostic, Label, Severity
from runner.expression import Facts, Use, facts
from runner.model import Action, Workflow
from runner.project import Project
from runner.reference import Reference
from runner.rules import asks, place
from runner.template import Template

SEVERITY = Severity.WARNING
SUMMARY = "a template uses the output of an action that may not have one"

_ABSENT = (("output",), ("response",))


def check(project: Project) -> Iterator[Diagnostic]:
    """Check every use of an output or response in every workflow."""
    for workflow in project.workflows.values():
        reader = _Reader(workflow)
        for template in workflow.templates:
            if any(reader.uncertain(template, each) for each in template.references):
                yield from reader.check(template)


class _Reader:
    """One workflow: which actions may be without output, and what the conditions of each action prove."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.actions = {action.id: action for action in workflow.every_action}
        self.owners = {(action.section, action.index): action for action in workflow.every_action}
        self.facts: dict[str, Facts] = {}
        self.proven: dict[str, tuple[frozenset[str], frozenset[str]]] = {}

    def uncertain(self, template: Template, reference: Reference) -> bool:
        """Tell at a glance whether a reference needs a closer look."""
        if reference.root != "actions" or reference.guarded or reference.path[1:2] not in _ABSENT:
            return False
        action = self.actions.get(str(reference.path[0]))
        return action is not None and (
            action.condition is not None
            or (action.on_error == "continue" and action.for_each is None)
            or (template.owner is not None and template.owner[0] != action.section)
        )

    def check(self, template: Template) -> Iterator[Diagnostic]:
        """Check one template."""
        owner = self.owners.get(template.owner) if template.owner else None
        asked, conditions = frozenset[str](), frozenset[str]()
        if owner is not None and template is not owner.condition:
            asked, conditions = self._proven(owner)
        for use in facts(template).uses:
            if not self.uncertain(template, use.reference):
                continue
            action = self.actions[str(use.reference.path[0])]
            if action.id in asked | use.beside:
                continue
            why = self._why(action, owner, use, conditions)
            if why:
                yield self._finding(template, use.reference, action, *why)

    def _why(
        self, action: Action, owner: Action | None, use: Use, conditions: frozenset[str]
    ) -> tuple[str, str] | None:
        """Say why the action may have no output here, and which of its keys says so."""
        if owner is not None and owner.section != action.section:
            return f"may not have run when `{owner.section}` does", "id"
        if action.on_error == "continue" and action.for_each is None:
            return "may have failed (`on_error: continue`)", "on_error"
        wanted = self._facts(action).conjuncts
        if (wanted and wanted <= conditions | use.conditions) or not asks(action) or action.by_item:
            return None
        return "may be skipped", "if"

    def _finding(
        self, template: Template, reference: Reference, action: Action, why: str, key: str
    ) -> Diagnostic:
        what = reference.path[1]
        return Diagnostic(
            rule="skipped-reference",
            severity=SEVERITY,
            message=f"'{action.id}' {why}: then it has no {what}",
            primary=Label(place(template, reference, 2)),
            related=(Label(self.workflow.document.span((*action.pointer, key)), "see here"),),
            help=f"write {{{{ {reference.text} | default(none) }}}}, or ask for actions.{action.id}.status first",
        )

    def _facts(self, action: Action) -> Facts:
        """Give the facts of an action's condition."""
        if action.id not in self.facts:
            condition = action.condition
            self.facts[action.id] = facts(condition) if isinstance(condition, Template) else Facts()
        return self.facts[action.id]

    def _proven(self, action: Action) -> tuple[frozenset[str], frozenset[str]]:
        """List the actions that the condition of an action asks about, and what holds where it runs."""
        if action.id not in self.proven:
            asked: set[str] = set()
            conditions: set[str] = set()
            pending = [action]
            while pending:
                found = self._facts(pending.pop())
                conditions |= found.conjuncts
                for use in found.uses:
                    name = str(use.reference.path[0]) if use.reference.path else ""
                    if use.reference.root == "actions" and name in self.actions and name not in asked:
                        asked.add(name)
                        pending.append(self.actions[name])
            self.proven[action.id] = frozenset(asked), frozenset(conditions)
        return self.proven[action.id]
