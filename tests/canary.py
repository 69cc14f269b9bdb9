"""Awkward secrets, and a search that finds them whatever they were encoded with.

The search decodes what was printed, in every way a reader could, and looks for the secret itself. It shares nothing
with `runner.sensitive`, which goes the other way and lists encoded forms.
"""

import base64
import binascii
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote, unquote_plus

AWKWARD: Mapping[str, str] = {
    "plain": "tok_live-Qx81@nn42ZbV",
    "quotes": "He said \"no@\" & 'yes'`",
    "backslash": r"back\slash\\two\n@",
    "percent": "100%25%su@re%",
    "plus": "pl+us/sl/a@sh+==",
    "html": "<b>&amp;</b>&x@;",
    "pem": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B@AQEFAASC\nBKcwggSjAgEA+v/KcQ==\n-----END PRIVATE KEY-----\n",
    "unicode": "pä@sswörd→日本語",
    "latin": "pä@sswörd-é",
    "short": "Z$q/@",
    "base64": "dG9wc2VjcmV0L3Rva2Vu@Kz09",
    "spaces": "with some @ spaces in it",
    "json": '{"key": "s3cr@t/", "n": [1, 2]}',
    "marks": "~til@de!*(paren)~$;,:=?#[]^`|",
    "shell": '$(rm -rf @) `x` "$HOME"',
    "tab": "tab\there@x",
}
"""By name; `@` becomes the number of the place, so that each place has values of its own."""


def value(name: str, place: int) -> str:
    return AWKWARD[name].replace("@", f"{place:02d}")


def fits_a_header(secret: str) -> bool:
    """Whether HTTP can carry it in a header."""
    try:
        secret.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return not re.search(r"[\x00-\x08\x0a-\x1f\x7f]", secret)


# --- what others write: encoders as they are found in the wild


def _json(escaped: str, *, upper: bool = False) -> Callable[[str], str]:
    """Make a JSON encoder that also escapes certain characters, as those of Go, PHP and .NET do."""

    def encode(text: str) -> str:
        written = json.dumps(text, ensure_ascii=False)[1:-1]
        if '"' in escaped:
            written = written.replace('\\"', '"')
        return "".join(
            _utf16(char, upper=upper) if char in escaped or (upper and ord(char) > 126) else char
            for char in written
        )

    return encode


def _utf16(char: str, *, upper: bool) -> str:
    units = re.findall("....", char.encode("utf-16-be").hex())
    return "".join("\\u" + (unit.upper() if upper else unit) for unit in units)


def _html(named: Mapping[str, str]) -> Callable[[str], str]:
    return lambda text: "".join(named.get(char, char) for char in text)


def _percent(keep: str, *, lower: bool = False) -> Callable[[str], str]:
    def encode(text: str) -> str:
        written = "".join(
            chr(byte) if chr(byte) in keep or (byte < 128 and chr(byte).isalnum()) else f"%{byte:02X}"
            for byte in text.encode()
        )
        return re.sub(r"%..", lambda match: match[0].lower(), written) if lower else written

    return encode


def _base64(alphabet: bytes | None, before: str, after: str) -> Callable[[str], str]:
    return lambda text: base64.b64encode(f"{before}{text}{after}".encode(), alphabet).decode()


_UNRESERVED = "-._~"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

