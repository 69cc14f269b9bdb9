"""A declared HMAC (RFC 2104) over parts of each request: what is signed, how, and in which header it goes."""

import base64
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from runner.auth import Bound, FieldError, Fixed, Means, Outgoing, Shown, bare_scheme, host_of, revealed
from runner.bind import URL_ROOTS, Binder
from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass
from runner.keys import KeyProblemError, decoded
from runner.language import closed, secret, text
from runner.secret_ref import SecretRef
from runner.sensitive import Secret
from runner.template import Mode, Template

SUMMARY = "an HMAC over parts of each request"
_HASHES = ["sha256", "sha512", "sha384", "sha1", "md5"]
_UNITS = ["seconds", "milliseconds", "microseconds", "nanoseconds", "rfc3339", "http_date"]
_HEADER = {
    "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
    "x-message": "a header name (letters, digits and -)",
}
_ENCODING = {"enum": ["hex", "base64", "base64url"], "examples": ["hex"]}
SCHEMA = closed(
    {
        "key": secret("The shared key."),
        "key_encoding": text(
            "How the key is written where it is stored: text (its UTF-8 bytes are the key), hex or base64. Default text.",
            enum=["text", "hex", "base64"],
            examples=["base64"],
        ),
        "algorithm": text("Hash of the HMAC. Default sha256.", enum=[*_HASHES[:-1]], examples=["sha512"]),
        "string_to_sign": text(
            "Template over `request`, with `vars` and `environment`, that gives the text that is signed. `request` has `method`, "
            "`path` (with the path of base_url, percent-encoded), `query` (without ?), `target` (path?query), `url`, `host`, "
            "`headers`, `body`, `body_hash` and `timestamp`.",
            minLength=1,
            examples=["{{ request.timestamp }}{{ request.method }}{{ request.target }}{{ request.body }}"],
        ),
        "body_hash": closed(
            {
                "algorithm": text("Hash of the body. Default sha256.", enum=_HASHES, examples=["md5"]),
                "encoding": text("How `request.body_hash` is written. Default hex.", **_ENCODING),
                "header": text(
                    "Header that carries the hash too. Default none.", **_HEADER, examples=["Content-MD5"]
                ),
                "prefix": text("Text before it in that header.", examples=["SHA-256="]),
            },
            description="How `request.body_hash` is made: of the body's bytes, of no bytes where there is no body.",
            examples=[{"algorithm": "md5", "encoding": "base64", "header": "Content-MD5"}],
        ),
        "timestamp": closed(
            {
                "header": text(
                    "Header that carries the time. Without it the time is only in what is signed.",
                    **_HEADER,
                    examples=["X-Timestamp"],
                ),
                "unit": text(
                    "How the time is written: since 1970 in one of the units, rfc3339 or http_date. Default seconds.",
                    enum=_UNITS,
                    examples=["milliseconds"],
                ),
            },
            description="The time at which the request is sent, `request.timestamp`.",
            examples=[{"header": "X-Timestamp", "unit": "milliseconds"}],
        ),
        "encoding": text("How the signature is written. Default hex.", **_ENCODING),
        "header": text("Header of the signature.", **_HEADER, examples=["X-Signature"]),
        "prefix": text(
            "Text before the signature; `vars` and `environment` may stand in it. One word is followed by a space.",
            examples=["HMAC robot:"],
        ),
    },
    required=("key", "string_to_sign", "header"),
    description="A signature over parts of each request, made with a shared key (HMAC).",
    examples=[
        {
            "key": "vault://secret/exchange#secret",
            "string_to_sign": "{{ request.timestamp }}{{ request.method }}{{ request.target }}{{ request.body }}",
            "header": "X-Signature",
            "timestamp": {"header": "X-Timestamp"},
        }
    ],
)
SECRET_FIELDS = frozenset({"key"})
MULTILINE_FIELDS = frozenset({"key"})
"""It is no header: every byte counts."""
EXAMPLE = """\
type: hmac
description: Orders of the exchange
base_url: https://api.exchange.example.com
shared: true
headers: {X-Api-Key: "vault://secret/exchange#key"}
auth:
  key: vault://secret/exchange#secret
  key_encoding: base64
  string_to_sign: "{{ request.timestamp }}{{ request.method }}{{ request.target }}{{ request.body }}"
  encoding: base64
  header: X-Signature
  timestamp: {header: X-Timestamp, unit: seconds}
test: {path: /accounts}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The fields of `auth`."""

    key: SecretRef
    key_encoding: str = "text"
    algorithm: str = "sha256"
    string_to_sign: Template
    body_hash: Mapping[str, str] | None = None
    timestamp: Mapping[str, str] | None = None
    encoding: str = "hex"
    header: str
    prefix: Template | None = None


