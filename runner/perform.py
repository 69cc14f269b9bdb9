"""Performs one action, end to end: a reference without secrets in, a redacted record out.

This is what a backend calls for every step. It reads secrets, talks HTTP and retries; what it gives back is JSON that is
safe to keep.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any

from runner import exact_json, registry, template
from runner.calling import check_input
from runner.errors import Failure, FailureError, FailureKind, JsonObject
from runner.frozen import dataclass
from runner.model import Action, Connection, Repeat, Workflow
from runner.plan import secret_label
from runner.reference import Reference
from runner.sensitive import Rendered, placeholder
from runner.template import Tree
from runner.template_text import holds

if TYPE_CHECKING:
    from runner.answer import Response
    from runner.session import Session


LARGEST_RECORDED_ITEM = 500
"""Characters of an item of `for_each` that a record holds; cleaned first, then cut."""


class Headers(dict[str, str]):
    """Response headers in templates: names in any case."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        """Look a header up in any case."""
        return super().get(name.lower(), default)


@dataclass(slots=True)
class Watcher:
    """Told of what happens while a step runs; the default is told and does nothing."""

    def started(self, key: str, data: JsonObject) -> None:
        """Be told that an action starts."""

    def retrying(self, key: str, data: JsonObject) -> None:
        """Be told that an attempt failed and when the next one starts."""

    def queued(self, key: str, data: JsonObject) -> None:
        """Be told that a connection makes a request wait: `wait` seconds for its rate limit, or None for a free place."""

    def paged(self, key: str, data: JsonObject) -> None:
        """Be told that a page was read: `page`, its number, and `items` of all pages so far."""

    def cut(self, record: JsonObject) -> None:
        """Be told that the action is given up in the middle: what is known of it."""


class Performance:
    """One action being performed: its context, what it may reveal, and the record that is kept of it."""

    def __init__(self, session: "Session", action: Action, ref: JsonObject, watcher: Watcher) -> None:
        self.session = session
        self.action = action
        self.workflow = session.workflow_of(ref)
        self.limits = session.limits_of(self.workflow)
        self.key: str = ref.get("key", action.key)
        self.watcher = watcher
        self.record: JsonObject = {}
        self.done = True
        self.step = str(ref.get("step", self.key))  # what its idempotency key is made of
        self.run_id: str = ref["run"]["id"]
        self.ref = ref
        self.context = _context(session, ref)

    def now(self) -> float:
        """Give the time, in seconds since 1970."""
        return self.session.now()

    def hide(self, reference: Reference) -> str | None:
        """Give the placeholder of a reference to a secret."""
        label = secret_label(self.workflow, reference)
        return None if label is None else placeholder(label)

    def render(self, tree: Tree, **more: Any) -> Rendered:
        """Render a tree of the action in both faces; `more` adds roots such as `response`."""
        context = {**self.context, **more} if more else self.context
        return template.render_both(tree, context, self.hide, limit=self.limits.template_output)

    def render_for(self, tree: Tree, **more: Any) -> Any:
        """Render a template of the connection, which sees fewer names."""
        own = {name: self.context[name] for name in ("environment", "run")}
        own["vars"] = dict(self.session.project.vars)
        return template.render(tree, {**own, **more})

    def base_url(self, connection: Connection) -> str:
        """Render the base URL, without a slash at its end."""
        known = self.session.base_urls
        url = known.get(connection.name)
        if url is None:
            from runner.request import check_url

            url = str(self.render_for(connection.base_url)).strip().rstrip("/")
            check_url(url, connection.base_url.span, allow_http=connection.allow_http)
            known[connection.name] = url
        return url

    def judge_repeat(self, repeat: Repeat, response: Mapping[str, Any]) -> None:
        """Tell by the response whether a repeated action is done."""
        self.done = holds(self.render(repeat.until, response=response).wire)

    def called_outputs(self) -> JsonObject:
        """Render the outputs of the workflow that this action called, secrets included."""
        callee = self.session.project.workflows[self.action.config]
        ref = {**self.ref, **self.ref["called"], "workflow": callee.name}
        ref["call"] = {"ref": {name: part for name, part in self.ref.items() if name != "called"}}
        context = _context(self.session, ref)
        most = self.session.limits_of(callee).template_output
        return {name: template.render(tree, context, limit=most) for name, tree in callee.outputs.items()}

    def output_of(self, action: Action, answer: "Response") -> Any:
        """Give the output of a request: the template `output` over the response, or the parsed body."""
        if action.repeat is not None:
            self.judge_repeat(action.repeat, answer.context())
        if not action.has_output:
            return answer.body
        return self.render(action.output, response=answer.context()).wire


async def perform(ref: JsonObject, session: "Session", watcher: Watcher | None = None) -> JsonObject:
    """Perform the action that a reference names; a failure is data in the result, never an exception.

    The result holds `status`, `output` (not of a sensitive action), `error`, `response` (status and headers) and
    `record` (request as shown, attempts, times).
    """
    from asyncio import CancelledError

    action = action_of(session, ref)
    watcher = watcher or Watcher()
    started = session.now()
    clock = perf_counter()
    result: JsonObject = {"status": "succeeded"}
    performance: Performance | None = None
    try:
        performance = Performance(session, action, ref, watcher)
        output = await registry.load("actions", action.kind).perform(action, performance)
        if action.sensitive:
            key = performance.key if action.repeat is None else performance.key.rpartition("#")[0]
            session.keep_sensitive(key, output)  # of repetitions the last one counts
            result["sensitive"] = True
        elif session.redactor.found_in(output):
            raise FailureError(_secret_in_output(session.workflow_of(ref), action))
        else:
            result["output"] = output
        if action.repeat is not None:
            result["done"] = performance.done
    except FailureError as problem:
        result = {"status": "failed", "error": _error(session, ref, action, problem.failure)}
    except UnicodeEncodeError:  # JSON from outside may hold what no text in UTF-8 can
        result = {"status": "failed", "error": _error(session, ref, action, _HALF_A_CHARACTER)}
    except CancelledError:
        record = _recorded(performance, session, action, ref)
        record.pop("answer", None)
        watcher.cut({**record, "started_at": moment(started), "duration": round(perf_counter() - clock, 6)})
        raise
    record = _recorded(performance, session, action, ref)
    if "answer" in record:
        result["response"] = record.pop("answer")
    record["started_at"] = moment(started)
    record["duration"] = round(perf_counter() - clock, 6)
    result["record"] = record
    return result


def _recorded(
    performance: Performance | None, session: "Session", action: Action, ref: JsonObject
) -> JsonObject:
    record = performance.record if performance else {}
    if action.sensitive:  # recorded before the output, which is a secret, was known
        record = session.redactor.data(record)
    if "item" in ref:
        record["item"] = _brief(session.redactor.data(ref["item"]))
    return record


def moment(seconds: float) -> str:
    """Write a time as records do: ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_HALF_A_CHARACTER = Failure(
    kind=FailureKind.RENDER,
    message="a value that is to be sent holds half a character (a lone UTF-16 surrogate)",
    help="the API that gave it cut a text in the middle of a character; JSON can carry it on, nothing else can",
)


