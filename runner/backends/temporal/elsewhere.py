"""What a run takes to executions of their own: the items of a `for_each`, and called workflows."""

from runner.backends.temporal import calls, slices
from runner.backends.temporal.scope import TemporalScope
from runner.errors import JsonObject
from runner.invocation import Invocation
from runner.items import Block


class Children:
    """Child workflows of Temporal: for the run itself, and for a workflow that is called."""

    async def block(self, scope: TemporalScope, key: str, block: Block) -> JsonObject:
        """Perform the items in slices."""
        return await slices.in_slices(scope, key, block)

    async def call(self, scope: TemporalScope, key: str, invocation: Invocation) -> JsonObject:
        """Interpret the called workflow in a child of its own."""
        return await calls.in_child(scope, key, invocation)


class ChildrenOfSlice(Children):
    """Those of a slice: what its items call is part of it, as `slices.weight` takes into account.

    An execution for each item costs some fifteen events more, and on a development server three times the time.
    """

    async def call(self, scope: TemporalScope, key: str, invocation: Invocation) -> JsonObject:
        """Interpret the called workflow here."""
        del key
        return await invocation.run(scope)
