"""Collects the body of an answer, or passes it on, and unpacks it piece by piece, within its limit.

A small answer may unpack to anything: no unpacker is ever asked for more than `PIECE` bytes at a time.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from runner.errors import Failure, FailureError, FailureKind

PIECE = 256 * 1024
"""Bytes that an unpacker gives at a time."""
LARGEST_WINDOW = 23
"""Two to this power is the memory that zstd may ask for: 8 MiB (RFC 9659)."""

_NAMES = {"x-gzip": "gzip", "gzip": "gzip", "deflate": "deflate", "br": "br", "zstd": "zstd"}
_UNREADABLE = frozenset({"compress", "x-compress"})
_EXTRA = "pip install 'runner.d[compression]', or leave `Accept-Encoding` out of the headers: runner.d asks for what it can unpack"


@cache
def accepted() -> str:
    """Give the value of Accept-Encoding: what can be unpacked here, no more."""
    return ", ".join(
        ["gzip", "deflate", *(["br"] if _has_brotli() else []), *(["zstd"] if _zstd_name() else [])]
    )


class Decoder:
    """Takes a body in pieces. Without a `sink` it is kept, up to `limit` bytes; what a sink gets has no limit."""

    def __init__(
        self, encoding: str, limit: int | None, sink: Callable[[bytes], object] | None = None
    ) -> None:
        codings = [coding for part in encoding.split(",") if (coding := part.strip().lower())]
        # A coding that nobody knows is a mistake of the server: the body is left as it is, as browsers do.
        packed = [coding for coding in codings if coding in _NAMES or coding in _UNREADABLE]
        if len(packed) > 1 or _UNREADABLE.intersection(packed):
            raise _undecodable(
                "comes in an encoding that runner.d does not read",
                help="leave `Accept-Encoding` out of the headers; runner.d asks for what it can unpack",
            )
        self._unpacker = _UNPACKERS[_NAMES[packed[0]]]() if packed else None
        self._limit = None if sink else limit
        self._body = bytearray()
        self._sink: Callable[[bytes], object] = sink or self._body.extend
        self._size = 0

    def feed(self, piece: bytes) -> None:
        """Take the next piece; raises FailureError at the limit and for what is not packed as it says."""
        if self._unpacker is None:
            self._take(piece)
            return
        try:
            for unpacked in self._unpacker.unpack(piece):
                self._take(unpacked)
        except FailureError:
            raise
        except Exception as problem:
            # zlib.error, brotli.error, ZstdError: each library has its own, and none is imported here for its name.
            # What a sink raises is its own affair.
            if isinstance(problem, OSError):
                raise
            raise _undecodable("is not packed the way it says") from None

    def finish(self) -> bytes:
        """Give the whole body, nothing where a sink got it; raises FailureError where it ends too early."""
        if self._unpacker is not None and not self._unpacker.complete:
            raise _undecodable("ends in the middle of its packed data")
        return bytes(self._body)

    def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._limit is not None and self._size > self._limit:
            raise too_big(self._limit)
        self._sink(piece)


class _Zlib:
    """gzip, of one member or several, and deflate. What follows the last member is no part of the body."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._unpacker: Any = None
        self._waiting = b""

    @property
    def complete(self) -> bool:
        return not self._waiting if self._unpacker is None else bool(self._unpacker.eof)

    def unpack(self, piece: bytes) -> Iterator[bytes]:
        while True:
            if self._unpacker is None or self._unpacker.eof:
                piece = self._begin(self._waiting + piece)
                if self._waiting or self._unpacker is None or self._unpacker.eof:
                    return
            unpacked = self._unpacker.decompress(piece, PIECE)
            piece = self._unpacker.unconsumed_tail or self._unpacker.unused_data
            if unpacked:
                yield unpacked
            if not piece and len(unpacked) < PIECE:
                return

    def _begin(self, data: bytes) -> bytes:
        """Begin a stream, or the next member; two bytes say what it is, and what comes before them waits."""
        self._waiting = b""
        first = self._unpacker is None
        if len(data) < 2:
            self._waiting = data
        elif first:
            # `deflate` should be zlib, whose header is a multiple of 31, and is the bare stream in the wild.
            bare = not self._gzip and int.from_bytes(data[:2]) % 31
            self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)
        elif self._gzip and data.startswith(b"\x1f\x8b"):
            self._unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return data


class _Brotli:
    """Brotli (RFC 7932), where its package is installed."""

    def __init__(self) -> None:
        if not _has_brotli():
            raise _undecodable("is packed with brotli, which is not installed here", help=_EXTRA)
        import brotli

        self._unpacker: Any = brotli.Decompressor()
        self._begun = False

    @property
    def complete(self) -> bool:
        return not self._begun or bool(self._unpacker.is_finished())

    def unpack(self, piece: bytes) -> Iterator[bytes]:
        self._begun = self._begun or bool(piece)
        while not self._unpacker.is_finished():
            unpacked = self._unpacker.process(piece, output_buffer_limit=PIECE)
            piece = b""
            if unpacked:
                yield unpacked
            elif self._unpacker.can_accept_more_data():
                return


class _Zstd:
    """Zstandard (RFC 8878), of one frame or several, with the window that RFC 9659 permits."""

    def __init__(self) -> None:
        name = _zstd_name()
        if name is None:
            raise _undecodable("is packed with zstd, which is not installed here", help=_EXTRA)
        self._library: Any = import_module(name)
        self._unpacker = self._fresh()
        self._begun = False

    @property
    def complete(self) -> bool:
        return not self._begun or bool(self._unpacker.eof)

    def unpack(self, piece: bytes) -> Iterator[bytes]:
        while piece or (self._begun and not self._unpacker.needs_input and not self._unpacker.eof):
            if self._unpacker.eof:
                self._unpacker = self._fresh()
            self._begun = True
            unpacked = self._unpacker.decompress(piece, PIECE)
            piece = self._unpacker.unused_data if self._unpacker.eof else b""
            if unpacked:
                yield unpacked

    def _fresh(self) -> Any:
        window = self._library.DecompressionParameter.window_log_max
        return self._library.ZstdDecompressor(options={window: LARGEST_WINDOW})


_UNPACKERS: dict[str, Callable[[], _Zlib | _Brotli | _Zstd]] = {
    "gzip": lambda: _Zlib(gzip=True),
    "deflate": lambda: _Zlib(gzip=False),
    "br": _Brotli,
    "zstd": _Zstd,
}


@cache
def _has_brotli() -> bool:
    return find_spec("brotli") is not None


@cache
def _zstd_name() -> str | None:
    """Name the module of Python's own zstd (3.14), or of its backport; None where neither is there."""
    for package in ("compression", "backports"):
        if find_spec(package) is not None and find_spec(f"{package}.zstd") is not None:
            return f"{package}.zstd"
    return None


def too_big(limit: int) -> FailureError:
    """Make the error of a body over the limit (bytes)."""
    size = f"{limit >> 20} MiB" if limit and limit % (1 << 20) == 0 else f"{limit} bytes"
    return FailureError(
        Failure(
            kind=FailureKind.LIMIT,
            message=f"the body of the answer is over {size} (`limits.body`)",
            help="ask for less at a time, raise `limits.body`, or let `save_to` write it to a file",
        )
    )


def _undecodable(
    problem: str, *, help: str = "ask those who run the server; a proxy may also damage it"
) -> FailureError:
    return FailureError(
        Failure(kind=FailureKind.PROTOCOL, message=f"the body of the answer {problem}", help=help)
    )
