"""What the bytes of an answer say: JSON, lines of JSON, or text in some charset."""

import codecs
import json
import re
from typing import Any

from runner import exact_json
from runner.frozen import dataclass

LINES = frozenset(
    f"application/{name}"
    for name in ("ndjson", "x-ndjson", "jsonl", "x-jsonl", "jsonlines", "x-jsonlines", "json-lines", "json-l")
)
"""Content types of which every line is a JSON document. None is registered; these are the ones in use."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HTML = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class Parsed:
    """A body: its value, its text, and what is wrong with it where it is not what it says it is."""

    value: Any
    text: str
    fault: str | None = None


def read(body: bytes, content_type: str) -> Parsed:
    """Read a body by its Content-Type. An empty one is null, whatever it says it is."""
    if not body:
        return Parsed(None, "")
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    charset = _charset(parameters)
    if kind in LINES:
        return _lines(body, charset)
    if kind.endswith(("/json", "+json")):
        return _json(body, charset)
    text = _text(body, charset)
    return Parsed(text or None, text)


def _json(body: bytes, charset: str | None) -> Parsed:
    text = _json_text(body, charset)
    if text is None:
        return _faulty(body, charset, "JSON", "it is not UTF-8 text")
    try:
        value = exact_json.bounded(text)
    except json.JSONDecodeError as problem:
        wrong = f"line {problem.lineno} column {problem.colno}: {problem.msg}"
        return Parsed(
            text, text, _fault("JSON", "it is a page of HTML or XML" if _HTML.match(text) else wrong)
        )
    except ValueError as problem:
        return Parsed(text, text, _fault("JSON", _reason(problem)))
    return Parsed(value, text)


def _lines(body: bytes, charset: str | None) -> Parsed:
    """Read a document a line; empty lines say nothing."""
    kind = "lines of JSON"
    text = _json_text(body, charset)
    if text is None:
        return _faulty(body, charset, kind, "it is not UTF-8 text")
    values: list[Any] = []
    # Not `splitlines`: in JSON text a line separator of Unicode may stand unescaped.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            values.append(exact_json.bounded(line))
        except json.JSONDecodeError as problem:
            what = (
                "it is a page of HTML or XML"
                if _HTML.match(text)
                else f"line {number} column {problem.colno}: {problem.msg}"
            )
            return Parsed(text, text, _fault(kind, what))
        except ValueError as problem:
            return Parsed(text, text, _fault(kind, f"line {number}: {_reason(problem)}"))
    return Parsed(values, text)


def _faulty(body: bytes, charset: str | None, kind: str, reason: str) -> Parsed:
    text = _text(body, charset)
    return Parsed(text, text, _fault(kind, reason))


def _fault(kind: str, reason: str) -> str:
    return f"says it is {kind} and is not: {reason}"


def _reason(problem: Exception) -> str:
    if isinstance(problem, exact_json.TooDeepError):
        return "it is nested too deeply"
    return "it holds NaN, Infinity or a number of thousands of digits"


def _charset(parameters: str) -> str | None:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip("\"'") or None
    return None


def _json_text(body: bytes, charset: str | None) -> str | None:
    """Decode JSON: UTF-8 as it should be (RFC 8259, 8.1), UTF-16 and UTF-32 by their looks, else as its charset says."""
    try:
        text = body.decode(json.detect_encoding(body), "surrogatepass")
    except UnicodeDecodeError:
        try:
            text = body.decode(charset or "utf-8")
        except (LookupError, ValueError):
            return None
    return text.removeprefix("\ufeff")


def _text(body: bytes, charset: str | None) -> str:
    """Decode text: a byte order mark says more than the header (as browsers read it); what is no text is replaced."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    try:
        return body.decode(charset or "utf-8", "replace")
    except (
        LookupError,
        ValueError,
    ):  # unknown, or known to Python and no charset of texts (`idna`, `undefined`)
        return body.decode("utf-8", "replace")
