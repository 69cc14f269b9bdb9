"""What the files mean: connections, workflows and actions as frozen values, made by `bind` from checked files."""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from runner.cron import Cron
from runner.document import Document, Pointer
from runner.frozen import dataclass
from runner.secret_ref import SecretRef
from runner.source import Span
from runner.template import Template, Tree

IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits between attempts, in seconds: drawn between 0 and min(first * factor**n, limit)."""

    first: float = 1.0
    factor: float = 2.0
    limit: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """When a request is sent again. `on` None: the default statuses and failures of SPEC 5."""

    attempts: int = 3
    on: frozenset[int | str] | None = None
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """The response header that says when a rate limit begins anew, and how to read it (`waits.UNITS`)."""

    header: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How fast a connection is used (`requests` in `per` seconds), and how its API says that it was too fast."""

    requests: int | None = None
    per: float = 1.0
    burst: int = 1
    statuses: frozenset[int] = frozenset()
    remaining: str | None = None
    reset: Reset | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paginate:
    """How pages follow each other. `config` is that of the style (`runner/paginators/`).

    Without `style` it is laid over that of the connection (`paginators.effective`). `automatic`: a connection's holds for
    every GET that says nothing else.
    """

    style: str | None = None
    config: Any = None
    items: Template | None = None
    more: Template | None = None
    max_pages: int | None = None
    automatic: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What a response must be. `status` holds codes ("201") and classes ("2xx"); None is the default."""

    status: tuple[str, ...] | None = None
    headers: Mapping[str, Template | bool] = field(default_factory=dict)
    schema: Any = None
    that: tuple[Template, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Polling: do it again, `every` seconds, until a template is true; `at_most` times in all."""

    until: Template
    every: float = 10.0
    at_most: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS of a connection. `ca`, `cert` and `key` are paths relative to the project, or references to PEM text."""

    verify: bool = True
    ca: str | SecretRef | None = None
    cert: str | SecretRef | None = None
    key: str | SecretRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyLogin:
    """Who a proxy is told that asks."""

    username: str | SecretRef = ""
    password: SecretRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRequest:
    """The test endpoint of a connection."""

    __test__ = False  # for pytest: no test class

    method: str
    path: Template
    query: Mapping[str, Tree]
    json: Tree
    has_json: bool
    expect: Expect


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowRule:
    """One entry of `allow`: a method or `*`, and a path pattern in which `*` stands for anything."""

    method: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits in force: bytes, seconds, characters, items of a `for_each`, workflow calls inside of each other."""

    body: int = 10 * 1024 * 1024
    connect: float = 10.0
    template_output: int = 10 * 1024 * 1024
    items: int = 100_000
    nested_calls: int = 20
    retry_after: float = 120.0
    retrying: float = 300.0
    pages: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection with its effective keys. `locate` finds the place of one of them.

    `idempotency` names the header of idempotency keys.
    `type` is the auth type; `preset` the preset that the file names in its place. `sources` says of each key where its
    value comes from.
    """

    name: str
    type: str
    preset: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    auth: Any
    base_url: Template
    shared: bool = False
    description: str | None = None
    headers: Mapping[str, Template | SecretRef] = field(default_factory=dict)
    query: Mapping[str, Tree | SecretRef] = field(default_factory=dict)
    test: TestRequest | None = None
    fail_when: Template | None = None
    error_message: Template | None = None
    retry: Retry | None = None
    timeout: float | None = None
    paginate: Paginate | None = None
    rate_limit: RateLimit | None = None
    concurrency: int = 64
    idempotency: str | None = None
    allow: tuple[AllowRule, ...] | None = None
    tls: Tls = field(default_factory=Tls)
    proxy: Template | None = None
    proxy_login: ProxyLogin | None = None
    socket: Template | None = None
    http2: bool = False
    allow_http: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    extends: str | None = None
    locate: Callable[[Pointer], Span]
    named: Mapping[str, str] = field(default_factory=dict)
    """How the file names a key, by dots, where its preset has other names: `auth.api_token` for `auth.password`."""
    auth_secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    auth_urls: Mapping[str, Template] = field(default_factory=dict)
    """URLs beside the base URL that the auth type sends to, by field."""
    auth_sent_to: Mapping[str, str] = field(default_factory=dict)
    """Of a secret field of `auth` that does not go to the base URL: the field of the URL that it goes to."""
    auth_presented: frozenset[str] = frozenset()
    """Which of `auth_urls` are shown the client certificate, whatever their host."""
    auth_written: frozenset[str] = frozenset()
    """Secret fields of `auth` that a run writes back to Vault."""
    auth_consented: frozenset[str] = frozenset()
    """Secret fields of `auth` that `runner connections login` obtains from a provider."""
    templates: tuple[Template, ...] = ()

    def said(self, where: str) -> str:
        """Name a key by dots as the file does; `where` is one of those in `secrets`, or `auth.FIELD`."""
        return self.named.get(where, where)

    def destinations(self, where: str) -> tuple[Template, ...]:
        """Give the URLs that a secret goes to; `where` is its key in `secrets`."""
        kind, _, name = where.partition(".")
        if kind == "proxy" and self.proxy is not None:
            return (self.proxy,)
        if where in ("tls.cert", "tls.key"):
            return (self.base_url, *(self.auth_urls[name] for name in sorted(self.auth_presented)))
        url = self.auth_sent_to.get(name) if kind == "auth" else None
        return (self.auth_urls[url] if url else self.base_url,)

    @property
    def urls(self) -> dict[str, Template]:
        """Every URL that requests go to, by where it stands: the base URL, and those of the auth type."""
        return {"base_url": self.base_url, **{f"auth.{name}": url for name, url in self.auth_urls.items()}}

    @property
    def named_type(self) -> str:
        """The type as the file names it: a preset or an auth type."""
        return self.preset or self.type

    @property
    def secrets(self) -> dict[str, SecretRef]:
        """Every secret reference of the connection, by where it stands (`auth.token`, `headers.X-Key`)."""
        found = {f"auth.{name}": ref for name, ref in self.auth_secrets.items()}
        found |= {f"headers.{name}": ref for name, ref in self.headers.items() if isinstance(ref, SecretRef)}
        found |= {f"query.{name}": ref for name, ref in self.query.items() if isinstance(ref, SecretRef)}
        for name in ("ca", "cert", "key"):
            ref = getattr(self.tls, name)
            if isinstance(ref, SecretRef):
                found[f"tls.{name}"] = ref
        for name in ("username", "password"):
            ref = getattr(self.proxy_login, name, None)
            if isinstance(ref, SecretRef):
                found[f"proxy.{name}"] = ref
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusive:
    """One run at a time by `key`; `on_conflict` is queue, skip or fail."""

    key: Template
    on_conflict: str = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input of a workflow: its JSON Schema without our own keys, and whether it is secret."""

    name: str
    schema: Mapping[str, Any]
    description: str | None
    required: bool
    default: Any
    secret: bool
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An entry of a workflow. `config` is that of its kind (`runner/actions/`).

    `needs` None: it waits for the action before it; `for_each` None: it is done once. `inputs` are those of the called
    workflow (`with`).
    """

    id: str
    section: str
    index: int
    kind: str
    config: Any
    name: str | None = None
    condition: Template | bool | None = None
    connection: str | None = None
    expect: Expect = field(default_factory=Expect)
    output: Tree = None
    has_output: bool = False
    sensitive: bool = False
    retry: Retry | None = None
    timeout: float | None = None
    on_error: str = "fail"
    idempotent: bool = False
    needs: tuple[str, ...] | None = None
    for_each: Tree = None
    concurrency: int = 1
    repeat: Repeat | None = None
    inputs: Mapping[str, Tree] = field(default_factory=dict)
    pointer: Pointer = ()

    @property
    def key(self) -> str:
        """The stable key of the action in a run."""
        return self.id if self.section == "actions" else f"{self.section}/{self.id}"

    @property
    def by_item(self) -> bool:
        """Whether the condition is one of each item, not of the action as a whole."""
        return (
            self.for_each is not None
            and isinstance(self.condition, Template)
            and any(reference.root in ("item", "index") for reference in self.condition.references)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenAction:
    """What is known of an action that has errors: its place in the order, so that others can be judged by it.

    `needs` are those written before it where its own cannot be read.
    """

    id: str
    section: str
    index: int
    needs: tuple[str, ...] | None
    pointer: Pointer


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A time at which a scheduler starts the workflow; `catch_up` is in seconds, `cron` None where it has errors."""

    cron: Cron | None
    timezone: str = "UTC"
    overlap: str = "skip"
    catch_up: float = 0.0
    environment: str | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    pointer: Pointer = ()


