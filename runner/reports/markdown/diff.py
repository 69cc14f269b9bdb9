"""A comparison as one comment on a pull request: what to look at first in a table, then every change as a list."""

from collections.abc import Iterator
from typing import Any

from runner.comparison import notices, sign, title, value, where
from runner.errors import JsonObject
from runner.reports.markdown.escape import bounded, code, inline, row

MARKER = "<!-- runner.d: diff -->"


def diff(compared: JsonObject) -> str:
    """Give the comparison, as much of it as a comment holds; the dangerous part comes first."""
    names = [code(compared[side]["name"]) for side in ("base", "head")]
    head = [
        MARKER,
        f"### runner diff: {_counts(compared)}",
        "",
        f"{names[0]} → {names[1]}, {code(compared['digest'])}",
    ]
    for text in notices(compared):
        head += ["", f"**note:** {inline(text)}"]
    lines = [*_dangers(compared["danger"]), *_indirect(compared["indirect"]), *_changes(compared["changes"])]
    return bounded(head, lines, "{} more lines are not shown here; `runner diff` shows them all.")


def _counts(compared: JsonObject) -> str:
    files, dangers = len(compared["changes"]), len(compared["danger"])
    if not files and not compared["indirect"]:
        return "no difference in meaning"
    look = f", {dangers} {'thing' if dangers == 1 else 'things'} to look at first" if dangers else ""
    return f"{files or 'no'} {'file' if files == 1 else 'files'} changed in meaning{look}"


def _dangers(items: list[JsonObject]) -> Iterator[str]:
    if not items:
        return
    yield from ("", row(["Look at first", "What", "Where"]), row(["---", "---", "---"]))
    for item in items:
        said = [inline(item["message"])]
        if not (item.get("after") == item["message"] and "before" not in item):
            said += [f"{key}: {code(value(item[key]))}" for key in ("before", "after") if key in item]
        yield row([f"**{inline(item['kind'])}**", "<br>".join(said), code(where(item))])


def _indirect(items: list[JsonObject]) -> Iterator[str]:
    if items:
        yield from ("", "**Changed through something else only**", "")
    for item in items:
        yield f"- {code(item['file'])} through {inline('; '.join(item['through']))}"


def _changes(items: list[JsonObject]) -> Iterator[str]:
    if items:
        yield from ("", "**Changes**", "")
    for item in items:
        yield f"- {code(sign(item))} {code(title(item))}"
        yield from (_entry(entry, "  ") for entry in item["entries"])
        for action in item.get("actions", ()):
            section = "" if action["section"] == "actions" else f" in {inline(action['section'])}"
            yield f"  - {code(sign(action))} action {code(action['id'])}{section}"
            yield from (_entry(entry, "    ") for entry in action["entries"])


def _entry(entry: dict[str, Any], indent: str) -> str:
    through = f" (through {code(entry['through'])})" if "through" in entry else ""
    values = " → ".join(code(value(entry[key])) for key in ("before", "after") if key in entry)
    return f"{indent}- {code(entry['sign'])} {code(entry['key'])}{through}: {values}"