ENCODERS: Mapping[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "json": json.dumps,
    "json, not ascii": lambda text: json.dumps(text, ensure_ascii=False),
    "json of Go": _json("<>&\u2028"),
    "json of PHP": lambda text: json.dumps(text).replace("/", "\\/"),
    "json of PHP with hex": _json("<>&'\"", upper=True),
    "json of .NET": _json("<>&'\"+`", upper=True),
    "json of Django": _json("<>&'\"=;-`", upper=True),
    "json in json": lambda text: json.dumps(json.dumps({"a": text})),
    "html of Python": html.escape,
    "html of Go": _html({**_ENTITIES, '"': "&#34;", "'": "&#39;"}),
    "html template of Go": _html({**_ENTITIES, '"': "&#34;", "'": "&#39;", "+": "&#43;"}),
    "html of Java": _html({**_ENTITIES, '"': "&quot;", "'": "&#39;"}),
    "html of JavaScript": _html({**_ENTITIES, '"': "&quot;", "'": "&#39;", "/": "&#x2F;", "`": "&#x60;", "=": "&#x3D;"}),
    "xml": _html({**_ENTITIES, '"': "&quot;", "'": "&apos;"}),
    "percent": lambda text: quote(text, safe=""),
    "percent, lower case": _percent(_UNRESERVED, lower=True),
    "form": quote_plus,
    "form of Java": lambda text: quote_plus(text, safe="*").replace("~", "%7E"),
    "encodeURI": _percent(_UNRESERVED + ";,/?:@&=+$!*'()#"),
    "encodeURIComponent": _percent(_UNRESERVED + "!*'()"),
    "path": _percent(_UNRESERVED + "!$&'()*+,;=:@/"),
    "path segment": _percent(_UNRESERVED + "!$&'()*+,;=:@"),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "shell": lambda text: "'" + text.replace("'", "'\\''") + "'",
    "python": repr,
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
    **{
        f"base64{' url' if alphabet else ''}, {len(before)} before, {len(after)} after": _base64(alphabet, before, after)
        for alphabet in (None, b"-_")
        for before in ("", "u", "us", "use")
        for after in ("", "x", "xy")
    },
}  # fmt: skip


# --- the search


def _unquoted(text: str) -> Iterator[str]:
    yield unquote(text)
    yield unquote_plus(text)
    yield unquote(text, "latin-1")


_JSON_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "0": "\0"}


def _unescaped(text: str) -> Iterator[str]:
    def plain(match: re.Match[str]) -> str:
        escape = match[1]
        if len(escape) > 1:
            return chr(int(escape[1:], 16))
        return _SIMPLE.get(escape, escape)

    yield _JSON_ESCAPE.sub(plain, text)


def _from_shell(text: str) -> Iterator[str]:
    yield text.replace("'\\''", "'").replace("'\"'\"'", "'")


def _from_hex(text: str) -> Iterator[str]:
    for run in re.findall(r"(?:[0-9A-Fa-f]{2}){5,}[0-9A-Fa-f]?", text):
        for start in (0, 1):
            even = run[start : start + (len(run) - start) // 2 * 2]
            yield bytes.fromhex(even).decode("utf-8", "replace")


def _from_base64(text: str) -> Iterator[str]:
    for run in re.findall(r"[A-Za-z0-9+/_=-]{6,}", text):
        standard = run.replace("-", "+").replace("_", "/").rstrip("=")
        for start in range(4):
            part = standard[start:].replace("=", "")
            part = part[: len(part) - (len(part) % 4 == 1)]
            try:
                yield base64.b64decode(part + "=" * (-len(part) % 4)).decode("utf-8", "replace")
            except (binascii.Error, ValueError):
                continue


_DECODERS: Mapping[str, Callable[[str], Iterable[str]]] = {
    "percent": _unquoted,
    "json": _unescaped,
    "html": lambda text: [html.unescape(text)],
    "shell": _from_shell,
    "hex": _from_hex,
    "base64": _from_base64,
}


def _texts(data: bytes) -> Iterator[tuple[str, str]]:
    """Give what a reader can make of some bytes, decoding up to twice."""
    first = list(dict.fromkeys((data.decode("utf-8", "replace"), data.decode("latin-1"))))
    for text in first:
        yield "plain", text
        for name, decode in _DECODERS.items():
            for once in decode(text):
                if once == text:
                    continue
                yield name, once
                if name in ("hex", "base64") or len(text) > 200_000:
                    continue
                for other, again in _DECODERS.items():
                    for twice in again(once):
                        if twice != once:
                            yield f"{name}, then {other}", twice


class Search:
    """Looks for secrets in whatever came out. `leaks` names each secret found and what it was hidden in."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.parts: dict[str, str] = {}
        for secret in secrets:
            self.parts[secret] = secret
            for line in secret.splitlines():
                if len(line) >= 8 and "-----" not in line:
                    self.parts[line] = secret
            if len(secret) > 14 and "-----" not in secret:
                self.parts[secret[:10]] = self.parts[secret[-10:]] = secret

    def leaks(self, *data: str | bytes) -> list[tuple[str, str]]:
        found: dict[tuple[str, str], None] = {}
        for each in data:
            raw = each if isinstance(each, bytes) else each.encode("utf-8", "surrogatepass")
            for how, text in _texts(raw):
                for part in self.parts:
                    if part in text:
                        found[self.parts[part], how] = None
        return list(found)
