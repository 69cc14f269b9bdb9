"""A template names something that does not exist where it stands.

An input, a variable, a secret or an action that is declared nowhere, an action that has not run yet when the template
is rendered, or a part that the thing does not have (`run.started`, `actions.search.body`). A run would stop there, in
the middle of its work; this says so before anything is sent. `| default(...)` does not silence it: what is declared
nowhere can never have a value.

What counts as known: the actions that have certainly ended. Without `needs` those are the ones written before; with it,
the ones that it names, what those wait for, and no other: an action that may still be running has no output yet. Beside
these `on_failure` knows all of `actions`, `finally` both lists, and `outputs` all of `actions`. The `vars` of a workflow
see those of runner.yaml only. An id in `needs` that does not exist is reported here as well.

```bad
# workflows.d/escalate.yaml
actions:
  - id: search
    request: {url: https://example.com/search}
  - id: page
    request:
      method: POST
      url: https://example.com/incidents
      json: {tickets: "{{ actions.serch.output }}"}
```
```good
# workflows.d/escalate.yaml
actions:
  - id: search
    request: {url: https://example.com/search}
  - id: page
    request:
      method: POST
      url: https://example.com/incidents
      json: {tickets: "{{ actions.search.output }}"}
```
"""

from collections.abc import Collection, Iterator

from runner.calls import callee
from runner.diagnostics import Diagnostic, Label, Severity, closest, names_hint
from runner.frozen import dataclass
from runner.model import SECTIONS, Action, Workflow
from runner.order import Order, Step
from runner.project import Project
from runner.reference import Reference
from runner.rules import ROOTS, doubled, every_template, place, settings_unread
from runner.template import Template

SEVERITY = Severity.ERROR
SUMMARY = "a template names something that does not exist where it stands"

_PARTS: dict[str, frozenset[str]] = {
    "run": frozenset({"id", "workflow", "started_at", "user"}),
    "response": frozenset({"status", "headers", "body", "url", "elapsed", "pages"}),
    "error": frozenset({"kind", "message", "action"}),
    "auth": frozenset({"username", "password"}),
    "request": frozenset(
        {"method", "url", "host", "path", "query", "target", "headers", "body", "body_hash", "timestamp"}
    ),
}
_BODY = frozenset({"body"})
_LOGIN_PARTS = frozenset({"status", "headers", "body", "cookies"})
"""What `auth.token` of a session sees of the answer to its login."""
_ACTION_PARTS = frozenset({"output", "status", "response", "error"})
_RECORDED_PARTS = frozenset({"status", "headers"})
_FOREIGN = {
    "steps": "actions",
    "params": "inputs",
    "env": "vars",
    "user": "run.user",
    "result": "response",
    "body": "response.body",
}
"""Names that other tools use for what stands on the right."""


def check(project: Project) -> Iterator[Diagnostic]:
    """Check every reference of every template."""
    variables = None if settings_unread(project) else project.known_vars
    orders = {name: Order(workflow) for name, workflow in project.workflows.items()}
    for template, workflow in every_template(project):
        order = orders[workflow.name] if workflow is not None else None
        for reference in template.references:
            found = _Use(project, template, reference, workflow, variables, order).check()
            if found is not None:
                yield found
    for workflow in project.workflows.values():
        for action in _every_step(workflow):
            for index, name in enumerate(action.needs or ()):
                yield from _needed(workflow, action, index, name)


def _every_step(workflow: Workflow) -> tuple[Step, ...]:
    """Give all actions, those that have errors last."""
    return (*workflow.every_action, *workflow.broken)


def _needed(workflow: Workflow, action: Step, index: int, name: str) -> Iterator[Diagnostic]:
    """Check one id of `needs`."""
    at = SECTIONS.index(action.section)
    other = next((each for each in _every_step(workflow) if each.id == name), None)
    related: tuple[Label, ...] = ()
    if other is not None and SECTIONS.index(other.section) <= at:
        return
    if other is not None:
        there = Label(workflow.document.span((*other.pointer, "id")), "it stands here")
        message = f"action '{name}' stands in `{other.section}`, which runs after this one"
        remedy, related = "an action can need those of its own list", (there,)
    elif {*SECTIONS} & workflow.unread:
        return
    else:
        known = [each.id for each in _every_step(workflow) if each.section == action.section]
        message = f"no action '{name}' to wait for"
        remedy = names_hint(name, {each for each in known if each != action.id}, what="actions")
    yield Diagnostic(
        rule="undefined-reference",
        severity=SEVERITY,
        message=message,
        primary=Label(workflow.document.span((*action.pointer, "needs", index))),
        related=related,
        help=remedy,
    )


