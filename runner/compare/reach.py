"""What a project reaches, compared: hosts, secrets, and which secret goes to which host by which way."""

import re
from collections.abc import Iterator
from typing import Any

from runner.compare.conceal import scalars
from runner.compare.danger import danger
from runner.compare.pairs import Both
from runner.compare.side import Side, file_of
from runner.errors import JsonObject
from runner.flow import Flow
from runner.secret_ref import looks_like_reference

_OWNER = re.compile(r"workflow (.*)\Z", re.DOTALL)


def dangers(both: Both, touched: frozenset[str]) -> Iterator[JsonObject]:
    """List what is reached that was not; `touched` names the workflows that may have changed in any way."""
    yield from _hosts(both)
    yield from _secrets(both)
    yield from _flows(both, touched)


def _hosts(both: Both) -> Iterator[JsonObject]:
    known = both.old.hosts()
    for host, users in both.new.hosts().items():
        if host in known:
            continue
        for kind, name in dict.fromkeys((kind, name) for kind, name, _ in users):
            environments = [environment for what, who, environment in users if (what, who) == (kind, name)]
            where = {kind: name, "environment": None if None in environments else _joined(environments)}
            yield danger("new-host", host, file_of(kind, name), after=host, **where)


def _secrets(both: Both) -> Iterator[JsonObject]:
    known = {text for text, _, _ in _references(both.old, both)}
    for text, kind, name in sorted(set(_references(both.new, both))):
        if text not in known:
            where = {kind: name} if kind != "project" else {}
            path = file_of(kind, name) if kind != "project" else name
            yield danger("new-secret", text, path, after=text, **where)


def _references(side: Side, both: Both) -> Iterator[tuple[str, str, str]]:
    """Give every secret reference with the file that holds it: of bound files, and of changed ones that have errors."""
    project = side.project
    for name, connection in project.connections.items():
        for ref in connection.secrets.values():
            # A reference that is inherited stands in another file, which gives it as well.
            if ref.span.path == file_of("connection", name):
                yield ref.text, "connection", name
    for name, workflow in project.workflows.items():
        for ref in workflow.secrets.values():
            yield ref.text, "workflow", name
    other = both.new if side is both.old else both.old
    for path in project.documents:
        if other.text(path) != side.text(path):
            folder, _, rest = path.partition("/")
            kind = {"connections.d": "connection", "workflows.d": "workflow"}.get(folder, "project")
            name = rest.removesuffix(".yaml") if rest else path
            for _, value in scalars(side.value(path)):
                if isinstance(value, str) and looks_like_reference(value):
                    yield value.strip(), kind, name


def _flows(both: Both, touched: frozenset[str]) -> Iterator[JsonObject]:
    now = both.new.flows(touched)
    if not now:
        return
    known = {_sign(each, both.renamed["workflow"]) for _, each in both.old.flows()}
    found: dict[tuple[Any, ...], tuple[Flow, list[str | None]]] = {}
    for environment, each in now:
        if _sign(each, {}) not in known:
            key = (_sign(each, {}), each.connection, each.workflow, each.action)
            found.setdefault(key, (each, []))[1].append(environment)
    for each, environments in found.values():
        yield danger(
            "new-secret-flow",
            f"{each.source.text} goes to {each.host} as {each.channel}",
            each.span.path,
            connection=each.connection if each.workflow is None else None,
            workflow=each.workflow,
            action=each.action,
            environment=None if None in environments else _joined(environments),
        )


def _sign(each: Flow, renamed: dict[str, str]) -> tuple[str, ...]:
    """Tell flows apart: a reference is the same wherever it is named, an input or output belongs to its workflow."""
    owner = ""
    if not looks_like_reference(each.source.text):
        match = _OWNER.match(each.source.owner)
        owner = renamed.get(match[1], match[1]) if match else each.source.owner
    return (each.source.text, owner, each.host, each.channel)


def _joined(environments: list[str | None]) -> str:
    return ", ".join(sorted({name for name in environments if name is not None}))
