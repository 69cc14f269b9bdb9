"""Packed bodies: every coding, in every cut, bounded whatever they unpack to."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
from backports import zstd

from runner import decoder
from runner.decoder import PIECE, Decoder
from runner.errors import FailureError

TEXT = b'{"items": [' + b"1234567, " * 100_000 + b"0]}"


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", lambda data: gzip.compress(data, mtime=0)),
    "gzip twice": (
        "x-gzip",
        lambda data: gzip.compress(data[:1000], mtime=0) + gzip.compress(data[1000:], mtime=0),
    ),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("Deflate", bare_deflate),
    "br": ("br", lambda data: brotli.compress(data, quality=3)),
    "zstd": ("zstd", zstd.compress),
    "zstd twice": ("zstd", lambda data: zstd.compress(data[:1000]) + zstd.compress(data[1000:])),
    "nothing": ("identity", lambda data: data),
    "unknown": ("rot13", lambda data: data),
}
PACKED = [name for name in PACKERS if name not in ("nothing", "unknown")]


def unpacked(encoding: str, data: bytes, cut: int, limit: int | None = None) -> bytes:
    taking = Decoder(encoding, limit or 10 << 20)
    for at in range(0, len(data), cut):
        taking.feed(data[at : at + cut])
    return taking.finish()


@pytest.mark.parametrize("name", PACKERS)
def test_it_comes_out_as_it_went_in(name: str) -> None:
    encoding, pack = PACKERS[name]
    assert unpacked(encoding, pack(TEXT), 1 << 30) == TEXT
    assert unpacked(encoding, pack(TEXT[:5000]), 1) == TEXT[:5000]
    assert unpacked(encoding, pack(TEXT), 997) == TEXT
    assert unpacked(encoding, b"", 1) == b""


@pytest.mark.parametrize("name", PACKED)
def test_a_bomb_is_stopped_at_the_limit(name: str) -> None:
    encoding, pack = PACKERS[name]
    bomb = pack(bytes(24 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(FailureError, match=r"over 1 MiB \(`limits\.body`\)"):
            unpacked(encoding, bomb, 1 << 30, limit=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", PACKED)
def test_a_sink_has_no_limit_and_gets_small_pieces(name: str) -> None:
    encoding, pack = PACKERS[name]
    sizes: list[int] = []
    taking = Decoder(encoding, 10, lambda piece: sizes.append(len(piece)))
    taking.feed(pack(bytes(4 << 20)))
    assert taking.finish() == b""
    assert sum(sizes) == 4 << 20
    assert max(sizes) <= 2 * PIECE


@pytest.mark.parametrize("name", PACKED)
def test_cut_off_and_damaged(name: str) -> None:
    encoding, pack = PACKERS[name]
    data = pack(TEXT)
    with pytest.raises(FailureError, match="ends in the middle"):
        unpacked(encoding, data[: len(data) // 2], 1 << 30)
    with pytest.raises(FailureError, match=r"is not packed|ends in the middle"):
        unpacked(encoding, b"\x0bnot packed at all" * 20, 1 << 30)


@pytest.mark.parametrize("after", [b"\x1f", b"\0" * 512, b"\x1f\x8b"])
def test_what_follows_a_packed_body(after: bytes) -> None:
    data = gzip.compress(TEXT[:500], mtime=0) + after
    for cut in (1, 100, 1 << 30):
        if after == b"\x1f\x8b":
            with pytest.raises(FailureError, match="ends in the middle"):
                unpacked("gzip", data, cut)
        else:
            assert unpacked("gzip", data, cut) == TEXT[:500]


def test_what_a_sink_raises_passes() -> None:
    def full(_: bytes) -> None:
        raise OSError(28, "no space left")

    with pytest.raises(OSError, match="no space"):
        Decoder("gzip", None, full).feed(gzip.compress(TEXT, mtime=0))


def test_what_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FailureError, match="an encoding that runner"):
        Decoder("gzip, br", None)
    assert decoder.accepted() == "gzip, deflate, br, zstd"
    monkeypatch.setattr(decoder, "_has_brotli", lambda: False)
    monkeypatch.setattr(decoder, "_zstd_name", lambda: None)
    decoder.accepted.cache_clear()
    try:
        assert decoder.accepted() == "gzip, deflate"
    finally:
        decoder.accepted.cache_clear()
    for encoding in ("br", "zstd"):
        with pytest.raises(FailureError, match="not installed here") as caught:
            Decoder(encoding, None)
        assert "runner.d[compression]" in str(caught.value.failure.help)


def test_a_window_that_would_take_too_much_memory() -> None:
    wide = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    data = wide.compress(TEXT) + wide.flush()
    with pytest.raises(FailureError, match="not packed the way it says"):
        unpacked("zstd", data, 1 << 30)
