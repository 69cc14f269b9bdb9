"""What stands beside runs in Temporal: what a schedule starts, and the lock of `concurrency.key`."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from runner.backends.temporal import LOCK, RUN, TRIGGER
from runner.errors import JsonObject
from runner.result import Status


@workflow.defn(name=TRIGGER, sandboxed=False)
class TriggerWorkflow:
    """What a schedule starts: it lasts as long as the run itself, not as long as a failed run can be resumed.

    So `overlap` means what it says.
    """

    def __init__(self) -> None:
        self.phase: str | None = None

    @workflow.run
    async def run(self, given: JsonObject) -> str:
        """Start the run and wait for its first round; fails where that did."""
        own = workflow.info().workflow_id
        await workflow.start_child_workflow(
            RUN,
            {**given, "trigger": own},
            id=own.removeprefix("trigger/"),
            parent_close_policy=workflow.ParentClosePolicy.ABANDON,
            static_summary=given["plan"]["workflow"],
            memo={
                "workflow": given["plan"]["workflow"],
                "user": None,
                "environment": given["plan"]["environment"],
            },
        )
        await workflow.wait_condition(lambda: self.phase is not None)
        if self.phase != Status.SUCCEEDED.value:
            raise ApplicationError(f"the run {self.phase}", type="RunFailed", non_retryable=True)
        return str(self.phase)

    @workflow.signal
    def ended(self, phase: str) -> None:
        """Be told how the first round of the run ended."""
        self.phase = phase


@workflow.defn(name=LOCK, sandboxed=False)
class LockWorkflow:
    """The lock of a key of `concurrency`: it is held as long as this goes on, which is as long as its run at most."""

    def __init__(self) -> None:
        self.released = False

    @workflow.run
    async def run(self, holder: str) -> str:
        """Wait until the lock is released."""
        await workflow.wait_condition(lambda: self.released)
        return holder

    @workflow.signal
    def release(self) -> None:
        """Release the lock."""
        self.released = True
