"""Templates: made by the loader only, rendered here only, with their place in the file.

A template that is plain text, or names joined by dots, never reaches Jinja: reading and rendering it costs a few
microseconds, and a project of such templates starts without importing Jinja at all.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from runner import template_paths
from runner.document import Document, Pointer
from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass
from runner.reference import Reference
from runner.sensitive import Rendered
from runner.source import Span
from runner.template_text import text_of

if TYPE_CHECKING:
    from runner.template_engine import Parsed, TemplateFault

LARGEST_OUTPUT = 10 * 1024 * 1024
"""Characters that one template may give (SPEC 9)."""

Hide = Callable[[Reference], str | None]
"""Gives the placeholder of a reference that must not be evaluated (a secret, or known at run time only), else None."""

_SIMPLE = re.compile(r"\{\{\s*([A-Za-z]\w*(?:\.[A-Za-z_]\w*)*)\s*\}\}")
_SYNTAX = re.compile(r"\{[{%#]|[}%#]\}")
_WORDS = frozenset(
    {"true", "false", "none", "null", "True", "False", "None", "not", "and", "or", "if", "else", "in", "is",
     "range", "dict", "namespace", "cycler", "joiner", "loop"}
)  # fmt: skip


class Mode(Enum):
    """How a template's result is used."""

    VALUE = "value"  # one `{{ }}` alone gives its value with its type, other text a string
    TEXT = "text"  # always a string
    PATH = "path"  # a path of a URL: always a string; what is put in is percent-encoded
    FILE = "file"  # a path of a file: always a string; what is put in cannot leave its segment


