"""How payloads travel: exact JSON, packed, and sealed where a key is given.

Nothing that travels is secret by itself (`runner.perform` redacts). The key keeps from whoever runs the server what the
files and the answers say. https://docs.temporal.io/payload-codec
"""

import base64
import binascii
import os
import zlib
from collections.abc import Sequence
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    EncodingPayloadConverter,
    PayloadCodec,
)

from runner import exact_json
from runner.errors import UsageError

_JSON = b"json/exact"
_PACKED = b"binary/packed"
_SEALED = b"binary/sealed"
_PACKED_FROM = 512
"""Bytes from which packing pays."""

_LARGEST = 64 << 20
"""Bytes that a payload may unpack to."""

LARGEST = 2_000_000
"""Bytes that a value may have on its way: a server takes 2 MiB in one payload, unless it is told otherwise."""


def too_large(value: Any) -> str | None:
    """Say how much a value is on its way, where that is more than a server takes; None where it fits."""
    text = exact_json.dumps(value, compact=True).encode("utf-8", "surrogatepass")
    size = len(text) if len(text) <= LARGEST else len(zlib.compress(text))
    return (
        None
        if size <= LARGEST
        else f"{size / 1e6:.1f} MB packed, and the engine takes {LARGEST / 1e6:.0f} MB"
    )


class ExactJson(EncodingPayloadConverter):
    """JSON in which a number keeps its text."""

    @property
    def encoding(self) -> str:
        """Name the form."""
        return _JSON.decode()

    def to_payload(self, value: Any) -> Payload | None:
        """Write a value."""
        text = exact_json.dumps(value, compact=True)
        return Payload(metadata={"encoding": _JSON}, data=text.encode("utf-8", "surrogatepass"))

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        """Read a value."""
        del type_hint
        return exact_json.loads(payload.data.decode("utf-8", "surrogatepass"))


class ExactConverter(CompositePayloadConverter):
    """The only form that values have on the way."""

    def __init__(self) -> None:
        super().__init__(ExactJson())


class Codec(PayloadCodec):
    """Packs payloads, and seals them with AES-256-GCM where there is a key (32 bytes)."""

    def __init__(self, key: bytes | None) -> None:
        self._key = key

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Pack, and seal."""
        return [self._encoded(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open, and unpack; raises UsageError where the key is another."""
        return [self._decoded(payload) for payload in payloads]

    def _encoded(self, payload: Payload) -> Payload:
        whole = payload.SerializeToString()
        if self._key is not None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            nonce = os.urandom(12)
            sealed = nonce + AESGCM(self._key).encrypt(nonce, zlib.compress(whole), _SEALED)
            return Payload(metadata={"encoding": _SEALED}, data=sealed)
        if len(whole) < _PACKED_FROM:
            return payload
        return Payload(metadata={"encoding": _PACKED}, data=zlib.compress(whole))

    def _decoded(self, payload: Payload) -> Payload:
        encoding = payload.metadata.get("encoding")
        if encoding == _SEALED:
            return Payload.FromString(_unpacked(self._opened(payload.data)))
        return Payload.FromString(_unpacked(payload.data)) if encoding == _PACKED else payload

    def _opened(self, data: bytes) -> bytes:
        if self._key is None:
            raise UsageError(
                "what the engine holds is sealed, and there is no key here",
                help="set RUNNER_ENGINE_KEY to the key of the workers",
            )
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._key).decrypt(data[:12], data[12:], _SEALED)
        except InvalidTag:
            raise UsageError(
                "what the engine holds is sealed with another key",
                help="RUNNER_ENGINE_KEY must be the same for all workers and commands",
            ) from None


def _unpacked(data: bytes) -> bytes:
    reader = zlib.decompressobj()
    whole = reader.decompress(data, _LARGEST)
    if reader.unconsumed_tail:
        raise ValueError("a payload is too large")
    return whole


def read_key(text: str) -> bytes:
    """Read the key of the payloads: 32 bytes in base64; raises UsageError that does not show it."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise UsageError(
            "RUNNER_ENGINE_KEY is no key: it takes 32 bytes in base64",
            help="make one with: openssl rand -base64 32",
        )
    return key


def converter(key: bytes | None) -> DataConverter:
    """Give the converter of a client; texts of failures go through the codec, too."""
    return DataConverter(
        payload_converter_class=ExactConverter,
        payload_codec=Codec(key),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
