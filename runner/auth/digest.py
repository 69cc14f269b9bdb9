"""Digest access authentication (RFC 7616), with what RFC 2069 and RFC 2617 servers still ask for.

The server's challenge comes with a 401; the request is then sent again, and every later one carries credentials at once.
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from urllib.parse import quote, urlsplit

from runner.auth import Means, Outgoing, Refused, Shown, revealed
from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass
from runner.language import closed, secret, text
from runner.secret_ref import SecretRef
from runner.sensitive import Secret

SUMMARY = "user name and password, hashed with the server's challenge"
SCHEMA = closed(
    {
        "username": text("The user name: text, or a secret reference.", minLength=1, examples=["robot"]),
        "password": secret("The password."),
    },
    required=("username", "password"),
    description="User name and password, hashed with what the server's 401 asks for (Digest).",
    examples=[{"username": "robot", "password": "vault://secret/appliance#password"}],
)
SECRET_FIELDS = frozenset({"password"})
MULTILINE_FIELDS = frozenset({"password"})
"""It is hashed: every byte counts."""
EXAMPLE = """\
type: digest
description: Camera at the gate
base_url: https://camera.example.com
shared: true
auth:
  username: robot
  password: vault://secret/camera#password
test: {path: /status}
"""

_HASHES = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
"""The algorithms of RFC 7616, the strongest first."""
_SCHEME = re.compile(
    r"(?:^|,)\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?=\s+[!#$%&'*+.^_`|~0-9A-Za-z-]+\s*=|\s*(?:,|$))"
)
_PARAMETER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The fields of `auth`."""

    username: SecretRef | str
    password: SecretRef


def shown(config: Config, labels: Mapping[str, str]) -> Shown:
    """Show user name and password in words: what is sent depends on the server's challenge."""
    user = labels.get("username", config.username)
    return Shown({"Authorization": f'Digest username="{user}", ‹hash with {labels["password"]}›'})


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a server asks for."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    opaque: str | None = None
    qop: str | None = None
    stale: bool = False
    userhash: bool = False

    @property
    def hash(self) -> str:
        """The name of its hash in `hashlib`."""
        return _HASHES[self.algorithm.removesuffix("-sess")]

    @property
    def strength(self) -> int:
        """Give its place among the algorithms, 0 for the strongest."""
        return list(_HASHES.values()).index(self.hash)


@dataclass(slots=True, repr=False)
class _Nonce:
    """The challenge in use, and how often it was used."""

    challenge: Challenge
    count: int = 0
    session: str = field(default_factory=lambda: os.urandom(16).hex())


class Authenticator:
    """Answers the last challenge of the server."""

    def __init__(
        self,
        config: Config,  # noqa: ARG002 - the same for every type
        fields: Mapping[str, Secret | str],
        means: Means,
        *,
        cnonce: Callable[[], str] = lambda: os.urandom(16).hex(),
    ) -> None:
        self._username = revealed(fields["username"])
        self._password = revealed(fields["password"])
        self._means = means
        self._cnonce = cnonce
        self._nonce: _Nonce | None = None

    async def prepare(self) -> None:
        """Need nothing: the first request asks."""

    async def apply(self, request: Outgoing) -> None:
        """Add the credentials, once there is a challenge."""
        nonce = self._nonce
        if nonce is None:
            return
        nonce.count += 1
        count = nonce.count
        # Others may count on while the body is read.
        body = await request.body_digest(nonce.challenge.hash) if nonce.challenge.qop == "auth-int" else b""
        target = urlsplit(request.whole_url)
        uri = (target.path or "/") + (f"?{target.query}" if target.query else "")
        value, response = credentials(
            nonce.challenge,
            username=self._username,
            password=self._password,
            method=request.method,
            uri=uri,
            count=count,
            # With `-sess` the hash of the password is bound to the first client nonce (RFC 7616, 3.4.2).
            cnonce=nonce.session if nonce.challenge.algorithm.endswith("-sess") else self._cnonce(),
            body=body,
        )
        self._means.register_passing(response)
        request.headers.append(("Authorization", value))

    async def refresh(self, refused: Refused) -> bool:
        """Take the challenge of a 401; False where the server refuses what was right for its own challenge."""
        header = refused.headers.get("www-authenticate", "")
        challenge = chosen(header, self._means.connection)
        sent = refused.request is not None and any(
            name.lower() == "authorization" and value.startswith("Digest ")
            for name, value in refused.request.headers
        )
        if challenge is None:
            return False
        if sent and not challenge.stale and not self._outdated(refused):
            return False
        self._nonce = _Nonce(challenge)
        return True

    def _outdated(self, refused: Refused) -> bool:
        """Tell whether a request was sent with an older challenge than there is now."""
        assert refused.request is not None
        nonce = self._nonce
        return nonce is not None and not any(
            f'nonce="{_escaped(nonce.challenge.nonce)}"' in value for _, value in refused.request.headers
        )

    async def close(self) -> None:
        """Have begun nothing."""


