"""A run as Markdown: for the summary of a job in GitHub Actions or GitLab, and for a comment."""

from runner.duration import written
from runner.errors import Failure
from runner.reports.markdown.escape import bounded, code, inline, row
from runner.result import ActionResult, RunResult, Status

MARKER = "<!-- runner.d: run -->"
_MARKS = {
    Status.SUCCEEDED: "ok",
    Status.FAILED: "**failed**",
    Status.SKIPPED: "skipped",
}


def run(result: RunResult) -> str:
    """Give how the run ended, why, and a table of its actions, as much of it as a comment holds."""
    status = result.status.value.replace("-", " ")
    facts = [f"run {code(result.run_id)}", f"started {inline(result.started_at)}", written(result.duration)]
    if result.user:
        facts.append(f"as {code(result.user)}")
    if result.environment:
        facts.append(f"environment {code(result.environment)}")
    head = [MARKER, f"### runner run {code(result.workflow)}: {status}", "", ", ".join(facts)]
    if result.error is not None:
        head += ["", f"**{inline(result.error.kind.value)}**: {_told(result.error)}"]
    head += [line for text in result.warnings[:10] for line in ("", f"warning: {inline(text)}")]
    lines = [_row(action) for action in result.actions]
    if not lines:
        return "\n".join(head) + "\n"
    head += ["", row(["", "Action", "What", "Took"]), row(["---"] * 4)]
    return bounded(head, lines, "{} more actions are not shown here; `--report html=PATH` shows them all.")


def _row(action: ActionResult) -> str:
    mark = "kept" if action.record.get("from_history") else _MARKS.get(action.status, action.status.value)
    if action.handled:
        mark = "failed, goes on"
    duration = action.record.get("duration")
    took = "" if duration is None else written(float(duration))
    return row([mark, code(action.key), "<br>".join(_what(action)), took])


def _what(action: ActionResult) -> list[str]:
    request = action.record.get("request") or {}
    told = []
    if action.reason:
        told.append(inline(action.reason))
    elif "url" in request:
        answered = (action.record.get("response") or {}).get("status")
        told.append(code(f"{request['method']} {request['url']}") + (f" {answered}" if answered else ""))
    elif items := action.record.get("items"):
        told.append(f"{items['succeeded']} of {items['count']} items")
    else:
        told.append(inline(action.kind))
    if action.error is not None:
        told.append(_told(action.error))
    return told


def _told(failure: Failure) -> str:
    place = f" ({code(str(failure.span))})" if failure.span else ""
    remedy = f"; help: {inline(failure.help)}" if failure.help else ""
    return f"{inline(failure.message)}{place}{remedy}"