def _error(session: "Session", ref: JsonObject, action: Action, failure: Failure) -> JsonObject:
    """Give a failure as data, with a place and without secrets."""
    if failure.span is None:
        document = session.workflow_of(ref).document
        failure = replace(failure, span=document.span((*action.pointer, action.kind), key=True))
    cleaned: JsonObject = session.redactor.data(failure.to_json())
    return cleaned


def action_of(session: "Session", ref: JsonObject) -> Action:
    """Give the action of a reference; those of a workflow are listed by their keys once."""
    workflow = session.workflow_of(ref)
    known = session.actions.get(workflow.name)
    if known is None:
        known = {action.key: action for action in workflow.every_action}
        session.actions[workflow.name] = known
    return known[ref["action"]]


def _brief(item: Any) -> Any:
    """Give an item as a record holds it: whole where it is small, else the beginning of its text."""
    text = item if isinstance(item, str) else exact_json.dumps(item)
    return item if len(text) <= LARGEST_RECORDED_ITEM else f"{text[:LARGEST_RECORDED_ITEM]}…"


def _context(session: "Session", ref: JsonObject) -> dict[str, Any]:
    """Build what templates see: the plain data of the reference, and the secrets that only this process has."""
    actions: dict[str, Any] = {}
    for name, state in ref["actions"].items():
        seen = dict(state)
        kept = seen.pop("sensitive", None)
        if kept is not None:
            seen["output"] = session.sensitive_output(kept["key"], kept.get("items"))
        if isinstance(seen.get("response"), Mapping):
            seen["response"] = {**seen["response"], "headers": Headers(seen["response"]["headers"])}
        actions[name] = seen
    context: dict[str, Any] = {
        "inputs": {**ref["inputs"], **_secret_inputs(session, ref)},
        "vars": ref["vars"],
        "environment": session.plan.environment,
        "run": ref["run"],
        "actions": actions,
        "secrets": session.workflow_secrets(session.workflow_of(ref)),
    }
    context |= {name: ref[name] for name in ("error", "item", "index") if name in ref}
    return context


def _secret_inputs(session: "Session", ref: JsonObject) -> dict[str, str]:
    """Give the secret inputs of a workflow: the run's own, or those that the calling action renders, here and only here."""
    call = ref.get("call")
    if call is None:
        return session.secret_inputs()
    outer = call.get("ref")
    if outer is None:
        return {}
    workflow, caller = session.workflow_of(ref), session.workflow_of(outer)
    action = action_of(session, outer)
    context = _context(session, outer)
    given: dict[str, str] = {}
    for name, declared in workflow.inputs.items():
        if declared.secret and name in action.inputs:
            limit = session.limits_of(caller).template_output
            value = template.render(action.inputs[name], context, limit=limit)
            given[name] = value if isinstance(value, str) else exact_json.dumps(value)
            session.redactor.add(given[name], f"inputs.{name}")
            check_input(declared, value, workflow, action, caller.document)
    return given


def _secret_in_output(workflow: Workflow, action: Action) -> Failure:
    place = ("output",) if action.has_output else ("id",)
    return Failure(
        kind=FailureKind.SECRET_IN_OUTPUT,
        message=f"the output of '{action.id}' holds a secret",
        help="give less with `output`, or mark the action `sensitive: true`: then the output is masked and kept nowhere",
        span=workflow.document.span((*action.pointer, *place)),
    )