@dataclass(slots=True)
class _Use:
    """One reference in its template. `variables` are those of the project, None where they are not known."""

    project: Project
    template: Template
    reference: Reference
    workflow: Workflow | None
    variables: frozenset[str] | None
    order: Order | None

    def check(self) -> Diagnostic | None:
        root, path = self.reference.root, self.reference.path
        if root not in ROOTS:
            near = _FOREIGN.get(root)
            remedy = (
                f"did you mean '{near}'?"
                if near
                else names_hint(root, self.template.roots, what="names here")
            )
            return self._error(f"there is no '{root}' in templates", 0, remedy)
        if root not in self.template.roots or not path:
            return None  # `unavailable-root` speaks of the first
        if root == "environment":
            return self._error(
                f"'environment' is text: it has no '{path[0]}'", 1, "write {{ environment }} for its name"
            )
        if root in _PARTS:
            return self._part(0, self._response() if root == "response" else _PARTS[root])
        if root == "vars":
            return self._variable(str(path[0]))
        if root in ("inputs", "secrets"):
            return self._declared(root, str(path[0]))
        return self._action(str(path[0])) if root == "actions" else None

    def _calls(self) -> bool:
        """Tell whether the template stands in a call: its `response` is what the workflow gave."""
        owner, workflow = self.template.owner, self.workflow
        actions = workflow.every_action if workflow is not None and owner is not None else ()
        return any(item.kind == "workflow" for item in actions if (item.section, item.index) == owner)

    def _response(self) -> frozenset[str]:
        """Name the parts of the answer that the template is about: of a call, a login, or a request."""
        if self._calls():
            return _BODY
        return _LOGIN_PARTS if self.template.field == "auth.token" else _PARTS["response"]

    def _error(self, message: str, parts: int, remedy: str | None, *related: Label) -> Diagnostic:
        where = place(self.template, self.reference, parts)
        return Diagnostic(
            rule="undefined-reference",
            severity=SEVERITY,
            message=message,
            primary=Label(where),
            related=related,
            help=remedy,
        )

    def _part(self, depth: int, known: Collection[str]) -> Diagnostic | None:
        """Check the part at `depth` of the path against the names that there are."""
        path = self.reference.path
        if len(path) <= depth or path[depth] in known:
            return None
        before = Reference(self.reference.root, path[:depth], 0, 0).text
        remedy = names_hint(str(path[depth]), known, prefix=f"{before}.", what=f"names in '{before}'")
        return self._error(f"'{before}' has no '{path[depth]}'", depth + 1, remedy)

    def _variable(self, name: str) -> Diagnostic | None:
        if self.variables is None or name in self.variables:
            return None
        known = set(self.variables)
        if self.workflow is not None:
            own = _names(self.workflow, "vars")
            if own is None:
                return None
            if self.template.owner is not None or self.template.pointer[0] != "vars":
                known |= own
            elif name in own:
                remedy = "take it from `inputs`, or declare it under `vars` in runner.yaml"
                return self._error(
                    f"'vars.{name}' is not known here: `vars` see those of runner.yaml only", 1, remedy
                )
        if name in known or self.reference.guarded:  # an environment may have it and another may not
            return None
        remedy = names_hint(name, known, prefix="vars.", what="vars")
        if not known:
            remedy = "there are none: declare it under `vars` in runner.yaml"
        return self._error(f"no variable '{name}'", 1, remedy)

    def _declared(self, root: str, name: str) -> Diagnostic | None:
        if self.workflow is None:
            return None
        known = _names(self.workflow, root)
        if known is None or name in known:
            return None
        what = root.removesuffix("s")
        remedy = names_hint(name, known, prefix=f"{root}.", what=root)
        if not known:
            remedy = f"this workflow declares no {root}: add it under `{root}`"
        return self._error(f"no {what} '{name}'", 1, remedy)

    def _action(self, name: str) -> Diagnostic | None:
        workflow = self.workflow
        if workflow is None:
            return None
        action = next((step for step in _every_step(workflow) if step.id == name), None)
        if action is not None and self._sees(action):
            return self._inside(action) if isinstance(action, Action) else None
        if action is not None:
            return None if doubled(workflow) else self._too_early(action)
        if any(section in workflow.unread for section in SECTIONS):
            return None
        before = " before this one" if self.template.owner else ""
        visible = {step.id for step in _every_step(workflow) if self._sees(step)}
        remedy = names_hint(name, visible, prefix="actions.", what=f"actions{before}")
        later = closest(name, [item.id for item in _every_step(workflow) if item.id not in visible])
        if later and "did you mean" not in remedy:
            remedy = f"'{later}' stands after this one" if self.template.owner else remedy
        return self._error(f"no action '{name}'{before}", 1, remedy)

    def _sees(self, step: Step) -> bool:
        """Whether an action has ended when the template is rendered."""
        owner = self.template.owner
        if owner is None:
            return step.section == "actions"
        assert self.order is not None
        return self.order.is_before_place(step.id, owner)

    def _too_early(self, other: Step) -> Diagnostic:
        assert self.workflow is not None
        there = Label(self.workflow.document.span((*other.pointer, "id")), "it stands here")
        owner = self.template.owner
        if owner == (other.section, other.index):
            remedy = (
                "`response` holds its answer"
                if "response" in self.template.roots
                else "an action sees those before it"
            )
            return self._error(f"action '{other.id}' is this one: it has no output yet", 1, remedy)
        if owner is None:
            message = (
                f"action '{other.id}' stands in `{other.section}`, which runs after the outputs are made"
            )
            return self._error(message, 1, "outputs see `actions` only", there)
        if owner[0] == other.section:
            here = next(
                (item for item in _every_step(self.workflow) if (item.section, item.index) == owner), None
            )
            if here is not None and here.needs is not None:
                message = f"action '{other.id}' may still be running: this one does not wait for it"
                remedy = f"add it: needs: [{', '.join([*here.needs, other.id])}]"
                return self._error(message, 1, remedy, there)
            if other.index < owner[1]:
                message = f"action '{other.id}' may still be running: nothing before this one waits for it"
                remedy = f"say what this one waits for: needs: [{', '.join([*self._direct(here), other.id])}]"
                return self._error(message, 1, remedy, there)
            remedy = f"move '{other.id}' before it"
            return self._error(f"action '{other.id}' stands after this one", 1, remedy, there)
        message = f"action '{other.id}' stands in `{other.section}`, which runs after this one"
        return self._error(message, 1, f"`{owner[0]}` sees only what runs before it", there)

    def _direct(self, action: Step | None) -> tuple[str, ...]:
        return () if action is None or self.order is None else self.order.direct(action)

    def _inside(self, action: Action) -> Diagnostic | None:
        path = self.reference.path
        if action.for_each is not None and path[1:2] == ("response",):
            remedy = (
                "give what is needed of each answer with `output`: it is a list, in the order of the items"
            )
            return self._error(f"'{action.id}' has no response of its own: it has `for_each`", 2, remedy)
        wrong = self._part(1, _ACTION_PARTS)
        if wrong is not None or len(path) < 3:
            return wrong
        if path[1] == "response":
            return self._part(2, _RECORDED_PARTS)
        if path[1] == "output" and action.for_each is None:
            made = action.config if action.kind == "set" else action.output if action.has_output else None
            if action.kind == "workflow":
                called = callee(self.project, action)
                made = _called_outputs(called) if called is not None else None
            if isinstance(made, dict):
                return self._part(2, made)
        return None


def _called_outputs(called: Workflow) -> dict[str, None] | None:
    """Name what a called workflow gives; None where that cannot be told."""
    names = _names(called, "outputs")
    return None if names is None or "outputs" in called.unread else dict.fromkeys(names)


def _names(workflow: Workflow, key: str) -> frozenset[str] | None:
    """List what a workflow declares under a key, also where a part of it has errors; None where it cannot be told."""
    value = workflow.document.value
    declared = value.get(key, {}) if isinstance(value, dict) else None
    return frozenset(declared) if isinstance(declared, dict) else None
