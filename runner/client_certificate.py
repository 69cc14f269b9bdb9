"""The certificate that a connection presents to its server, with its key: read, put in order, loaded without a file.

What is wrong with one is said here, before a server says it in an alert that nobody understands.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass
from runner.pem import Kind, PemError, normalised

LARGEST = 256 * 1024
"""Bytes of a PEM file; a chain has a few KiB."""


@dataclass(frozen=True, slots=True, repr=False)
class ClientCertificate:
    """A certificate with its chain, and its key; both PEM text in its clean form."""

    chain: str
    key: str


def read_pem(text: str, name: str, *, kind: Kind) -> str:
    """Give the blocks of a kind in clean PEM; raises FailureError, which names the field and holds nothing of the text."""
    try:
        return normalised(text, kind)
    except PemError as problem:
        message = f"{name} {problem.message}"
        raise FailureError(Failure(kind=FailureKind.TLS, message=message, help=problem.help)) from None


def read_file(path: Path, shown: str, name: str) -> str:
    """Give the text of a PEM file; raises FailureError."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as problem:
        raise _unreadable(shown, name, problem.strerror or "unknown reason") from None
    if len(raw) > LARGEST:
        raise _unreadable(shown, name, f"it has more than {LARGEST >> 10} KiB, so it is no PEM file")
    # What is no ASCII is no PEM either, and is told so by whoever reads it.
    return raw.decode("ascii", "replace")


def present(context: ssl.SSLContext, identity: ClientCertificate) -> None:
    """Let a context present a certificate; raises FailureError where OpenSSL does not take the pair."""
    with _file_of(f"{identity.chain}{identity.key}".encode("ascii", "replace")) as path:
        try:
            # With a password given OpenSSL never asks for one on the terminal.
            context.load_cert_chain(path, password="")
        except (ssl.SSLError, OSError, ValueError) as problem:
            raise _unfit(str(getattr(problem, "reason", None) or "")) from None


@contextmanager
def _file_of(data: bytes) -> Iterator[str]:
    """Give a path for what OpenSSL reads from files only: of memory on Linux, else of a file of this user's, removed at once."""
    fd = -1
    try:
        fd = os.memfd_create("pem", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{fd}"
        in_memory = Path(path).exists()
    except (AttributeError, OSError):
        in_memory = False
    try:
        if in_memory:
            _write(fd, data)
            yield path
        else:
            import tempfile

            # `mkstemp` makes it for this user alone (0600), in the directory that TMPDIR names.
            other, path = tempfile.mkstemp(prefix="runner-")
            try:
                _write(other, data)
                os.close(other)
                yield path
            finally:
                Path(path).unlink()
    finally:
        if fd >= 0:
            os.close(fd)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _unfit(reason: str) -> FailureError:
    if reason in {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"}:
        message = "the key of `tls.key` does not belong to the certificate of `tls.cert`"
        remedy = "the first certificate of `tls.cert` is the one that counts: check that both are of the same renewal"
    elif reason in {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"}:
        message = (
            f"OpenSSL refuses the certificate of `tls.cert` as too weak ({reason.replace('_', ' ').lower()})"
        )
        remedy = "have a certificate issued with a key of 2048 bits or more and SHA-256"
    else:
        message = (
            "the certificate of `tls.cert` and the key of `tls.key` cannot be used: one of them is damaged"
        )
        remedy = (
            "`openssl x509 -in CERT -noout` and `openssl pkey -in KEY -noout` say which; store that one anew"
        )
    return FailureError(Failure(kind=FailureKind.TLS, message=message, help=remedy))


def _unreadable(shown: str, name: str, reason: str) -> FailureError:
    return FailureError(
        Failure(
            kind=FailureKind.TLS,
            message=f"the file '{shown}' from {name} cannot be read: {reason}",
            help="a path is relative to the project's directory; a key belongs into Vault: vault://MOUNT/PATH#FIELD",
        )
    )
