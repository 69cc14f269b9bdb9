"""What of a source line must not be printed: places that rules conceal, and what looks like a typed-in credential.

A file that YAML cannot read never reaches the rules, so nobody has marked the credentials in it. For its lines, and
for misspelt keys in files that could be read, the name of the key decides.
"""

import re
from collections.abc import Iterable, Sequence

from runner.diagnostics import Diagnostic, Label
from runner.source import Span

UNREAD = frozenset(
    {
        "yaml-syntax",
        "duplicate-key",
        "unsupported-yaml",
        "alias-expansion",
        "yaml-nesting",
        "not-text",
        "file-too-large",
    }
)
"""Rules after which no other rule has looked at the file."""

_KEY = re.compile(r"""(?:^|[\s{,\[?])["']?([A-Za-z_][\w.-]*)["']?\s*:(?:\s+|$)|([A-Za-z_][\w-]*)=""")
# In a file that is no YAML, a line may be one of an INI file.
_KEY_OR_ASSIGNED = re.compile(_KEY.pattern.removesuffix("=") + r"\s*=(?!=)\s*")
_CREDENTIAL = re.compile(
    r"token|secret|passw|passphrase|pwd|auth(?!ors?\b|ored)|credential|bearer|cookie|private|"
    r"(?:^|[_.-]|api|access|account)keys?(?:$|[_.-])",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"""["']?\s*(?:vault|env)://""")
_PINNED = re.compile(r"""vault://[^\s"']*?\?version=(?=[0-9]{1,9}#)""")
_OPENS = re.compile(r"""\s*(?:[|>][+-]?[0-9]*\s*(?:#.*)?|\{.*|\[\s*\{.*|[&!]\S+\s*|)$""")
# Fields under `auth` that are no secrets; everything else there is taken for a misspelt one that is.
_PLAIN_FIELDS = frozenset(
    {"type", "username", "name", "in", "prefix", "grant", "token_url", "client_id", "scopes", "audience",
     "client_auth", "certificate_bound", "method", "role", "mount", "keys", "extra", "username_suffix", "region", "service", "key_encoding", "key_id", "algorithm", "string_to_sign", "body_hash", "timestamp",
     "encoding", "header", "unit", "claims", "lifetime", "app_id", "installation_id", "repositories", "permissions", "login",
     "logout", "scope_separator", "grant_type", "token_format", "token_field", "issuer", "subject", "rotates",
     "authorize_url", "authorize_extra", "redirect_uri", "pkce", "device_url", "revocation_url", "path", "query", "headers", "json", "form"}
)  # fmt: skip

Ranges = list[tuple[int, int]]
"""Stretches of a line, as offsets; the end is exclusive."""


class Concealment:
    """Knows for one set of findings which parts of which lines are blanked, whatever they are printed for."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self._spans: dict[str, list[Span]] = {}
        self._unread: set[str] = set()
        for item in diagnostics:
            for label in (item.primary, *item.related):
                self._note(label)
            if item.rule in UNREAD:
                self._unread.add(item.primary.span.path)

    def ranges(self, path: str, lines: Sequence[str], number: int) -> Ranges:
        """Give the parts of line `number` (from 1) that are blanked, in order and without overlap."""
        line = lines[number - 1]
        found = [
            (span.start.column - 1 if number == span.start.line else 0, _end(span, number, line))
            for span in self._spans.get(path, ())
            if span.start.line <= number <= span.end.line
        ]
        found += _credentials(lines, number, found, unread=path in self._unread)
        return _merged(found)

    def _note(self, label: Label) -> None:
        if label.concealed:
            self._spans.setdefault(label.span.path, []).append(label.span)


def _end(span: Span, number: int, line: str) -> int:
    if number < span.end.line:
        return len(line)
    return max(span.end.column - 1, span.start.column if number == span.start.line else 0)


def _credentials(lines: Sequence[str], number: int, known: Ranges, *, unread: bool) -> Ranges:
    """Find values whose keys say that they are credentials; those that rules conceal are known already."""
    line = lines[number - 1]
    parent = _parent(lines, number)
    pinned = {match.end() for match in _PINNED.finditer(line)}
    keys = _KEY_OR_ASSIGNED if unread else _KEY
    matches = [match for match in keys.finditer(line) if match.end() not in pinned]
    if not matches:
        # A further line of a value: of a block scalar, or of a quoted text that goes on.
        if parent is not None and _suspicious(parent, None) and line.strip() and _bad(line, unread=unread):
            return [(len(line) - len(line.lstrip()), len(line))]
        return []
    for index, match in enumerate(matches):
        key = match[1] or match[2]
        outer = parent if index == 0 else _enclosing(line, matches[:index]) or parent
        value = line[match.end() :]
        if not value.strip() or _OPENS.fullmatch(value) or not _suspicious(key, outer):
            continue
        if any(start - 1 <= match.end() < end for start, end in known):
            continue
        if _bad(value, unread=unread):
            return [(match.end(), len(line))]
    return []


def _suspicious(key: str, outer: str | None) -> bool:
    if outer == "auth":
        return key not in _PLAIN_FIELDS
    if outer and outer not in _PLAIN_FIELDS and _CREDENTIAL.search(outer):
        return True
    return bool(_CREDENTIAL.search(key)) and key not in _PLAIN_FIELDS


def _bad(value: str, *, unread: bool) -> bool:
    text = value.strip()
    if _HARMLESS.match(text):
        return False
    # Rules have looked at a file that could be read: templates in it are templates, and short words no secrets.
    return unread or ("{{" not in text and len(text.strip("\"'{}[], ")) >= 6)


def _parent(lines: Sequence[str], number: int) -> str | None:
    """Give the key of the nearest line above that is indented less."""
    indent = _indent(lines[number - 1])
    for above in reversed(lines[max(0, number - 200) : number - 1]):
        if above.strip() and not above.lstrip().startswith("#") and _indent(above) < indent:
            keys = list(_KEY.finditer(above))
            return (keys[-1][1] or keys[-1][2]) if keys else None
    return None


def _enclosing(line: str, before: Sequence[re.Match[str]]) -> str | None:
    """Give the key whose flow mapping is still open: `auth: {` in `auth: {type: x, token: y}`."""
    for match in reversed(before):
        rest = line[match.end() :]
        if rest.lstrip().startswith("{") and match[1]:
            return match[1]
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _merged(ranges: Ranges) -> Ranges:
    merged: Ranges = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged
