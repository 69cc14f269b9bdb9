"""The interpreter: which action comes next, with what, and what its failure means.

It varies with nothing: no clock, no random numbers, no environment, no file, no network. All of that is behind the
`Scope`, which performs steps or gives their recorded results. Keys are stable paths (`search`, `finally/notify`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from runner import template
from runner.errors import Failure, FailureError, FailureKind, JsonObject
from runner.model import Action, Workflow
from runner.perform import Headers
from runner.plan import Plan, secret_label
from runner.project import Project
from runner.reference import Reference
from runner.result import ActionResult, Status
from runner.sensitive import MASK
from runner.template import Tree


class StepFailedError(BaseException):
    """An action failed for good and nobody handles it.

    A BaseException, so that no backend records it as a result: what failed stays repeatable on resume.
    """

    def __init__(self, result: JsonObject) -> None:
        super().__init__(result["error"]["message"])
        self.result = result


class RunStoppedError(BaseException):
    """The run was stopped from outside: `status` is timed-out, interrupted or terminated.

    `result` is that of the step in flight, where there was one.
    """

    def __init__(self, status: Status, result: JsonObject | None = None) -> None:
        super().__init__(status.value)
        self.status = status
        self.result = result


class Scope(Protocol):
    """What a backend gives the interpreter. A reference (`ref`) is JSON without secrets."""

    async def step(self, key: str, ref: JsonObject) -> JsonObject:
        """Perform the action of `ref`, or give its recorded result; raises StepFailedError or RunStoppedError."""
        ...

    async def block(self, key: str, refs: Sequence[JsonObject]) -> list[JsonObject]:
        """Run a block once per reference: the items of a loop, a called workflow."""
        ...

    async def sleep(self, key: str, seconds: float) -> None:
        """Wait; raises RunStoppedError."""
        ...

    async def wait(self, key: str, topic: str, timeout: float) -> JsonObject:  # noqa: ASYNC109 - a backend keeps its own time
        """Wait for a message from outside (approvals)."""
        ...

    def settled(self, result: ActionResult) -> None:
        """Be told how an action ended, skipped ones too; has no effect on the run."""
        ...

    def cleanup(self, *, stopped: bool) -> "Scope":
        """Give the scope of `on_failure` and `finally`: not stopped by what stopped the run, with a budget of its own."""
        ...


@dataclass(slots=True)
class Outcome:
    """How the interpretation ended."""

    status: Status
    results: list[ActionResult] = field(default_factory=list)
    outputs: JsonObject = field(default_factory=dict)
    error: Failure | None = None


class Interpreter:
    """Interprets one workflow once."""

    def __init__(
        self, project: Project, workflow: Workflow, plan: Plan, run: JsonObject, scope: Scope
    ) -> None:
        self.project = project
        self.workflow = workflow
        self.plan = plan
        self.run = run
        self.scope = scope
        self.states: dict[str, JsonObject] = {}
        self.outcome = Outcome(Status.SUCCEEDED)
        self.error: JsonObject | None = None
        self.vars: dict[str, Any] = dict(project.vars)

    async def interpret(self) -> Outcome:
        """Run the actions, then `on_failure` where they failed, then `finally` in any case."""
        outcome = self.outcome
        try:
            self.vars |= self._own_vars()
            await self._list(self.workflow.actions, self.scope)
            if outcome.status is Status.SUCCEEDED:
                outcome.outputs = {name: self._output(tree) for name, tree in self.workflow.outputs.items()}
        except RunStoppedError as stop:
            outcome.status = stop.status
            outcome.error = _stopped(stop.status)
            self.error = {"kind": outcome.error.kind.value, "message": outcome.error.message, "action": None}
        except FailureError as problem:
            self._fail(problem.failure, None)
        stopped = outcome.status in (Status.INTERRUPTED, Status.TERMINATED)
        cleanup = self.scope.cleanup(stopped=stopped)
        if outcome.status in (Status.FAILED, Status.TIMED_OUT):
            await self._cleanup(self.workflow.on_failure, cleanup)
        else:
            why = "the run was stopped" if stopped else "the run did not fail"
            for action in self.workflow.on_failure:
                self._settle(self._result(action, Status.SKIPPED, reason=why), cleanup)
        await self._cleanup(self.workflow.finally_, cleanup)
        return outcome

    async def _cleanup(self, actions: Sequence[Action], scope: Scope) -> None:
        """Run a list whose failures do not stop the one after it, and never hide the first failure of the run."""
        try:
            await self._list(actions, scope)
        except RunStoppedError as stop:
            if self.outcome.status is Status.SUCCEEDED:
                self.outcome.status = stop.status
                self.outcome.error = _CLEANUP_TOO_LONG

    async def _list(self, actions: Sequence[Action], scope: Scope) -> None:
        """Run actions as written; after a failure nobody handles, or a stop, the rest is skipped."""
        failed = False
        for position, action in enumerate(actions):
            if failed:
                self._settle(self._result(action, Status.SKIPPED, reason="an action before it failed"), scope)
                continue
            try:
                failed = not await self._action(action, scope)
            except RunStoppedError as stop:
                for rest in actions[position + 1 :]:
                    self._settle(self._result(rest, Status.SKIPPED, reason="the run was stopped"), scope)
                raise stop from None

    async def _action(self, action: Action, scope: Scope) -> bool:
        """Run one action; False where it failed and nobody handles it."""
        waiting = False
        try:
            if not self._wanted(action):
                self._settle(self._result(action, Status.SKIPPED, reason="its condition is false"), scope)
                return True
            result = await scope.step(action.key, self._ref(action))
            if action.kind == "wait" and result["status"] == "succeeded":
                waiting = True
                await scope.sleep(f"{action.key}/sleep", result["output"]["seconds"])
                result = {**result, "output": None}
        except StepFailedError as failed:
            result = failed.result
        except FailureError as problem:
            result = {"status": "failed", "error": problem.failure.to_json(), "record": {}}
        except RunStoppedError as stop:
            if stop.result is None and not waiting:
                self._settle(self._result(action, Status.SKIPPED, reason="the run was stopped"), scope)
                raise
            result = stop.result or {
                "status": "failed",
                "error": Failure(
                    kind=FailureKind.CANCELLED, message="the run was stopped before it ended"
                ).to_json(),
                "record": {},
            }
            self._settle(self._recorded(action, result), scope, result.get("response"))
            raise
        self._settle(self._recorded(action, result), scope, result.get("response"))
        if result["status"] == "succeeded" or action.on_error == "continue":
            return True
        self._fail(Failure.from_json(result["error"]), action)
        return False

    def _wanted(self, action: Action) -> bool:
        condition = action.condition
        if condition is None or isinstance(condition, bool):
            return condition is not False
        context = self._context()
        if action.section != "actions":
            context["error"] = self.error
        value = condition.render(context)
        if isinstance(value, str):
            return value.strip().lower() not in ("", "false")
        return bool(value)

    def _ref(self, action: Action) -> JsonObject:
        ref: JsonObject = {
            "document": self.run["digest"],
            "action": action.key,
            "handled": action.on_error == "continue",
            "inputs": self.plan.inputs,
            "vars": self.vars,
            "actions": self.states,
            "run": {name: value for name, value in self.run.items() if name != "digest"},
        }
        if action.section != "actions":
            ref["error"] = self.error
        return ref

    def _context(self) -> dict[str, Any]:
        return {
            "inputs": self.plan.inputs,
            "vars": self.vars,
            "environment": self.plan.environment,
            "actions": {name: _seen(state) for name, state in self.states.items()},
            "run": self.run,
        }

    def _own_vars(self) -> dict[str, Any]:
        context = self._context()
        return {name: template.render(tree, context) for name, tree in self.workflow.vars.items()}

    def _output(self, tree: Tree) -> Any:
        """Render an output of the workflow; one that a secret flows into is masked."""

        def hide(reference: Reference) -> str | None:
            return MASK if secret_label(self.workflow, reference) else None

        return template.render_shown(tree, self._context(), hide)

    def _recorded(self, action: Action, result: Mapping[str, Any]) -> ActionResult:
        status = Status(result["status"])
        error = Failure.from_json(result["error"]) if "error" in result else None
        return ActionResult(
            key=action.key,
            id=action.id,
            section=action.section,
            kind=action.kind,
            name=action.name,
            connection=action.connection,
            status=status,
            output=result.get("output"),
            sensitive=bool(result.get("sensitive")),
            error=error,
            handled=error is not None and action.on_error == "continue",
            record=dict(result.get("record", {})),
        )

    def _result(self, action: Action, status: Status, *, reason: str) -> ActionResult:
        return ActionResult(
            key=action.key,
            id=action.id,
            section=action.section,
            kind=action.kind,
            name=action.name,
            connection=action.connection,
            status=status,
            reason=reason,
        )

    def _settle(self, result: ActionResult, scope: Scope, response: JsonObject | None = None) -> None:
        """Keep how an action ended, for templates and for the report."""
        state: JsonObject = {"status": result.status.value}
        if response is not None:
            state["response"] = response
        if result.status is Status.SUCCEEDED:
            if result.sensitive:
                state["sensitive"] = True
            else:
                state["output"] = result.output
        if result.error is not None:
            state["error"] = {"kind": result.error.kind.value, "message": result.error.message}
        self.states = {**self.states, result.id: state}
        self.outcome.results.append(result)
        scope.settled(result)

    def _fail(self, failure: Failure, action: Action | None) -> None:
        if self.outcome.error is None:
            self.outcome.status = Status.FAILED
            self.outcome.error = failure
            self.error = {
                "kind": failure.kind.value,
                "message": failure.message,
                "action": action.id if action else None,
            }


def _seen(state: JsonObject) -> JsonObject:
    """Give a state as templates see it."""
    seen = {name: value for name, value in state.items() if name != "sensitive"}
    if "response" in seen:
        seen["response"] = {**seen["response"], "headers": Headers(seen["response"]["headers"])}
    return seen


_CLEANUP_TOO_LONG = Failure(
    kind=FailureKind.TIMEOUT,
    message="`finally` took longer than the time that is left for it at the end of a run",
    help="shorten `timeout`, `retry` and `wait` of its actions",
)


def _stopped(status: Status) -> Failure:
    if status is Status.TIMED_OUT:
        return Failure(
            kind=FailureKind.TIMEOUT,
            message="the run took longer than its timeout",
            help="raise `timeout` in the workflow, or --timeout",
        )
    return Failure(kind=FailureKind.CANCELLED, message=f"the run was {status.value}")
