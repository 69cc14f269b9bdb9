"""A comparison as people read it: what to look at first, then every change."""

from collections.abc import Mapping
from typing import Any

from runner.comparison import notices, sign, title, value, where
from runner.errors import JsonObject
from runner.reports.text.style import Style, one_line, text_width

_ROLES = {"+": "good", "-": "bad", "~": "warn"}
_WIDEST = 100
"""Columns up to which before and after stand on one line."""


def diff(compared: JsonObject, style: Style) -> str:
    """Give the whole comparison."""
    names = [one_line(compared[side]["name"]) for side in ("base", "head")]
    lines = [style.paint(f"{names[0]} → {names[1]}", "strong")]
    lines += [style.paint(f"note: {one_line(text)}", "warn") for text in notices(compared)]
    if not compared["changes"] and not compared["indirect"]:
        lines.append("no difference in meaning")
    if compared["danger"]:
        lines += ["", style.paint("look at first", "strong")]
        lines += [line for item in compared["danger"] for line in _danger(item, style)]
    if compared["indirect"]:
        lines += ["", style.paint("changed through something else only", "strong")]
        for item in compared["indirect"]:
            lines += [f"  {style.paint('~', 'warn')} {one_line(item['file'])}"]
            lines += [f"      through {one_line(reason)}" for reason in item["through"]]
    if compared["changes"]:
        lines += ["", style.paint("changes", "strong")]
        lines += [line for item in compared["changes"] for line in _file(item, style)]
    lines += ["", style.paint(f"digest {compared['digest']}", "dim")]
    return "\n".join(lines) + "\n"


def _danger(item: JsonObject, style: Style) -> list[str]:
    head = f"  {style.paint('!', 'bad')} {style.paint(item['kind'], 'bad')}: {one_line(item['message'])}"
    place = f"      {style.paint(one_line(where(item)), 'dim')}"
    shown: dict[str, Any] = {key: item[key] for key in ("before", "after") if key in item}
    if not shown or shown == {"after": item["message"]}:
        return [head, place]
    return [head, place, *_values(shown, "      ", style)]


def _file(item: JsonObject, style: Style) -> list[str]:
    lines = [_painted(sign(item), f"{sign(item)} {one_line(title(item))}", style)]
    lines += [line for entry in item["entries"] for line in _entry(entry, "    ", style)]
    for action in item.get("actions", ()):
        section = "" if action["section"] == "actions" else f" in {action['section']}"
        lines.append(
            _painted(sign(action), f"    {sign(action)} action {one_line(action['id'])}{section}", style)
        )
        lines += [line for entry in action["entries"] for line in _entry(entry, "        ", style)]
    return lines


def _entry(entry: JsonObject, indent: str, style: Style) -> list[str]:
    through = f" (through {one_line(entry['through'])})" if "through" in entry else ""
    head = f"{indent}{style.paint(entry['sign'], _ROLES[entry['sign']])} {one_line(entry['key'])}{through}:"
    if "before" in entry and "after" in entry:
        both = f"{one_line(value(entry['before']))} → {one_line(value(entry['after']))}"
        if text_width(head) + text_width(both) < _WIDEST:
            return [f"{head} {both}"]
        return [head, *_values(entry, indent + "    ", style)]
    return [f"{head} {one_line(value(entry['before'] if 'before' in entry else entry['after']))}"]


def _values(shown: Mapping[str, Any], indent: str, style: Style) -> list[str]:
    pairs = (("before", "-"), ("after", "+"))
    return [
        f"{indent}{style.paint(mark, _ROLES[mark])} {one_line(value(shown[key]))}"
        for key, mark in pairs
        if key in shown
    ]


def _painted(mark: str, text: str, style: Style) -> str:
    return style.paint(text, _ROLES[mark])
