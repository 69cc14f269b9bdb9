"""What one workflow knows while it is interpreted: as templates see it, and as references carry it to a step."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from runner import template
from runner.errors import JsonObject
from runner.frozen import dataclass
from runner.model import Action, Limits, Workflow
from runner.order import Order
from runner.perform import Headers
from runner.plan import Plan, secret_label
from runner.project import Project
from runner.reference import Reference
from runner.result import ActionResult
from runner.sensitive import MASK
from runner.template import Template, Tree
from runner.template_text import holds as true


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How a workflow came to run. The run's own has no `key` and depth 0.

    `key` is the path of the calling action, `handled` says that a caller goes on after a failure, `ref` is the reference
    of the calling action where secret inputs come from it.
    """

    inputs: JsonObject = field(default_factory=dict)
    key: str = ""
    depth: int = 0
    handled: bool = False
    ref: JsonObject | None = None

    def to_json(self) -> JsonObject:
        """Give what a reference carries of it."""
        data: JsonObject = {"key": self.key, "depth": self.depth, "handled": self.handled}
        return data if self.ref is None else {**data, "ref": self.ref}


class Frame:
    """One workflow on its way: its inputs and variables, and how its actions ended."""

    def __init__(
        self, project: Project, workflow: Workflow, plan: Plan, run: JsonObject, call: Call, limits: Limits
    ) -> None:
        self.workflow = workflow
        self.plan = plan
        self.run = run
        self.call = call
        self.order = Order(workflow)
        self.states: dict[str, JsonObject] = {}
        self._places = {action.id: place for place, action in enumerate(workflow.every_action)}
        self.error: JsonObject | None = None
        self.vars: dict[str, Any] = dict(project.vars)
        self._most = limits.template_output

    def key(self, action: Action) -> str:
        """Give the path of an action in the run."""
        return f"{self.call.key}/{action.key}" if self.call.key else action.key

    def ref(self, action: Action, key: str) -> JsonObject:
        """Give the reference of an action: all that performing it takes, besides secrets. It is JSON."""
        ref: JsonObject = {
            "document": self.run["digest"],
            "workflow": self.workflow.name,
            "action": action.key,
            "key": key,
            "handled": self.call.handled or action.on_error == "continue",
            "inputs": self.call.inputs,
            "vars": self.vars,
            "actions": self._visible(self.order.carried(action)),
            "run": {name: value for name, value in self.run.items() if name != "digest"},
        }
        if self.call.key:
            ref["call"] = self.call.to_json()
        if action.section != "actions":
            ref["error"] = self.error
        return ref

    def called(self) -> JsonObject:
        """Give what it takes to render the outputs of this workflow where the secrets are."""
        return {"inputs": self.call.inputs, "vars": self.vars, "actions": self.states}

    def context(self, action: Action | None = None) -> dict[str, Any]:
        """Give what the templates of an action see, without secrets; without an action what those of outputs see."""
        names = self.states if action is None else self.order.visible(action)
        context: dict[str, Any] = {
            "inputs": self.call.inputs,
            "vars": self.vars,
            "environment": self.plan.environment,
            "actions": {name: seen(state) for name, state in self._visible(names).items()},
            "run": self.run,
        }
        if action is not None and action.section != "actions":
            context["error"] = self.error
        return context

    def set_vars(self) -> None:
        """Render the variables of the workflow; raises FailureError."""
        context = self.context()
        given = self.workflow.vars.items()
        self.vars |= {name: template.render(tree, context, limit=self._most) for name, tree in given}

    def output(self, tree: Tree) -> Any:
        """Render an output of the workflow; what a secret flows into is masked."""

        def hide(reference: Reference) -> str | None:
            return MASK if secret_label(self.workflow, reference) else None

        return template.render_shown(tree, self.context(), hide, limit=self._most)

    def settle(self, result: ActionResult, more: Mapping[str, Any]) -> None:
        """Keep how an action ended; `more` is what its result holds besides: `response`, `error`."""
        state: JsonObject = {"status": result.status.value}
        if "response" in more:
            state["response"] = more["response"]
        if result.sensitive:
            # Where the process that holds the output finds it: perform looks there.
            state["sensitive"] = {"key": result.key}
            if "items" in result.record:
                state["sensitive"]["items"] = result.record["items"]["count"]
        elif "output" in more:
            state["output"] = more["output"]
        if result.error is not None:
            state["error"] = {"kind": result.error.kind.value, "message": result.error.message}
            if "failed" in more.get("error", ()):
                state["error"]["failed"] = more["error"]["failed"]
        self.states[result.id] = state

    def _visible(self, names: Iterable[str]) -> dict[str, JsonObject]:
        """Give the states of actions, in the order of the file."""
        found = sorted(self.states.keys() & names, key=self._places.__getitem__)
        return {name: self.states[name] for name in found}


def holds(condition: Template | bool | None, context: Mapping[str, Any]) -> bool:
    """Tell whether a condition is true; text is judged by what it says. Raises FailureError."""
    if condition is None or isinstance(condition, bool):
        return condition is not False
    return true(condition.render(context))


def seen(state: JsonObject) -> JsonObject:
    """Give the state of an action as templates see it."""
    shown = {name: value for name, value in state.items() if name != "sensitive"}
    if isinstance(shown.get("response"), Mapping):
        shown["response"] = {**shown["response"], "headers": Headers(shown["response"]["headers"])}
    return shown
