"""What the JSON Schema of a connection says of presets: their variables, and the fields of each way to sign in.

Presets that ask for the same share a branch: most want one token and nothing else.
"""

import json
from collections.abc import Iterator
from typing import Any

from runner import presets, registry
from runner.language import Json, closed, secret, text
from runner.presets import Field, Preset, Scheme, Variable

_TAKING_WORDS = frozenset({"oauth2", "github_app", "jwt", "aws_sigv4"})
"""Auth types with fields that are words or lists, where no reference may stand."""

_WRITTEN = frozenset({"access_token", "refresh_token"})
"""Fields that a login or a run writes: their path is their own, so that a run may write nowhere else."""


def names() -> tuple[str, ...]:
    """List the presets."""
    return presets.names()


def summaries() -> list[str]:
    """Say in a few words what each preset is, in the order of the names."""
    return [f"{preset.name} ({preset.category})" for preset in map(presets.load, presets.names())]


def branches() -> list[Json]:
    """Give the branches of all presets: for `auth`, and for `variables`."""
    return [*_shared("auth"), *_shared("variables")]


def definitions() -> Json:
    """Give the fields of auth types that the branches of presets refer to, each once."""
    used = {
        (scheme.type, field)
        for preset in map(presets.load, presets.names())
        for scheme in preset.schemes.values()
        if scheme.type in _TAKING_WORDS
        for field in known_names(scheme) & scheme.fields.keys()
    }
    return {
        f"{type_}.{field}": registry.load("auth", type_).SCHEMA["properties"][field]
        for type_, field in sorted(used)
    }


def _shared(key: str) -> Iterator[Json]:
    """Give one branch for all presets that say the same of a key."""
    found: dict[str, tuple[Json | bool, list[str]]] = {}
    for name in presets.names():
        preset = presets.load(name)
        schema = auth(preset) if key == "auth" else variables(preset)
        found.setdefault(json.dumps(schema), (schema, []))[1].append(name)
    for schema, members in found.values():
        then: Json = {"properties": {key: schema}}
        if key == "auth":
            then["required"] = ["auth"]
        one = {"const": members[0]} if len(members) == 1 else {"enum": members}
        yield {"if": {"properties": {"type": one}, "required": ["type"]}, "then": then}


def variables(preset: Preset) -> Json | bool:
    """Describe `variables`; False where a preset has none. Patterns are judged when the values are known."""
    if not preset.variables:
        return False
    return closed(
        {name: _variable(item) for name, item in preset.variables.items()},
        description="What the preset leaves open.",
        examples=[{name: item.example for name, item in preset.variables.items()}],
    )


def _variable(item: Variable) -> Json:
    default = f" Default {item.default}." if item.default is not None else ""
    listed = f" One of {', '.join(item.values)}." if item.values else ""
    return text(f"{_sentence(item.description)}{listed}{default}", examples=[item.example])


def auth(preset: Preset) -> Json:
    """Describe `auth`: one closed mapping for each way to sign in, chosen by `type`; without it the first holds."""
    schemes = list(preset.schemes.values())
    chooser = text(
        "The way to sign in." + (f" Default {schemes[0].name}." if len(schemes) > 1 else ""),
        enum=[scheme.name for scheme in schemes],
        examples=[schemes[0].name],
    )
    if len(schemes) == 1:
        return _scheme(schemes[0], chooser)
    ways: list[Json] = []
    for scheme in schemes:
        chosen: Json = {"properties": {"type": {"const": scheme.name}}}
        if scheme is not schemes[0]:  # without `type` this condition holds, too: the first is the default
            chosen["required"] = ["type"]
        ways.append({"if": chosen, "then": _scheme(scheme, True)})
    return {
        "type": "object",
        "description": f"What signs in: one of {', '.join(preset.schemes)}.",
        "examples": [_example(schemes[0])],
        "properties": {"type": chooser},
        "allOf": ways,
    }


def _scheme(scheme: Scheme, chooser: Json | bool) -> Json:
    known = registry.load("auth", scheme.type).SCHEMA["properties"]
    fields = {name: _field(item, scheme, known) for name, item in scheme.fields.items()}
    required = tuple(name for name, item in scheme.fields.items() if item.required)
    about: Json = (
        {"description": "What signs in.", "examples": [_example(scheme)]} if chooser is not True else {}
    )
    return closed({"type": chooser, **fields}, required=required, **about)


def _example(scheme: Scheme) -> Json:
    return {name: example(item, scheme, "app") for name, item in scheme.fields.items() if item.required}


def example(item: Field, scheme: Scheme, owner: str) -> Any:
    """Give a value for a field: a reference where one may stand, else the example of the auth type."""
    if item.example is not None:
        return item.example
    known: Json = registry.load("auth", scheme.type).SCHEMA["properties"].get(item.name, {})
    plain = scheme.type not in _TAKING_WORDS
    if item.name in known_names(scheme) and not is_secret(item, scheme) and not plain:
        return known["examples"][0]
    path = f"{owner}-oauth" if item.name in _WRITTEN else owner
    return f"vault://secret/{path}#{item.name}"


def known_names(scheme: Scheme) -> frozenset[str]:
    """Name the fields of the auth type of a way to sign in."""
    return frozenset(registry.load("auth", scheme.type).SCHEMA["properties"])


def _field(item: Field, scheme: Scheme, known: Json) -> Json:
    """Describe a field: as the auth type does where it is its own, else by what the preset says."""
    if item.name in known and item.secret is None:
        if scheme.type not in _TAKING_WORDS:
            return dict(known[item.name])
        return {
            "$ref": f"#/$defs/{scheme.type}.{item.name}",
            "description": _sentence(item.description),
            "examples": [example(item, scheme, "app")],
        }
    if is_secret(item, scheme):
        return secret(_sentence(item.description))
    return text(_sentence(item.description), examples=[example(item, scheme, "app")])


def is_secret(item: Field, scheme: Scheme) -> bool:
    """Tell whether a field takes a secret reference only: the preset says so, or the auth type of where it goes."""
    if item.secret is not None:
        return item.secret
    secrets: frozenset[str] = registry.load("auth", scheme.type).SECRET_FIELDS
    if item.name in registry.load("auth", scheme.type).SCHEMA["properties"]:
        return item.name in secrets
    return any(name in secrets for name in _targets(scheme.given, item.name))


def _targets(given: Any, field: str) -> Iterator[str]:
    """Name the fields of the auth type that a field of the preset fills."""
    if isinstance(given, list):
        for value in given:
            yield from _targets(value, field)
    for name, value in given.items() if hasattr(given, "items") else ():
        if isinstance(value, str) and value.strip("{} ") == f"auth.{field}":
            yield name
        elif not isinstance(value, str):
            yield from _targets(value, field)


def _sentence(description: str) -> str:
    text_ = description.strip()
    return text_[:1].upper() + text_[1:] + ("" if text_.endswith(".") else ".")
