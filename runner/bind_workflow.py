"""A workflow's value to a `Workflow`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from runner import cron, registry
from runner.bind import ACTION_ROOTS, ITEM_ROOTS, RESPONSE_ROOTS, SEND_ROOTS, VARS_ROOTS, Binder, retry
from runner.diagnostics import error
from runner.document import Document, Pointer
from runner.duration import seconds
from runner.model import SECTIONS, Action, BrokenAction, Exclusive, Input, Repeat, Trigger, Workflow
from runner.template import Mode

_INPUT_KEYS = frozenset({"secret"})
_OF_VALUES = frozenset({"hardcoded-secret", "malformed-secret-ref"})
_BY_ITEM = frozenset({*SECTIONS, "inputs", "vars", "secrets", "outputs"})
"""Keys whose items are read each for itself: a mistake in one says nothing of the others."""


def bind(name: str, document: Document, binder: Binder, broken: frozenset[Pointer]) -> Workflow:
    """Bind a workflow. What lies at or below a broken pointer is left out and named in `unread`."""
    value = document.value if isinstance(document.value, dict) else {}
    unread = {str(place[0]) for place in broken if place and (len(place) == 1 or place[0] not in _BY_ITEM)}
    beginnings = {place[:2] for place in broken}

    def part(key: str) -> Mapping[str, Any]:
        items = value.get(key)
        if not isinstance(items, dict) or key in unread:
            return {}
        return {name: item for name, item in items.items() if (key, name) not in beginnings}

    inputs = {key: _input(key, schema, binder) for key, schema in part("inputs").items()}
    variables = {key: binder.tree(item, ("vars", key), VARS_ROOTS) for key, item in part("vars").items()}
    secrets = {key: binder.secret(item, ("secrets", key)) for key, item in part("secrets").items()}
    defaults = part("defaults")
    sections: dict[str, tuple[Action, ...]] = {}
    incomplete: list[BrokenAction] = []
    for section in SECTIONS:
        listed = value.get(section)
        items = listed if isinstance(listed, list) else []
        actions = []
        for index, item in enumerate(items):
            pointer: Pointer = (section, index)
            if pointer in beginnings:
                name_of = item.get("id") if isinstance(item, dict) else None
                unread.add(f"id:{name_of}" if isinstance(name_of, str) else section)
                if isinstance(name_of, str):
                    incomplete.append(_place_only(items, pointer, broken))
                    _templates_only(item, pointer, binder, defaults, broken)
                continue
            if (section,) not in broken:
                actions.append(_action(item, pointer, binder, defaults))
        sections[section] = tuple(actions)
    binder.owner = None
    outputs = {
        key: binder.tree(item, ("outputs", key), ACTION_ROOTS) for key, item in part("outputs").items()
    }
    return Workflow(
        name=name,
        document=document,
        description=value.get("description"),
        inputs=inputs,
        vars=variables,
        secrets={key: ref for key, ref in secrets.items() if ref is not None},
        actions=sections["actions"],
        on_failure=sections["on_failure"],
        finally_=sections["finally"],
        outputs=outputs,
        timeout=seconds(value["timeout"]) if "timeout" in value and "timeout" not in unread else None,
        triggers=() if "triggers" in unread else _triggers(value.get("triggers", ()), binder),
        default_retry=retry(defaults.get("retry")),
        default_timeout=seconds(defaults["timeout"]) if "timeout" in defaults else None,
        concurrency=_concurrency(part("concurrency"), binder),
        limits=part("limits"),
        templates=tuple(binder.templates),
        unread=frozenset(unread),
        broken=tuple(incomplete),
    )


def _triggers(listed: Sequence[Mapping[str, Any]], binder: Binder) -> tuple[Trigger, ...]:
    made = []
    for index, item in enumerate(listed):
        pointer: Pointer = ("triggers", index)
        zone = item.get("timezone", "UTC")
        if zone != "UTC" and not cron.zone_exists(zone):
            remedy = (
                "give a name of the tz database, such as Europe/Berlin; `timezone: UTC` needs no database"
            )
            message = f"no time zone '{zone}' on this machine"
            binder.diagnostics.append(
                error("invalid-value", message, binder.span((*pointer, "timezone")), help=remedy)
            )
        made.append(
            Trigger(
                cron=_cron(item["schedule"], (*pointer, "schedule"), binder),
                timezone=zone,
                overlap=item.get("overlap", "skip"),
                catch_up=seconds(item["catch_up"]) if "catch_up" in item else 0.0,
                environment=item.get("environment"),
                inputs=item.get("inputs", {}),
                pointer=pointer,
            )
        )
    return tuple(made)


def _cron(text: str, pointer: Pointer, binder: Binder) -> cron.Cron | None:
    try:
        return cron.parse(text)
    except ValueError as problem:
        remedy = "write it as in a crontab: '0 7 * * 1-5' is 7:00 from Monday to Friday"
        binder.diagnostics.append(error("invalid-value", str(problem), binder.span(pointer), help=remedy))
    return None


def _concurrency(value: Mapping[str, Any], binder: Binder) -> Exclusive | None:
    if "key" not in value:
        return None
    key = binder.template(value["key"], ("concurrency", "key"), VARS_ROOTS, mode=Mode.TEXT)
    return Exclusive(key=key, on_conflict=value.get("on_conflict", "queue"))


def _place_only(items: Sequence[Any], pointer: Pointer, broken: frozenset[Pointer]) -> BrokenAction:
    """Say where an action that has errors stands in the order."""
    section, index = str(pointer[0]), int(pointer[1])
    item = items[index]
    needs = item.get("needs")
    if any(place[:3] == (*pointer, "needs") for place in broken):
        needs = [
            each["id"] for each in items[:index] if isinstance(each, dict) and isinstance(each.get("id"), str)
        ]
    return BrokenAction(
        id=item["id"],
        section=section,
        index=index,
        needs=None if needs is None else tuple(needs),
        pointer=pointer,
    )


def _templates_only(
    item: dict[str, Any],
    pointer: Pointer,
    binder: Binder,
    defaults: Mapping[str, Any],
    broken: frozenset[Pointer],
) -> None:
    """Make the templates of an action that has errors elsewhere, so that mistakes in them are reported as well."""
    pruned = item
    before = len(binder.diagnostics)
    for place in broken:
        if place[:2] == pointer and len(place) > 2:
            pruned = _without(pruned, place[2:])
    # What is missing in it, or has the wrong shape, has been reported: it ends the attempt and nothing else.
    with suppress(KeyError, TypeError, ValueError, AttributeError, StopIteration):
        _action(pruned, pointer, binder, defaults)
    # What was left out is missing now: only what is wrong with what is there counts.
    added = [found for found in binder.diagnostics[before:] if found.rule in _OF_VALUES]
    binder.diagnostics[before:] = added
    binder.owner = None
    binder.extra_roots = frozenset()


def _without(value: Any, pointer: Pointer) -> Any:
    """Copy a mapping without one key; for an item of a list, without the key that holds the list."""
    if not isinstance(value, dict) or pointer[0] not in value:
        return value
    if len(pointer) == 1 or isinstance(pointer[1], int):
        return {key: item for key, item in value.items() if key != pointer[0]}
    return {**value, pointer[0]: _without(value[pointer[0]], pointer[1:])}


def _input(name: str, value: Mapping[str, Any], binder: Binder) -> Input:
    from runner.schema import problems_of, schema_problem

    schema = {key: item for key, item in value.items() if key not in _INPUT_KEYS}
    place: Pointer = ("inputs", name)
    wrong = schema_problem(schema)
    if wrong:
        pointer, sentence = wrong
        binder.diagnostics.append(
            error(
                "invalid-value",
                f"input '{name}': not a JSON Schema: must be {sentence}",
                binder.span((*place, *pointer)),
            )
        )
        schema = {}  # rules look into valid ones
    elif "default" in value:
        for _, sentence in problems_of(schema, value["default"]):
            message = f"the default of input '{name}' must be {sentence.removeprefix('must be ')}"
            binder.diagnostics.append(error("invalid-value", message, binder.span((*place, "default"))))
    if value.get("secret") and "default" in value:
        binder.diagnostics.append(
            error(
                "hardcoded-secret",
                f"input '{name}' is secret: a default would be a secret typed into git",
                binder.span((*place, "default")),
                help="remove the default; give the value by RUNNER_INPUT_... or --input-file",
                concealed=True,
            )
        )
    return Input(
        name=name,
        schema=schema,
        description=value.get("description"),
        required="default" not in value,
        default=value.get("default"),
        secret=bool(value.get("secret")),
        span=binder.span(place, key=True),
    )


def _repeat(value: Mapping[str, Any] | None, pointer: Pointer, binder: Binder) -> Repeat | None:
    if value is None:
        return None
    default = Repeat(until=binder.template(value["until"], (*pointer, "until"), RESPONSE_ROOTS))
    return replace(
        default,
        every=seconds(value["every"]) if "every" in value else default.every,
        at_most=value.get("at_most", default.at_most),
    )


def _action(
    value: Mapping[str, Any], pointer: Pointer, binder: Binder, defaults: Mapping[str, Any]
) -> Action:
    section, index = str(pointer[0]), int(pointer[1])
    binder.owner = (section, index)
    late = frozenset() if section == "actions" else frozenset({"error"})
    binder.extra_roots = late
    for_each = binder.tree(value.get("for_each"), (*pointer, "for_each"), ACTION_ROOTS)
    binder.extra_roots = late | ITEM_ROOTS if "for_each" in value else late
    kind = next(kind for kind in registry.names("actions") if kind in value)
    module = registry.load("actions", kind)
    condition = value.get("if")
    takes_connection = "connection" in module.MODIFIERS
    connection = value.get("connection", defaults.get("connection")) if takes_connection else None
    if kind == "request" and "url" in value["request"]:
        connection = value.get("connection")
    made = Action(
        id=value["id"],
        section=section,
        index=index,
        kind=kind,
        config=module.bind(value[kind], (*pointer, kind), binder),
        name=value.get("name"),
        condition=binder.template(condition, (*pointer, "if"), ACTION_ROOTS)
        if isinstance(condition, str)
        else condition,
        connection=connection,
        expect=binder.expect(value.get("expect"), (*pointer, "expect"), RESPONSE_ROOTS),
        output=binder.tree(value.get("output"), (*pointer, "output"), RESPONSE_ROOTS),
        has_output="output" in value,
        sensitive=value.get("sensitive", False),
        retry=retry(value.get("retry")),
        timeout=seconds(value["timeout"]) if "timeout" in value else None,
        on_error=value.get("on_error", "fail"),
        idempotent=value.get("idempotent", False),
        needs=tuple(value["needs"]) if "needs" in value else None,
        for_each=for_each,
        concurrency=value.get("concurrency", 1),
        inputs={
            name: binder.tree(item, (*pointer, "with", name), SEND_ROOTS)
            for name, item in value.get("with", {}).items()
        },
        repeat=_repeat(value.get("repeat"), (*pointer, "repeat"), binder),
        pointer=pointer,
    )
    if "concurrency" in value and "for_each" not in value:
        message = "`concurrency` of an action is that of its `for_each`, which it does not have"
        span = binder.span((*pointer, "concurrency"), key=True)
        remedy = "remove it; actions run at the same time by `needs`"
        binder.diagnostics.append(error("invalid-value", message, span, help=remedy))
    binder.owner = None
    binder.extra_roots = frozenset()
    return made
