"""What of a result is kept, and for whom: what later actions need, for a resume; what people ask for, in the timeline.

A body is kept only where a template of the workflow reads it. Request bodies, request headers and answers are not.
"""

from collections.abc import Iterable
from typing import Any

from runner.errors import JsonObject
from runner.idempotency import repeatable
from runner.model import Action, Connection, Workflow

PURE = frozenset({"set", "fail", "wait", "workflow"})
"""Kinds that only compute: they are done again on a resume, and give the same. The steps of a called workflow are its own."""

_WHOLE = "*"


class Needs:
    """Which results of its actions the templates of a workflow read."""

    def __init__(self, workflow: Workflow) -> None:
        self._read: set[tuple[str, str]] = set()
        for template in workflow.templates:
            for reference in template.references:
                if reference.root == "actions":
                    path = [str(part) for part in reference.path[:2]]
                    name, part = (*path, _WHOLE, _WHOLE)[:2]
                    self._read.add((name, part))

    def output(self, action: str) -> bool:
        """Whether something reads its output."""
        return self._reads(action, "output")

    def response(self, action: str) -> bool:
        """Whether something reads the status or a header of its response."""
        return self._reads(action, "response")

    def _reads(self, action: str, part: str) -> bool:
        return not self._read.isdisjoint({(action, part), (action, _WHOLE), (_WHOLE, _WHOLE)})


def harmless(action: Action, connection: Connection | None) -> bool:
    """Tell whether doing an action twice does no harm: by its kind, its method, or because the files say so."""
    if action.kind != "request":
        return action.kind in PURE
    return repeatable(action, connection)


def may_have_acted(result: JsonObject) -> bool:
    """Tell whether a request that failed may have done its work: sent and not answered, or lost behind a gateway.

    502 and 504 come from a gateway that knows no more than we do (RFC 9110, 15.6.3 and 15.6.5).
    """
    attempts = (result.get("record") or {}).get("attempts") or []
    return any(
        attempt.get("status") in (502, 504) or ("status" not in attempt and attempt.get("sent", True))
        for attempt in attempts
        if "error" in attempt
    )


def for_resume(result: JsonObject, *, output: bool, response: bool) -> JsonObject:
    """Give what a resumed run takes for the result; `lacks` names what it does without."""
    kept = {name: value for name, value in result.items() if name not in ("output", "response", "record")}
    lacks = []
    if result.get("sensitive"):
        lacks.append("output")
    elif output:
        kept["output"] = result.get("output")
    elif result.get("output") is not None:
        lacks.append("output")
    if "response" in result:
        if response:
            kept["response"] = result["response"]
        else:
            lacks.append("response")
    if lacks:
        kept["lacks"] = lacks
    kept["record"] = record(result.get("record") or {})
    return kept


def record(given: JsonObject) -> JsonObject:
    """Give what a timeline shows of the record of an action."""
    kept: JsonObject = {
        name: given[name]
        for name in ("started_at", "duration", "repetitions", "from_history")
        if name in given
    }
    if "request" in given:
        kept["request"] = {
            name: given["request"][name] for name in ("method", "url") if name in given["request"]
        }
    if "status" in (given.get("response") or {}):
        kept["response"] = {"status": given["response"]["status"]}
    if "attempts" in given:
        kept["attempts"] = [_attempt(attempt) for attempt in given["attempts"]]
    if "items" in given:
        items = {name: value for name, value in given["items"].items() if name != "listed"}
        kept["items"] = {**items, "listed": [_item(item) for item in given["items"].get("listed", ())]}
    return kept


def _item(given: JsonObject) -> JsonObject:
    kept = _only(given, ("index", "status", "error"))
    return {**kept, **record(given)}


def _attempt(given: JsonObject) -> JsonObject:
    kept = _only(given, ("number", "duration", "status", "wait"))
    if "error" in given:
        kept["error"] = _only(given["error"], ("kind", "message"))
    return kept


def _only(given: JsonObject, names: Iterable[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}
