"""The filters that templates have beside Jinja's own. Each is pure: no clock, no random numbers, no I/O."""

import base64
import hashlib
import hmac
import json
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from runner import duration, exact_json

REGEX_SECONDS = 2.0
"""How long one regular expression may search."""


class FilterError(ValueError):
    """A filter cannot work on what it was given. The message never holds the value."""


def to_json(value: Any, indent: int | None = None) -> str:
    """Write a value as JSON: compact, or indented; letters outside ASCII stay as they are."""
    try:
        return exact_json.dumps(value, indent=indent, compact=indent is None, default=_json_default)
    except (TypeError, ValueError):
        raise FilterError("to_json: the value is no JSON data") from None


def from_json(text: Any) -> Any:
    """Read JSON text."""
    written = _text("from_json", text)
    try:
        return exact_json.bounded(written)
    except json.JSONDecodeError as problem:
        raise FilterError(
            f"from_json: not JSON: {problem.msg} at line {problem.lineno} column {problem.colno}"
        ) from None
    except ValueError:
        raise FilterError(
            "from_json: not JSON: it holds NaN, a number of thousands of digits, or is nested too deeply"
        ) from None


_JSON_TYPES = {"str": "string", "int": "number", "float": "number", "bool": "boolean", "dict": "object"}
"""What the words mean that JMESPath has for items of lists: the names of Python's types."""


def jmespath(value: Any, expression: str) -> Any:
    """Query a value with JMESPath (https://jmespath.org); null where nothing matches."""
    import jmespath as library
    from jmespath import exceptions

    asked = _text("jmespath", expression)
    try:
        return library.search(asked, value)
    except exceptions.JMESPathTypeError as problem:  # its own text holds the value
        wanted = " or ".join(problem.expected_types)
        given = _JSON_TYPES.get(problem.actual_type, problem.actual_type)
        why = f"{problem.function_name}() takes {wanted}, and was given {given}"
    except exceptions.ArityError as problem:
        why = f"{problem.function_name}() takes {problem.expected_arity} arguments, and was given {problem.actual_arity}"
    except exceptions.UnknownFunctionError as problem:
        why = str(problem).lower()
    except (exceptions.EmptyExpressionError, exceptions.IncompleteExpressionError):
        why = "the expression ends too early"
    except exceptions.ParseError as problem:
        why = f"the expression cannot be read from its character {problem.lex_position + 1} on"
    except (
        exceptions.JMESPathError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ):
        why = "the expression does not fit this data"
    raise FilterError(f"jmespath: {why}") from None


def regex_search(text: Any, pattern: str, group: int | str = 0) -> str | None:
    """Give the first match of a regular expression, or one group of it; null where nothing matches."""
    with _regex_bounds("regex_search"):
        match = re.search(pattern, _text("regex_search", text))
        return None if match is None else match.group(group)


def regex_replace(text: Any, pattern: str, replacement: str) -> str:
    r"""Replace every match; `\1` and `\g<name>` in the replacement stand for groups."""
    with _regex_bounds("regex_replace"):
        return re.sub(pattern, replacement, _text("regex_replace", text))


def b64encode(text: Any, *, urlsafe: bool = False) -> str:
    """Encode text (as UTF-8) in base64."""
    raw = _text("b64encode", text).encode()
    return (base64.urlsafe_b64encode(raw) if urlsafe else base64.b64encode(raw)).decode()


def b64decode(text: Any) -> str:
    """Decode base64, in either alphabet, with or without padding, to UTF-8 text."""
    raw = _text("b64decode", text).translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(raw + "=" * (-len(raw) % 4), validate=True).decode()
    except (ValueError, UnicodeDecodeError):
        raise FilterError("b64decode: not base64 of UTF-8 text") from None


def sha256(text: Any) -> str:
    """Give the SHA-256 of text (as UTF-8) in hexadecimal."""
    return hashlib.sha256(_text("sha256", text).encode()).hexdigest()


