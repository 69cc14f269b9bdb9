"""What a run is given: a plan without secrets, and the same plan shown to a reviewer.

Nothing here reaches Vault or the network.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from runner import calls, registry, template, users
from runner.diagnostics import names_hint
from runner.duration import written
from runner.errors import FailureError, JsonObject, UsageError
from runner.frozen import dataclass
from runner.model import Action, Workflow
from runner.project import Project
from runner.reference import Reference
from runner.secret_ref import MalformedReferenceError, ResolvedRef, SecretRef
from runner.sensitive import Secret, placeholder
from runner.template import Hide, Template, Tree
from runner.template_text import holds

KNOWN_LATER = "‹known at run time›"

SHOWN_ITEMS = 3
"""How many items of a `for_each` a plan shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is given. Everything but `secret_inputs` is JSON without secrets and may travel."""

    workflow: str
    documents: Mapping[str, str]
    inputs: JsonObject
    environment: str | None
    user: str | None
    secret_inputs: Mapping[str, Secret] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 over the paths and texts of the files: the same files, the same digest."""
        canonical = json.dumps(self.documents, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()


def find_workflow(project: Project, name: str) -> Workflow:
    """Give a workflow by its name (or its file's path); raises UsageError with a suggestion."""
    plain = name.removeprefix("workflows.d/").removesuffix(".yaml")
    if plain not in project.workflow_names and name.endswith(".yaml"):
        path = Path(os.path.abspath(name))  # noqa: PTH100 - a link keeps its own name
        if path.is_relative_to(project.root / "workflows.d"):
            plain = path.relative_to(project.root / "workflows.d").with_suffix("").as_posix()
    if plain in project.workflows:
        return project.workflows[plain]
    names = project.workflow_names
    if plain in names:
        raise UsageError(f"the workflow '{plain}' cannot be read", help="`runner validate` says why")
    raise UsageError(f"no workflow '{name}'", help=names_hint(plain, names, what="workflows"))


def resolve(
    project: Project,
    workflow_name: str,
    *,
    inputs: Mapping[str, Any],
    user: str | None,
    partial: bool = False,
) -> Plan:
    """Make the plan of a run; raises UsageError for an unknown user or a personal connection without a user."""
    workflow = find_workflow(project, workflow_name)
    user = users.resolve(project.users, user)
    if not partial:
        require_user(project, calls.connections(project, workflow), user)
    return Plan(
        workflow=workflow.name,
        documents=dict(sorted(project.texts.items())),
        inputs={name: value for name, value in inputs.items() if not isinstance(value, Secret)},
        secret_inputs={name: value for name, value in inputs.items() if isinstance(value, Secret)},
        environment=project.environment,
        user=user,
    )


def require_user(project: Project, connections: Sequence[str], user: str | None) -> None:
    """Raise UsageError where a personal connection is used and nobody says as whom."""
    if user is not None:
        return
    for name in connections:
        connection = project.connections.get(name)
        if connection and any(ref.personal for ref in connection.secrets.values()):
            raise UsageError(
                f"the connection '{name}' is personal: say as whom this runs",
                help="add --as USER or set RUNNER_USER",
            )


class View:
    """Renders templates for a reviewer: what is known shows, what is not has a placeholder."""

    def __init__(
        self, project: Project, workflow: Workflow, plan: Plan, callers: tuple[str, ...] = ()
    ) -> None:
        self.project = project
        self.workflow = workflow
        self.plan = plan
        self.callers = (*callers, workflow.name)
        self.known_outputs: set[str] = set()
        self.unknown_vars: set[str] = set()
        self.context: dict[str, Any] = {
            "inputs": dict(plan.inputs),
            "vars": dict(project.vars),
            "environment": plan.environment,
            "run": {"workflow": self.callers[0], "user": plan.user},
            "actions": {},
        }
        own: dict[str, Any] = {}
        for name, tree in workflow.vars.items():
            if any(each.uses(self.hide) for each in template.templates(tree)):
                self.unknown_vars.add(name)
            else:
                own[name] = self.show(tree)
        self.context["vars"] = {**project.vars, **own}

    def hide(self, reference: Reference) -> str | None:
        """Give the placeholder of a reference that is secret or known at run time only."""
        label = secret_label(self.workflow, reference)
        if label is not None:
            return placeholder(label)
        name = str(reference.path[0]) if reference.path else None
        if reference.root == "inputs":
            return KNOWN_LATER if name in self.workflow.inputs and name not in self.plan.inputs else None
        if reference.root == "vars":
            return KNOWN_LATER if name in self.unknown_vars else None
        if reference.root == "run":
            return None if name in ("workflow", "user") else KNOWN_LATER
        if reference.root == "actions":
            return None if name in self.known_outputs and reference.path[1:2] == ("output",) else KNOWN_LATER
        if reference.root in ("item", "index"):
            return None if reference.root in self.context else KNOWN_LATER
        return KNOWN_LATER if reference.root in ("response", "error") else None

    def show(self, tree: Tree) -> Any:
        """Render a tree with placeholders; what cannot be rendered says so in place."""
        return _shown(tree, self.context, self.hide)

    def show_for(self, tree: Tree) -> Any:
        """Render a tree of a connection, which sees the project's variables and never those of a workflow."""

        def hide(reference: Reference) -> str | None:
            return self.hide(reference) if reference.root == "run" else None

        return _shown(tree, {**self.context, "vars": dict(self.project.vars)}, hide)

    @contextmanager
    def item(self, item: Any, index: int) -> Iterator[None]:
        """Know an item of a `for_each` for a while."""
        before = self.context
        self.context = {**before, "item": item, "index": index}
        try:
            yield
        finally:
            self.context = before

    def known(self, tree: Tree) -> bool:
        """Tell whether a tree can be rendered in full before the run."""
        return not any(each.uses(self.hide) for each in template.templates(tree))


def _shown(tree: Tree, context: Mapping[str, Any], hide: Hide) -> Any:
    if isinstance(tree, dict):
        return {key: _shown(item, context, hide) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_shown(item, context, hide) for item in tree]
    try:
        return template.render_shown(tree, context, hide)
    except FailureError as problem:
        return _unrendered(problem)


def _unrendered(problem: FailureError) -> str:
    return f"‹cannot be rendered: {problem.failure.message}›"


def secret_label(workflow: Workflow, reference: Reference) -> str | None:
    """Name the secret that a reference gives, or None where it gives none."""
    name = str(reference.path[0]) if reference.path else None
    if reference.root == "secrets":
        ref = workflow.secrets.get(name or "")
        return ref.text.partition("://")[2] if ref else "secrets"
    if reference.root == "inputs":
        secret = [each.name for each in workflow.inputs.values() if each.secret]
        if name in secret or (name is None and secret) or (reference.dynamic and name is None and secret):
            return f"inputs.{name or '*'}"
    if reference.root == "actions":
        sensitive = [action.id for action in workflow.every_action if action.sensitive]
        if (
            name in sensitive
            and reference.path[1:2] != ("status",)
            and (len(reference.path) == 1 or reference.path[1] == "output")
        ):
            return f"actions.{name}.output"
        if name is None and sensitive:
            return "actions.*"
    return None


def resolved_refs(
    project: Project, refs: Mapping[str, SecretRef], plan: Plan
) -> tuple[dict[str, ResolvedRef], list[tuple[SecretRef, MalformedReferenceError]]]:
    """Fill the holes of references; gives what could be filled and what could not."""
    done: dict[str, ResolvedRef] = {}
    wrong: list[tuple[SecretRef, MalformedReferenceError]] = []
    for name, ref in refs.items():
        try:
            done[name] = ref.resolve(user=plan.user, environment=plan.environment, variables=project.vars)
        except MalformedReferenceError as problem:
            wrong.append((ref, problem))
    return done, wrong


def label_of(project: Project, ref: SecretRef, plan: Plan) -> str:
    """Name a reference for people: filled where it can be, as written otherwise."""
    done, _ = resolved_refs(project, {"": ref}, plan)
    return done[""].label if done else ref.text.partition("://")[2]


def describe(project: Project, plan: Plan) -> JsonObject:
    """Show what a run would do, as JSON (`runner.d/plan/1`)."""
    workflow = find_workflow(project, plan.workflow)
    view = View(project, workflow, plan)
    inputs = {
        name: placeholder(f"inputs.{name}") if declared.secret else plan.inputs.get(name, KNOWN_LATER)
        for name, declared in workflow.inputs.items()
    }
    lock = workflow.concurrency
    alone = {"key": view.show(lock.key), "on_conflict": lock.on_conflict} if lock else None
    return {
        "format": "runner.d/plan/1",
        "workflow": workflow.name,
        "environment": plan.environment,
        "user": plan.user,
        "inputs": inputs,
        **({"concurrency": alone} if alone else {}),
        "secrets": _secrets(project, workflow, plan, view),
        "actions": [_describe_action(action, view) for action in workflow.every_action],
        "outputs": {name: view.show(tree) for name, tree in workflow.outputs.items()},
    }


def _describe_action(action: Action, view: View) -> JsonObject:
    described: JsonObject = {"id": action.id, "section": action.section, "kind": action.kind}
    if action.name:
        described["name"] = action.name
    if action.connection:
        described["connection"] = action.connection
    if action.needs is not None:
        described["needs"] = list(action.needs)
    condition = action.condition
    if condition is not None:
        described["if"] = _describe_condition(condition, view)
    if action.for_each is not None:
        described["for_each"] = _describe_items(action, view)
    described.update(registry.load("actions", action.kind).describe(action, view))
    if action.repeat is not None:
        described["repeat"] = {
            "until": action.repeat.until.text.strip(),
            "every": written(action.repeat.every),
            "at_most": action.repeat.at_most,
        }
    if (
        action.kind == "set"
        and not action.sensitive
        and action.for_each is None
        and condition in (None, True)
        and view.known(action.config)
    ):
        view.known_outputs.add(action.id)
        view.context["actions"][action.id] = {"output": described["set"], "status": "succeeded"}
    if action.on_error == "continue":
        described["on_error"] = "continue"
    return described


def describe_call(action: Action, callee: Workflow, view: View) -> JsonObject:
    """Show what a called workflow would do with the inputs that it gets, as far as they are known before the run."""
    given = {name: view.show(tree) for name, tree in action.inputs.items()}
    described: JsonObject = {"with": given} if given else {}
    if callee.name in view.callers:  # a circle, which the checks report
        return described
    known: JsonObject = {}
    for name, declared in callee.inputs.items():
        if name in action.inputs and not declared.secret and view.known(action.inputs[name]):
            known[name] = given[name]
        elif name not in action.inputs and not declared.required:
            known[name] = declared.default
    plan = replace(view.plan, workflow=callee.name, inputs=known, secret_inputs={})
    inner = View(view.project, callee, plan, view.callers)
    return {**described, "actions": [_describe_action(each, inner) for each in callee.every_action]}


def _describe_condition(condition: Template | bool, view: View) -> bool | str:
    """Say whether a condition is true, as a run judges it; text where that is not known, or cannot be."""
    if isinstance(condition, bool):
        return condition
    if not view.known(condition):
        return KNOWN_LATER
    try:
        return holds(template.render_shown(condition, view.context, view.hide))
    except FailureError as problem:
        return _unrendered(problem)


def _describe_items(action: Action, view: View) -> JsonObject:
    """Show over what an action goes: the first items as they would be done, where the list is known before the run."""
    described: JsonObject = {"concurrency": action.concurrency}
    given = view.show(action.for_each) if view.known(action.for_each) else None
    if isinstance(given, Mapping):
        given = [{"key": key, "value": value} for key, value in given.items()]
    if not isinstance(given, list):
        template_text = action.for_each.text.strip() if isinstance(action.for_each, Template) else None
        return {**described, "over": template_text, "count": KNOWN_LATER}
    described["count"] = len(given)
    described["first"] = first = []
    kind = registry.load("actions", action.kind)
    for index, item in enumerate(given[:SHOWN_ITEMS]):
        with view.item(item, index):
            shown: JsonObject = {"index": index, "item": item}
            if isinstance(action.condition, Template):
                shown["if"] = _describe_condition(action.condition, view)
            first.append({**shown, **kind.describe(action, view)})
    return described


def _secrets(project: Project, workflow: Workflow, plan: Plan, view: View) -> list[JsonObject]:
    listed: list[JsonObject] = []
    for name in calls.connections(project, workflow):
        connection = project.connections.get(name)
        if connection is None:
            continue
        for where, ref in connection.secrets.items():
            hosts = dict.fromkeys(host_of(url, view.show_for) for url in connection.destinations(where))
            shown = {
                "reference": label_of(project, ref, plan),
                "connection": name,
                "field": connection.said(where),
            }
            listed += [{**shown, "host": host} for host in hosts]
    for each in calls.reached(project, workflow):
        for name, ref in each.secrets.items():
            listed.append(
                {"reference": label_of(project, ref, plan), "workflow": each.name, "field": f"secrets.{name}"}
            )
    return listed


def host_of(url: Template, show: Callable[[Tree], Any]) -> str:
    """Give the host and port of a URL as far as a plan knows them."""
    rest = str(show(url)).partition("://")[2]
    return rest.partition("/")[0]
