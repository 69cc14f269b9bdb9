"""What changed, file by file and action by action: the second part of a comparison."""

from collections.abc import Iterator
from typing import Any

from runner.compare.meaning import INHERITED, default_of, inherits
from runner.compare.pairs import Both, Pair
from runner.compare.side import file_of
from runner.compare.tree import MISSING, Difference, Path, differences, dig, listed, mapping, same
from runner.errors import JsonObject
from runner.model import SECTIONS
from runner.project import SETTINGS
from runner.users import FILE as USERS


def changes(both: Both) -> list[JsonObject]:
    """List every file whose meaning changed: runner.yaml and users.yaml first, then connections, then workflows, by name."""
    found = [_settings(both), _users(both)]
    found += [_connection(both, pair) for pair in both.pairs("connection")]
    found += [_workflow(both, pair) for pair in both.pairs("workflow")]
    return [item for item in found if item is not None]


def _settings(both: Both) -> JsonObject | None:
    if not both.settings_changed():
        return None
    there = [side.text(SETTINGS) is not None for side in (both.old, both.new)]
    change = "changed" if all(there) else "added" if there[1] else "removed"
    item: JsonObject = {"what": "project", "name": SETTINGS, "file": SETTINGS, "change": change}
    _unread(item, both, SETTINGS if there[0] else None, SETTINGS if there[1] else None)
    readable = not there[1] or both.new.readable(SETTINGS)
    entries = (
        [_entry(each) for each in differences(both.settings_before, both.new.settings, unfolded=5)]
        if readable
        else []
    )
    return {**item, "entries": entries} if entries or "unread" in item else None


def _users(both: Both) -> JsonObject | None:
    there = [side.text(USERS) is not None for side in (both.old, both.new)]
    if both.old.text(USERS) == both.new.text(USERS):
        return None
    change = "changed" if all(there) else "added" if there[1] else "removed"
    item: JsonObject = {"what": "users", "name": USERS, "file": USERS, "change": change}
    _unread(item, both, USERS if there[0] else None, USERS if there[1] else None)
    readable = not there[1] or both.new.readable(USERS)
    before, after = (
        {name: {kind: list(values) for kind, values in each.items()} for name, each in (users or {}).items()}
        for users in (both.old.project.users, both.new.project.users)
    )
    entries = [_entry(each) for each in differences(before, after)] if readable else []
    return {**item, "entries": entries} if entries or "unread" in item else None


def _connection(both: Both, pair: Pair) -> JsonObject | None:
    before = both.old.connection(pair.was) if pair.was is not None else MISSING
    after = both.new.connection(pair.name) if pair.name is not None else MISSING
    item = _item(both, pair)
    entries = (
        []
        if _hidden(both, pair)
        else [_connection_entry(both, pair, each) for each in differences(mapping(before), mapping(after))]
    )
    return _done(item, entries, [])


def _connection_entry(both: Both, pair: Pair, each: Difference) -> JsonObject:
    entry = _entry(each, "connection", whole=pair.was is None or pair.name is None)
    homes = []
    if pair.name is not None:
        homes.append(both.new.home(pair.name, each.path[0]))
    if pair.was is not None:
        old = both.old.home(pair.was, each.path[0])
        homes.append(both.renamed["connection"].get(old, old) if old else old)
    own = pair.name if pair.name is not None else pair.was
    home = next((name for name in homes if name is not None), own)
    if home is not None and home != own:
        entry["through"] = file_of("connection", home)
    elif supplier := _supplier(both, pair, str(each.path[0])):
        entry["through"] = supplier
    return entry


def _supplier(both: Both, pair: Pair, key: str) -> str | None:
    """Name the preset that supplies a key, after or else before."""
    after = both.new.supplier(pair.name, key) if pair.name is not None else None
    return after or (both.old.supplier(pair.was, key) if pair.was is not None else None)


def _workflow(both: Both, pair: Pair) -> JsonObject | None:
    if both.same_text(pair) and pair.change == "changed":
        return None
    item = _item(both, pair)
    if _hidden(both, pair):
        return _done(item, [], [])
    before = both.workflow_before(pair.was) if pair.was is not None else MISSING
    after = both.new.workflow(pair.name) if pair.name is not None else MISSING
    entries = [_entry(each) for each in differences(_top(before), _top(after))]
    inherited, shared = _defaults(both, pair, before, after)
    old, new = mapping(dig(before, "actions")), mapping(dig(after, "actions"))
    actions = []
    for name in _in_order(before, after):
        one, other = old.get(name, MISSING), new.get(name, MISSING)
        hidden = shared.get(name, frozenset())
        found = [each for each in differences(one, other) if each.path[:1] not in hidden]
        if found or one is MISSING or other is MISSING:
            what = "added" if one is MISSING else "removed" if other is MISSING else "changed"
            section = (mapping(one) if other is MISSING else mapping(other)).get("section", SECTIONS[0])
            shown = [
                _entry(each, "action", whole=what != "changed")
                for each in found
                if each.path != ("section",) or what == "changed"
            ]
            actions.append({"id": name, "section": section, "change": what, "entries": shown})
    return _done(item, [*entries, *inherited, *_moved(before, after)], actions)


