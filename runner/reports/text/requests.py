"""A plan as people read it: numbered actions, each request as it would be sent."""

from collections.abc import Mapping
from typing import Any

from runner import exact_json
from runner.errors import JsonObject
from runner.reports.text.style import Style, harmless, one_line

_SECTIONS = {"on_failure": "only when an action failed", "finally": "at the end, whatever happened"}
_INDENT = "     "


def plan(plan: JsonObject, style: Style) -> str:
    """Give the whole plan: what it is for, the secrets it will read, its actions, its outputs."""
    lines = _head(plan, style)
    section = "actions"
    for number, action in enumerate(plan["actions"], 1):
        if action.get("section", "actions") != section:
            section = action["section"]
            lines += ["", style.paint(f"{section}: {_SECTIONS.get(section, '')}".rstrip(": "), "dim")]
        lines += ["", *_action(str(number), action, style)]
    if plan.get("outputs"):
        lines += ["", style.paint("outputs", "strong")]
        lines += _pairs(plan["outputs"], "  ")
    return "\n".join(lines) + "\n"


def _head(plan: JsonObject, style: Style) -> list[str]:
    lines = [style.paint(f"plan of {one_line(plan['workflow'])}", "strong")]
    for name, key in (("environment", "environment"), ("user", "user")):
        if plan.get(key):
            lines.append(f"  {name}: {one_line(str(plan[key]))}")
    if plan.get("inputs"):
        lines.append("  inputs:")
        lines += _pairs(plan["inputs"], "    ")
    if lock := plan.get("concurrency"):
        waits = {"queue": "waits", "skip": "is skipped", "fail": "fails"}[lock["on_conflict"]]
        key = one_line(str(lock["key"]))
        lines.append(f"  one run at a time: key '{key}'; a run that finds it taken {waits}")
    if plan.get("secrets"):
        lines.append("  secrets that a run may read, and where they go:")
        for secret in plan["secrets"]:
            owner = secret.get("connection") or secret.get("workflow") or ""
            host = secret.get("host")
            goes = f" -> {one_line(str(host))}" if host else ""
            lines.append(
                f"    {one_line(str(secret['reference']))}{goes}  ({one_line(str(owner))})"
                if owner
                else f"    {one_line(str(secret['reference']))}{goes}"
            )
    return lines


def _action(number: str, action: JsonObject, style: Style) -> list[str]:
    through = f"  through {one_line(str(action['connection']))}" if action.get("connection") else ""
    lines = [
        f"{number.rjust(3)}. {style.paint(one_line(action['id']), 'strong')}{style.paint(through, 'dim')}"
    ]
    items = action.get("for_each")
    condition = action.get("if")
    if items and any("if" in item for item in items.get("first", ())):
        condition = None  # it is one of each item
    if condition is False:
        lines.append(f"{_INDENT}skipped: its `if` is false")
    elif condition is not None and condition is not True:
        lines.append(f"{_INDENT}if {one_line(str(condition))}")
    if action.get("needs") is not None:
        lines.append(
            f"{_INDENT}needs {', '.join(map(one_line, action['needs'])) or 'nothing: it starts at once'}"
        )
    if items:
        lines += _items(items)
    for item in [action] if not (items and items.get("first")) else items["first"]:
        lines += _work(item, number, style)
    if items and items.get("first") and items["count"] > len(items["first"]):
        lines.append(f"{_INDENT}... and {items['count'] - len(items['first'])} more")
    if repeat := action.get("repeat"):
        told = f"repeat until {repeat['until']}, every {repeat['every']}, at most {repeat['at_most']} times"
        lines.append(f"{_INDENT}{style.paint(one_line(told), 'dim')}")
    if action.get("retry"):
        lines.append(f"{_INDENT}{style.paint('retry: ' + one_line(_retry(action['retry'])), 'dim')}")
    lines += [
        f"{_INDENT}{style.paint('note: ' + one_line(str(n)), 'warn')}" for n in action.get("notes") or ()
    ]
    return lines


def _items(items: JsonObject) -> list[str]:
    count = items["count"]
    told = f"for each of {count} item{'' if count == 1 else 's'}"
    if not isinstance(count, int):
        told = f"for each item of {one_line(str(items['over'] or count))}"
    width = f", {items['concurrency']} at a time" if items["concurrency"] > 1 else ""
    return [f"{_INDENT}{told}{width}"]


def _work(action: JsonObject, number: str, style: Style) -> list[str]:
    """Give what is done: by the action, or for one of its items."""
    lines: list[str] = []
    if "item" in action:
        skipped = ": skipped, its `if` is false" if action.get("if") is False else ""
        lines.append(f"{_INDENT}item {action['index']}: {one_line(_value(action['item']))[:200]}{skipped}")
        if skipped:
            return lines
    if request := action.get("request"):
        lines += _request(request)
    if action.get("set") is not None:
        lines.append(f"{_INDENT}set")
        lines += _pairs(action["set"], _INDENT + "  ")
    for kind in ("wait", "fail"):
        if action.get(kind) is not None:
            lines.append(f"{_INDENT}{kind} {one_line(_value(action[kind]))}")
    if called := action.get("workflow"):
        lines.append(f"{_INDENT}workflow {one_line(called['name'])}")
        lines += _pairs(called.get("with") or {}, _INDENT + "  with ")
        for at, inner in enumerate(called.get("actions") or (), 1):
            section = "" if inner["section"] == "actions" else f"  ({inner['section']})"
            first, *rest = _action(f"{number}.{at}", inner, style)
            lines += [_INDENT + line for line in (first + style.paint(section, "dim"), *rest)]
    return lines


def _request(request: JsonObject) -> list[str]:
    lines = [f"{_INDENT}{one_line(str(request['method']))} {one_line(str(request['url']))}"]
    lines += [
        f"{_INDENT}{one_line(str(name))}: {one_line(_value(value))}"
        for name, value in (request.get("headers") or {}).items()
    ]
    if pages := request.get("paginate"):
        said = ", ".join(f"{name} {_value(item)}" for name, item in pages.items())
        lines.append(f"{_INDENT}pages: {one_line(said)}")
    if request.get("save_to") is not None:
        lines.append(f"{_INDENT}saves the answer to {one_line(str(request['save_to']))}")
    body = request.get("body")
    if body is None and not request.get("body_kind"):
        return lines
    kind = request.get("body_kind")
    if kind in ("form", "multipart", "graphql") and isinstance(body, Mapping):
        return [*lines, f"{_INDENT}{kind}", *_pairs(body, _INDENT + "  ")]
    if kind == "file" and isinstance(body, Mapping):
        return [*lines, f"{_INDENT}body from the file {one_line(_value(body.get('file')))}"]
    written = body if isinstance(body, str) and kind in ("text", "body") else _json(body)
    return lines + [f"{_INDENT}{line}" for line in harmless(written).rstrip("\n").split("\n")]


def _pairs(values: Mapping[str, Any], indent: str) -> list[str]:
    return [f"{indent}{one_line(str(name))}: {one_line(_value(value))}" for name, value in values.items()]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else exact_json.dumps(value)


def _json(value: Any) -> str:
    compact = exact_json.dumps(value)
    return compact if len(compact) <= 100 else exact_json.dumps(value, indent=2)


def _retry(value: Any) -> str:
    if not isinstance(value, Mapping):
        return _value(value)
    return ", ".join(f"{name} {_value(item)}" for name, item in value.items())
