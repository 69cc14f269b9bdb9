"""Presets: ready connection types, one YAML file each, data only. `type: slack` in a connection names one.

A file holds the keys of a connection that it supplies (`base_url`, `headers`, `test`, ...) and these of its own:

- `name`, `category`: for people; `notes`: what surprises; `links`: one to four pages of the vendor;
- `variables`: what a connection fills in, each with `description`, `example`, and `pattern` or `values`; `default` where one
  holds without it. `{{ variables.NAME }}` stands in the other values of the file;
- `auth`: the ways to sign in by name, the one for headless runs first. Each has `fields` (what a connection writes under
  `auth`, with descriptions), and where they differ `type` (the auth type; else it is the name) and `set` (the fields of the
  auth type that the preset gives, with `{{ auth.FIELD }}` for a field of the connection); `about` and `scopes`, the least for the test request,
  for people; and keys of a connection (`base_url`, `headers`, `test`) that differ where this way is chosen;
- `unverified`: which keys come from nobody's page, code or test that was looked at; `runner types NAME` shows it.

A preset is read when a connection names it, never before.
"""

from collections.abc import Mapping
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any

from runner.document import read
from runner.frozen import dataclass

_FOLDER = Path(__file__).parent
_OWN = frozenset({"name", "category", "notes", "links", "variables", "auth", "unverified"})
"""Keys of a preset's file that are no keys of a connection."""
_SCHEME = frozenset({"type", "fields", "set", "about", "scopes"})
"""Keys of a way to sign in that are no keys of a connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A part of the preset that differs from site to site. Either `pattern` or `values` says what it may be."""

    name: str
    description: str
    example: str
    pattern: str | None = None
    values: tuple[str, ...] = ()
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of `auth` as a connection writes it; `secret` is None where the auth type decides."""

    name: str
    description: str
    secret: bool | None = None
    required: bool = True
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """A way to sign in: `type` is the auth type, `given` the fields of that type that the preset fills in.

    `keys` are keys of a connection that differ from the preset's where this way is chosen.
    """

    name: str
    type: str
    fields: Mapping[str, Field]
    given: Mapping[str, Any] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)
    about: str | None = None
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A preset as its file says it. `defaults` are keys of a connection, still with `{{ variables.NAME }}` in them."""

    id: str
    name: str
    category: str
    notes: str | None
    links: tuple[str, ...]
    variables: Mapping[str, Variable]
    schemes: Mapping[str, Scheme]
    defaults: Mapping[str, Any]
    unverified: tuple[str, ...]

    def scheme(self, auth: Any) -> Scheme:
        """Give the way to sign in that an `auth` chooses: by its `type`, else the first."""
        chosen = auth.get("type") if isinstance(auth, Mapping) else None
        found = self.schemes.get(chosen) if isinstance(chosen, str) else None
        return found or next(iter(self.schemes.values()))

    def supplied(self, scheme: Scheme) -> dict[str, Any]:
        """Give the keys of a connection that the preset supplies where a way to sign in is chosen."""
        made = {**self.defaults, **scheme.keys}
        if "headers" in self.defaults and "headers" in scheme.keys:
            made["headers"] = {**self.defaults["headers"], **scheme.keys["headers"]}
        return made


@cache
def names() -> tuple[str, ...]:
    """List the presets by the names used in YAML, without reading them."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@cache
def load(name: str) -> Preset:
    """Read one preset; raises KeyError for a name that there is not."""
    if name not in names():
        raise KeyError(name)
    document, found = read(_FOLDER / f"{name}.yaml", f"{name}.yaml")
    assert document is not None, found  # the tests read them all
    value = document.value
    return Preset(
        id=name,
        name=value["name"],
        category=value["category"],
        notes=value.get("notes"),
        links=tuple(value.get("links", ())),
        variables={key: _variable(key, item) for key, item in value.get("variables", {}).items()},
        schemes={key: _scheme(key, item) for key, item in value["auth"].items()},
        defaults={key: item for key, item in value.items() if key not in _OWN},
        unverified=tuple(value.get("unverified", ())),
    )


def _variable(name: str, value: Mapping[str, Any]) -> Variable:
    return Variable(name=name, **{**value, "values": tuple(value.get("values", ()))})


def _scheme(name: str, value: Mapping[str, Any]) -> Scheme:
    fields = {key: _field(key, item) for key, item in value.get("fields", {}).items()}
    return Scheme(
        name=name,
        type=value.get("type", name),
        fields=fields,
        given=value.get("set", {}),
        keys={key: item for key, item in value.items() if key not in _SCHEME},
        about=value.get("about"),
        scopes=tuple(value.get("scopes", ())),
    )


def _field(name: str, value: str | Mapping[str, Any]) -> Field:
    if isinstance(value, str):
        return Field(name=name, description=value)
    return Field(name=name, **value)
