"""Which endings of a run belong together: what a resume takes over of `on_failure` and `finally`, and what it does again."""

from runner.frozen import dataclass


@dataclass(slots=True)
class Newest:
    """The last execution that did something in a workflow, and so in the one that called it.

    `finally` belongs to what was before it: what of it is older than that is done again.
    """

    outer: "Newest | None" = None
    execution: int = 0

    def see(self, execution: int) -> None:
        """Take note of what an execution, by its number, did."""
        self.execution = max(self.execution, execution)
        if self.outer is not None:
            self.outer.see(execution)
