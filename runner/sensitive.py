"""Secrets in memory: values that do not print, renderings with two faces, and the search for what leaked."""

import base64
import html
import html.entities
import json
import re
import shlex
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Never
from urllib.parse import quote, quote_plus

from runner import escaped_letters
from runner.frozen import dataclass
from runner.needles import Needles

MASK = "***"
PASSING = 64
"""How many values of single requests are searched for at a time."""
SHORTEST_SEARCHED = 6
"""Values under this many characters are not searched for: they would mask ordinary text (SPEC 7)."""
SHORTEST_CORE = 3
"""Runs of fewer characters stand in most texts, so a value is kept under one only where it has no longer one."""
MOST_COMPILED = 500
"""How many patterns are kept compiled; each takes some 10 KiB."""


class Secret:
    """A secret value. It shows `***` in every form of printing and refuses to be pickled, copied or put into JSON.

    `label` names where it came from (`secret/support/tickets#api_token`) and is safe to show.
    """

    __slots__ = ("__value", "label")

    def __init__(self, value: str, label: str) -> None:
        self.__value = value
        self.label = label

    def reveal(self) -> str:
        """Give the value itself. Only the modules named in `tests/test_architecture.py` may call this."""
        return self.__value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__value == other.__value

    def __hash__(self) -> int:
        return hash((Secret, self.label))

    def __reduce__(self) -> Never:
        msg = "a secret is never pickled or copied"
        raise TypeError(msg)


@dataclass(frozen=True, slots=True, repr=False)
class Rendered:
    """A rendered value with two faces: `wire` is sent, `shown` is recorded and has placeholders for secrets."""

    wire: Any
    shown: Any

    @property
    def secret(self) -> bool:
        """Whether a secret flows into it: then the faces are two values."""
        return self.wire is not self.shown

    def __repr__(self) -> str:
        return f"Rendered({self.shown!r})"

    def __str__(self) -> str:
        return str(self.shown)

    def __format__(self, spec: str) -> str:
        return format(str(self.shown), spec)


def placeholder(label: str) -> str:
    """Give what stands for a secret in a record: the reference says which, never what."""
    return f"‹secret {label}›"


