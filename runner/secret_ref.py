"""Secret references: `vault://MOUNT/PATH[?version=N]#FIELD` and `env://NAME`, parsed and filled in."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from runner.frozen import dataclass
from runner.source import Span

SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.@+ -]*"
_SEGMENT = re.compile(SEGMENT)
_ENV = re.compile(r"env://([A-Za-z_][A-Za-z0-9_]*)\Z")
_VERSION = re.compile(r"version=([1-9][0-9]{0,8})\Z")
_FIELD = re.compile(r"[^#\s/][^#\s]*\Z")
_HOLE = re.compile(r"\{\{\s*(user|environment|vars\.([A-Za-z_][A-Za-z0-9_]*))\s*\}\}")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")

USER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*\Z")
"""What a user name may be (SPEC 2.3): it can stand in a path and cannot walk it."""


class MalformedReferenceError(ValueError):
    """The text is no secret reference. `offset` and `length` say which part of it is wrong."""

    def __init__(self, message: str, *, help: str, offset: int = 0, length: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.offset = offset
        self.length = length


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRef:
    """A reference as written. `path` is MOUNT/PATH for Vault, still with its `{{ }}` holes, or the variable's name."""

    scheme: str
    text: str
    path: str
    field: str = ""
    version: int | None = None
    span: Span

    @property
    def holes(self) -> tuple[str, ...]:
        """The placeholders in the path: `user`, `environment`, `vars.NAME`."""
        return tuple(match[1] for match in _HOLE.finditer(self.path))

    @property
    def personal(self) -> bool:
        """Whether each user has a value of their own behind it."""
        return "user" in self.holes

    def resolve(
        self, *, user: str | None, environment: str | None, variables: Mapping[str, Any]
    ) -> "ResolvedRef":
        """Fill the holes; raises MalformedReferenceError where a value is missing or would change the path's shape."""

        def fill(match: re.Match[str]) -> str:
            hole = match[1]
            value = (
                user if hole == "user" else environment if hole == "environment" else variables.get(match[2])
            )
            if not isinstance(value, str) or not value:
                remedy = {
                    "user": "name the user with --as USER or RUNNER_USER",
                    "environment": "choose one with --env NAME",
                }
                raise MalformedReferenceError(
                    f"'{{{{ {hole} }}}}' in the reference has no value",
                    help=remedy.get(hole, f"give vars.{match[2]} a string in runner.yaml"),
                )
            if hole == "user" and not USER_NAME.match(value):
                raise MalformedReferenceError(
                    f"'{value}' is not a user name",
                    help="user names match [A-Za-z0-9][A-Za-z0-9._@-]*",
                )
            if ".." in value or not all(_SEGMENT.fullmatch(part) for part in value.split("/")):
                raise MalformedReferenceError(
                    f"the value of '{{{{ {hole} }}}}' cannot stand in a secret's path",
                    help="use letters, digits and . _ @ + - only",
                )
            return value

        return ResolvedRef(
            scheme=self.scheme, path=_HOLE.sub(fill, self.path), field=self.field, version=self.version
        )


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ResolvedRef:
    """A reference whose path is final: what a secret source reads."""

    scheme: str
    path: str
    field: str = ""
    version: int | None = None

    @property
    def label(self) -> str:
        """Name the secret in messages and placeholders, without its value."""
        if self.scheme == "env":
            return f"env {self.path}"
        version = f"?version={self.version}" if self.version else ""
        return f"{self.path}{version}#{self.field}"


def looks_like_reference(text: str) -> bool:
    """Tell whether somebody meant `text` as a secret reference, well formed or not."""
    return bool(re.match(r"\s*(vault|env|ref\+vault)\s*:", text, re.IGNORECASE))


def parse(text: str, span: Span) -> SecretRef:
    """Parse a reference; raises MalformedReferenceError with the part that is wrong and the remedy."""
    if text.startswith("env://"):
        match = _ENV.match(text)
        if not match:
            raise MalformedReferenceError(
                "not an environment reference", help="write env://NAME, for example env://TICKETS_TOKEN"
            )
        return SecretRef(scheme="env", text=text, path=match[1], span=span)
    if not text.startswith("vault://"):
        raise MalformedReferenceError(
            "not a secret reference",
            help="write vault://MOUNT/PATH#FIELD, for example vault://secret/support/tickets#api_token",
        )
    rest = text.removeprefix("vault://")
    location, hash_mark, field = rest.partition("#")
    location, question, query = location.partition("?")
    start = len("vault://")
    field_at = start + len(location) + (len(query) + 1 if question else 0) + 1
    if not hash_mark or not field:
        raise MalformedReferenceError(
            "the reference names no field",
            help=f"add the field: {text.rstrip('#')}#FIELD",
        )
    if not _FIELD.match(field):
        raise MalformedReferenceError(
            "the field of the reference is not valid",
            help="a field is literal: no '#', no spaces, no leading '/', no template",
            offset=field_at,
            length=len(field),
        )
    if "{{" in field:
        raise MalformedReferenceError(
            "the field of a reference is literal",
            help="choose by path, not by field",
            offset=field_at,
            length=len(field),
        )
    version = None
    if question:
        match = _VERSION.match(query)
        if not match:
            raise MalformedReferenceError(
                f"'?{query}' is not a version",
                help="write ?version=N with N from 1, or leave it out for the newest",
                offset=start + len(location),
                length=len(query) + 1,
            )
        version = int(match[1])
    return SecretRef(
        scheme="vault", text=text, path=_parse_path(location, start), field=field, version=version, span=span
    )


def _parse_path(location: str, start: int) -> str:
    segments: list[str] = []
    offset = start
    for raw in _split(location):
        decoded = unquote(raw) if _PERCENT.search(raw) else raw
        if decoded in {"", "."} or ".." in decoded or ("/" in decoded and decoded != raw):
            raise MalformedReferenceError(
                "the path has an empty or dotted segment"
                if not decoded
                else f"the path may not hold '{decoded}'",
                help="write MOUNT/PATH as after `vault kv get`, without '..', '//' or a slash at either end",
                offset=offset,
                length=max(len(raw), 1),
            )
        stripped = _HOLE.sub("x", decoded)
        if "{{" in stripped or "}}" in stripped:
            raise MalformedReferenceError(
                "only {{ user }}, {{ environment }} and {{ vars.NAME }} may stand in a secret's path",
                help="secret paths must be known to reviewers: no other template",
                offset=offset,
                length=len(raw),
            )
        if not (_SEGMENT.fullmatch(stripped) or _PERCENT.search(raw)) or any(
            ord(char) < 32 for char in decoded
        ):
            raise MalformedReferenceError(
                f"the path segment '{raw}' is not valid",
                help="use letters, digits and . _ @ + - or percent-encode the rest",
                offset=offset,
                length=len(raw),
            )
        segments.append(decoded)
        offset += len(raw) + 1
    if len(segments) < 2:
        raise MalformedReferenceError(
            "the reference names no path below the mount", help="write vault://MOUNT/PATH#FIELD", offset=start
        )
    if segments[1] == "data" and len(segments) > 2:
        fixed = "/".join([segments[0], *segments[2:]])
        raise MalformedReferenceError(
            "a reference is written without 'data/'",
            help=f"write vault://{fixed}#...: MOUNT/PATH is what follows `vault kv get`",
            offset=start + len(segments[0]) + 1,
            length=len("data/"),
        )
    return "/".join(segments)


def _split(location: str) -> list[str]:
    """Split at slashes that do not stand in a hole."""
    return re.split(r"/(?![^{}]*\}\})", location)
