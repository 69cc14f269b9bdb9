"""A called workflow on its way: what a backend interprets here, or takes to an execution of its own elsewhere."""

from collections.abc import Callable, Coroutine
from dataclasses import field, fields
from typing import Any

from runner.errors import JsonObject
from runner.frozen import dataclass
from runner.scope import Scope


class Invocation:
    """One call of a workflow. `key` is the path of the calling action, `timeout` the called workflow's own, in seconds.

    `within` interprets it in a scope that is its own already. What it gives is a `Returned` as JSON.
    """

    def __init__(
        self,
        key: str,
        timeout: float | None,
        data: JsonObject,
        within: Callable[[Scope], Coroutine[Any, Any, JsonObject]],
    ) -> None:
        self.key = key
        self.timeout = timeout
        self.within = within
        self._data = data

    async def run(self, scope: Scope) -> JsonObject:
        """Interpret the called workflow here, on behalf of `scope`."""
        return await self.within(scope.called(self.key, self.timeout))

    def to_json(self) -> JsonObject:
        """Give the call as JSON without secrets: `Interpreter.invocation_of` makes it again, in another process too."""
        return self._data


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What came of a called workflow.

    `error` is its failure, `stop` what stopped it (`status` and `depth`). `actions` are its actions as reports have them.
    `states` is what it takes to render its outputs where the secrets are; only where that is wanted.
    """

    outputs: JsonObject = field(default_factory=dict)
    error: JsonObject | None = None
    stop: JsonObject | None = None
    actions: list[JsonObject] = field(default_factory=list)
    states: JsonObject | None = None

    def to_json(self) -> JsonObject:
        """Give it as JSON."""
        return {each.name: getattr(self, each.name) for each in fields(self)}