def hmac_sha256(text: Any, key: str, encoding: str = "hex") -> str:
    """Give the HMAC-SHA-256 of text under a key, as `hex` or `base64`."""
    digest = hmac.new(_text("hmac_sha256", key).encode(), _text("hmac_sha256", text).encode(), hashlib.sha256)
    if encoding == "hex":
        return digest.hexdigest()
    if encoding == "base64":
        return base64.b64encode(digest.digest()).decode()
    raise FilterError("hmac_sha256: the encoding is 'hex' or 'base64'")


def url_quote(text: Any, safe: str = "") -> str:
    """Percent-encode text for a URL; characters in `safe` stay."""
    return quote(_text("url_quote", text), safe=safe)


def to_datetime(value: Any, format: str | None = None) -> datetime:
    """Read a time: ISO 8601 text, seconds since 1970, or text in a strptime format. Without a zone it is UTC."""
    try:
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        elif format is not None:
            moment = datetime.strptime(_text("to_datetime", value), format)  # noqa: DTZ007 - the zone is set below
        else:
            moment = datetime.fromisoformat(_text("to_datetime", value))
    except (ValueError, OverflowError, OSError):
        raise FilterError("to_datetime: not a time; give ISO 8601, epoch seconds or a format") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_datetime(value: Any, format: str = "%Y-%m-%dT%H:%M:%SZ", timezone: str = "UTC") -> str:
    """Write a time in a strftime format, in a time zone by its IANA name."""
    from zoneinfo import ZoneInfo

    try:
        zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise FilterError("format_datetime: no such time zone") from None
    return to_datetime(value).astimezone(zone).strftime(format)


def shift(value: Any, by: str) -> datetime:
    """Move a time by a duration: `shift('-14d')`, `shift('1h30m')`."""
    text = _text("shift", by).strip()
    sign = -1 if text.startswith("-") else 1
    try:
        return to_datetime(value) + sign * timedelta(seconds=duration.seconds(text.lstrip("+-")))
    except FilterError:
        raise
    except (ValueError, OverflowError):
        raise FilterError("shift: give a duration such as '-14d' or '1h30m'") from None


def iso(moment: datetime) -> str:
    """Write a time as text in a template does: ISO 8601, with `Z` for UTC."""
    return moment.isoformat().replace("+00:00", "Z")


FILTERS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        to_json,
        from_json,
        jmespath,
        regex_search,
        regex_replace,
        b64encode,
        b64decode,
        sha256,
        hmac_sha256,
        url_quote,
        to_datetime,
        format_datetime,
        shift,
    )
}


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return exact_json.dumps(value)
    raise FilterError(f"{name}: text is needed, not {type_name(value)}")


def type_name(value: Any) -> str:
    """Name the type of a value in the words of JSON."""
    if value is None:
        return "null"
    names: list[tuple[Any, str]] = [
        (bool, "a boolean"),
        (int | float, "a number"),
        (str, "text"),
        (list | tuple, "a list"),
        (dict, "a mapping"),
        (datetime, "a time"),
    ]
    for kind, name in names:
        if isinstance(value, kind):
            return name
    return f"a {type(value).__name__}"


def _json_default(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    raise TypeError


@contextmanager
def _regex_bounds(name: str) -> Iterator[None]:
    try:
        with search_time():
            yield
    except TimeoutError:
        raise FilterError(f"{name}: the pattern took longer than {REGEX_SECONDS:.0f} s") from None
    except re.error as problem:
        raise FilterError(f"{name}: the pattern is not valid: {problem.msg}") from None
    except (IndexError, KeyError):
        raise FilterError(f"{name}: the pattern has no such group") from None


@contextmanager
def search_time() -> Iterator[None]:
    """Bound the time of a search, by TimeoutError. The `re` module looks for signals, so an alarm ends it; only the main thread can."""

    def alarm(_number: int, _frame: Any) -> None:
        raise TimeoutError

    in_main = threading.current_thread() is threading.main_thread()
    if in_main:
        previous = signal.signal(signal.SIGALRM, alarm)
        remaining, _ = signal.setitimer(signal.ITIMER_REAL, REGEX_SECONDS)
    try:
        yield
    finally:
        if in_main:
            signal.setitimer(signal.ITIMER_REAL, remaining)
            signal.signal(signal.SIGALRM, previous)
