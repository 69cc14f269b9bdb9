"""Workflows whose own file is the same and that do something else all the same: through a connection or a variable."""

import re
from collections.abc import Iterator
from typing import Any

from runner.compare.conceal import scalars
from runner.compare.pairs import Both
from runner.compare.side import file_of
from runner.compare.tree import MISSING, dig, mapping, same
from runner.errors import JsonObject
from runner.project import SETTINGS

_VARIABLE = re.compile(r"\bvars\b(?:\s*\.\s*([A-Za-z_]\w*)|\s*\[\s*['\"]([^'\"]+)['\"]\s*\])?")
_EVERY = "*"

Reasons = dict[str, list[str]]


def through(both: Both) -> Reasons:
    """Say for each workflow that is there now through what else it changed; those that do not change are left out."""
    changed = _variables(both)
    connections = _connections(both, changed)
    found: Reasons = {}
    called: dict[str, list[str]] = {}
    for name, workflow in both.new.project.workflows.items():
        reasons = [reason for used in workflow.connections for reason in connections.get(used, ())]
        if changed:
            reasons += _named(_used(both.new.value(file_of("workflow", name))), changed)
        if reasons:
            found[name] = list(dict.fromkeys(reasons))
        for action in workflow.every_action:
            if action.kind == "workflow" and isinstance(target := _called(both, name, action.id), str):
                called.setdefault(target, []).append(name)
    return _with_callers(found, called, both)


def unseen(both: Both, reasons: Reasons, changes: list[JsonObject]) -> list[JsonObject]:
    """Give the workflows that changed only through something else, by name."""
    own = {item["name"] for item in changes if item["what"] == "workflow"}
    return [
        {"workflow": name, "file": file_of("workflow", name), "through": sorted(reasons[name])}
        for name in sorted(reasons)
        if name not in own and name in both.old.names("workflow")
    ]


def _variables(both: Both) -> dict[str, list[str]]:
    """Say which variables of the project changed, and in which environments."""
    changed: dict[str, list[str]] = {}
    if not both.settings_changed():
        return changed
    for environment in both.environments():
        before = both.old.settings_in(both.old_environment(environment), "vars")
        after = both.new.settings_in(environment, "vars")
        for name in sorted({*before, *after}):
            if same(dig(before, name), dig(after, name)):
                continue
            place = f" in environment {environment}" if environment else ""
            if place and f"vars.{name} ({SETTINGS})" in changed.get(name, ()):
                continue
            changed.setdefault(name, []).append(f"vars.{name}{place} ({SETTINGS})")
    return changed


def _connections(both: Both, variables: dict[str, list[str]]) -> Reasons:
    """Say of each connection that is there now through what it changed."""
    found: Reasons = {}
    for pair in both.pairs("connection"):
        if pair.name is None or pair.was is None:
            continue
        reasons: list[str] = []
        plain = both.old.connection(pair.was), both.new.connection(pair.name)
        if not same(*plain):
            reasons.append(f"connection {pair.name}{_by(both, pair.name, *plain)}")
        for environment in both.new.environments:
            old = both.old_environment(environment)
            one, other = both.old.override(pair.was, old), both.new.override(pair.name, environment)
            if not same(one, other):
                reasons.append(f"connection {pair.name} in environment {environment} ({SETTINGS})")
        if variables:
            after = [plain[1], *(both.new.override(pair.name, each) for each in both.new.environments)]
            reasons += [f"connection {pair.name}, {reason}" for reason in _named(_used(after), variables)]
        if reasons:
            found[pair.name] = reasons
    return found


def _by(both: Both, name: str, before: Any, after: Any) -> str:
    """Name the connections that it extends and that the change stands in."""
    if before is MISSING or after is MISSING:
        return ""
    keys = [key for key in {*before, *after} if not same(dig(before, key), dig(after, key))]
    homes = {both.new.home(name, key) for key in keys} - {name, None}
    return f", which extends {', '.join(sorted(str(home) for home in homes))}" if homes else ""


def _used(value: Any) -> set[str]:
    """Name the variables that the texts of a value use; `*` stands for all of them."""
    names: set[str] = set()
    for text in _texts(value):
        if "vars" in text and ("{{" in text or "{%" in text):
            names |= {match[1] or match[2] or _EVERY for match in _VARIABLE.finditer(text)}
    return names


def _texts(value: Any) -> Iterator[str]:
    return (each for _, each in scalars(value) if isinstance(each, str)) if value is not MISSING else iter(())


def _named(used: set[str], changed: dict[str, list[str]]) -> list[str]:
    return [reason for name, told in changed.items() if name in used or _EVERY in used for reason in told]


def _called(both: Both, name: str, action: str) -> Any:
    return dig(mapping(both.new.workflow(name)), "actions", action, "workflow")


def _with_callers(found: Reasons, called: dict[str, list[str]], both: Both) -> Reasons:
    """Add the workflows that call one that changed, and those that call these."""
    same_file = {
        pair.name for pair in both.pairs("workflow") if pair.change == "changed" and both.same_text(pair)
    }
    waiting = [name for name in called if name in found or name not in same_file]
    while waiting:
        name = waiting.pop()
        for caller in called.get(name, ()):
            reason = f"workflow {name}"
            if reason not in found.setdefault(caller, []):
                found[caller].append(reason)
                waiting.append(caller)
    return found