def challenges(header: str) -> list[tuple[str, dict[str, str]]]:
    """Read WWW-Authenticate (RFC 9110, 11.6.1): schemes with their parameters, names in lower case."""
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while at < len(header):
        scheme = _SCHEME.match(header, at)
        parameter = _PARAMETER.match(header, at)
        if scheme and not (parameter and parameter.end() > scheme.end()):
            found.append((scheme[1].lower(), {}))
            at = scheme.end()
        elif parameter and found:
            quoted = parameter[2]
            value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else parameter[3]
            found[-1][1].setdefault(parameter[1].lower(), value)
            at = parameter.end()
        else:
            at += 1
    return found


def chosen(header: str, connection: str) -> Challenge | None:
    """Take the strongest challenge that can be answered; None where the server asks for something else than Digest."""
    asked = [parameters for scheme, parameters in challenges(header) if scheme == "digest"]
    usable = [made for parameters in asked if (made := _challenge(parameters)) is not None]
    if usable:
        return min(usable, key=lambda challenge: challenge.strength)
    if not asked:
        return None
    raise FailureError(
        Failure(
            kind=FailureKind.PROTOCOL,
            message=f"the server's Digest challenge to the connection '{connection}' cannot be answered: "
            "it has no nonce, or asks for an algorithm or a protection (qop) that is not supported",
            help="supported are MD5, SHA-256 and SHA-512-256, with and without -sess, and qop auth and auth-int",
        )
    )


def _challenge(parameters: Mapping[str, str]) -> Challenge | None:
    named = parameters.get("algorithm", "MD5")
    session = named.lower().endswith("-sess")
    plain = next((name for name in _HASHES if name.lower() == named.lower().removesuffix("-sess")), None)
    offered = {part.strip().lower() for part in parameters.get("qop", "").split(",") if part.strip()}
    # Where both are offered: it does not have to read a body twice, and TLS keeps bodies whole.
    qop = next((name for name in ("auth", "auth-int") if name in offered), None)
    if plain is None or "nonce" not in parameters or (offered and qop is None):
        return None
    return Challenge(
        realm=parameters.get("realm", ""),
        nonce=parameters["nonce"],
        algorithm=plain + ("-sess" if session else ""),
        opaque=parameters.get("opaque"),
        qop=qop,
        stale=parameters.get("stale", "").lower() == "true",
        userhash=parameters.get("userhash", "").lower() == "true",
    )


def credentials(
    challenge: Challenge,
    *,
    username: str,
    password: str,
    method: str,
    uri: str,
    count: int,
    cnonce: str,
    body: bytes = b"",
) -> tuple[str, str]:
    """Give the value of Authorization, and the hash in it that proves the password (RFC 7616, 3.4).

    `body` is the hash of the body, for `auth-int`.
    """

    def hashed(text: str) -> str:
        return hashlib.new(challenge.hash, text.encode(), usedforsecurity=False).hexdigest()

    number = f"{count:08x}"
    secret_part = hashed(f"{username}:{challenge.realm}:{password}")
    if challenge.algorithm.endswith("-sess"):
        secret_part = hashed(f"{secret_part}:{challenge.nonce}:{cnonce}")
    middle = [challenge.nonce]
    if challenge.qop:
        middle += [number, cnonce, challenge.qop]
    sent = [method, uri, *([body.hex()] if challenge.qop == "auth-int" else [])]
    response = hashed(":".join([secret_part, *middle, hashed(":".join(sent))]))
    parts = [_name(challenge, username, hashed)]
    parts += [f'realm="{_escaped(challenge.realm)}"', f'nonce="{_escaped(challenge.nonce)}"', f'uri="{uri}"']
    parts += [f'response="{response}"', f"algorithm={challenge.algorithm}"]
    if challenge.opaque is not None:
        parts.append(f'opaque="{_escaped(challenge.opaque)}"')
    if challenge.qop:
        parts += [f"qop={challenge.qop}", f"nc={number}"]
    if challenge.qop or challenge.algorithm.endswith("-sess"):
        parts.append(f'cnonce="{cnonce}"')
    if challenge.userhash:
        parts.append("userhash=true")
    return "Digest " + ", ".join(parts), response


def _name(challenge: Challenge, username: str, hashed: Callable[[str], str]) -> str:
    if challenge.userhash:
        return f'username="{hashed(f"{username}:{challenge.realm}")}"'
    if username.isascii():
        return f'username="{_escaped(username)}"'
    return f"username*=UTF-8''{quote(username, safe='')}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
