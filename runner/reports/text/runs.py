"""Runs of the history, in lines for people: the list, and the timeline of one."""

import json
from collections.abc import Callable

from runner.duration import written
from runner.errors import Failure, JsonObject
from runner.reports.text.outcome import failure
from runner.reports.text.style import Style, one_line, pad, table

_ROLES = {
    "succeeded": "good",
    "running": "strong",
    "failed": "bad",
    "crashed": "bad",
    "timed-out": "bad",
    "skipped": "dim",
}
_LONGEST = 100


def listed(found: JsonObject, style: Style) -> str:
    """Give a table of runs."""
    rows = [
        [
            run["run"],
            _moment(run["started_at"]),
            one_line(run["workflow"]),
            run["status"],
            "" if run["duration"] is None else written(run["duration"]),
            one_line(run["user"] or "-"),
            one_line(run["environment"] or "-"),
        ]
        for run in found["runs"]
    ]
    if not rows:
        return ""
    head, *lines = table([["RUN", "STARTED", "WORKFLOW", "STATUS", "TOOK", "AS", "ENV"], *rows])
    column = head.index("STATUS")
    painted = [
        line[:column] + style.paint(row[3], _ROLES.get(row[3], "warn")) + line[column + len(row[3]) :]
        if line.isascii()
        else line
        for line, row in zip(lines, rows, strict=True)
    ]
    return "\n".join([style.paint(head, "strong"), *painted]) + "\n"


def shown(run: JsonObject, style: Style, *, files: str | None) -> str:
    """Give the facts of a run and what happened in it; `files` says how they compare with the commit."""
    status = style.paint(run["status"], _ROLES.get(run["status"], "warn"))
    commit = run["commit"] or "none"
    lines = [
        f"{style.paint(run['run'], 'strong')}  {one_line(run['workflow'])}  {status}",
        f"  started      {_moment(run['started_at'])}",
        f"  as           {one_line(run['user'] or '-')}",
        f"  environment  {one_line(run['environment'] or '-')}",
        f"  git commit   {one_line(commit)}{f' ({one_line(files)})' if files else ''}",
        f"  files        sha256:{run['digest']}",
    ]
    inputs = [[one_line(name), one_line(_json(value))] for name, value in run["inputs"].items()]
    inputs += [[one_line(name), "(secret: given again on a resume)"] for name in run["give_again"]]
    if inputs:
        lines += ["", style.paint("inputs", "strong"), *(f"  {line}" for line in table(inputs))]
    width = max((len(action["key"]) for action in run["actions"]), default=0)
    for execution in run["executions"]:
        lines += ["", *_execution(execution, run, style)]
        for action in run["actions"]:
            if action["execution"] == execution["number"]:
                lines += _action(action, min(width, 40), style)
    for step in run["open"]:
        what = "it may have happened: a resume asks" if step["unknown"] else "a resume does it again"
        lines.append(
            f"  {style.paint('open'.ljust(9), 'warn')}  {one_line(step['key'])}  its end is not known; {what}"
        )
    lines += _advice(run, style)
    return "\n".join(lines) + "\n"


def _execution(execution: JsonObject, run: JsonObject, style: Style) -> list[str]:
    first = execution["number"] == 1
    name = "run" if first else f"resume {execution['number'] - 1}"
    where = f"{one_line(execution['host'])}, process {execution['pid']}, runner.d {one_line(execution['version'])}"
    status = execution.get("status")
    if status is None:
        status = run["status"] if execution["number"] == len(run["executions"]) else "crashed"
    took = f" in {written(execution['duration'])}" if "duration" in execution else ""
    lines = [f"{style.paint(name, 'strong')}  {_moment(execution['started_at'])}  {status}{took}  ({where})"]
    own = execution.get("error")
    errors = [action.get("error") for action in run["actions"]]
    if own and all(error is None or error["message"] != own["message"] for error in errors):
        lines += failure(Failure.from_json(own), style, indent="  ")
    lines += [f"  warning: {one_line(text)}" for text in execution.get("warnings", ())]
    return lines


def _action(action: JsonObject, width: int, style: Style) -> list[str]:
    word = "kept" if action.get("from_history") else action["status"]
    role = "dim" if word in ("kept", "skipped") else "good" if word == "succeeded" else "bad"
    if action.get("handled"):
        role = "warn"
    facts = [one_line(fact) for fact in _facts(action)]
    line = "  ".join(
        [style.paint(word, role) + " " * (9 - len(word)), pad(one_line(action["key"]), width), *facts]
    )
    lines = [f"  {line}".rstrip()]
    if "error" in action and not action.get("from_history"):
        lines += failure(Failure.from_json(action["error"]), style, indent=" " * 13)
    attempts = action.get("attempts", ())
    if len(attempts) > 1:
        lines += [f"{' ' * 13}{_attempt(attempt)}" for attempt in attempts]
    return lines


def _facts(action: JsonObject) -> list[str]:
    if action["status"] == "skipped":
        return [action.get("reason") or ""]
    request = action.get("request") or {}
    target = f"{request.get('method', '')} {request.get('url', '')}".strip() or action["kind"]
    facts = [target if len(target) <= _LONGEST else f"{target[: _LONGEST - 1]}…"]
    if action.get("response"):
        facts.append(str(action["response"]["status"]))
    if "items" in action:
        items = action["items"]
        facts.append(f"{items['succeeded']} of {items['count']} items")
    if "started_at" in action:
        facts.append(f"at {action['started_at'][11:19]}")
    if "duration" in action:
        facts.append(written(float(action["duration"])))
    return facts


def _attempt(attempt: JsonObject) -> str:
    page = f"page {attempt['page']}, " if "page" in attempt else ""
    parts = [f"{page}attempt {attempt.get('number', '?')}"]
    if "status" in attempt:
        parts.append(str(attempt["status"]))
    if "duration" in attempt:
        parts.append(written(float(attempt["duration"])))
    if "error" in attempt:
        parts.append(one_line(attempt["error"]["message"]))
    if "wait" in attempt:
        parts.append(f"then a wait of {written(float(attempt['wait']))}")
    return "  ".join(parts)


def _advice(run: JsonObject, style: Style) -> list[str]:
    if run["status"] in ("succeeded", "running", "skipped"):
        return []
    return ["", f"{style.paint('help', 'help')}: `runner runs resume {run['run']}` goes on where it stopped"]


def _moment(text: str) -> str:
    return f"{text[:10]} {text[11:19]}Z"


_json: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False).encode