def _top(value: Any) -> Any:
    """Leave the actions of a workflow out."""
    return {key: item for key, item in mapping(value).items() if key not in ("actions", "order")}


def _defaults(
    both: Both, pair: Pair, before: Any, after: Any
) -> tuple[list[JsonObject], dict[str, frozenset[Path]]]:
    """Say once what a changed default does, and for which actions it is said with that."""
    if pair.was is None or pair.name is None or MISSING in (before, after):
        return [], {}
    entries: list[JsonObject] = []
    shared: dict[str, set[Path]] = {}
    old_file, new_file = file_of("workflow", pair.was), file_of("workflow", pair.name)
    written = [_written(both.old.value(old_file)), _written(both.new.value(new_file))]
    for key in INHERITED:
        names = [
            name
            for name in {*written[0]} & {*written[1]}
            if inherits(written[0][name], key)
            and inherits(written[1][name], key)
            and not same(dig(before, "actions", name, key), dig(after, "actions", name, key))
        ]
        if names:
            pairs = differences(
                dig(before, "actions", names[0], key), dig(after, "actions", names[0], key), ("defaults", key)
            )
            entries += [_entry(each) for each in pairs]
            for name in names:
                shared.setdefault(name, set()).add((key,))
    return entries, {name: frozenset(keys) for name, keys in shared.items()}


def _written(value: Any) -> dict[str, Any]:
    """Give the actions of a workflow as written, by id."""
    items = [
        item for section in SECTIONS for item in listed(mapping(value).get(section)) if isinstance(item, dict)
    ]
    return {item["id"]: item for item in items if isinstance(item.get("id"), str)}


def _in_order(before: Any, after: Any) -> list[str]:
    """Name the actions in their new order; those that are gone come last."""
    orders = [mapping(dig(side, "order")) for side in (after, before)]
    names = [name for order in orders for section in SECTIONS for name in order.get(section, ())]
    return list(dict.fromkeys(names))


def _moved(before: Any, after: Any) -> Iterator[JsonObject]:
    """Say where actions that stayed run in another order."""
    for section in SECTIONS:
        old = mapping(dig(before, "order")).get(section, [])
        new = mapping(dig(after, "order")).get(section, [])
        stayed = [name for name in old if name in new]
        now = [name for name in new if name in old]
        if stayed != now:
            yield {"sign": "~", "key": f"{section} (order)", "before": stayed, "after": now}


def _item(both: Both, pair: Pair) -> JsonObject:
    item: JsonObject = {"what": pair.kind, "name": pair.title, "file": pair.file, "change": pair.change}
    if pair.change == "renamed":
        item["was"] = pair.was
    files = [file_of(pair.kind, name) if name is not None else None for name in (pair.was, pair.name)]
    if not both.same_text(pair):
        _unread(item, both, *files)
    return item


def _unread(item: JsonObject, both: Both, old: str | None, new: str | None) -> None:
    """Note which side of a file cannot be read."""
    sides = [
        name
        for name, side, path in (("base", both.old, old), ("head", both.new, new))
        if path is not None and not side.readable(path)
    ]
    if sides:
        item["unread"] = sides


def _hidden(both: Both, pair: Pair) -> bool:
    """Tell whether the new file is there and cannot be read: then nothing is known of what it says."""
    return pair.name is not None and not both.new.readable(file_of(pair.kind, pair.name))


def _done(item: JsonObject, entries: list[JsonObject], actions: list[JsonObject]) -> JsonObject | None:
    if not (entries or actions or "unread" in item or item["change"] != "changed"):
        return None
    made = {**item, "entries": entries}
    return {**made, "actions": actions} if item["what"] == "workflow" else made


def _entry(each: Difference, kind: str = "", *, whole: bool = False) -> JsonObject:
    """Give a difference as data; `whole` for a part of something that is new or gone as a whole.

    A key that was not there held its default, so a change from or to that is shown as such.
    """
    default = None if whole else default_of(kind, each.path)
    before = default if default is not None and each.before is MISSING else each.before
    after = default if default is not None and each.after is MISSING else each.after
    sign = each.sign if default is None else "~"
    entry: JsonObject = {"sign": sign, "key": _written_path(each.path)}
    if before is not MISSING:
        entry["before"] = before
    if after is not MISSING:
        entry["after"] = after
    return entry


def _written_path(path: Path) -> str:
    """Write a path as people do: `request.query.q`, `vars."a b"`."""
    return ".".join(part if part and not set(part) & set('. "') else f'"{part}"' for part in path)
