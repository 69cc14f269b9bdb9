"""What is dangerous in a changed workflow: its writes, its checks, its bounds, its inputs."""

from collections.abc import Iterator
from typing import Any

from runner.calls import reached
from runner.compare import amounts, checks
from runner.compare.danger import danger
from runner.compare.meaning import reads
from runner.compare.pairs import Both, Pair
from runner.compare.side import Side
from runner.compare.tree import MISSING, canonical, dig, listed, mapping, same
from runner.errors import JsonObject
from runner.model import SECTIONS

_WRITTEN = ("query", "headers", "json", "form", "body", "multipart", "graphql")
_REDIRECTS = ("never", "same_host", "follow")


def dangers(both: Both, pair: Pair) -> Iterator[JsonObject]:
    """List what is dangerous in a workflow that changed, or is new or gone."""
    before: Any = both.workflow_before(pair.was) if pair.was is not None else MISSING
    after: Any = both.new.workflow(pair.name) if pair.name is not None else MISSING
    if pair.name is None or pair.change == "renamed":
        message = (
            "the workflow is gone" if pair.name is None else f"the workflow was called '{pair.was}' before"
        )
        yield danger("callers", message, pair.file, workflow=pair.title)
    if after is MISSING:
        return
    yield from _inputs(before, after, pair)
    yield from _triggers(before, after, pair)
    yield from amounts.raised(
        mapping(before), after, {**amounts.WORKFLOW, **amounts.LIMITS}, pair.file, workflow=pair.title
    )
    old = mapping(dig(before, "actions"))
    for name, action in mapping(after.get("actions")).items():
        one = old.get(name, MISSING)
        if not same(one, action):
            yield from _Action(both, pair, name, one, action).dangers()
    for name, action in old.items():
        if name not in after["actions"]:
            yield from _gone(pair, name, action)
    yield from _order(before, after, pair)
    yield from _overlap(before, after, pair)


