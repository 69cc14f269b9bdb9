"""The interpreter: which action comes next, with what, and what its failure means.

It varies with nothing: no clock, no random numbers, no environment, no file, no network. All of that is behind the
`Scope`, which performs steps or gives their recorded results. Keys are stable paths (`search`, `page[17]`, `poll#4`,
`sync/search`, `finally/notify`). Tasks are made in the order of the file and wait for nothing but the scope and each
other, so that a backend with an event loop of its own, in which time is recorded, can run it as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import partial
from typing import Any

from runner import calling, template
from runner.bind import limits
from runner.course import Course
from runner.duration import written
from runner.errors import Failure, FailureError, FailureKind, JsonObject
from runner.frame import Call, Frame, holds
from runner.frozen import dataclass
from runner.invocation import Invocation, Returned
from runner.items import Block, Gathered
from runner.model import Action, Workflow
from runner.plan import Plan
from runner.project import Project
from runner.result import ActionResult, Status
from runner.scope import SLEEP, RunStoppedError, Scope, StepFailedError


@dataclass(slots=True)
class Outcome:
    """How the interpretation ended; `results` are in the order of the file. `stop` is what stopped it, if anything."""

    status: Status
    results: list[ActionResult] = field(default_factory=list)
    outputs: JsonObject = field(default_factory=dict)
    error: Failure | None = None
    stop: RunStoppedError | None = None


class Interpreter:
    """Interprets one workflow once: that of the run, or one that is called."""

    def __init__(
        self,
        project: Project,
        workflow: Workflow,
        plan: Plan,
        run: JsonObject,
        scope: Scope,
        call: Call | None = None,
    ) -> None:
        self.project = project
        self.workflow = workflow
        self.plan = plan
        self.scope = scope
        self.call = call or Call(inputs=dict(plan.inputs))
        self.limits = limits(project.limits, workflow.limits)
        self.frame = Frame(project, workflow, plan, run, self.call, self.limits)
        self.outcome = Outcome(Status.SUCCEEDED)

    async def interpret(self) -> Outcome:
        """Run the actions, then `on_failure` where they failed, then `finally` in any case."""
        outcome = self.outcome
        try:
            self.frame.set_vars()
            await self._list(self.workflow.actions, self.scope)
            if outcome.status is Status.SUCCEEDED:
                outcome.outputs = {
                    name: self.frame.output(tree) for name, tree in self.workflow.outputs.items()
                }
        except RunStoppedError as stop:
            outcome.status, outcome.stop = stop.status, stop
            outcome.error = self._stopped(stop)
            self.frame.error = {
                "kind": outcome.error.kind.value,
                "message": outcome.error.message,
                "action": None,
            }
        except FailureError as problem:
            self._fail(problem.failure, None)
        stopped = outcome.status in (Status.INTERRUPTED, Status.TERMINATED)
        cleanup = self.scope.cleanup(stopped=stopped)
        if outcome.status in (Status.FAILED, Status.TIMED_OUT):
            await self._cleanup(self.workflow.on_failure, cleanup)
        else:
            why = "the run was stopped" if stopped else "the run did not fail"
            for action in self.workflow.on_failure:
                self._skip(cleanup, action, why)
        await self._cleanup(self.workflow.finally_, cleanup)
        places = {action.id: at for at, action in enumerate(self.workflow.every_action)}
        outcome.results.sort(key=lambda result: places[result.id])
        return outcome

    async def _cleanup(self, actions: Sequence[Action], scope: Scope) -> None:
        """Run a list whose failures do not stop the one after it, and never hide the first failure of the run."""
        try:
            await self._list(actions, scope)
        except RunStoppedError as stop:
            if self.outcome.status is Status.SUCCEEDED:
                self.outcome.status, self.outcome.stop = stop.status, stop
                self.outcome.error = _CLEANUP_TOO_LONG

    async def _list(self, actions: Sequence[Action], scope: Scope) -> None:
        if actions:
            perform, skip = partial(self._action, scope), partial(self._skip, scope)
            await Course(actions, self.frame.order, perform, skip).run()

    async def _action(self, scope: Scope, action: Action) -> bool:
        """Run one action; False where it failed and nobody handles it."""
        try:
            result = await self._result(action, scope)
        except StepFailedError as failed:
            result = failed.result
        except FailureError as problem:
            result = _failed(problem.failure)
        except RunStoppedError as stop:
            if stop.result is None:
                self._skip(scope, action, "the run was stopped")
            else:
                self._settle(scope, action, stop.result)
            raise
        self._settle(scope, action, result)
        if result["status"] != "failed" or action.on_error == "continue":
            return True
        self._fail(Failure.from_json(result["error"]), action)
        return False

    async def _result(self, action: Action, scope: Scope) -> JsonObject:
        """Give the result of an action, of all its items together where it has some."""
        context = self.frame.context(action)
        if not action.by_item and not holds(action.condition, context):
            return _SKIPPED
        key = self.frame.key(action)
        ref = self.frame.ref(action, key)
        if action.for_each is None:
            return await self._once(action, ref, scope)
        items = self._items(action, context)
        block = self._block(action, ref, items)
        gathered = Gathered(**await scope.block(key, block))
        result = gathered.result(len(items))
        if gathered.stopped is not None:
            status, depth = Status(gathered.stopped["status"]), gathered.stopped["depth"]
            raise RunStoppedError(status, result if gathered.done else None, depth=depth)
        return result

    def _items(self, action: Action, context: Mapping[str, Any]) -> list[Any]:
        """List the items of an action; raises FailureError where there is no list, or one that is too long."""
        given = template.render(action.for_each, context, limit=self.limits.template_output)
        if isinstance(given, Mapping):
            items = [{"key": key, "value": value} for key, value in given.items()]
        elif isinstance(given, list | tuple):
            items = list(given)
        else:
            from runner.filters import type_name

            raise FailureError(
                Failure(
                    kind=FailureKind.RENDER,
                    message=f"`for_each` takes a list or a mapping, and this is {type_name(given)}",
                    help="use `| default([])` where it may be missing, [value] for one item",
                    span=self.workflow.document.span((*action.pointer, "for_each")),
                )
            )
        if len(items) > self.limits.items:
            raise FailureError(
                Failure(
                    kind=FailureKind.LIMIT,
                    message=f"`for_each` has {len(items)} items, more than the {self.limits.items} that are allowed",
                    help="raise `limits.items` in the workflow or in runner.yaml, or take fewer at a time",
                    span=self.workflow.document.span((*action.pointer, "for_each")),
                )
            )
        return items

    def _block(self, action: Action, ref: JsonObject, items: Sequence[Any], first: int = 0) -> Block:
        context = self.frame.context(action) if action.by_item else None
        once = partial(self._item, action, context)
        return Block(
            ref["key"],
            ref,
            items,
            once,
            first=first,
            concurrency=action.concurrency,
            goes_on=action.on_error == "continue",
        )

    @classmethod
    def block_of(cls, project: Project, plan: Plan, scope: Scope, data: JsonObject) -> Block:
        """Make a block, or a slice of one, again from what `Block.to_json` gave: in another process, in `scope`."""
        ref = data["shared"]
        called = ref.get("call") or {}
        run = {**ref["run"], "digest": ref["document"]}
        workflow = project.workflows[ref["workflow"]]
        interpreter = cls(project, workflow, plan, run, scope, Call(inputs=ref["inputs"], **called))
        frame = interpreter.frame
        frame.vars, frame.states, frame.error = ref["vars"], ref["actions"], ref.get("error")
        action = next(each for each in workflow.every_action if each.key == ref["action"])
        return interpreter._block(action, ref, data["items"], data["first"])

    async def _item(
        self, action: Action, context: Mapping[str, Any] | None, ref: JsonObject, scope: Scope
    ) -> JsonObject:
        """Perform one item; a failure is its result, a stop is raised."""
        try:
            if context is not None:
                own = {**context, "item": ref["item"], "index": ref["index"]}
                if not holds(action.condition, own):
                    return _SKIPPED
            return await self._once(action, ref, scope)
        except StepFailedError as failed:
            return failed.result
        except FailureError as problem:
            return _failed(problem.failure)

    async def _once(self, action: Action, ref: JsonObject, scope: Scope) -> JsonObject:
        """Do an action once, or as often as `repeat` says."""
        repeat = action.repeat
        if repeat is None:
            return await self._single(action, ref, scope)
        key = ref["key"]
        for number in range(1, repeat.at_most + 1):
            result = await self._single(action, {**ref, "key": f"{key}#{number}"}, scope)
            result = {**result, "record": {**result.get("record", {}), "repetitions": number}}
            if result["status"] != "succeeded" or result.pop("done", False):
                return result
            if number < repeat.at_most:
                await _sleep(scope, f"{key}#{number}{SLEEP}", repeat.every, result["record"])
        if not ref["handled"]:
            scope.ran_out(key)
        span = self.workflow.document.span((*action.pointer, "repeat"))
        too_often = Failure(
            kind=FailureKind.TIMEOUT,
            message=f"`until` was not true in {repeat.at_most} repetitions, {written(repeat.every)} apart",
            help="raise `repeat.at_most` or `repeat.every` if it takes longer than that",
            span=span,
        )
        return {**_failed(too_often), "record": result["record"]}

    async def _single(self, action: Action, ref: JsonObject, scope: Scope) -> JsonObject:
        if action.kind == "workflow":
            return await self._call(action, ref, scope)
        result = await scope.step(ref["key"], ref)
        if action.kind == "wait" and result["status"] == "succeeded":
            seconds, record = result["output"]["seconds"], result.get("record", {})
            await _sleep(scope, f"{ref['key']}{SLEEP}", seconds, record)
            took = {"duration": round(record["duration"] + seconds, 6)} if "duration" in record else {}
            result = {**result, "output": None, "record": {**record, **took}}
        return result

    async def _call(self, action: Action, ref: JsonObject, scope: Scope) -> JsonObject:
        """Run a called workflow to its end, its cleaning up included, and give its outputs."""
        callee = self.project.workflows[action.config]
        if self.call.depth >= self.limits.nested_calls:
            raise FailureError(self._too_deep(action))
        own: JsonObject = {name: ref[name] for name in ("item", "index") if name in ref}
        context = {**self.frame.context(action), **own}
        inputs, secret = calling.inputs(
            callee, action, context, self.workflow.document, limit=self.limits.template_output
        )
        call = Call(
            inputs=inputs,
            key=ref["key"],
            depth=self.call.depth + 1,
            handled=ref["handled"],
            ref=ref if secret else None,
        )
        returned = Returned(**await scope.call(ref["key"], self._invocation(action, callee, call)))
        record: JsonObject = {"workflow": callee.name, "actions": returned.actions}
        if returned.error is not None:
            error = calling.failure(callee, Failure.from_json(returned.error))
            failed = {**_failed(error), "record": record}
            if returned.stop is not None and returned.stop["depth"] <= self.call.depth:
                raise RunStoppedError(Status(returned.stop["status"]), failed, depth=returned.stop["depth"])
            return failed
        if action.sensitive:
            made = await scope.step(ref["key"], {**ref, "called": returned.states})
            return {**made, "record": record}
        calling.check_outputs(callee, action, self.workflow.document)
        result: JsonObject = {"status": "succeeded", "output": returned.outputs, "record": record}
        if action.repeat is not None:
            until = action.repeat.until
            result["done"] = holds(until, {**context, "response": {"body": returned.outputs}})
        return result

    def _invocation(self, action: Action, callee: Workflow, call: Call) -> Invocation:
        data = {
            "workflow": callee.name,
            "inputs": call.inputs,
            "call": call.to_json(),
            "states": action.sensitive,
        }
        return self.invocation_of(self.project, self.plan, self.frame.run, data)

    @classmethod
    def invocation_of(cls, project: Project, plan: Plan, run: JsonObject, data: JsonObject) -> Invocation:
        """Make a call again from what `Invocation.to_json` gave: in another process."""
        callee = project.workflows[data["workflow"]]
        call = Call(inputs=data["inputs"], **data["call"])

        async def within(scope: Scope) -> JsonObject:
            inner = cls(project, callee, plan, run, scope, call)
            outcome = await inner.interpret()
            stop = outcome.stop
            return Returned(
                outputs=outcome.outputs,
                error=outcome.error.to_json() if outcome.error else None,
                stop={"status": stop.status.value, "depth": stop.depth} if stop else None,
                actions=[item.to_json() for item in outcome.results],
                states=inner.frame.called() if data["states"] else None,
            ).to_json()

        return Invocation(call.key, callee.timeout, data, within)

    def _too_deep(self, action: Action) -> Failure:
        return Failure(
            kind=FailureKind.LIMIT,
            message=f"workflows call each other more than {self.limits.nested_calls} calls deep",
            help="raise `limits.nested_calls` in the workflow or in runner.yaml",
            span=self.workflow.document.span((*action.pointer, "workflow")),
        )

    def _settle(self, scope: Scope, action: Action, result: Mapping[str, Any]) -> None:
        """Keep how an action ended, for templates and for the report."""
        status = Status(result["status"])
        error = Failure.from_json(result["error"]) if "error" in result else None
        ended = ActionResult(
            key=self.frame.key(action),
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
            reason=result.get("reason"),
            record=dict(result.get("record", {})),
        )
        self.frame.settle(ended, result)
        self.outcome.results.append(ended)
        scope.settled(ended)

    def _skip(self, scope: Scope, action: Action, reason: str) -> None:
        self._settle(scope, action, {"status": "skipped", "reason": reason})

    def _fail(self, failure: Failure, action: Action | None) -> None:
        if self.outcome.error is None:
            self.outcome.status = Status.FAILED
            self.outcome.error = failure
            self.frame.error = {
                "kind": failure.kind.value,
                "message": failure.message,
                "action": action.id if action else None,
            }

    def _stopped(self, stop: RunStoppedError) -> Failure:
        if self.call.depth and stop.depth == self.call.depth:
            return calling.timed_out(self.workflow)
        if stop.status is Status.TIMED_OUT:
            return Failure(
                kind=FailureKind.TIMEOUT,
                message="the run took longer than its timeout",
                help="raise `timeout` in the workflow, or --timeout",
            )
        return Failure(kind=FailureKind.CANCELLED, message=f"the run was {stop.status.value}")


async def _sleep(scope: Scope, key: str, seconds: float, record: JsonObject) -> None:
    """Wait in the course of an action: where that is stopped, the action has begun and not ended."""
    try:
        await scope.sleep(key, seconds)
    except RunStoppedError as stop:
        cut = Failure(kind=FailureKind.CANCELLED, message="the run was stopped before it ended")
        result = {**_failed(cut), "record": record}
        raise RunStoppedError(stop.status, result, depth=stop.depth) from None


def _failed(failure: Failure) -> JsonObject:
    return {"status": "failed", "error": failure.to_json(), "record": {}}


_SKIPPED: JsonObject = {"status": "skipped", "reason": "its condition is false"}

_CLEANUP_TOO_LONG = Failure(
    kind=FailureKind.TIMEOUT,
    message="`finally` took longer than the time that is left for it at the end of a run",
    help="shorten `timeout`, `retry` and `wait` of its actions",
)
