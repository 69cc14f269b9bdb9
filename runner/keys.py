"""Keys that sign: how they are stored, and the JSON Web Tokens made with them (RFC 7515, RFC 7519).

The door to PyJWT and cryptography. Both come with the extra `runner.d[jwt]` and are imported when a key is first used.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from runner.errors import Failure, FailureError, FailureKind
from runner.pem import PemError, normalised

if TYPE_CHECKING:
    from types import ModuleType

ALGORITHMS = ("RS256", "ES256", "HS256")
SHORTEST_HS256 = 32
"""Bytes: a key for HS256 has at least the length of the hash (RFC 7518, 3.2)."""
SHORTEST_RSA = 2048
"""Bits (RFC 7518, 3.3)."""


class KeyProblemError(ValueError):
    """A key cannot sign. The message goes on after the key's name and holds none of it."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class Signer:
    """Signs tokens with one key.

    `key` is PEM text for RS256 and ES256, the bytes themselves for HS256. Raises KeyProblemError for a key that does not
    fit its algorithm, and FailureError where the libraries are missing.
    """

    def __init__(self, key: str | bytes, algorithm: str) -> None:
        self._jwt = _library()
        self._algorithm = algorithm
        self._key = _shared(key) if algorithm == "HS256" else _asymmetric(str(key), algorithm)

    def sign(self, claims: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> str:
        """Give the compact form of a signed token; `headers` are put beside `alg` and `typ`."""
        signed: str = self._jwt.encode(
            dict(claims), self._key, algorithm=self._algorithm, headers=dict(headers or {})
        )
        return signed


def decoded(key: str, encoding: str) -> bytes:
    """Give the bytes of a key that is stored as text, hex, base64 or base64url; raises KeyProblemError."""
    if encoding == "text":
        return key.encode("utf-8", "surrogatepass")
    compact = "".join(key.split())
    try:
        if encoding == "hex":
            return bytes.fromhex(compact)
        padded = compact.rstrip("=").replace("-", "+").replace("_", "/")
        return base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise KeyProblemError(
            f"is not {encoding}, as `key_encoding` says",
            "compare how the other side shows the key: as text, hex or base64",
        ) from None


def _library() -> "ModuleType":
    try:
        import cryptography  # noqa: F401 - PyJWT alone knows HS256 only
        import jwt
    except ImportError:
        failure = Failure(
            kind=FailureKind.FAILED,
            message="signing a token takes the packages PyJWT and cryptography, which are not installed",
            help="install runner.d with its extra: pip install 'runner.d[jwt]'",
        )
        raise FailureError(failure) from None
    return jwt


def _shared(key: str | bytes) -> bytes:
    raw = key.encode() if isinstance(key, str) else key
    if len(raw) < SHORTEST_HS256:
        raise KeyProblemError(
            f"has {len(raw)} bytes, and a key for HS256 needs {SHORTEST_HS256}: a shorter one can be guessed",
            "have the other side make a longer key; if the key is hex or base64, say so with `key_encoding`",
        )
    if raw.lstrip().startswith(b"-----BEGIN "):
        raise KeyProblemError("is PEM, which HS256 does not use", "set `algorithm` to RS256 or ES256")
    return raw


def _asymmetric(text: str, algorithm: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(normalised(text, "private key").encode(), password=None)
    except PemError as problem:
        raise KeyProblemError(problem.message, problem.help) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's words mislead ("could not parse the provided public key") and may quote the key.
        raise KeyProblemError(
            "cannot be read as a private key: it is damaged or cut off in the middle",
            "store the whole text anew, and compare with `openssl pkey -in KEY.pem -noout`",
        ) from None
    if algorithm == "RS256":
        if not isinstance(key, rsa.RSAPrivateKey):
            raise KeyProblemError(
                f"is {_named(key)}, and RS256 signs with an RSA key",
                "for a key on the curve P-256 set `algorithm: ES256`",
            )
        if key.key_size < SHORTEST_RSA:
            raise KeyProblemError(
                f"is an RSA key of {key.key_size} bits; RS256 needs {SHORTEST_RSA}",
                "have a longer key made, and register its public half at the other side",
            )
    elif not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1)):
        raise KeyProblemError(
            f"is {_named(key)}, and ES256 signs with a key on the curve P-256",
            "for an RSA key set `algorithm: RS256`",
        )
    return key


def _named(key: Any) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPrivateKey):
        return "an RSA key"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"a key on the curve {key.curve.name}"
    return f"a key of another kind ({type(key).__name__.removesuffix('PrivateKey')})"
