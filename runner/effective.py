"""What a connection comes to: the preset's values under those of the files, and where each of them is written.

The result has the form of a connection of a generic type, so that nothing after it needs to know of presets.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from runner import presets
from runner.diagnostics import Diagnostic, error, names_hint
from runner.document import Document, Pointer
from runner.frozen import dataclass
from runner.presets import Preset, Scheme
from runner.source import Span

MERGED = ("headers", "query", "rate_limit")
"""Keys whose parts are merged by name: a connection adds to what its preset sends."""

_VARIABLE = re.compile(r"\{\{\s*variables\.([a-z][a-z0-9_]*)\s*\}\}")
_OWN_TEMPLATES = frozenset({"login", "logout"})
"""Fields of `auth` in which `auth.NAME` is a template of the type itself (session), filled when it logs in."""
_FIELD = re.compile(r"\{\{\s*auth\.([a-z][a-z0-9_]*)\s*\}\}\Z")

Home = tuple[Document, Pointer]


class Borrowed(Document):
    """Stands for a value that no file of the project holds: every place in it is the place of what brought it there."""

    __slots__ = ("_home", "_place")

    def __init__(self, home: Document, place: Pointer) -> None:
        super().__init__(home.path, home.text, home.value, None)
        self._home = home
        self._place = place

    def span(self, _: Pointer, *, key: bool = False) -> Span:
        """Give the one place."""
        return self._home.span(self._place, key=key and len(self._place) == 1)

    def part(self, pointer: Pointer, start: int, end: int) -> Span:  # noqa: ARG002 - a part has no other place
        """Give the one place."""
        return self.span(pointer)


@dataclass(slots=True)
class Effective:
    """A connection with its preset put in.

    `value` has an auth type as its `type`. `brought` says, of each pointer whose value comes from the preset, which
    pointer of the written connection brought it there; `moved` of each value of `auth` where it was written. `missing`
    names variables without a value; `texts` holds the pointers of fixed texts of the preset in `auth`.
    """

    value: dict[str, Any]
    written: Mapping[str, Any]
    preset: Preset | None = None
    brought: dict[Pointer, Pointer] = field(default_factory=dict)
    moved: dict[Pointer, Pointer] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    texts: set[Pointer] = field(default_factory=set)

    def origin(self, written: Callable[[Pointer], Home]) -> Callable[[Pointer], Home]:
        """Find where a value of the effective connection is written; `written` does so for the files."""
        if self.preset is None:
            return written

        def find(pointer: Pointer) -> Home:
            for length in range(len(pointer), 0, -1):
                if pointer[:length] in self.moved:
                    return written((*self.moved[pointer[:length]], *pointer[length:]))
                if pointer[:length] in self.brought:
                    home, place = written(self.brought[pointer[:length]])
                    return Borrowed(home, place), pointer
            return written(pointer)

        return find

    def is_secret(self, pointer: Pointer) -> bool | None:
        """Tell whether a field of `auth` takes a secret reference only; None where its auth type knows that."""
        if pointer in self.texts:
            return False
        if self.preset is None or pointer not in self.moved:
            return None
        field_ = str(self.moved[pointer][-1])
        declared = self.preset.scheme(self.written.get("auth")).fields.get(field_)
        return declared.secret if declared else None

    def named(self, pointer: Pointer) -> Pointer:
        """Give the pointer by which a field of `auth` is written."""
        return self.moved.get(pointer, pointer)

    def names(self) -> dict[str, str]:
        """Say of each value, by dots, how the file names it, where that is another name."""
        pairs = {".".join(map(str, to)): ".".join(map(str, by)) for to, by in self.moved.items()}
        return {to: by for to, by in pairs.items() if to != by}

    def sources(
        self, written: Callable[[Pointer], Home], document: Document, settings: str
    ) -> dict[str, str]:
        """Say of each key where its value comes from: `preset NAME`, a file, or `environment in runner.yaml`."""
        found: dict[str, str] = {}
        for key, item in self.value.items():
            if key in MERGED and isinstance(item, dict):
                parts: list[Pointer] = [(key, name) for name in item]
            else:
                parts = [(key,)]
            for pointer in parts:
                name = ".".join(map(str, pointer))
                home = self.origin(written)(pointer)[0]
                if self.preset and isinstance(home, Borrowed) and key != "auth":
                    found[name] = f"preset {self.preset.id}"
                elif home.path == settings:
                    found[name] = f"environment in {settings}"
                else:
                    found[name] = "file" if home.path == document.path else f"extends {home.path}"
        return found


def effective(written: Mapping[str, Any]) -> Effective:
    """Put the preset that a connection names under its own values. Values of any shape are taken.

    What is written replaces what the preset says, key by key; headers and query parameters are merged by name.
    """
    type_ = written.get("type")
    if not isinstance(type_, str) or type_ not in presets.names():
        return Effective(dict(written), written)
    preset = presets.load(type_)
    made = Effective({}, written, preset)
    scheme = preset.scheme(written.get("auth"))
    filler = _Filler(made, written)
    for key, item in preset.supplied(scheme).items():
        if key not in written:
            made.value[key] = filler.filled(item, (key,))
        elif key in MERGED and isinstance(written[key], Mapping):
            own = {name.lower() for name in written[key]} if key == "headers" else set(written[key])
            kept = {
                name: filler.filled(value, (key, name))
                for name, value in item.items()
                if (name.lower() if key == "headers" else name) not in own
            }
            made.value[key] = {**kept, **written[key]}
    made.value |= {key: item for key, item in written.items() if key not in made.value}
    made.value.pop("variables", None)
    made.value["type"] = scheme.type
    made.value["auth"] = filler.auth(scheme)
    return made


def with_defaults(written: Mapping[str, Any]) -> dict[str, Any]:
    """Give a connection with the keys that its preset supplies; `type`, `auth` and `variables` stay as they are written."""
    made = effective(written)
    kept = {key: item for key, item in written.items() if key in ("type", "auth", "variables")}
    return {**{key: item for key, item in made.value.items() if key not in ("type", "auth")}, **kept}


class _Filler:
    """Fills the values of a preset with what a connection gives."""

    def __init__(self, made: Effective, written: Mapping[str, Any]) -> None:
        self.made = made
        self.preset = made.preset
        given = written.get("variables")
        self.given: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
        auth = written.get("auth")
        self.fields: Mapping[str, Any] = auth if isinstance(auth, Mapping) else {}
        self.placed: set[str] = set()

    def filled(self, item: Any, pointer: Pointer) -> Any:
        """Put variables into the strings of a value, and note what brought them there."""
        if isinstance(item, dict | list):
            self.made.brought[pointer] = ("type",)
        if isinstance(item, dict):
            return {key: self.filled(value, (*pointer, key)) for key, value in item.items()}
        if isinstance(item, list):
            return [self.filled(value, (*pointer, index)) for index, value in enumerate(item)]
        match = _FIELD.match(item) if isinstance(item, str) else None
        if match and pointer[0] in MERGED:
            self.made.moved[pointer] = ("auth", match[1])
            self.placed.add(match[1])
            return self.fields.get(match[1], "")
        used = _VARIABLE.findall(item) if isinstance(item, str) else []
        own = [name for name in used if name in self.given]
        self.made.brought[pointer] = ("variables", own[0]) if own else ("type",)
        return _VARIABLE.sub(self._variable, item) if used else item

    def auth(self, scheme: Scheme) -> dict[str, Any]:
        """Give the fields of the auth type: those that the preset fills in, and those that are written by its names."""
        self.made.brought["auth",] = ("auth",) if self.fields else ("type",)
        value = self._given(dict(scheme.given), ("auth",))
        for name, item in self.fields.items():
            if name != "type" and name not in self.placed:
                value[name] = item
                self.made.moved["auth", name] = ("auth", name)
        return dict(value)

    def _given(self, item: Any, pointer: Pointer) -> Any:
        """Fill a value of `set`; a mapping or list loses the parts that stand for fields which are not written."""
        if isinstance(item, dict):
            filled = {key: self._given(value, (*pointer, key)) for key, value in item.items()}
            return {key: value for key, value in filled.items() if value is not None}
        if isinstance(item, list):
            kept = [entry for entry in item if not self._stands_empty(entry)]
            return [self._given(value, (*pointer, index)) for index, value in enumerate(kept)]
        match = _FIELD.match(item) if isinstance(item, str) else None
        if match is None or pointer[1] in _OWN_TEMPLATES:
            self.made.texts.add(pointer)
            return self.filled(item, pointer)
        self.placed.add(match[1])
        if match[1] not in self.fields:
            return None
        self.made.moved[pointer] = ("auth", match[1])
        return self.fields[match[1]]

    def _stands_empty(self, entry: Any) -> bool:
        items = entry.values() if isinstance(entry, dict) else [entry]
        matches = [_FIELD.match(item) for item in items if isinstance(item, str)]
        return any(match is not None and match[1] not in self.fields for match in matches)

    def _variable(self, match: re.Match[str]) -> str:
        name = match[1]
        assert self.preset is not None
        declared = self.preset.variables[name]
        value = self.given.get(name, declared.default)
        if value is None and name not in self.made.missing:
            self.made.missing.append(name)
        return value if isinstance(value, str) else match[0]


def problems(
    made: Effective, locate: Callable[[Pointer, bool], Span], fill: Callable[[str], str]
) -> list[Diagnostic]:
    """Say which variables of a preset are missing, unknown or not as declared; `fill` puts `vars` into a text."""
    preset = made.preset
    if preset is None:
        return []
    found: list[Diagnostic] = []
    for name in made.missing:
        variable = preset.variables[name]
        place: Pointer = ("variables",) if "variables" in made.written else ("type",)
        found.append(
            error(
                "missing-key",
                f"the key '{name}' is missing in 'variables': {preset.name} needs it",
                locate(place, False),
                help=f"{variable.description}; for example `variables: {{{name}: {variable.example}}}`",
            )
        )
    given = made.written.get("variables", {})
    for name, value in given.items():
        variable = preset.variables[name]
        text = fill(value)
        if "{{" in text:
            continue  # not known without an environment, or wrong in a way that a rule tells
        if variable.values and text not in variable.values:
            remedy = names_hint(text, variable.values, what="possible")
        elif variable.pattern and not re.fullmatch(variable.pattern, text):
            remedy = f"{variable.description}; for example {variable.example}"
        else:
            continue
        message = f"'variables.{name}' is not as {preset.name} has it: {_wanted(variable)}"
        found.append(error("invalid-value", message, locate(("variables", name), False), help=remedy))
    return found


def _wanted(variable: presets.Variable) -> str:
    if variable.values:
        return f"one of {', '.join(variable.values)}"
    return f"it must match {variable.pattern}"
