"""Collects the body of an answer and decompresses it, within its limit."""

import zlib

from runner.errors import Failure, FailureError, FailureKind

_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_UNREADABLE = frozenset({"br", "zstd", "compress", "x-compress"})


class Decoder:
    """Collects a body and decompresses it piece by piece, never more than the limit: a small answer may unpack to anything."""

    def __init__(self, encoding: str, limit: int) -> None:
        codings = [coding for part in encoding.split(",") if (coding := part.strip().lower())]
        packed = [coding for coding in codings if coding in _PACKED or coding in _UNREADABLE]
        if len(packed) > 1 or _UNREADABLE.intersection(packed):
            raise _undecodable(
                "comes in an encoding that runner.d does not read",
                help="leave `Accept-Encoding` out of the headers; runner.d asks for gzip and deflate by itself",
            )
        # A coding that nobody knows is a mistake of the server: the body is left as it is, as browsers do.
        self._packing = packed[0] if packed else None
        self._unpacker: zlib._Decompress | None = None
        self._head = b""
        self._limit = limit
        self._body = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take the next piece; raises FailureError at the limit and for what is not packed as it says."""
        if self._packing is None:
            self._body += piece
            self._check()
            return
        if self._unpacker is None:
            piece = self._head = self._head + piece
            if len(piece) < 2:
                return
            # `deflate` should be zlib, whose header is a multiple of 31, and is the bare stream in the wild.
            bare = self._packing == "deflate" and int.from_bytes(piece[:2]) % 31
            self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)
        while piece:
            try:
                self._body += self._unpacker.decompress(piece, self._limit - len(self._body) + 1)
            except zlib.error:
                raise _undecodable("is not packed the way it says") from None
            self._check()
            piece = b""
            if self._unpacker.eof and self._unpacker.unused_data.startswith(b"\x1f\x8b"):
                piece = self._unpacker.unused_data
                self._unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)

    def finish(self) -> bytes:
        """Give the whole body; raises FailureError where it ends too early."""
        if self._head and not (self._unpacker and self._unpacker.eof):
            raise _undecodable("ends in the middle of its packed data")
        return bytes(self._body)

    def _check(self) -> None:
        if len(self._body) > self._limit:
            raise too_big(self._limit)


def too_big(limit: int) -> FailureError:
    """Make the error of a body over the limit (bytes)."""
    size = f"{limit >> 20} MiB" if limit and limit % (1 << 20) == 0 else f"{limit} bytes"
    return FailureError(
        Failure(
            kind=FailureKind.LIMIT,
            message=f"the body of the answer is over {size} (`limits.body`)",
            help="ask for less at a time, or raise `limits.body`",
        )
    )


def _undecodable(
    problem: str, *, help: str = "ask those who run the server; a proxy may also damage it"
) -> FailureError:
    return FailureError(
        Failure(kind=FailureKind.PROTOCOL, message=f"the body of the answer {problem}", help=help)
    )
