"""Called workflows, each in a child workflow: with a history of its own, ended with its caller, resumed with it."""

from runner.backends.temporal import CALL
from runner.backends.temporal.children import Child
from runner.backends.temporal.scope import TemporalScope
from runner.errors import JsonObject
from runner.invocation import Invocation


async def in_child(scope: TemporalScope, key: str, invocation: Invocation) -> JsonObject:
    """Interpret a called workflow in a child; what an earlier round did as a whole is kept."""
    calls = scope.execution.remembered.calls
    known = calls.get(key)
    if known is not None and known[0] >= scope.floor:
        number, returned = known
        scope.newest.see(number)
        return returned if number == scope.execution.round else _kept(returned)
    nested = scope.called(key, invocation.timeout)
    child = Child(nested, key, key, lambda each: each.startswith(f"{key}/"))
    answer = await child.carry_out(CALL, {"invocation": invocation.to_json()})
    returned = answer["returned"]
    if answer["remembered"] is None:
        calls[key] = (answer["newest"], returned)
    return dict(returned)


def _kept(returned: JsonObject) -> JsonObject:
    """Say of the actions of a called workflow that they are kept, where they are not only computed."""
    actions = [
        {**_kept(each), "from_history": True}
        if each["kind"] == "request" and each["status"] != "skipped"
        else _kept(each)
        for each in returned.get("actions", ())
    ]
    return {**returned, "actions": actions} if actions else returned
