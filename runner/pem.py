"""PEM text from secret stores (RFC 7468): put into one form, or what is wrong with it, in words.

Keys and certificates lose their line breaks on the way into a vault: pasted into one line, escaped as JSON does, wrapped
into base64. These are repaired; what cannot be is named. Only the form is read here: what a key is, `private_key` says.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from runner.frozen import dataclass

Kind = Literal["private key", "certificate"]

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)(?:-----END \1-----|(?=-----BEGIN )|\Z)", re.DOTALL)
_END = re.compile(r"-----END [A-Z0-9 ]+-----")
_PRIVATE = frozenset({"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"})
_CERTIFICATES = frozenset({"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"})
_ENCRYPTED = re.compile(r"Proc-Type: *4, *ENCRYPTED")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class PemError(ValueError):
    """Text is not the PEM that is needed. The message goes on after a name: "is a public key"; it holds none of the text."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True, repr=False)
class _Block:
    label: str
    body: str
    complete: bool


def normalised(text: str, kind: Kind) -> str:
    """Give the blocks of a kind as clean PEM with 64 characters a line: one private key, or every certificate.

    Accepted are also line breaks that were escaped, or became spaces or nothing, and base64 of the whole. Raises PemError.
    """
    blocks = list(_blocks(_unwrapped(text, kind)))
    labels = _PRIVATE if kind == "private key" else _CERTIFICATES
    chosen = [block for block in blocks if block.label in labels]
    if not chosen:
        raise _another(blocks, kind)
    if kind == "private key" and len(chosen) > 1:
        raise PemError(f"holds {len(chosen)} private keys", "store the one that is meant, alone")
    return "".join(_written(block) for block in chosen)


def _unwrapped(text: str, kind: Kind) -> str:
    """Undo what stores and shells do to PEM: escaped line breaks, quotes around it, base64 of the whole."""
    text = text.strip().strip("\"'").lstrip("\ufeff")
    if not text:
        raise PemError("is empty", f"store the {kind} there, as PEM text")
    if "-----BEGIN " not in text:
        text = _decoded(text, kind)
    return text.replace("\\r", "").replace("\\n", "\n")


def _decoded(text: str, kind: Kind) -> str:
    """Give the PEM in base64 text; raises PemError where there is none."""
    compact = re.sub(r"\s+|\\[rn]", "", text)
    if _BASE64.fullmatch(compact):
        try:
            raw = base64.b64decode(compact, validate=True)
        except binascii.Error:
            raw = b""
        if b"-----BEGIN " in raw:
            return raw.decode("ascii", "replace")
        if raw[:1] == b"\x30":  # an ASN.1 sequence: the inside of PEM, or DER in base64
            raise PemError(
                "has no BEGIN and END lines",
                f"store the whole PEM text, from -----BEGIN to the end of -----END ...-----, not only the {kind}'s base64",
            )
    if text.startswith("{"):
        raise PemError(
            f"is JSON, not a {kind} in PEM form",
            "store the field of that JSON which holds the key in a field of its own, and name that",
        )
    raise PemError(
        f"is not a {kind} in PEM form",
        f"PEM is text that begins with -----BEGIN {'PRIVATE KEY' if kind == 'private key' else 'CERTIFICATE'}-----",
    )


def _blocks(text: str) -> Iterator[_Block]:
    for match in _BLOCK.finditer(text):
        yield _Block(match[1], match[2], complete=_END.search(match[0]) is not None)


def _written(block: _Block) -> str:
    """Write a block anew; raises PemError for one that is encrypted or cut."""
    if block.label == "ENCRYPTED PRIVATE KEY" or _ENCRYPTED.search(block.body):
        raise PemError(
            "is encrypted with a passphrase",
            "store it without: `openssl pkey -in KEY.pem` asks for the passphrase and prints it so; Vault protects it",
        )
    body = re.sub(r"\s+", "", block.body)
    if not block.complete:
        raise PemError(
            "is cut off: its END line is missing",
            "store the whole text anew; a value given on a command line or in a form often keeps its first line only",
        )
    try:
        damaged = not body or not base64.b64decode(body, validate=True)
    except binascii.Error:
        damaged = True
    if damaged:
        raise PemError(
            "is damaged: what stands between BEGIN and END is not base64", "store the whole text anew"
        )
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {block.label}-----", *lines, f"-----END {block.label}-----", ""])


def _another(blocks: list[_Block], kind: Kind) -> PemError:
    """Say what the text is instead."""
    labels = {block.label for block in blocks}
    named = {
        "PUBLIC KEY": "a public key",
        "RSA PUBLIC KEY": "a public key",
        "CERTIFICATE": "a certificate",
        "CERTIFICATE REQUEST": "a certificate request",
        "OPENSSH PRIVATE KEY": "a private key in OpenSSH form",
        **dict.fromkeys(_PRIVATE, "a private key"),
    }
    what = next((named[label] for label in sorted(labels) if label in named), f"no {kind}")
    if "OPENSSH PRIVATE KEY" in labels and kind == "private key":
        return PemError(f"is {what}", "convert a copy of it: `ssh-keygen -p -m PKCS8 -f KEY`")
    remedy = f"store the {kind}"
    if kind == "private key" and labels & {"PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"}:
        remedy = "store the private key that belongs to it; the other side has this one already"
    return PemError(f"is {what}, not a {kind}" if what != f"no {kind}" else f"is {what}", remedy)


def ends(chain: str) -> float | None:
    """Give the time at which the first certificate of clean PEM ends, in seconds since 1970; None where it has another form."""
    match = _BLOCK.search(chain)
    try:
        certificate = base64.b64decode(match[2] if match else "")
        parts = list(_parts(next(_parts(certificate))[1]))  # of what is signed
        fields = list(_parts(parts[0][1]))
        # The version is left out in certificates of version 1; then come number, algorithm, issuer, validity.
        validity = fields[4 if fields[0][0] == _VERSION else 3][1]
        kind, text = list(_parts(validity))[1]
        year = "%y" if kind == _UTC_TIME else "%Y"
        return datetime.strptime(text.decode("ascii"), f"{year}%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except (ValueError, IndexError, StopIteration):
        return None


_VERSION, _UTC_TIME = 0xA0, 0x17


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Give tag and content of each value of a sequence in DER (X.690)."""
    at = 0
    while at < len(der):
        tag, size, at = der[at], der[at + 1], at + 2
        if size > 127:
            width = size & 127
            size, at = int.from_bytes(der[at : at + width], "big"), at + width
        yield tag, der[at : at + size]
        at += size
