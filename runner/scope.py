"""The seam between the interpreter and the ways to run it: what a backend gives, and how a step ends otherwise.

`docs/architecture.md` says what an implementation must hold to.
"""

from typing import TYPE_CHECKING, Protocol

from runner.errors import JsonObject
from runner.result import ActionResult, Status

if TYPE_CHECKING:
    from runner.invocation import Invocation
    from runner.items import Block

SLEEP = "#sleep"
"""What the key of a wait ends in, after that of its action or repetition."""


def without_repetition(key: str) -> str:
    """Give the key of an action from that of one of its repetitions: `sync#2/poll` from `sync#2/poll#4`."""
    before, slash, own = key.rpartition("/")
    return before + slash + own.partition("#")[0]


def is_repetition(key: str) -> bool:
    """Tell whether a key is that of one repetition of an action, not only of an action inside of one."""
    return without_repetition(key) != key


class StepFailedError(BaseException):
    """An action failed for good and nobody handles it.

    A BaseException, so that no backend records it as a result: what failed stays repeatable on resume.
    """

    def __init__(self, result: JsonObject) -> None:
        super().__init__(result["error"]["message"])
        self.result = result


class RunStoppedError(BaseException):
    """The run, or a called workflow, was stopped: `status` is timed-out, interrupted or terminated.

    `result` is that of the step in flight, where there was one. `depth` says whose time is up: 0 is the run itself, a
    greater number a workflow that is called so many calls deep.
    """

    def __init__(self, status: Status, result: JsonObject | None = None, *, depth: int = 0) -> None:
        super().__init__(status.value)
        self.status = status
        self.result = result
        self.depth = depth


class Scope(Protocol):
    """What a backend gives the interpreter. A reference (`ref`) is JSON without secrets."""

    async def step(self, key: str, ref: JsonObject) -> JsonObject:
        """Perform the action of `ref`, or give its recorded result; raises StepFailedError or RunStoppedError."""
        ...

    async def block(self, key: str, block: "Block") -> JsonObject:
        """Run the items of a `for_each`, here (`block.run(self)`) or in slices elsewhere; gives what `run` gives."""
        ...

    async def call(self, key: str, invocation: "Invocation") -> JsonObject:
        """Interpret a called workflow, here (`invocation.run(self)`) or elsewhere; gives what `run` gives."""
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

    def advanced(self, key: str, counts: JsonObject) -> None:
        """Be told how far a block is: `items`, `done`, `failed`; has no effect on the run."""
        ...

    def ran_out(self, key: str) -> None:
        """Be told that what an action repeats was not done in time: a resume begins its repetitions anew."""
        ...

    def called(self, key: str, timeout: float | None) -> "Scope":
        """Give the scope of a called workflow: one call deeper, stopped also when its own time (seconds) is up."""
        ...

    def cleanup(self, *, stopped: bool) -> "Scope":
        """Give the scope of `on_failure` and `finally`: not stopped by what stopped the run, with a budget of its own."""
        ...
