"""Values written as YAML for people: small parts in one line, others below their key."""

import json
import re
from collections.abc import Mapping
from typing import Any

WIDE = 90

_PLAIN = re.compile(r"[A-Za-z_/$][A-Za-z0-9_/.@$+-]*(?:(?:://| |#)[A-Za-z0-9_/.@+#-]+)*")
_TYPED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def written(value: Mapping[str, Any]) -> list[str]:
    """Write a mapping as lines."""
    lines: list[str] = []
    for key, item in value.items():
        line = f"{_scalar(key)}: {flow(item)}"
        if isinstance(item, dict) and item and len(line) > WIDE:
            lines += [f"{_scalar(key)}:", *indented(written(item))]
        elif isinstance(item, list) and len(line) > WIDE:
            lines += [f"{_scalar(key)}:", *(f"  - {flow(each)}" for each in item)]
        else:
            lines.append(line)
    return lines


def indented(lines: list[str]) -> list[str]:
    """Move lines to the right."""
    return [f"  {line}" for line in lines]


def flow(value: Any) -> str:
    """Write a value in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """Write a scalar: plain where YAML 1.1 and 1.2 read the same text in it, else as JSON does."""
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) and " #" not in value
    if plain and value.lower() not in _TYPED:
        return str(value)
    return json.dumps(value, ensure_ascii=False)
