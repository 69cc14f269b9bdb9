"""The words for a comparison (`runner.compare`) that all its reports share. What they give is not escaped yet."""

import json
from collections.abc import Mapping
from typing import Any

from runner import exact_json
from runner.errors import JsonObject

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "renamed": "~"}


def notices(compared: JsonObject) -> list[str]:
    """Say which side has errors, and how many."""
    told = []
    for side in ("base", "head"):
        facts = compared[side]
        if facts["errors"]:
            number, plural = facts["errors"], "" if facts["errors"] == 1 else "s"
            more = ": `runner validate` shows them" if side == "head" else ""
            told.append(
                f"{facts['name']} has {number} error{plural}, so it is compared as far as it can be read{more}"
            )
    return told


def where(item: Mapping[str, Any]) -> str:
    """Say where a dangerous change is: file, action, environment."""
    parts = [item["file"]]
    parts += [f"{name} {item[name]}" for name in ("action", "environment") if name in item]
    return ", ".join(parts)


def value(given: Any) -> str:
    """Write a value on one line: text as it is, where it cannot be taken for something else."""
    if isinstance(given, str) and given and given == given.strip() and not _ambiguous(given):
        return given
    return exact_json.dumps(given)


def title(item: Mapping[str, Any]) -> str:
    """Name a changed file, with its old name where it has a new one."""
    was = f" (was {item['was']})" if "was" in item else ""
    sides = item.get("unread", [])
    unread = f" (cannot be read in {' and '.join(sides)})" if sides else ""
    return f"{item['file']}{was}{unread}"


def sign(item: Mapping[str, Any]) -> str:
    """Give the sign of a changed file or action."""
    return _SIGNS[item["change"]]


def _ambiguous(text: str) -> bool:
    """Tell whether text would read as a number, a list or the like."""
    if "\n" in text:
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text[0] in "\"'[" or (text[0] == "{" and not text.startswith(("{{", "{%")))
    return True
