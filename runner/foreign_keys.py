"""Keys of other tools, and what stands for them here: who comes from there writes them first."""

from collections.abc import Collection

FOREIGN: dict[str, tuple[str, ...]] = {
    "assert": ("expect",),
    "assertions": ("expect",),
    "authentication": ("auth",),
    "call": ("workflow",),
    "capture": ("output",),
    "condition": ("if",),
    "continue_on_error": ("on_error",),
    "credentials": ("auth",),
    "cron": ("schedule", "triggers"),
    "data": ("json", "body"),
    "delay": ("wait",),
    "depends_on": ("needs",),
    "dependson": ("needs",),
    "endpoint": ("base_url", "path"),
    "env": ("vars",),
    "extract": ("output",),
    "host": ("base_url",),
    "ignore_errors": ("on_error",),
    "insecure": ("tls",),
    "loop": ("for_each",),
    "on": ("triggers",),
    "parameters": ("inputs", "query"),
    "params": ("query", "inputs", "with"),
    "payload": ("json", "body"),
    "register": ("output",),
    "retries": ("retry",),
    "schedule": ("triggers",),
    "sleep": ("wait",),
    "steps": ("actions",),
    "store": ("output",),
    "tasks": ("actions",),
    "uri": ("url", "base_url"),
    "url": ("base_url",),
    "uses": ("workflow", "connection"),
    "variables": ("vars",),
    "when": ("if",),
    "with_items": ("for_each",),
}


def meant(key: str, known: Collection[str]) -> str | None:
    """Give the key that stands here for one of another tool; None for a key that no tool has."""
    names = FOREIGN.get(key.lower().replace("-", "_"), ())
    return next((name for name in names if name in known), None)
