"""Bodies of requests: JSON, forms, text, GraphQL in memory; files and multipart streamed from the disk.

What is streamed is read anew each time it is sent: an attempt, a redirect and the repetition after a 401 send the same bytes.
"""

import mimetypes
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from runner import exact_json, files
from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass
from runner.template_text import text_of

PIECE = 128 * 1024
"""Bytes that are read from a file at a time."""

_TYPES = mimetypes.MimeTypes()  # Python's own list: that of the machine would make a request depend on it
_CONTROL = frozenset(map(chr, [*range(32), 127]))


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is sent: its size is promised before its bytes are."""

    path: Path
    size: int
    shown: str

    def pieces(self) -> Iterator[bytes]:
        left = self.size
        try:
            with self.path.open("rb") as opened:
                while piece := opened.read(min(PIECE, left + 1)):
                    left -= len(piece)
                    if left < 0:
                        break
                    yield piece
        except OSError as problem:
            raise files.file_error(f"the file '{self.shown}' cannot be read", problem) from None
        if left:
            raise files.file_error(
                f"the file '{self.shown}' cannot be sent",
                "it grew or shrank while it was read",
                help="send it when whoever writes it has finished",
            )


@dataclass(frozen=True, slots=True, repr=False)
class Upload:
    """A body that is read while it is sent; each iteration begins anew."""

    parts: tuple[bytes | _File, ...]

    @property
    def length(self) -> int:
        """Its bytes in all."""
        return sum(len(part) if isinstance(part, bytes) else part.size for part in self.parts)

    def pieces(self) -> Iterator[bytes]:
        """Read it from its beginning; raises FailureError where a file cannot be read or has changed."""
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from part.pieces()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Read it from its beginning, for a transport."""
        for piece in self.pieces():
            yield piece


def encoded(kind: str, value: Any, roots: tuple[Path, ...]) -> tuple[bytes | Upload, str | None]:
    """Give a rendered body as bytes, or as what is streamed, with its content type; raises FailureError.

    `roots` are the directories whose files may be sent.
    """
    if kind == "json":
        return _json(value), "application/json"
    if kind == "graphql":
        named = {"query": "query", "variables": "variables", "operation": "operationName"}
        return _json({named[key]: item for key, item in value.items()}), "application/json"
    if kind == "form":
        return _form(value), "application/x-www-form-urlencoded"
    if kind == "multipart":
        return multipart(value, roots, boundary=f"runner-{secrets.token_hex(16)}")
    if kind == "file":
        path, size = files.find(value["file"], roots)
        return Upload((_File(path, size, value["file"]),)), _guessed(path.name)
    return text_of(value).encode(), None


def multipart(fields: Mapping[str, Any], roots: tuple[Path, ...], *, boundary: str) -> tuple[Upload, str]:
    """Build multipart/form-data (RFC 7578): a list repeats its field, null leaves it out, a mapping with `file` is a file."""
    parts: list[bytes | _File] = []
    for name, given in fields.items():
        for item in given if isinstance(given, list) else [given]:
            if item is None:
                continue
            head, content = _part(name, item, roots)
            parts += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), content, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return Upload(tuple(parts)), f"multipart/form-data; boundary={boundary}"


def _part(name: str, item: Any, roots: tuple[Path, ...]) -> tuple[str, bytes | _File]:
    content: bytes | _File
    filename = kind = None
    if isinstance(item, dict) and "file" in item:
        path, size = files.find(item["file"], roots)
        content = _File(path, size, item["file"])
        filename = path.name if item.get("filename") is None else text_of(item["filename"])
        kind = _guessed(filename)
    elif isinstance(item, dict):
        value = item.get("value")
        content = text_of(value).encode()
        filename = None if item.get("filename") is None else text_of(item["filename"])
        kind = "application/json" if isinstance(value, dict | list) else None
    else:
        content = text_of(item).encode()
    if isinstance(item, dict) and item.get("content_type") is not None:
        kind = _checked_type(name, text_of(item["content_type"]))
    head = f'Content-Disposition: form-data; name="{_quoted(name)}"'
    if filename is not None:
        head += f'; filename="{_quoted(filename)}"'
    return head + (f"\r\nContent-Type: {kind}" if kind else ""), content


def _quoted(text: str) -> str:
    """Escape a name as browsers do (HTML, multipart form data): nothing can break out of its quotes."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _checked_type(name: str, kind: str) -> str:
    if not kind.strip() or not kind.isascii() or _CONTROL.intersection(kind):
        raise FailureError(
            Failure(
                kind=FailureKind.RENDER,
                message=f"the content type of the part '{name}' is not valid",
                help="write TYPE/SUBTYPE, for example text/csv",
            )
        )
    return kind.strip()


def _guessed(name: str) -> str:
    kind, encoding = _TYPES.guess_type(name)
    if encoding:  # `x.csv.gz` is a gzip file, whatever is in it
        return {"gzip": "application/gzip"}.get(encoding, "application/octet-stream")
    return kind or "application/octet-stream"


def _json(value: Any) -> bytes:
    try:
        return exact_json.dumps(value, compact=True).encode("utf-8", "surrogatepass")
    except ValueError:
        raise FailureError(
            Failure(kind=FailureKind.RENDER, message="the JSON body holds a number that JSON does not have")
        ) from None


def _form(value: Mapping[str, Any]) -> bytes:
    pairs = [
        f"{quote_plus(name)}={quote_plus(text_of(item))}"
        for name, given in value.items()
        for item in (given if isinstance(given, list) else [given])
        if item is not None
    ]
    return "&".join(pairs).encode()