class Redactor:
    """Removes known secret values, in every form they are commonly written in, from text and from JSON data.

    One per process: every secret is added when it is read, before it can be used.
    """

    def __init__(self) -> None:
        self._added: set[str] = set()
        self._forms = Needles()
        self._cores = Needles()
        self._parts: dict[str, dict[str, list[str]]] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._short: dict[str, None] = {}
        self._passing: deque[str] = deque(maxlen=2 * PASSING)
        self._watchers: list[Callable[[str], None]] = []

    def add(self, value: str, label: str) -> None:
        """Search for `value` from now on. A value that spans lines is also searched for line by line."""
        if not value or value in self._added:
            return
        if len(value) < SHORTEST_SEARCHED:
            self._short[label] = None
            return
        self._added.add(value)
        for watcher in self._watchers:
            watcher(value)
        lines = [line.strip() for line in value.splitlines()]
        parts = [value, value.strip(), *(line for line in lines if len(line) >= 8)]
        for part in parts:
            if len(part) >= SHORTEST_SEARCHED:
                for form in written_forms(part):
                    self._forms.add(form)
                if not part.isalnum() or not part.isascii():
                    self._file(part)

    def add_all(self, value: Any, label: str) -> None:
        """Search for every text and number of JSON data from now on; its keys are names, and no secrets."""
        if isinstance(value, str):
            self.add(value, label)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self.add(repr(value), label)
        elif isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                self.add_all(item, label)

    def _file(self, part: str) -> None:
        """Keep a value that escapers change under its core: a run of letters and digits, which they leave alone.

        Of many values with a run in common, such as addresses of one host, each is kept under another where it can be.
        """
        runs = re.findall(r"[A-Za-z0-9]+", part) or [""]
        longest = max(map(len, runs))
        good = [run for run in runs if len(run) >= min(longest, SHORTEST_CORE)]
        core = min(good, key=lambda run: (len(self._parts.get(run, ())), -len(run)))
        self._cores.add(core)
        self._parts.setdefault(core, {})[part] = runs

    def add_passing(self, value: str) -> None:
        """Search for a value of one request, its signature say, as it is and as URLs write it.

        Each request has another, so only the last ones are remembered: to search for all would cost each more than the
        one before.
        """
        if len(value) >= SHORTEST_SEARCHED:
            self._passing.extend((value, quote(value, safe="")))

    def watch(self, watcher: Callable[[str], None]) -> None:
        """Call `watcher` with each value that is added from now on (the CI's own masking)."""
        self._watchers.append(watcher)

    @property
    def known(self) -> int:
        """How many values are searched for."""
        return len(self._added)

    @property
    def short(self) -> tuple[str, ...]:
        """Labels of the secrets that are too short to be searched for."""
        return tuple(self._short)

    def text(self, text: str) -> str:
        """Give `text` with every known form of every known secret replaced by `***`.

        What overlaps is one stretch: of two secrets that share some characters, neither leaves a half behind.
        """
        found = list(self._places(text))
        if escaped_letters.has(text):
            plain = escaped_letters.Plain(text)
            found += [plain.original(start, end) for start, end in self._places(plain.text)]
        if not found:
            return text
        kept: list[str] = []
        done = 0
        for start, end in sorted(found):
            if start >= done:
                kept += (text[done:start], MASK)
            done = max(done, end)
        return "".join([*kept, text[done:]])

    def _places(self, text: str) -> Iterator[tuple[int, int]]:
        for form in self._forms.within(text):
            yield from _stretches(form, text)
        for pattern in self._patterns_for(text):
            for match in pattern.finditer(text):
                yield match.span()
        for value in self._passing:
            yield from _stretches(value, text)

    def _patterns_for(self, text: str) -> Iterator[re.Pattern[str]]:
        """Give the patterns of the values that may stand in a text: all their runs of letters and digits do.

        Each is compiled when it is needed: that takes longer than all else that is done with a value.
        """
        parts = [
            part
            for core in self._cores.within(text)
            for part, runs in self._parts[core].items()
            if all(run in text for run in runs)
        ]
        for part in parts:
            if part not in self._patterns:
                if len(self._patterns) >= MOST_COMPILED:
                    self._patterns.clear()
                self._patterns[part] = re.compile(escaped_pattern(part))
            yield self._patterns[part]

    def data(self, value: Any) -> Any:
        """Clean JSON data: strings, keys, and numbers whose digits are a secret."""
        if not self._forms or not self._may_hold(value):
            return value
        return self._cleaned(value)

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, int | float):
            written = repr(value)
            return value if self.text(written) == written else MASK
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._cleaned(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._cleaned(item) for item in value]
        return value

    def _may_hold(self, value: Any) -> bool:
        """Tell whether a secret can stand in JSON data: all its texts are searched at once, which says no for nearly all.

        What stands in one text stands in the joined one; what seems to stand across two is looked at again.
        """
        texts: list[str] = []
        _collect(value, texts)
        joined = "\0".join(texts)
        return len(joined) >= SHORTEST_SEARCHED and self._found_in_text(joined)

    def _found_in_text(self, text: str) -> bool:
        escaped = escaped_letters.has(text)
        return self._as_written(text) or (escaped and self._as_written(escaped_letters.Plain(text).text))

    def _as_written(self, text: str) -> bool:
        if self._forms.within(text) or any(passing in text for passing in self._passing):
            return True
        return bool(self._parts) and any(pattern.search(text) for pattern in self._patterns_for(text))

    def found_in(self, value: Any) -> bool:
        """Tell whether JSON data holds a known secret in any of its forms."""
        return bool(self._forms) and self._may_hold(value) and self._found_in(value)

    def _found_in(self, value: Any) -> bool:
        if isinstance(value, str):
            return self._found_in_text(value)
        if isinstance(value, bool) or value is None:
            return False
        if isinstance(value, int | float):
            return self._found_in_text(repr(value))
        if isinstance(value, Mapping):
            return any(self._found_in_text(str(key)) or self._found_in(item) for key, item in value.items())
        if isinstance(value, list | tuple):
            return any(self._found_in(item) for item in value)
        return False


def _stretches(needle: str, text: str) -> Iterator[tuple[int, int]]:
    """Give where a text stands in another; places that overlap are one stretch."""
    start, end = -1, -1
    at = text.find(needle)
    while at >= 0:
        if at >= end:
            if end >= 0:
                yield start, end
            start = at
        end = at + len(needle)
        at = text.find(needle, at + 1)
    if end >= 0:
        yield start, end


def _collect(value: Any, into: list[str]) -> None:
    """List every text of JSON data: strings, keys, and numbers as they are written."""
    if isinstance(value, str):
        into.append(value)
    elif isinstance(value, bool) or value is None:
        return
    elif isinstance(value, int | float):
        into.append(repr(value))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            into.append(str(key))
            if type(item) is str:
                into.append(item)
            else:
                _collect(item, into)
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, into)