class _Action:
    """One action before and after; `before` is MISSING where it is new."""

    def __init__(self, both: Both, pair: Pair, name: str, before: Any, after: Any) -> None:
        self.both = both
        self.pair = pair
        self.new = before is MISSING
        self.before = mapping(before)
        self.after = mapping(after)
        self.file = pair.file
        self.where: dict[str, str | None] = {"workflow": pair.title, "action": name}

    def dangers(self) -> Iterator[JsonObject]:
        yield from self._write()
        yield from self._call()
        yield from checks.weaker(self.before.get("expect"), self.after.get("expect"), self.file, **self.where)
        if self.after.get("on_error") == "continue" != self.before.get("on_error") and not self.new:
            yield self._item("less-checked", "on_error: a failure no longer ends the run")
        if "fail" in self.before and not self.new and not same(dig(self.before, "if"), dig(self.after, "if")):
            change = {"before": self.before.get("if", True), "after": self.after.get("if", True)}
            yield self._item("less-checked", "the condition under which the run fails is another", **change)
        yield from amounts.raised(self.before, self.after, amounts.ACTION, self.file, **self.where)
        yield from self._inherited()
        yield from self._repeated()
        if self.after.get("idempotent") is True and self.before.get("idempotent") is not True:
            yield self._item("idempotent", "after a lost answer the request is sent again")
        old, new = (dig(side, "request", "save_to") for side in (self.before, self.after))
        if new is not MISSING and not same(old, new):
            change = {"after": new} | ({} if old is MISSING else {"before": old})
            yield self._item("file", "request.save_to: the answer is written to this file", **change)
        old, new = (dig(side, "request", "redirects") for side in (self.before, self.after))
        if _rank(new) > _rank(old):
            change = {"before": _said(old), "after": _said(new)}
            yield self._item("connection", "request.redirects follows further", **change)
        if self.before.get("sensitive") and not self.after.get("sensitive"):
            yield self._item("less-secret", "the output is no longer `sensitive`: it shows in reports")

    def _item(self, kind: str, message: str, **more: Any) -> JsonObject:
        return danger(kind, message, self.file, **more, **self.where)

    def _write(self) -> Iterator[JsonObject]:
        if not writes(self.after):
            return
        target = _target(self.after)
        if not writes(self.before):
            before = {} if self.new or "request" not in self.before else {"before": _target(self.before)}
            yield self._item("new-write", target, after=target, **before)
            return
        was = _target(self.before)
        parts = [
            key
            for key in _WRITTEN
            if not same(dig(self.before, "request", key), dig(self.after, "request", key))
        ]
        parts += [
            key
            for key in ("if", "for_each", "repeat", "needs", "section")
            if not same(dig(self.before, key), dig(self.after, key))
        ]
        if was != target:
            yield self._item("changed-write", "it goes elsewhere", before=was, after=target)
        if parts:
            yield self._item("changed-write", f"{target}: {', '.join(parts)}")

    def _call(self) -> Iterator[JsonObject]:
        """Judge a call of a workflow that writes: it is a write of this one."""
        name = self.after.get("workflow")
        called = self.both.new.project.workflows.get(name) if isinstance(name, str) else None
        if called is None or not any(
            writes(action)
            for each in reached(self.both.new.project, called)
            for action in mapping(mapping(self.both.new.workflow(each.name)).get("actions")).values()
        ):
            return
        target = f"calls the workflow '{name}', which writes"
        if self.before.get("workflow") != name:
            yield self._item("new-write", target, after=name)
            return
        keys = ("with", "if", "for_each", "repeat", "needs", "section")
        parts = [key for key in keys if not same(dig(self.before, key), dig(self.after, key))]
        if parts:
            yield self._item("changed-write", f"{target}: {', '.join(parts)}")

    def _inherited(self) -> Iterator[JsonObject]:
        """Judge what the connection gives where neither the action nor `defaults` says it."""
        if "request" not in self.after:
            return
        for path, default in ((("retry", "attempts"), 3), (("timeout",), "30s")):
            if same(dig(self.before, path[0]), dig(self.after, path[0])) and not self.new:
                continue
            old = _effective(self.both.old, self.before, path, default, self.both.renamed["connection"])
            new = _effective(self.both.new, self.after, path, default, {})
            if self.new and dig(self.after, path[0]) is MISSING:
                continue  # what its connection gives is nothing that this action raised
            if amounts.higher(old, new):
                yield self._item("raised", ".".join(path), before=old, after=new)
        old_on, new_on = (listed(dig(side, "retry", "on")) for side in (self.before, self.after))
        known = {429, 502, 503, 504, "timeout", "connection"} if not old_on else set(map(_plain, old_on))
        added = [item for item in new_on if _plain(item) not in known]
        if added:
            yield self._item("raised", "retry.on: more is tried again", after=added)

    def _repeated(self) -> Iterator[JsonObject]:
        old, new = (dig(side, "request", "paginate") for side in (self.before, self.after))
        if not self.new and old in (MISSING, False) and new not in (MISSING, False):
            yield self._item("raised", "request.paginate: all pages are read")
        for key in ("for_each", "repeat"):
            if key in self.after and key not in self.before and not self.new:
                yield self._item("raised", f"{key}: it was done once before", after=self.after[key])


def writes(action: Any) -> bool:
    """Tell whether an action sends a request that may change something."""
    request = mapping(mapping(action).get("request"))
    if not request:
        return False
    return not reads(request.get("method", "POST" if "graphql" in request else "GET"))


def _effective(side: Side, action: Any, path: tuple[str, ...], default: Any, renamed: dict[str, str]) -> Any:
    if path[0] in action:
        given = dig(action, *path)
        return default if given is MISSING else given
    name = action.get("connection")
    if isinstance(name, str):
        name = {new: old for old, new in renamed.items()}.get(name, name)
    known = isinstance(name, str) and name in side.names("connection")
    given = dig(side.connection(str(name)), *path) if known else MISSING
    return default if given is MISSING else given


