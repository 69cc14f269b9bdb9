"""What is known of a connection type, as data: of an auth type from its file, of a preset from its own."""

from collections.abc import Iterator
from typing import Any

from runner import presets, registry
from runner.document import parse
from runner.errors import JsonObject
from runner.language_presets import example, is_secret
from runner.presets import Field, Preset, Scheme

_TAKES = {
    "object": "mapping",
    "array": "list",
    "boolean": "true or false",
    "integer": "number",
    "number": "number",
}


def auth_types() -> list[JsonObject]:
    """List the auth types: `name`, `summary`."""
    return [{"name": name, "summary": registry.load("auth", name).SUMMARY} for name in registry.names("auth")]


def all_presets() -> list[JsonObject]:
    """List the presets by category and name: `name`, `title`, `category`, `auth` (the ways to sign in)."""
    loaded = sorted(map(presets.load, presets.names()), key=lambda each: (each.category, each.id))
    return [
        {"name": each.id, "title": each.name, "category": each.category, "auth": list(each.schemes)}
        for each in loaded
    ]


def auth_type(name: str) -> JsonObject:
    """Describe an auth type: its fields, and a file that uses it."""
    module = registry.load("auth", name)
    schema = module.SCHEMA or {"properties": {}}
    required = {*schema.get("required", ()), *schema.get("else", {}).get("required", ())}
    fields = [
        {
            "name": field,
            "description": item.get("description", ""),
            "required": field in required,
            "secret": bool(item.get("x-secret")),
            "takes": _TAKES.get(str(item.get("type")), "text"),
            "values": list(item.get("enum", ())),
        }
        for field, item in schema["properties"].items()
    ]
    document, _ = parse(module.EXAMPLE, name)
    assert document is not None
    return {
        "format": "runner.d/type/1",
        "name": name,
        "kind": "auth type",
        "summary": module.SUMMARY,
        "fields": fields,
        "file": document.value,
    }


def preset(name: str) -> JsonObject:
    """Describe a preset: what it supplies, what a connection gives, and a file for each way to sign in."""
    found = presets.load(name)
    used = {scheme.name: sorted(_variables(found, scheme)) for scheme in found.schemes.values()}
    return {
        "format": "runner.d/type/1",
        "name": name,
        "kind": "preset",
        "title": found.name,
        "category": found.category,
        "notes": found.notes,
        "links": list(found.links),
        "unverified": list(found.unverified),
        "variables": [
            {
                "name": each.name,
                "description": each.description,
                "example": each.example,
                "default": each.default,
                "pattern": each.pattern,
                "values": list(each.values),
            }
            for each in found.variables.values()
        ],
        "supplies": dict(found.defaults),
        "auth": [
            {
                "name": scheme.name,
                "type": scheme.type,
                "about": scheme.about,
                "scopes": list(scheme.scopes),
                "variables": used[scheme.name],
                "fields": [_field(each, scheme) for each in scheme.fields.values()],
                "sets": dict(scheme.given),
                "supplies": dict(scheme.keys),
                "file": _file(found, scheme, used[scheme.name]),
            }
            for scheme in found.schemes.values()
        ],
    }


def _field(each: Field, scheme: Scheme) -> JsonObject:
    known: JsonObject = {}
    if each.secret is None:
        known = registry.load("auth", scheme.type).SCHEMA["properties"].get(each.name, {})
    return {
        "name": each.name,
        "description": each.description,
        "required": each.required,
        "secret": is_secret(each, scheme),
        "takes": _TAKES.get(str(known.get("type")), "text"),
        "values": list(known.get("enum", ())),
    }


def _file(found: Preset, scheme: Scheme, variables: list[str]) -> JsonObject:
    """Give the value of the smallest connection of a preset that is valid."""
    file: JsonObject = {"type": found.id, "shared": True}
    needed = {name: found.variables[name] for name in variables if found.variables[name].default is None}
    if needed:
        file["variables"] = {name: each.example for name, each in needed.items()}
    auth: JsonObject = {}
    if scheme is not next(iter(found.schemes.values())):
        auth["type"] = scheme.name
    for each in scheme.fields.values():
        if each.required:
            auth[each.name] = example(each, scheme, found.id)
    return {**file, "auth": auth}


def _variables(found: Preset, scheme: Scheme) -> set[str]:
    """Name the variables that the effective connection needs where a way to sign in is chosen."""
    texts = list(_strings([found.supplied(scheme), dict(scheme.given)]))
    return {name for name in found.variables if any(f"{{{{ variables.{name} }}}}" in text for text in texts)}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(item)
