"""How actions, runs and tests of connections ended, in lines for people."""

from collections.abc import Sequence

from runner.duration import written
from runner.errors import Failure, JsonObject
from runner.exact_json import dumps
from runner.reports.text.style import Style, one_line, table
from runner.result import ActionResult, RunResult, Status

_MARKS = {
    Status.SUCCEEDED: ("ok", "good"),
    Status.FAILED: ("FAILED", "bad"),
    Status.SKIPPED: ("skipped", "dim"),
    Status.TIMED_OUT: ("FAILED", "bad"),
    Status.INTERRUPTED: ("stopped", "warn"),
    Status.TERMINATED: ("stopped", "warn"),
}
_MARK_WIDTH = len("skipped")
_LONGEST_URL = 100
_LONGEST_ITEM = 60
_NAMED_ITEMS = 3
"""How many failed items the message of a `for_each` names by itself."""

_LISTED_ITEMS = 10


def action(result: ActionResult, style: Style, *, id_width: int = 0) -> str:
    """Give one line for an action; where it failed, below it the message, the place and the remedy."""
    word, role = ("failed", "warn") if result.handled and result.error else _MARKS[result.status]
    if result.record.get("from_history"):
        word, role = "kept", "dim"
    mark = style.paint(word, role) + " " * (_MARK_WIDTH - len(word))
    parts = [mark, one_line(result.key).ljust(id_width), *_facts(result)]
    lines = ["  ".join(part for part in parts if part).rstrip()]
    if result.error:
        lines += failure(result.error, style, indent=" " * (_MARK_WIDTH + 2))
        lines += _failed_items(result.record.get("items") or {})
        if result.handled:
            lines.append(" " * (_MARK_WIDTH + 2) + "the run goes on: on_error is 'continue'")
    return "\n".join(lines)


def _failed_items(items: JsonObject) -> list[str]:
    """Name the failed items of a `for_each`, where there are more than the message names."""
    listed = [item for item in items.get("listed", ()) if item["status"] == "failed"]
    if items.get("failed", 0) <= _NAMED_ITEMS:
        return []
    lines = [
        f"  item {item['index']}{_which(item)}: {one_line(str(item['error']['message']))}"
        for item in listed[:_LISTED_ITEMS]
    ]
    left = items["failed"] - len(lines)
    lines += [f"  and {left} more; a report with --report json=PATH has up to 100 of them"] if left else []
    return [" " * (_MARK_WIDTH + 2) + line for line in lines]


def _which(item: JsonObject) -> str:
    text = one_line(dumps(item["item"])) if "item" in item else ""
    return f" ({text if len(text) <= _LONGEST_ITEM else text[:_LONGEST_ITEM] + '…'})" if text else ""


def failure(failed: Failure, style: Style, *, indent: str = "") -> list[str]:
    """Give a failure with its kind, place and remedy."""
    head = style.paint(f"error[{failed.kind.value}]", "bad")
    lines = [f"{indent}{head}: {one_line(failed.message)}"]
    if failed.span:
        lines.append(f"{indent}  {style.paint('-->', 'gutter')} {one_line(str(failed.span))}")
    if failed.help:
        lines.append(f"{indent}  = {style.paint('help', 'help')}: {one_line(failed.help)}")
    return lines


def summary(result: RunResult, style: Style) -> str:
    """Say how the run ended, what it counts, and its id."""
    counts: dict[str, int] = {}
    for item in result.actions:
        word = "failed (handled)" if item.error and item.handled else item.status.value
        counts[word] = counts.get(word, 0) + 1
    told = ", ".join(f"{number} {word}" for word, number in counts.items()) or "no actions"
    role = "good" if result.status is Status.SUCCEEDED else "bad"
    stopped = (Status.INTERRUPTED, Status.TERMINATED, Status.SKIPPED)
    ended = (
        f"was {result.status.value}" if result.status in stopped else result.status.value.replace("-", " ")
    )
    who = f" as {one_line(result.user)}" if result.user else ""
    lines = []
    own = result.error and all(item.error != result.error for item in result.actions)
    if result.error and own:
        lines += failure(result.error, style)
    head = style.paint(f"{one_line(result.workflow)} {ended}", role)
    lines.append(f"{head} in {written(result.duration)}{who}: {told} (run {result.run_id})")
    return "\n".join(lines)


def connection_tests(results: Sequence[JsonObject], style: Style) -> str:
    """Give a table of connections, below each that is not ok the message and the remedy."""
    rows = [
        [
            one_line(str(item["classification"])),
            one_line(str(item["connection"])),
            one_line(_request(item)),
            str(item.get("status") or ""),
            written(item["duration"]) if item.get("duration") is not None else "",
        ]
        for item in results
    ]
    lines: list[str] = []
    for line, row, item in zip(table(rows), rows, results, strict=True):
        good = row[0] == "ok"
        neutral = row[0] == "no test endpoint"
        role = "good" if good else "dim" if neutral else "bad"
        lines.append(style.paint(row[0], role) + line[len(row[0]) :])
        if good:
            continue
        if item.get("message"):
            lines.append(f"    {one_line(str(item['message']))}")
        if item.get("file"):
            lines.append(
                f"    {style.paint('-->', 'gutter')} {one_line(str(item['file']))}:{item.get('line', 1)}"
            )
        if item.get("help"):
            lines.append(f"    = {style.paint('help', 'help')}: {one_line(str(item['help']))}")
    fine = sum(row[0] == "ok" for row in rows)
    lines.append(f"{fine} of {len(rows)} connections ok" if rows else "there are no connections")
    return "\n".join(lines) + "\n"


def _request(record: JsonObject) -> str:
    method, url = record.get("method"), record.get("url")
    if not url:
        return ""
    text = f"{method or 'GET'} {url}"
    return text if len(text) <= _LONGEST_URL else text[: _LONGEST_URL - 1] + "…"


def _facts(result: ActionResult) -> list[str]:
    """Say what is known of an action besides how it ended."""
    if result.status is Status.SKIPPED:
        return [one_line(result.reason)] if result.reason else []
    record = result.record
    request = record.get("request") or {}
    if record.get("items"):
        return _counts(result, record["items"])
    what = f"workflow {record['workflow']}" if record.get("workflow") else result.kind
    facts = [one_line(_request(request) or what)]
    status = (record.get("response") or {}).get("status")
    if status is not None:
        facts.append(str(status))
    if record.get("duration") is not None:
        facts.append(written(float(record["duration"])))
    if record.get("pages", 1) > 1:
        return [*facts, f"{record['pages']} pages"]
    attempts = record.get("attempts")
    count = len(attempts) if isinstance(attempts, list) else attempts
    if isinstance(count, int) and count > 1:
        facts.append(f"{count} attempts")
    if record.get("repetitions", 1) > 1:
        facts.append(f"{record['repetitions']} repetitions")
    return facts


def _counts(result: ActionResult, items: JsonObject) -> list[str]:
    """Say of a `for_each` how many items there were and what came of them."""
    count = items["count"]
    told = [f"{count} item{'' if count == 1 else 's'}"]
    for name, word in (("failed", "failed"), ("skipped", "skipped"), ("not_started", "not started")):
        if items[name]:
            told.append(f"{items[name]} {word}")
    facts = [result.kind, ", ".join(told)]
    if items["longest"]:
        facts.append(f"longest {written(float(items['longest']))}")
    return facts