@dataclass(slots=True, eq=False)
class Template:
    """A string of the files that is rendered: its text, where it stands, which roots its field allows.

    `field` names the field for messages (`request.path`); `owner` says in which action it stands, as
    (section, index), or is None.
    """

    text: str
    mode: Mode
    document: Document
    pointer: Pointer
    roots: frozenset[str]
    field: str
    owner: tuple[str, int] | None = None
    _parts: tuple[str | Reference, ...] | bool | None = False
    _references: tuple[Reference, ...] | None = None
    _parsed: "Parsed | TemplateFault | None" = None
    _compiled: Any = None

    @property
    def span(self) -> Span:
        """Where the template stands."""
        return self.document.span(self.pointer)

    def place(self, start: int, end: int | None) -> Span:
        """Where a part of the template's text stands."""
        return self.document.part(self.pointer, start, len(self.text) if end is None else end)

    @property
    def constant(self) -> bool:
        """Whether the text holds no template syntax at all."""
        text = self.text
        return "{{" not in text and "{%" not in text and "{#" not in text

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every root and path that the template uses; none where it cannot be read."""
        if self._references is None:
            parts = self._simple_parts()
            if parts is not None:
                self._references = tuple(part for part in parts if not isinstance(part, str))
            else:
                self._references = tuple(getattr(self._parse(), "references", ()))
        return self._references

    @property
    def faults(self) -> "list[TemplateFault]":
        """What a check can know to be wrong without data: syntax, unknown filters."""
        if self._simple_parts() is not None:
            return []
        parsed = self._parse()
        return getattr(parsed, "faults", [parsed])

    def render(self, context: Mapping[str, Any], *, limit: int = LARGEST_OUTPUT) -> Any:
        """Render with the real values; raises FailureError of kind `render`, whose message holds no value."""
        parts = self._simple_parts()
        if parts is not None:
            done, value = self._render_simple(parts, context)
            if done:
                return value
        return self._checked(self._render_fully(context, limit))

    def render_shown(self, context: Mapping[str, Any], hide: Hide, *, limit: int = LARGEST_OUTPUT) -> Any:
        """Render for a record: references that `hide` names are not evaluated, their placeholder stands instead."""
        hidden = {ref: label for ref in self.references if (label := hide(ref)) is not None}
        if not hidden:
            return self.render(context, limit=limit)
        parts = self._simple_parts()
        if parts is not None:
            return "".join(
                part if isinstance(part, str) else hidden.get(part) or self._text(_look_up(context, part)[1])
                for part in parts
            )
        from runner import template_cache as shared
        from runner import template_engine as engine

        parsed = self._parse()
        assert isinstance(parsed, engine.Parsed)
        tree = engine.hide_outputs(parsed.tree, hidden)
        if isinstance(tree, str):
            return tree
        compiled = engine.compile_tree(shared.environment(self.mode), tree, exact=False)
        return self._checked(self._run(compiled, context, exact=False, limit=limit))

    def uses(self, hide: Hide) -> bool:
        """Tell whether the template uses a reference that `hide` names."""
        return any(hide(reference) is not None for reference in self.references)

    def _simple_parts(self) -> tuple[str | Reference, ...] | None:
        """Text and plain dotted names, where the template is made of nothing else; None where it takes Jinja."""
        if isinstance(self._parts, bool):
            self._parts = (self.text,) if self.constant else _read_simple(self.text)
        return self._parts

    def _render_simple(
        self, parts: tuple[str | Reference, ...], context: Mapping[str, Any]
    ) -> tuple[bool, Any]:
        if len(parts) == 1 and isinstance(parts[0], str):
            return True, self._checked(parts[0])
        exact = self.mode is Mode.VALUE and (
            len(parts) == 1 or (len(parts) == 2 and parts[1] == "\n" and not isinstance(parts[0], str))
        )
        if exact:
            assert not isinstance(parts[0], str)
            return _look_up(context, parts[0])
        pieces: list[str] = []
        for part in parts:
            if isinstance(part, str):
                pieces.append(part)
                continue
            found, value = _look_up(context, part)
            if not found:
                return False, None
            pieces.append(self._text(value))
        return True, self._checked("".join(pieces))

    def _text(self, value: Any) -> str:
        if isinstance(value, str) and self.mode in (Mode.VALUE, Mode.TEXT):
            return value
        return str(writer(self.mode)(value))

    def _parse(self) -> "Parsed | TemplateFault":
        if self._parsed is None:
            from runner import template_cache as shared

            self._parsed = shared.parsed(self.mode, self.text)
        return self._parsed

    def _render_fully(self, context: Mapping[str, Any], limit: int) -> Any:
        from runner import template_cache as shared
        from runner import template_engine as engine

        parsed = self._parse()
        if not isinstance(parsed, engine.Parsed):
            raise self._failure(parsed.message, parsed.start, parsed.end, parsed.help)
        if self._compiled is None:
            try:
                self._compiled = shared.compiled(self.mode, self.text)
            except Exception as problem:
                fault = (
                    parsed.faults[0]
                    if parsed.faults
                    else engine.TemplateFault(f"the template cannot be compiled ({type(problem).__name__})")
                )
                raise self._failure(fault.message, fault.start, fault.end, fault.help) from None
        return self._run(self._compiled, context, exact=parsed.exact, limit=limit)

    def _run(self, compiled: Any, context: Mapping[str, Any], *, exact: bool, limit: int) -> Any:
        from runner import template_engine as engine

        try:
            return engine.run(compiled, dict(context), exact=exact, limit=limit)
        except engine.TemplateFault as fault:
            raise self._failure(fault.message, fault.start, fault.end, fault.help) from None
        except engine.UndefinedError as problem:
            raise self._undefined(context, problem) from None

    def _undefined(self, context: Mapping[str, Any], problem: Exception) -> FailureError:
        """Say which reference has no value and what there is instead."""
        for reference in self.references:
            if reference.guarded:
                continue
            known: Any = context
            for depth, part in enumerate((reference.root, *reference.path)):
                missing = _missing(known, part)
                if missing:
                    before = ".".join(str(item) for item in (reference.root, *reference.path)[:depth])
                    message, remedy = _explain_missing(reference.text, before, str(part), known)
                    return self._failure(message, reference.start, reference.end, remedy)
                try:
                    known = known[part]
                except (TypeError, KeyError, IndexError):
                    break
        named = re.search(r"'([A-Za-z_][\w.]*)' is undefined|has no attribute '([A-Za-z_]\w*)'", str(problem))
        name = (named[1] or named[2]) if named else None
        message = f"'{name}' has no value here" if name else "a part of the template has no value"
        return self._failure(message, 0, None, "use `| default(...)` where it may be missing")

    def _failure(self, message: str, start: int, end: int | None, remedy: str | None) -> FailureError:
        where = self.place(start, end if end is not None else len(self.text))
        return FailureError(Failure(kind=FailureKind.RENDER, message=message, help=remedy, span=where))

    def _checked(self, value: Any) -> Any:
        if self.mode in (Mode.VALUE, Mode.TEXT):
            return value
        check = template_paths.checked if self.mode is Mode.PATH else template_paths.checked_file
        try:
            return check(value)
        except template_paths.PathError as problem:
            raise self._failure(str(problem), 0, None, problem.help) from None


Tree = Template | dict[str, Any] | list[Any] | str | int | float | bool | None
"""A value of the files with templates where its strings were."""


def render(tree: Tree, context: Mapping[str, Any], *, limit: int = LARGEST_OUTPUT) -> Any:
    """Render every template of a tree."""
    if isinstance(tree, Template):
        return tree.render(context, limit=limit)
    if isinstance(tree, dict):
        return {key: render(item, context, limit=limit) for key, item in tree.items()}
    if isinstance(tree, list):
        return [render(item, context, limit=limit) for item in tree]
    return tree


def render_shown(tree: Tree, context: Mapping[str, Any], hide: Hide, *, limit: int = LARGEST_OUTPUT) -> Any:
    """Render a tree for a record, with placeholders for what `hide` names."""
    if isinstance(tree, Template):
        return tree.render_shown(context, hide, limit=limit)
    if isinstance(tree, dict):
        return {key: render_shown(item, context, hide, limit=limit) for key, item in tree.items()}
    if isinstance(tree, list):
        return [render_shown(item, context, hide, limit=limit) for item in tree]
    return tree


def render_both(
    tree: Tree, context: Mapping[str, Any], hide: Hide, *, limit: int = LARGEST_OUTPUT
) -> Rendered:
    """Render both faces; where nothing is hidden they are one value."""
    wire = render(tree, context, limit=limit)
    if any(template.uses(hide) for template in templates(tree)):
        # A placeholder may be longer than the secret: what may be sent does not fail for its record.
        return Rendered(wire, render_shown(tree, context, hide, limit=limit + LARGEST_OUTPUT))
    return Rendered(wire, wire)


def templates(tree: Tree) -> "list[Template]":
    """List the templates of a tree."""
    if isinstance(tree, Template):
        return [tree]
    if isinstance(tree, dict):
        return [found for item in tree.values() for found in templates(item)]
    if isinstance(tree, list):
        return [found for item in tree for found in templates(item)]
    return []


@lru_cache(maxsize=4096)  # files of one project say the same again and again
def _read_simple(text: str) -> tuple[str | Reference, ...] | None:
    parts: list[str | Reference] = []
    at = 0
    for match in _SIMPLE.finditer(text):
        names = match[1].split(".")
        if names[0] in _WORDS or any(name.startswith("__") for name in names):
            return None
        if match.start() > at:
            parts.append(text[at : match.start()])
        parts.append(Reference(names[0], tuple(names[1:]), match.start(1), match.end(1)))
        at = match.end()
    rest = text[at:]
    if rest:
        parts.append(rest)
    if any(isinstance(part, str) and _SYNTAX.search(part) for part in parts):
        return None
    return tuple(parts)


@cache
def writer(mode: Mode) -> Callable[[Any], str]:
    """Give what writes a value into text of a kind of field."""
    if mode is Mode.PATH:
        return template_paths.path_text
    if mode is Mode.FILE:
        return template_paths.file_text
    return text_of


def _look_up(context: Mapping[str, Any], reference: Reference) -> tuple[bool, Any]:
    """Follow dotted names through mappings; (False, None) where Jinja must decide."""
    value: Any = context
    for part in (reference.root, *reference.path):
        if not isinstance(value, Mapping) or part not in value:
            return False, None
        value = value[part]
    return True, value


def _missing(known: Any, part: Any) -> bool:
    if isinstance(known, str) and isinstance(part, str):
        return not hasattr(known, part)
    if isinstance(known, Mapping):
        return part not in known
    if isinstance(known, list | str) and isinstance(part, int):
        return not -len(known) <= part < len(known)
    return known is None or isinstance(known, int | float)


def _explain_missing(whole: str, before: str, part: str, known: Any) -> tuple[str, str]:
    from runner.diagnostics import names_hint
    from runner.filters import type_name

    if isinstance(known, Mapping):
        status = known.get("status")
        if before.startswith("actions.") and before.count(".") == 1 and status in ("skipped", "failed"):
            why = "was skipped" if status == "skipped" else "failed"
            return (
                f"action '{before.removeprefix('actions.')}' {why}: it has no '{part}'",
                f"write {{{{ {whole} | default(null) }}}} where that may happen",
            )
        message = f"'{before}' has no '{part}'" if before else f"there is no '{part}' here"
        return message, names_hint(part, map(str, known), what="names there")
    if isinstance(known, str) and not part.lstrip("-").isdigit():
        remedy = "use `| default(...)` where it may be missing"
        if before == "response.body":
            remedy = (
                f"its Content-Type did not say that it is JSON: where it is, write `{before} | from_json`"
            )
        return f"'{before}' is text: it has no '{part}'", remedy
    if isinstance(known, list | str):
        return (
            f"'{before}' has {len(known)} items, no item {part}",
            "check its length, or use `| default(...)`",
        )
    return (
        f"'{before}' is {type_name(known)}: it has no '{part}'",
        "use `| default(...)` where it may be missing",
    )
