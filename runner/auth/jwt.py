"""A JSON Web Token that runner.d signs itself (RFC 7519) and sends with each request: Snowflake, App Store Connect, Ghost."""

from collections.abc import Mapping
from typing import Any

from runner.auth import Bound, FieldError, Means, Outgoing, Refused, Shown, bare_scheme, revealed
from runner.bind import URL_ROOTS, Binder
from runner.duration import seconds
from runner.frozen import dataclass
from runner.keys import ALGORITHMS, KeyProblemError, Signer, decoded
from runner.language import closed, secret, text, time_span
from runner.secret_ref import SecretRef
from runner.sensitive import Secret
from runner.template import Tree

SUMMARY = "a JSON Web Token that is signed here"
_SET_HERE = {
    "type": "null",
    "description": "Set from the clock and `lifetime`; null leaves it out.",
    "examples": [None],
    "x-message": "null, which leaves it out: its value comes from the clock and `lifetime`",
}
SCHEMA = {
    **closed(
        {
            "key": secret("The key that signs: a private key in PEM form, or for HS256 the shared key."),
            "algorithm": text(
                "How it is signed: RS256 (RSA, 2048 bits and more), ES256 (the curve P-256), or HS256 (a shared key of 32 bytes and more).",
                enum=list(ALGORITHMS),
                examples=["ES256"],
            ),
            "key_id": text("`kid` in the token's header. Default none.", examples=["2X9R4HXF34"]),
            "key_encoding": text(
                "How a key for HS256 is written where it is stored: text, hex or base64. Default text.",
                enum=["text", "hex", "base64"],
                examples=["hex"],
            ),
            "claims": {
                "type": "object",
                "description": "The claims; `vars` and `environment` may stand in them. `iat` and `exp` are added.",
                "properties": {"iat": _SET_HERE, "exp": _SET_HERE},
                "examples": [{"iss": "robot", "aud": "reports"}],
            },
            "lifetime": time_span("How long a token is valid. Default 5m.", "20m"),
            "header": text(
                "Header that carries the token. Default Authorization.",
                pattern="^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
                examples=["X-Token"],
                **{"x-message": "a header name (letters, digits and -)"},
            ),
            "prefix": text(
                "Text before the token. Default `Bearer ` in Authorization, nothing in another header. One word is followed by a space.",
                examples=["Ghost"],
            ),
        },
        required=("key", "algorithm", "claims"),
        description="A JSON Web Token, signed anew before it expires.",
        examples=[{"key": "vault://secret/store#key", "algorithm": "ES256", "claims": {"iss": "robot"}}],
    ),
    "if": {"properties": {"algorithm": {"const": "HS256"}}},
    "else": {"properties": {"key_encoding": False}},
}
SECRET_FIELDS = frozenset({"key"})
MULTILINE_FIELDS = frozenset({"key"})
EXAMPLE = """\
# needs: pip install 'runner.d[jwt]'
type: jwt
description: App Store Connect
base_url: https://api.appstoreconnect.apple.com
shared: true
auth:
  key: vault://secret/appstore#private_key
  algorithm: ES256
  key_id: 2X9R4HXF34
  claims: {iss: 57246542-96fe-1a63-e053-0824d011072a, aud: appstoreconnect-v1}
  lifetime: 15m
test: {path: /v1/apps}
"""

SOONER = 30.0
"""Seconds before its end, or half its life, from which a token is not used any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The fields of `auth`; `lifetime` in seconds."""

    key: SecretRef
    algorithm: str
    key_id: str | None = None
    key_encoding: str = "text"
    claims: Tree
    lifetime: float = 300.0
    header: str = "Authorization"
    prefix: str | None = None

    @property
    def before(self) -> str:
        """The text before the token."""
        if self.prefix is not None:
            return bare_scheme(self.prefix)
        return "Bearer " if self.header.lower() == "authorization" else ""


def bind(value: Mapping[str, Any], binder: Binder) -> Bound:
    """Bind the fields; claims are templates."""
    plain = {name: item for name, item in value.items() if name != "claims"}
    fields, secrets = binder.fields(plain, ("auth",), SECRET_FIELDS)
    fields["claims"] = binder.tree(value["claims"], ("auth", "claims"), URL_ROOTS)
    if "lifetime" in value:
        fields["lifetime"] = seconds(value["lifetime"])
    return Bound(config=None if binder.diagnostics else Config(**fields), secrets=secrets)


def shown(config: Config, labels: Mapping[str, str]) -> Shown:
    """Show the header, with words for the token."""
    return Shown({config.header: f"{config.before}‹{config.algorithm} token signed with {labels['key']}›"})


class Authenticator:
    """Sends a token, and signs the next one before it expires."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:
        self._config = config
        self._means = means
        self._signer = _signer(config, revealed(fields["key"]))
        self._token = ""
        self._signed_at = float("-inf")

    async def prepare(self) -> None:
        """Have a token that is valid for a while."""
        lifetime = self._config.lifetime
        if self._means.now() >= self._signed_at + max(lifetime - SOONER, lifetime / 2):
            self._sign()

    async def apply(self, request: Outgoing) -> None:
        """Add the header."""
        request.headers.append((self._config.header, self._config.before + self._token))

    async def refresh(self, refused: Refused) -> bool:
        """Sign anew, unless the refused token was new: some servers take tokens of the last seconds only."""
        sent = refused.request.headers if refused.request else []
        if any(self._token in value for _, value in sent):
            if self._means.now() < self._signed_at + 1:
                return False
            self._sign()
        return True

    async def close(self) -> None:
        """Have begun nothing."""

    def _sign(self) -> None:
        config = self._config
        now = int(self._means.now())
        made = {"iat": now, "exp": now + max(1, int(config.lifetime)), **self._means.value(config.claims)}
        claims = {name: item for name, item in made.items() if item is not None}
        token = self._signer.sign(claims, {"kid": config.key_id} if config.key_id else None)
        self._means.register(token, "a signed token")
        self._token, self._signed_at = token, now


def _signer(config: Config, key: str) -> Signer:
    try:
        usable = decoded(key, config.key_encoding) if config.algorithm == "HS256" else key
        return Signer(usable, config.algorithm)
    except KeyProblemError as problem:
        raise FieldError("key", problem.message, help=problem.help) from None
