"""Bodies that a client must cope with: wrong, odd, empty, huge."""

import gzip
import itertools
import zlib
from collections.abc import Iterator

from tests.servers.http import Answer, Handler, Request, Response
from tests.servers.messages import Framing

MEBIBYTE = 1024 * 1024
JSON = {"Content-Type": "application/json"}
FRAMINGS: dict[str, Framing] = {"length": "length", "chunked": "chunked", "close": "close"}

BODIES: dict[str, tuple[int, dict[str, str], bytes]] = {
    "json": (200, JSON, b'{"ok": true, "items": [1, 2, 3]}'),
    "not-json": (200, JSON, b"<html><body>Welcome to nginx!</body></html>"),
    "half-json": (200, JSON, b'{"items": [1, 2'),
    "empty-json": (200, JSON, b""),
    "null": (200, JSON, b"null"),
    "nan": (200, JSON, b'{"value": NaN}'),
    "huge-number": (200, JSON, b'{"value": 12345678901234567890, "ratio": 0.1}'),
    "bom": (200, JSON, b'\xef\xbb\xbf{"bom": true}'),
    "utf16": (200, JSON, '{"name": "Zoë"}'.encode("utf-16-le")),
    "bad-utf8": (200, JSON, b'{"name": "Zo\xeb"}'),
    "duplicate-keys": (200, JSON, b'{"id": 1, "id": 2}'),
    "error-in-200": (200, JSON, b'{"ok": false, "error": "channel_not_found"}'),
    "problem": (
        422,
        {"Content-Type": "application/problem+json"},
        b'{"type": "about:blank", "title": "Invalid", "status": 422, "detail": "days must be positive"}',
    ),
    "vendor-json": (200, {"Content-Type": "application/vnd.api+json; charset=utf-8"}, b'{"data": []}'),
    "text": (200, {"Content-Type": "text/plain; charset=utf-8"}, "Zoë ✓".encode()),
    "latin-1": (200, {"Content-Type": "text/plain; charset=iso-8859-1"}, "Zoë".encode("latin-1")),
    "unknown-charset": (200, {"Content-Type": "text/plain; charset=klingon"}, b"qapla"),
    "html": (200, {"Content-Type": "text/html"}, b"<!doctype html><title>Sign in</title>"),
    "xml": (200, {"Content-Type": "application/xml"}, b"<ok/>"),
    "no-type": (200, {}, b'{"typed": false}'),
    "binary": (200, {"Content-Type": "application/octet-stream"}, bytes(range(256))),
    "bad-gzip": (200, {**JSON, "Content-Encoding": "gzip"}, b"not gzip at all"),
    "gzip": (200, {**JSON, "Content-Encoding": "gzip"}, gzip.compress(b'{"gzip": true}')),
    "unknown-encoding": (200, {**JSON, "Content-Encoding": "rot13"}, b"{}"),
    "empty": (200, {"Content-Length": "0"}, b""),
    "204": (204, {}, b""),
    "205": (205, {}, b""),
    "304": (304, {"ETag": '"1"'}, b""),
}


def body(request: Request) -> Answer:
    """`/body/NAME`: one of `BODIES`."""
    code, headers, content = BODIES[request.arguments[0]]
    return Response(
        code, content, {name: value for name, value in headers.items() if name != "Content-Length"}
    )


def size(request: Request) -> Answer:
    """`/size/20/length` (or `chunked`, `close`): JSON of that many MiB, with and without a Content-Length."""
    mebibytes, framing = request.arguments
    return Response(200, _large(int(mebibytes)), JSON, FRAMINGS[framing])


def gzip_bomb(request: Request) -> Answer:
    """`/gzip-bomb/200`: that many MiB of JSON in about a thousandth of it."""
    packer = zlib.compressobj(wbits=31)
    pieces = itertools.chain(
        map(packer.compress, _large(int(request.arguments[0]))), map(packer.flush, [zlib.Z_FINISH])
    )
    # An empty piece would end a chunked body.
    return Response(200, filter(None, pieces), {**JSON, "Content-Encoding": "gzip"}, "chunked")


def deep_json(request: Request) -> Answer:
    """`/deep-json/100000`: lists in lists."""
    depth = int(request.arguments[0])
    return Response(200, b"[" * depth + b"]" * depth, JSON)


def _large(mebibytes: int) -> Iterator[bytes]:
    yield b'"'
    for _ in range(mebibytes):
        yield b"x" * MEBIBYTE
    yield b'"'


def many_headers(request: Request) -> Answer:
    """`/many-headers/2000`."""
    return Response(200, b"{}", (("Content-Type", "application/json"), *_numbered(int(request.arguments[0]))))


def _numbered(count: int) -> Iterator[tuple[str, str]]:
    return ((f"X-Header-{number}", "x" * 50) for number in range(count))


HANDLERS: dict[str, Handler] = {
    "* /body/*": body,
    "* /size/*/*": size,
    "* /gzip-bomb/*": gzip_bomb,
    "* /deep-json/*": deep_json,
    "* /many-headers/*": many_headers,
}
