"""Auth types, one file each: fields, schema, and what a type adds to a request.

A type's file holds `SUMMARY`, `SCHEMA` (properties of `auth` and which are required), `SECRET_FIELDS`, a frozen `Config`
dataclass whose fields are those of the schema, `shown(config, labels)`, which says in a plan what goes along (`labels`
gives the placeholder of each secret field), and `Authenticator`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runner.sensitive import Secret


@dataclass(slots=True)
class Outgoing:
    """A request on its way out, to which credentials are added after its record was made.

    `headers` and `query` hold (name, value) pairs; values added here never reach a record.
    """

    method: str
    url: str
    headers: list[tuple[str, str]]
    query: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What a type adds to a request, for a plan: headers and query parameters with placeholders for secrets."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


class Authenticator(Protocol):
    """Adds the credentials of one connection to requests for its own origin."""

    async def apply(self, request: Outgoing) -> None:
        """Add the credentials to one attempt of a request."""
        ...

    async def refresh(self) -> bool:
        """Get other credentials after a 401; False where there are none and the answer stands."""
        ...


Register = Callable[[str, str], None]
"""Tells the redactor of a value made from secrets (`base64(user:password)`): value, label."""


def bare_scheme(prefix: str) -> str:
    """Complete a prefix: a single word such as `Bearer` is an auth scheme (RFC 9110, 11.4) and takes one space."""
    return f"{prefix} " if prefix and prefix[-1].isalnum() else prefix


def revealed(secret: Secret | str) -> str:
    """Give the text of a field that may be typed in the file or come from a reference."""
    return secret.reveal() if isinstance(secret, Secret) else secret