def _target(action: Any) -> str:
    request = mapping(mapping(action).get("request"))
    through = f" through {action['connection']}" if action.get("connection") else ""
    method = request.get("method", "POST" if "graphql" in request else "GET")
    return f"{method} {request.get('path', request.get('url', ''))}{through}"


def _gone(pair: Pair, name: str, action: Any) -> Iterator[JsonObject]:
    where = {"workflow": pair.title, "action": name}
    if "fail" in mapping(action):
        yield danger("less-checked", "an action that could fail the run is gone", pair.file, **where)
    elif "expect" in mapping(action):
        yield danger("less-checked", "an action with expectations is gone", pair.file, **where)


def _order(before: Any, after: Any, pair: Pair) -> Iterator[JsonObject]:
    """Report actions that now run before something that they ran after, where one of them writes."""
    for section in SECTIONS:
        old = listed(dig(before, "order", section))
        new = listed(dig(after, "order", section))
        stayed = [name for name in old if name in new]
        now = [name for name in new if name in old]
        if stayed != now and any(writes(after["actions"][name]) for name in now):
            yield danger(
                "changed-write",
                f"{section}: another order",
                pair.file,
                before=stayed,
                after=now,
                workflow=pair.title,
            )


def _inputs(before: Any, after: Any, pair: Pair) -> Iterator[JsonObject]:
    if before is MISSING:
        return
    old, new = mapping(before.get("inputs")), mapping(after.get("inputs"))
    for name in sorted({*old, *new}):
        one, other = mapping(old.get(name)), mapping(new.get(name))
        said = {"workflow": pair.title}
        if name not in new:
            yield danger(
                "callers", f"the input '{name}' is gone: who gives it gets an error", pair.file, **said
            )
        elif name not in old:
            if "default" not in other:
                yield danger("callers", f"the new input '{name}' has no default", pair.file, **said)
        elif "default" in one and "default" not in other:
            yield danger("callers", f"the input '{name}' has no default any more", pair.file, **said)
        if name in old and name in new:
            if not same(_shape(one), _shape(other)) and not checks.stricter(_shape(other), _shape(one)):
                message = f"the input '{name}' takes other values"
                yield danger("callers", message, pair.file, before=_shape(one), after=_shape(other), **said)
            if one.get("secret") and not other.get("secret"):
                yield danger("less-secret", f"the input '{name}' is no longer `secret`", pair.file, **said)
    for name in sorted({*mapping(before.get("outputs"))} - {*mapping(after.get("outputs"))}):
        yield danger("callers", f"the output '{name}' is gone", pair.file, workflow=pair.title)


def _triggers(before: Any, after: Any, pair: Pair) -> Iterator[JsonObject]:
    """Find times that were not there before: a trigger with another time, input or environment is another one."""
    old = [canonical(item) for item in listed(mapping(before).get("triggers"))]
    for item in listed(after.get("triggers")):
        if canonical(item) not in old:
            when = mapping(item).get("schedule")
            zone = mapping(item).get("timezone", "UTC")
            message = f"it starts by itself at '{when}' ({zone})"
            yield danger("trigger", message, pair.file, after=item, workflow=pair.title)


def _shape(declared: Any) -> dict[str, Any]:
    return {key: item for key, item in declared.items() if key not in ("default", "description", "secret")}


def _rank(redirects: Any) -> int:
    return _REDIRECTS.index(redirects) if redirects in _REDIRECTS else 1


def _said(redirects: Any) -> Any:
    return "same_host" if redirects is MISSING else redirects


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else canonical(value)


def _overlap(before: Any, after: Any, pair: Pair) -> Iterator[JsonObject]:
    """Say that runs which waited for each other may go on at the same time now."""
    old, new = (dig(side, "concurrency", "key") for side in (before, after))
    if old is not MISSING and not same(old, new):
        told = "none" if new is MISSING else new
        message = "concurrency.key: runs that excluded each other may overlap"
        yield danger("raised", message, pair.file, before=old, after=told, workflow=pair.title)
