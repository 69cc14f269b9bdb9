"""What a reviewer should look at first: the kinds of dangerous changes, in their order, and one of them as data."""

from typing import Any

from runner.compare.tree import MISSING
from runner.errors import JsonObject

KINDS = {
    "not-compared": "a changed file has errors: what it says is known in part only",
    "new-host": "a host that nothing reached before",
    "new-secret": "a secret that nothing named before",
    "new-secret-flow": "a secret that reaches a host, or by a way, that it did not before",
    "new-write": "a new request that writes",
    "changed-write": "a request that writes, changed",
    "file": "a file that an answer is written to",
    "less-checked": "a check is gone or weaker",
    "raised": "more attempts, more time, more at once",
    "idempotent": "a write may now be repeated",
    "connection": "what a connection permits, trusts or signs in as",
    "policy": "the policy permits more",
    "vault": "where secrets come from",
    "trigger": "a time at which the workflow starts by itself, new or another",
    "users": "an identity that stands for a user, or for another one than before",
    "callers": "those who start the workflow may have to change",
    "less-secret": "something that was kept secret is not any more",
}
"""Every kind, in the order of the summary, with what it means."""

_ORDER = {kind: index for index, kind in enumerate(KINDS)}


def danger(
    kind: str, message: str, file: str, *, before: Any = MISSING, after: Any = MISSING, **where: str | None
) -> JsonObject:
    """Make one item of the summary. `where` may hold connection, workflow, action and environment."""
    assert kind in KINDS
    item: JsonObject = {"kind": kind, "message": message, "file": file}
    item |= {name: value for name, value in where.items() if value is not None}
    if before is not MISSING:
        item["before"] = before
    if after is not MISSING:
        item["after"] = after
    return item


def in_order(items: list[JsonObject]) -> list[JsonObject]:
    """Sort by kind, file, action and message, each item once."""
    unique: list[JsonObject] = []
    for item in items:
        if item not in unique:
            unique.append(item)
    return sorted(
        unique,
        key=lambda item: (
            _ORDER[item["kind"]],
            item["file"],
            item.get("action") or "",
            item["message"],
            item.get("environment") or "",
        ),
    )
