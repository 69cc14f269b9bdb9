"""A run as one HTML page: complete in itself, without scripts, without anything from elsewhere, everything escaped.

The page forbids itself to load or run anything (Content-Security-Policy), so that text from a server that slipped through
could do nothing. `<details>` open and close without scripts.
"""

import html
import re
from typing import Any

from runner import exact_json
from runner.duration import written
from runner.errors import JsonObject
from runner.result import RunResult

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #cf222e; --warn: #9a6700; --dim: #6e7781 }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; --warn: #d29922; --dim: #8b949e } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
table { border-collapse: collapse } td, th { padding: .15em 1.5em .15em 0; text-align: left; vertical-align: top }
details { border-top: 1px solid var(--line); padding: .35em 0 } details details { margin-left: 1.5em }
summary { cursor: pointer } summary code { overflow-wrap: anywhere }
pre { background: #8881; padding: .6em; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere }
.succeeded, .kept { color: var(--good) } .failed, .timed-out { color: var(--bad); font-weight: 600 }
.skipped { color: var(--dim) } .handled, .interrupted, .terminated { color: var(--warn) }
.state { display: inline-block; min-width: 6.5em } .help { color: var(--dim) }
"""
_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
"""
# What HTML may not hold, and what makes text look like another (the same as for terminals).
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\ufffe\uffff]"
)
_SHOWN_ELSEWHERE = frozenset(
    {"id", "section", "kind", "status", "name", "connection", "reason", "error", "handled", "output", "request",
     "response", "attempts", "items", "actions", "duration", "from_history"}
)  # fmt: skip


def run(result: RunResult) -> str:
    """Give the page."""
    data = result.to_json()
    title = f"{data['workflow']} {data['status']}"
    parts = [
        _HEAD.format(title=_text(title), style=_STYLE),
        f"<h1>{_text(data['workflow'])} {_state(data['status'], data['status'])}</h1>",
        _facts(data),
    ]
    if "error" in data:
        parts += ["<h2>Why</h2>", _error(data["error"])]
    if data["warnings"]:
        parts += [
            "<h2>Warnings</h2>",
            "<ul>",
            *(f"<li>{_text(item)}</li>" for item in data["warnings"]),
            "</ul>",
        ]
    if data["inputs"]:
        parts += ["<h2>Inputs</h2>", _value(data["inputs"])]
    parts += ["<h2>Actions</h2>", *(_action(action) for action in data["actions"])]
    parts += ["<h2>Outputs</h2>", _value(data["outputs"])]
    return "\n".join([*parts, "</body>", "</html>"]) + "\n"


def _facts(data: JsonObject) -> str:
    facts = {
        "Run": data["run"],
        "Started": data["started_at"],
        "Took": written(data["duration"]),
        "As": data["user"],
        "Environment": data["environment"],
    }
    rows = [f"<tr><th>{name}</th><td>{_text(value)}</td></tr>" for name, value in facts.items() if value]
    return f"<table>{''.join(rows)}</table>"


def _action(action: JsonObject) -> str:
    """Give an action, open where it failed; those of a called workflow stand inside of it."""
    state = "handled" if action.get("handled") else "kept" if action.get("from_history") else action["status"]
    shown = "failed" if state == "handled" else state
    section = "" if action["section"] == "actions" else f"{action['section']}/"
    facts = [f"<strong>{_text(section + action['id'])}</strong>", *_short(action)]
    inner = []
    if "error" in action:
        inner.append(_error(action["error"]))
        if action.get("handled"):
            inner.append("<p>The run goes on: <code>on_error</code> is <code>continue</code>.</p>")
    inner += [
        f"<p>{name.capitalize()}</p>{_value(action[name])}"
        for name in ("request", "attempts", "response", "output")
        if action.get(name) is not None
    ]
    items = action.get("items") or {}
    if items:
        counts = {name: value for name, value in items.items() if name != "listed"}
        inner += [f"<p>Items</p>{_value(counts)}", *map(_item, items.get("listed", ()))]
    inner += [_action(each) for each in action.get("actions") or ()]
    more = {name: value for name, value in action.items() if name not in _SHOWN_ELSEWHERE}
    if more:
        inner.append(_value(more))
    opened = " open" if action["status"] == "failed" and not action.get("handled") else ""
    head = f"<summary>{_state(shown, state)} {' '.join(facts)}</summary>"
    return f"<details{opened}>{head}{''.join(inner)}</details>"


def _item(item: JsonObject) -> str:
    head = f"<summary>{_state(item['status'], item['status'])} item {_text(item['index'])}</summary>"
    error = _error(item["error"]) if "error" in item else ""
    rest = {name: value for name, value in item.items() if name not in ("status", "index", "error")}
    return f"<details>{head}{error}{_value(rest)}</details>"


def _short(action: JsonObject) -> list[str]:
    request = action.get("request") or {}
    if action["status"] == "skipped":
        return [_text(action.get("reason") or "")]
    facts = [f"<code>{_text(request['method'])} {_text(request['url'])}</code>"] if "url" in request else []
    if not facts:
        facts.append(_text(action["kind"]))
    if action.get("name"):
        facts.append(_text(action["name"]))
    if "status" in (action.get("response") or {}):
        facts.append(_text(action["response"]["status"]))
    if "duration" in action:
        facts.append(written(float(action["duration"])))
    return facts


def _error(error: JsonObject) -> str:
    place = f" at {error['file']}:{error['line']}:{error['column']}" if "file" in error else ""
    told = f'<p class="failed">{_text(error["kind"])}: {_text(error["message"])}{_text(place)}</p>'
    return told + (f'<p class="help">{_text(error["help"])}</p>' if error.get("help") else "")


def _state(word: str, state: str) -> str:
    return f'<span class="state {_text(state)}">{_text(word)}</span>'


def _value(value: Any) -> str:
    try:
        told = exact_json.dumps(value, indent=2)
    except ValueError:  # infinity
        told = str(value)
    return f"<pre>{_text(told)}</pre>"


def _text(value: Any) -> str:
    """Give text that shows as it is and does nothing."""
    shown = _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", str(value))
    return html.escape(shown)
