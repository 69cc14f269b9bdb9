"""Typed-in secrets taken out of the values before anything is compared, so that no later step can show one.

In their place stands a mark that is the same for the same text, so that a change of it is still seen. At the very end
the marks become words.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from runner import registry
from runner.diagnostics import Diagnostic
from runner.document import Document, Pointer
from runner.project import Project
from runner.secret_ref import looks_like_reference
from runner.source import Span

SHOWN = "‹concealed›"

_MARK = re.compile("\x00concealed [0-9]+\x00")
_RULE = "hardcoded-secret"
_SHORTEST = 6
"""Characters of a typed-in secret that are looked for in other values as well."""

_PLAIN_FIELDS = frozenset(
    {"type", "username", "name", "in", "prefix", "grant", "token_url", "client_id", "scopes", "audience"}
    | {
        "client_auth",
        "certificate_bound",
        "method",
        "role",
        "mount",
        "keys",
        "extra",
        "email",
        "username_suffix",
        "api_key_sid",
    }
    | frozenset(
        [
            "region",
            "service",
            "key_encoding",
            "key_id",
            "algorithm",
            "string_to_sign",
            "body_hash",
            "timestamp",
            "encoding",
        ]
    )
    | {"scope_separator", "grant_type", "token_format", "token_field", "issuer", "subject", "rotates", "pkce"}
    | {"authorize_url", "redirect_uri", "device_url", "revocation_url"}
    | frozenset(
        [
            "header",
            "unit",
            "claims",
            "lifetime",
            "app_id",
            "installation_id",
            "repositories",
            "permissions",
            "path",
        ]
    )
)
"""Fields of `auth` that are no secrets; text in every other one is taken for a secret, misspelt keys included."""

_FREE_FIELDS = frozenset(
    {"claims", "extra", "authorize_extra", "permissions", "repositories", "headers", "query", "json", "form"}
)
"""Fields in `auth` whose keys people choose: those are judged by name, as they are elsewhere."""

_FIXED = frozenset({"kind", "what", "change", "sign", "name", "was", "file", "action", "id", "section"})
"""Keys of a result whose words are ours, or names: a secret that is typed in as `actions` must not blank them."""

_TEMPLATE = ("{{", "{%")
_SAYING = frozenset({"default", "examples", "enum", "const"})
"""Keys of a secret input that would give its value away."""


class Concealer:
    """Knows the typed-in secrets of both sides and takes them out of values."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}
        self._places: set[tuple[int, str, Pointer]] = set()
        self._whole: set[str] = set()

    def learn(self, project: Project, paths: Iterable[str]) -> None:
        """Find the typed-in secrets in some files of a project."""
        documents = {path: project.documents[path] for path in sorted(paths) if path in project.documents}
        part = replace(
            project,
            documents=documents,
            texts={path: project.texts[path] for path in documents},
            connections={},
            workflows={},
        )
        # The rule itself and not its findings after `# runner: ignore`: what is only silenced is hidden all the same.
        found: list[Diagnostic] = [*project.diagnostics, *registry.load("rules", _RULE).check(part)]
        spans: dict[str, list[Span]] = {}
        for item in found:
            for label in (item.primary, *item.related):
                if label.concealed or item.rule == _RULE:
                    spans.setdefault(label.span.path, []).append(label.span)
        for path, document in documents.items():
            for pointer, value in scalars(document.value):
                if self._typed_in(document, pointer, value, spans.get(path, [])):
                    self._places.add((id(project), path, pointer))
                    self._mark(str(value))
        self._learn_shapes(project, documents)

    def value(self, project: Project, path: str) -> Any:
        """Give the value of a file with marks in place of the secrets, in keys as well."""
        document = project.documents[path]
        known = {pointer for owner, file, pointer in self._places if (owner, file) == (id(project), path)}
        return self._cleaned(document.value, (), known) if known or self._whole else document.value

    def shown(self, result: Any) -> Any:
        """Copy a result with words in place of the marks, and of every secret that stands in another text as well."""
        long = sorted((text for text in self._marks if len(text) >= _SHORTEST), key=len, reverse=True)
        return _shown(result, re.compile("|".join(map(re.escape, long))) if long else None)

    def _cleaned(self, value: Any, pointer: Pointer, known: set[Pointer]) -> Any:
        if isinstance(value, dict):
            return {
                self._marks[key] if key in self._whole else key: self._cleaned(item, (*pointer, key), known)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._cleaned(item, (*pointer, index), known) for index, item in enumerate(value)]
        return self._marks[str(value)] if pointer in known or value in self._whole else value

    def _mark(self, text: str) -> str:
        return self._marks.setdefault(text, f"\x00concealed {len(self._marks)}\x00")

    def _learn_shapes(self, project: Project, documents: Mapping[str, Document]) -> None:
        """Look at the values as the rule looks at texts: quotes and folding can hide a shape from it there."""
        texts = {
            text for document in documents.values() for text in _strings(document.value) if len(text) > 8
        }
        numbered = {str(number): text for number, text in enumerate(sorted(texts))}
        part = replace(project, documents={}, texts=numbered, connections={}, workflows={}, diagnostics=[])
        for item in registry.load("rules", _RULE).check(part):
            text = numbered[item.primary.span.path]
            self._whole.add(text)
            self._mark(text)

    def _typed_in(self, document: Document, pointer: Pointer, value: Any, spans: list[Span]) -> bool:
        if value is None or isinstance(value, bool) or value == "":
            return False
        if isinstance(value, str) and looks_like_reference(value):
            return False
        if spans and any(_overlap(document.span(pointer), span) for span in spans):
            return True
        name = str(next((part for part in reversed(pointer) if isinstance(part, str)), ""))
        if isinstance(value, str) and any(sign in value for sign in _TEMPLATE):
            return False
        if _in_auth(pointer) and not _FREE_FIELDS & set(pointer):
            return name not in _PLAIN_FIELDS
        if pointer[:1] == ("inputs",):
            return len(pointer) > 2 and pointer[2] in _SAYING and _secret_input(document, pointer)
        named = registry.load("rules", _RULE).is_credential(name)
        return name != "key" and "expect" not in pointer and bool(named)


def _shown(value: Any, secrets: "re.Pattern[str] | None") -> Any:
    if isinstance(value, dict):
        return {
            _MARK.sub(SHOWN, key): _shown(item, None if key in _FIXED else secrets)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_shown(item, secrets) for item in value]
    if not isinstance(value, str):
        return value
    text = _MARK.sub(SHOWN, value)
    return secrets.sub(SHOWN, text) if secrets else text


def scalars(value: Any, pointer: Pointer = ()) -> Iterator[tuple[Pointer, Any]]:
    """Give each value that is no mapping and no list, with its pointer."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from scalars(item, (*pointer, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from scalars(item, (*pointer, index))
    else:
        yield pointer, value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, str):
        yield value


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def _in_auth(pointer: Pointer) -> bool:
    """Tell whether a value is a field of a connection's `auth`, also in an environment's keys of a connection."""
    if pointer[:1] == ("auth",):
        return True
    return pointer[:1] == ("environments",) and pointer[2:3] == ("connections",) and pointer[4:5] == ("auth",)


def _secret_input(document: Document, pointer: Pointer) -> bool:
    declared = document.get(pointer[:2])
    return isinstance(declared, dict) and bool(declared.get("secret"))