def bind(value: Mapping[str, Any], binder: Binder) -> Bound:
    """Bind the fields; what is signed and the prefix are templates."""
    fields, secrets = binder.fields(value, ("auth",), SECRET_FIELDS)
    fields["string_to_sign"] = binder.template(
        value["string_to_sign"], ("auth", "string_to_sign"), URL_ROOTS | {"request"}, mode=Mode.TEXT
    )
    if "prefix" in value:
        fields["prefix"] = binder.template(value["prefix"], ("auth", "prefix"), URL_ROOTS, mode=Mode.TEXT)
    return Bound(config=None if binder.diagnostics else Config(**fields), secrets=secrets)


def shown(config: Config, labels: Mapping[str, str]) -> Shown:
    """Show each header that is added, with words for what depends on the time and the request."""
    headers: dict[str, str] = {}
    if config.timestamp and "header" in config.timestamp:
        headers[config.timestamp["header"]] = "‹time of sending›"
    if config.body_hash and "header" in config.body_hash:
        kind = config.body_hash.get("algorithm", "sha256")
        headers[config.body_hash["header"]] = config.body_hash.get("prefix", "") + f"‹{kind} of the body›"
    prefix = bare_scheme(config.prefix.text) if config.prefix else ""
    headers[config.header] = f"{prefix}‹{config.algorithm} HMAC with {labels['key']}›"
    return Shown(headers)


class Authenticator(Fixed):
    """Signs each request as it is sent, at the time at which it is sent."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:
        self._config = config
        self._means = means
        try:
            self._key = decoded(revealed(fields["key"]), config.key_encoding)
        except KeyProblemError as problem:
            raise FieldError("key", problem.message, help=problem.help) from None
        self._prefix = bare_scheme(means.text(config.prefix)) if config.prefix else ""

    async def apply(self, request: Outgoing) -> None:
        """Add the time, the hash of the body and the signature, those that are declared."""
        config = self._config
        written = timestamp(self._means.now(), (config.timestamp or {}).get("unit", "seconds"))
        hashing = config.body_hash or {}
        digest = await request.body_digest(hashing.get("algorithm", "sha256"))
        hashed = encoded(digest, hashing.get("encoding", "hex"))
        if config.timestamp and "header" in config.timestamp:
            request.headers.append((config.timestamp["header"], written))
        if "header" in hashing:
            request.headers.append((hashing["header"], hashing.get("prefix", "") + hashed))
        told = self._parts(request) | {"body_hash": hashed, "timestamp": written}
        to_sign = self._means.text(config.string_to_sign, request=told).encode("utf-8", "surrogateescape")
        signature = encoded(hmac.digest(self._key, to_sign, config.algorithm), config.encoding)
        self._means.register_passing(signature)
        request.headers.append((config.header, self._prefix + signature))

    def _parts(self, request: Outgoing) -> dict[str, Any]:
        parts = parts_of(request)
        wanted = any(
            reference.root == "request" and reference.path[:1] in (("body",), ())
            for reference in self._config.string_to_sign.references
        )
        if wanted and "body" not in parts:
            failure = Failure(
                kind=FailureKind.RENDER,
                message="`auth.string_to_sign` signs `request.body`, and this body is read while it is sent",
                help="sign `request.body_hash`, or send the body as `json`, `form` or text",
                span=self._config.string_to_sign.span,
            )
            raise FailureError(failure)
        return parts


def parts_of(request: Outgoing) -> dict[str, Any]:
    """Give what templates see of a request: as it is sent, with the parameters that are secret; of a body its text."""
    url, body = request.whole_url, request.body or b""
    parts = urlsplit(url)
    path = parts.path or "/"
    return {
        "method": request.method,
        "url": url,
        "host": host_of(url),
        "path": path,
        "query": parts.query,
        "target": path + (f"?{parts.query}" if parts.query else ""),
        "headers": {name.lower(): value for name, value in request.headers},
    } | ({"body": body.decode("utf-8", "surrogateescape")} if isinstance(body, bytes) else {})


def encoded(raw: bytes, encoding: str) -> str:
    """Write bytes as hex, base64 or base64url (without padding, RFC 7515)."""
    if encoding == "hex":
        return raw.hex()
    if encoding == "base64":
        return base64.b64encode(raw).decode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def timestamp(now: float, unit: str) -> str:
    """Write a time, given in seconds since 1970."""
    if unit == "rfc3339":
        return datetime.fromtimestamp(int(now), UTC).isoformat().replace("+00:00", "Z")
    if unit == "http_date":
        from email.utils import format_datetime  # takes long to import

        return format_datetime(datetime.fromtimestamp(int(now), UTC), usegmt=True)
    factor = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}[unit]
    # Whole microseconds first: a float of this size is not exact to more.
    return str(int(now) if factor == 1 else int(round(now * 10**6) * factor // 10**6))