SECTIONS = ("actions", "on_failure", "finally")
"""The lists of actions of a workflow, in the order in which they run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A workflow file. `unread` names top-level keys and ids whose content has errors and is not known.

    `broken` are the actions that have errors and an id; they are in no other list.
    """

    name: str
    document: Document
    description: str | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    vars: Mapping[str, Tree] = field(default_factory=dict)
    secrets: Mapping[str, SecretRef] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()
    on_failure: tuple[Action, ...] = ()
    finally_: tuple[Action, ...] = ()
    outputs: Mapping[str, Tree] = field(default_factory=dict)
    timeout: float | None = None
    triggers: tuple[Trigger, ...] = ()
    default_retry: Retry | None = None
    default_timeout: float | None = None
    concurrency: Exclusive | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    templates: tuple[Template, ...] = ()
    unread: frozenset[str] = frozenset()
    broken: tuple[BrokenAction, ...] = ()

    @property
    def every_action(self) -> tuple[Action, ...]:
        """The actions of all three lists, in the order in which they can run."""
        return self.actions + self.on_failure + self.finally_

    @property
    def connections(self) -> tuple[str, ...]:
        """Names of the connections that its actions use, in order, each once."""
        return tuple(dict.fromkeys(action.connection for action in self.every_action if action.connection))