def written_forms(value: str) -> set[str]:
    """List the forms in which a value commonly turns up: plain, escaped for URL, JSON, HTML and shell, hex, base64.

    Forms shorter than `SHORTEST_SEARCHED` are left out. Base64 comes in both alphabets and at each of the three
    alignments that a longer text around it can give.
    """
    raw = value.encode("utf-8", "surrogatepass")
    forms = {value}
    for safe in ("", "/", "/:@", "~()*!'"):
        quoted = quote(raw, safe=safe)
        forms |= {quoted, lower_escapes(quoted)}
    plus = quote_plus(raw)
    every_byte = "".join(f"%{byte:02X}" for byte in raw)
    forms |= {plus, lower_escapes(plus), every_byte, every_byte.lower()}
    for ascii_only in (True, False):
        escaped = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        forms |= {escaped, escaped.replace("/", "\\/"), json.dumps(escaped)[1:-1]}
    for once in (html.escape(value), html.escape(value, quote=False)):
        forms |= {once, once.replace("&#x27;", "&#39;"), once.replace("&#x27;", "&apos;")}
    forms |= {
        shlex.quote(value),
        value.replace("'", "'\\''"),
        value.replace("'", "'\"'\"'"),
        repr(value)[1:-1],
    }
    forms |= {raw.hex(), raw.hex().upper()}
    forms |= set(base64_cores(raw))
    return {form for form in forms if len(form) >= SHORTEST_SEARCHED}


def escaped_pattern(value: str) -> str:
    """Give a regular expression for a value whose characters are escaped, each in any common way, or not at all.

    Escapers differ in which characters they take (Go writes `&` in JSON as U+0026, .NET also `+` as U+002B), so no list of
    forms is complete. Letters and digits stand as they are: nobody escapes those alone. The quantifiers are
    possessive, so that no text makes the search slow.
    """
    runs = re.findall(r"\\+|.", value, re.DOTALL)
    return "".join(_escaped_character(run) for run in runs)


_NAMED = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_BACKSLASHES = r"\\{0,16}+"


def _escaped_character(run: str) -> str:
    """Give the pattern of one character, or of a run of backslashes, which escaping multiplies."""
    char, count = run[0], len(run)
    if char.isascii() and char.isalnum():
        return char
    code = ord(char)
    units = char.encode("utf-16-be", "surrogatepass")
    unicode = "".join(f"{_BACKSLASHES}u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    raw = char.encode("utf-8", "surrogatepass")
    spelled = ["".join(f"%(?:25)*{byte:02x}" for byte in raw), unicode]
    spelled += [
        f"{_BACKSLASHES}u(?:\\{{0*{code:x}\\}}|{code:08x})",
        "".join(f"{_BACKSLASHES}x{byte:02x}" for byte in raw),
    ]
    entities = [f"#0*{code}", f"#x0*{code:x}"]
    if code in html.entities.codepoint2name:
        entities.append(html.entities.codepoint2name[code])
    spelled.append(f"&(?:amp;)*(?:{'|'.join([*entities, 'apos'] if char == chr(39) else entities)});")
    if code < 256:
        spelled += [f"%(?:25)*{code:02x}", f"{_BACKSLASHES}x{code:02x}"]
    literal = re.escape(char)
    if char == "\\":
        return f"(?:(?i:{'|'.join(spelled)}){{{count}}}|{literal}{{{count},{16 * count}}}+)"
    if char in _NAMED:
        spelled.append(f"{_BACKSLASHES}{_NAMED[char]}")
    doubled = {"'": "'(?:\\\\{1,4}+'|\"'\")'|'{1,2}", '"': '"{1,2}', " ": r"[ +]", "\n": r"\r?\n"}.get(
        char, literal
    )
    return f"(?:(?i:{'|'.join(spelled)})|{_BACKSLASHES}(?:{doubled}))"


def lower_escapes(text: str) -> str:
    """Write the percent-escapes of a URL in lower case."""
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), text)


def base64_cores(raw: bytes) -> Iterable[str]:
    """Give what `raw` leaves in a base64 text, whatever stands before and after it: one core for each alignment."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode()
        # Six bits a character: with one byte before, two characters also depend on it; with two bytes, three.
        start = (0, 2, 3)[before]
        end = len(encoded) - (0, 3, 2)[(before + len(raw)) % 3]
        core = encoded[start:end]
        yield core
        yield core.replace("+", "-").replace("/", "_")
