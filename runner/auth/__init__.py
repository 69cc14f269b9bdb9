"""Auth types, one file each: fields, schema, and what a type adds to a request.

A type's file, or folder, holds `SUMMARY`, `SCHEMA` (properties of `auth` and which are required), `SECRET_FIELDS` (which take
secret references only), `EXAMPLE` (a whole connection file), a frozen `Config`, `shown(config, labels)`, which says in a plan
what goes along (`labels` gives the placeholder of each secret field), and `Authenticator`. It may also hold:

- `MULTILINE_FIELDS`: secret fields that may hold line breaks (keys in PEM form);
- `URL_FIELDS`: fields that are URLs of their own, templates over `vars` and `environment`; the type may send to them;
- `sent_to(config)`: which secret field goes to which of these URLs; all others go to the host of `base_url`;
- `WRITTEN_FIELDS`: secret fields whose value the type replaces in Vault, where a provider gives another;
- `consent(config, fields, means, person)`: how a person obtains the secret fields that `Bound.consented` names; gives a
  field and what is to be stored at its path;
- `revoke(config, fields, means)`: ends at the provider what is stored; False where it has no way to;
- `FORBIDDEN`: what a 403 may mean to a connection's test, where servers refuse unknown credentials by it, too;
- `bind(value, binder)`: how its `auth` becomes a `Bound`, for a type whose fields are no flat mapping.
"""

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any, Protocol
from urllib.parse import quote, unquote_plus, urlsplit

from runner.body import Body
from runner.frozen import dataclass
from runner.secret_ref import SecretRef
from runner.sensitive import Secret
from runner.template import Template, Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The `auth` of a connection after binding: what its type reads, and what everybody else must know of it.

    `secrets` are its references by field, `urls` its own URLs by field. `sent_to` names for a secret field the URL
    that it goes to, where that is not the base URL. `presented` names the URLs that are shown the connection's client
    certificate whatever their host. `written` are the secret fields that a run writes back to Vault, `consented` those
    that `runner connections login` obtains from a provider.
    """

    config: Any
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    urls: Mapping[str, Template] = field(default_factory=dict)
    sent_to: Mapping[str, str] = field(default_factory=dict)
    presented: frozenset[str] = frozenset()
    written: frozenset[str] = frozenset()
    consented: frozenset[str] = frozenset()


@dataclass(slots=True, repr=False)
class Outgoing:
    """A request on its way out, to which credentials are added after its record was made.

    `headers` and `query` hold (name, value) pairs; values added here never reach a record.
    """

    method: str
    url: str
    headers: list[tuple[str, str]]
    query: list[tuple[str, str]] = field(default_factory=list)
    body: Body | None = None

    @property
    def whole_url(self) -> str:
        """The URL as it is sent, with the parameters added so far."""
        return with_query(self.url, self.query)

    async def body_digest(self, algorithm: str) -> bytes:
        """Hash the body; one that is read while it is sent is read for this once more."""
        import hashlib  # with OpenSSL behind it: not for a check of files

        digest = hashlib.new(algorithm, usedforsecurity=False)
        if isinstance(self.body, bytes):
            digest.update(self.body)
        elif self.body is not None:
            async for piece in self.body:
                digest.update(piece)
        return digest.digest()


@dataclass(frozen=True, slots=True, repr=False)
class Refused:
    """A request that was answered with 401: as `apply` left it (None where it got none), and the answer's headers."""

    request: Outgoing | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a type adds to a request, for a plan: headers and query parameters with placeholders for secrets."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


class Applies(Protocol):
    """Adds credentials to requests."""

    async def apply(self, request: Outgoing) -> None:
        """Add the credentials to one attempt of a request."""
        ...


class Authenticator(Applies, Protocol):
    """Adds the credentials of one connection to requests for its own origin. One for a connection and run."""

    async def prepare(self) -> None:
        """Get what `apply` needs, a token perhaps. Called before each attempt, outside its time; raises FailureError."""
        ...

    async def refresh(self, refused: Refused) -> bool:
        """Get other credentials after a 401; False where there are none and the answer stands.

        Called for each refused request: where it was sent with older credentials than there are now, True is enough.
        """
        ...

    async def close(self) -> None:
        """End what was begun, at the end of the run. Never raises."""
        ...


class Fixed:
    """The part of an authenticator whose credentials only people replace."""

    async def prepare(self) -> None:
        """Have everything."""

    async def refresh(self, refused: Refused) -> bool:  # noqa: ARG002 - the same for every type
        """Have nothing to renew."""
        return False

    async def close(self) -> None:
        """Have begun nothing."""


