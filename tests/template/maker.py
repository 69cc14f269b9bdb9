"""Templates without a project: a text becomes the value of a key of a YAML file; and what they see."""

import json
from typing import Any

from runner.document import parse
from runner.reference import Reference
from runner.template import Mode, Template

CONTEXT: dict[str, Any] = {
    "inputs": {
        "n": 3,
        "zero": 0,
        "f": 1.5,
        "s": "a/b",
        "t": True,
        "no": False,
        "none": None,
        "empty": "",
        "list": [1, "two", None],
        "items": [5],
        "map": {"items": 7, "x-y": 1, "0": "zero"},
        "seven": "007",
        "braces": "{{ inputs.n }}",
        "lines": "a\nb\n",
        "html": "<b> & \"q\" 'p'",
    },
    "actions": {
        "ran": {"status": "succeeded", "output": {"a": None, "rows": [{"id": 1}, {"id": 2}]}},
        "skipped": {"status": "skipped"},
        "broken": {"status": "failed", "error": {"kind": "timeout", "message": "late"}},
    },
    "run": {"id": "r1", "started_at": "2026-01-02T03:04:05Z"},
    "environment": "dev",
}
CANARY = "s3cr3t-c4n4ry-value"
ROOTS = frozenset({"inputs", "vars", "actions", "run", "secrets", "environment"})


def made(text: str, mode: Mode = Mode.VALUE) -> Template:
    document, found = parse(f"key: {json.dumps(text, ensure_ascii=False)}", "f.yaml")
    assert document is not None, found
    return Template(text, mode, document, ("key",), ROOTS, "key")


def hide(reference: Reference) -> str | None:
    """Give the placeholder of a reference to a secret."""
    return "‹secret x›" if reference.root == "secrets" else None
