"""Parts of a run in executions of their own: called workflows, and the items of a `for_each` in slices.

A part is given what is remembered of it, and brings back what is to be remembered: a resume begins it anew, and it repeats
only what is missing.
"""

import asyncio
from contextlib import suppress
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ChildWorkflowError, FailureError, WorkflowAlreadyStartedError

from runner.backends.temporal import named
from runner.backends.temporal.codec import too_large
from runner.backends.temporal.documents import plan_data
from runner.backends.temporal.remembered import Belongs, Remembered
from runner.backends.temporal.scope import TemporalScope, lost, over_limit
from runner.errors import JsonObject
from runner.scope import StepFailedError


class Child:
    """A part of a run in an execution of its own; `scope` is what it goes on in, `key` what is told of it."""

    def __init__(self, scope: TemporalScope, key: str, name: str, belongs: Belongs) -> None:
        self.id = f"{scope.execution.run['id']}/{named(name)}"
        self._scope = scope
        self._execution = scope.execution
        self._key = key
        self._name = name
        self._belongs = belongs
        self._handle: workflow.ChildWorkflowHandle[Any, JsonObject] | None = None

    async def carry_out(self, kind: str, given: JsonObject) -> JsonObject:
        """Start it and wait for its end; gives its answer, raises StepFailedError where somebody ended it."""
        execution = self._execution
        common = {
            "plan": plan_data(execution.plan),
            "run": execution.run,
            "round": execution.round,
            "queue": execution.queue,
            "lost_after": execution.lost_after,
            "remembered": execution.remembered.part(self._belongs),
            **self._scope.to_json(),
        }
        whole = {**common, **given}
        if size := too_large(whole):
            raise StepFailedError(over_limit(f"what it is given is {size}"))
        try:
            self._handle = await workflow.start_child_workflow(
                kind, whole, id=self.id, result_type=dict, static_summary=self._name
            )
        except WorkflowAlreadyStartedError:
            raise StepFailedError(lost(f"an execution '{self.id}' is there already", _END_IT)) from None
        execution.open_children.append(self.id)
        stopping = asyncio.create_task(self._pass_on())
        try:
            answer: JsonObject = await self._handle
        except ChildWorkflowError:
            execution.unknown.append(self._key)
            raise StepFailedError(lost(f"the execution '{self.id}' was ended from outside", _LOOK)) from None
        finally:
            stopping.cancel()
            execution.open_children.remove(self.id)
        if "too_large" in answer:
            execution.unknown.append(self._key)
            raise StepFailedError(over_limit(f"it has ended, and what it gives is {answer['too_large']}"))
        self._take_over(answer)
        return answer

    async def tell(self, signal: str, *arguments: Any) -> None:
        """Send it a signal, if it still goes on."""
        if self._handle is not None:
            with suppress(FailureError):
                await self._handle.signal(signal, args=arguments)

    def _take_over(self, answer: JsonObject) -> None:
        """Remember what it brings back in place of what it was given."""
        remembered = self._execution.remembered
        remembered.forget(self._belongs)
        if answer["remembered"] is not None:
            remembered.add(Remembered.from_json(answer["remembered"]))
        self._execution.unknown += answer["unknown"]
        self._scope.newest.see(answer["newest"])

    async def _pass_on(self) -> None:
        """Tell it of a stop of the run."""
        await workflow.wait_condition(lambda: self._execution.stop is not None and not self._scope.final)
        assert self._execution.stop is not None
        await self.tell("stop", self._execution.stop.value)


_END_IT = "end it in Temporal's own interface, then resume the run"
_LOOK = (
    "what it had done is not known: look at the API and at that execution, then resume the run; "
    "--retry-unknown does again what that execution had begun"
)