class FieldError(Exception):
    """A value of `auth` cannot be used: the field, what is wrong with it (never the value), what to do."""

    def __init__(self, name: str, message: str, *, help: str) -> None:
        super().__init__(message)
        self.name = name
        self.message = message
        self.help = help


@dataclass(frozen=True, slots=True, repr=False)
class Reply:
    """An answer to a message: headers by names in lower case, the body decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: Mapping[str, str] = field(default_factory=dict)
    """What the answer sets, by name."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Message:
    """A request that a type sends by itself, to a token endpoint say. `shown_url` is what messages say of it."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    harmless: bool = False
    """Whether it may be sent again even where the server may have acted on it."""
    encrypted: bool = False
    """Whether plain http to another machine is refused even where `allow_http` permits it to the base URL."""
    certificate: bool = False
    """Whether the connection's client certificate is presented even to another origin than that of the base URL."""


class Store(Protocol):
    """One path of Vault (KV version 2) whose fields a type reads and replaces, by check-and-set."""

    label: str
    """Names the path in messages."""

    async def read(self) -> tuple[dict[str, Any], int]:
        """Read the newest fields and their version, past every cache; ({}, 0) where there are none. Raises FailureError."""
        ...

    async def write(self, fields: Mapping[str, Any], version: int) -> int | None:
        """Replace what `version` holds; gives the new version, None where somebody else was first.

        Raises FailureError where it is not permitted or cannot be done; then nothing is written.
        """
        ...


class Means(Protocol):
    """What a run lends to an auth type: the connection's way to send, the clock, the redactor, Vault."""

    @property
    def connection(self) -> str:
        """The connection's name."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds that one message may take."""
        ...

    def register(self, value: str, label: str) -> None:
        """Tell the redactor of a value made from secrets or obtained with them, before anything is done with it."""
        ...

    def register_passing(self, value: str) -> None:
        """Tell the redactor of a value that belongs to one request, its signature say: only the last are kept."""
        ...

    def warn(self, text: str) -> None:
        """Tell people."""
        ...

    def now(self) -> float:
        """Give the time, in seconds since 1970."""
        ...

    def jitter(self) -> float:
        """Give a number between 0 and 1 by chance."""
        ...

    def base_url(self) -> str:
        """Give the rendered base URL, without a slash at its end."""
        ...

    def text(self, template: Template, **more: Any) -> str:
        """Render a template of `auth` to text; `more` adds names to `vars` and `environment`."""
        ...

    def value(self, tree: Tree, **more: Any) -> Any:
        """Render all templates of a value of `auth`, likewise. The `headers` of an added name are found in any case."""
        ...

    async def send(self, message: Message) -> Reply:
        """Send a message under the connection's TLS, proxy, timeout and policy; redirects are not followed.

        What surely did not reach the server, 429 and 503 are tried again as the connection says. Raises FailureError.
        """
        ...

    def store(self, field: str) -> Store:
        """Give the path of Vault that a secret field refers to; raises FieldError where its source only reads."""
        ...


class Person(Protocol):
    """Who sits at the terminal during a login."""

    def say(self, text: str) -> None:
        """Tell them a line."""
        ...

    def ask(self, question: str, *, secret: bool) -> str:
        """Ask for a line, a secret one without showing it; raises UsageError where nobody can answer."""
        ...

    def visit(self, url: str) -> None:
        """Have them open a page."""
        ...

    @property
    def pastes(self) -> bool:
        """Whether they bring the answer of a page back by hand."""
        ...


def with_query(url: str, added: Iterable[tuple[str, str]]) -> str:
    """Append parameters to a URL; each replaces those of the same name that it already has."""
    pairs = list(added)
    if not pairs:
        return url
    names = {name for name, _ in pairs}
    address, _, query = url.partition("?")
    kept = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in names]
    written = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs]
    return f"{address}?{'&'.join([*kept, *written])}"


def host_of(url: str) -> str:
    """Give the Host header of a URL: without the port that its scheme has anyway (RFC 9110, 7.2)."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].lower()
    return host.removesuffix({"https": ":443", "http": ":80"}.get(parts.scheme.lower(), ":"))


def bare_scheme(prefix: str) -> str:
    """Complete a prefix: a single word such as `Bearer` is an auth scheme (RFC 9110, 11.4) and takes one space."""
    return f"{prefix} " if prefix and prefix[-1].isalnum() else prefix


def revealed(secret: Secret | str) -> str:
    """Give the text of a field that may be typed in the file or come from a reference."""
    return secret.reveal() if isinstance(secret, Secret) else secret
