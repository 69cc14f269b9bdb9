"""A plan as one comment on a pull request: what it sends and reads in short, then all of it as `text` shows it."""

import re
from collections.abc import Iterator
from typing import Any

from runner import reports
from runner.errors import JsonObject
from runner.reports.markdown.escape import LONGEST, code, inline, row

MARKER = "<!-- runner.d: plan -->"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_LEFT_OUT = "{} more lines are not shown here; `runner plan` shows them all."


def plan(plan: JsonObject) -> str:
    """Give the plan, as much of it as a comment holds."""
    requests = [action["request"] for action in _every(plan["actions"]) if action.get("request")]
    writes = sum(request["method"] not in _READS for request in requests)
    head = [MARKER, f"### runner plan {code(plan['workflow'])}: {_counts(len(requests), writes)}"]
    for name in ("environment", "user"):
        if plan.get(name):
            head += ["", f"{name}: {code(str(plan[name]))}"]
    if plan["secrets"]:
        head += ["", row(["Secret that a run may read", "Goes to", "For"]), row(["---"] * 3)]
        head += [_secret(secret) for secret in plan["secrets"]]
    return _fenced("\n".join(head), reports.render("text", "plan", plan))


def _every(actions: list[JsonObject]) -> Iterator[JsonObject]:
    """Give the actions, with those of called workflows."""
    for action in actions:
        yield action
        called: Any = action.get("workflow")
        if isinstance(called, dict):
            yield from _every(called.get("actions") or [])


def _counts(requests: int, writes: int) -> str:
    if not requests:
        return "no requests"
    counted = f"{requests} request{'' if requests == 1 else 's'}"
    return f"{counted}, {writes or 'none'} of them writing" if requests > 1 or writes else counted


def _secret(secret: JsonObject) -> str:
    host = secret.get("host")
    owner = str(secret.get("connection") or secret.get("workflow") or "")
    return row([code(str(secret["reference"])), code(str(host)) if host else "", inline(owner)])


def _fenced(head: str, text: str) -> str:
    """Put text behind a head as a block of code whose fence is longer than any in the text, within one comment."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    room = LONGEST - len(f"{head}\n\n{fence}text\n\n{fence}\n\n{_LEFT_OUT}\n".encode()) - 16
    shown: list[str] = []
    lines = text.rstrip("\n").split("\n")
    for line in lines:
        room -= len(line.encode("utf-8", "replace")) + 1
        if room < 0:
            break
        shown.append(line)
    block = "\n".join((head, "", f"{fence}text", *shown, fence))
    left = len(lines) - len(shown)
    return f"{block}\n\n{_LEFT_OUT.format(left)}\n" if left else f"{block}\n"
