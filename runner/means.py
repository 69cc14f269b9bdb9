"""What a run lends to the auth type of one connection: its way to send, the clock, the redactor, Vault."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runner.auth import FieldError, Message, Reply
from runner.client import Answer, Exchange, ExchangeError
from runner.errors import Failure, FailureError, FailureKind, JsonObject, SecretsError
from runner.model import Connection, Retry
from runner.perform import Headers
from runner.policy import Policy
from runner.progress import SLOW
from runner.redirects import Origin, home_of, origin_of
from runner.request import check_url
from runner.secrets import StoredPath
from runner.source import Span
from runner.template import Template, Tree, render

if TYPE_CHECKING:
    from runner.session import Session

LONGEST_EXCHANGE = 15.0
"""Seconds that a message of an auth type may take where its connection has no `timeout`, all attempts together."""
LARGEST_ANSWER = 1 << 20
_WITHHELD = (
    "it may ask for a client certificate, and that of `tls.cert` is for the host of base_url: "
    "`client_auth: tls_client_auth` or `certificate_bound: true` presents it here as well"
)
AGAIN = frozenset({429, 503})
"""Statuses that say that the server did not act (SPEC 5)."""


class ConnectionMeans:
    """The means of one connection in one run."""

    def __init__(self, session: "Session", connection: Connection) -> None:
        self._session = session
        self._connection = connection

    @property
    def connection(self) -> str:
        """The connection's name."""
        return self._connection.name

    @property
    def timeout(self) -> float:
        """Seconds that one message may take."""
        return self._connection.timeout or LONGEST_EXCHANGE

    def register(self, value: str, label: str) -> None:
        """Tell the redactor of a value made from secrets or obtained with them, before anything is done with it."""
        self._session.redactor.add(value, label)

    def register_passing(self, value: str) -> None:
        """Tell the redactor of a value that belongs to one request, its signature say: only the last are kept."""
        self._session.redactor.add_passing(value)

    def warn(self, text: str) -> None:
        """Tell people; known secrets are taken out."""
        self._session.warn(self._session.redactor.text(text))

    def now(self) -> float:
        """Give the time, in seconds since 1970."""
        return self._session.now()

    def jitter(self) -> float:
        """Give a number between 0 and 1 by chance."""
        return self._session.jitter()

    def base_url(self) -> str:
        """Give the rendered base URL, without a slash at its end."""
        url = self.text(self._connection.base_url).strip().rstrip("/")
        check_url(url, self._connection.base_url.span, allow_http=self._connection.allow_http)
        return url

    def text(self, template: Template, **more: Any) -> str:
        """Render a template of `auth` or of another URL of the connection; `more` adds names."""
        return str(self.value(template, **more))

    def value(self, tree: Tree, **more: Any) -> Any:
        """Render all templates of a value; the `headers` of an added name are found in any case."""
        project = self._session.project
        for name, given in more.items():
            if "headers" in given:
                more[name] = {**given, "headers": Headers(given["headers"])}
        context = {"environment": project.environment, "vars": dict(project.vars), **more}
        return render(tree, context)

    async def send(self, message: Message) -> Reply:
        """Send a message under the connection's TLS, proxy, timeout and policy; redirects are not followed.

        What belongs to the base URL's own origin (client certificate, socket, plain http with `allow_http`) holds there only, the
        certificate also where the message says so. What surely did not reach the server, 429 and 503 are tried again as the
        connection's `retry` says. Raises FailureError.
        """
        from runner.waits import retry_after, server_time

        home = "://".join(urlsplit(self.base_url())[:2])
        allow_http = self._connection.allow_http and not message.encrypted
        check_url(message.url, self._place(), allow_http=allow_http)
        if _origin(message) != home_of(home):
            check_url(message.url, self._place(), allow_http=False)
        retry = self._connection.retry or Retry()
        most = self._session.project.policy.max_attempts
        attempts = retry.attempts if most is None else min(most, retry.attempts)
        deadline = self.now() + self.timeout
        number = 0
        while True:
            number += 1
            answer: Answer | None = None
            failure: Failure | None = None
            asked: float | None = None
            try:
                answer = await self._exchange(message, home, max(0.1, deadline - self.now()))
                again = answer.status in AGAIN
                said = dict(_lower(answer))
                asked = retry_after(said.get("retry-after"), server_time(said.get("date"), self.now()))
            except ExchangeError as problem:
                failure = problem.failure
                again = failure.retryable and (message.harmless or not problem.sent)
            wait = min(retry.backoff.limit, retry.backoff.first * retry.backoff.factor ** min(number - 1, 64))
            wait = asked if asked and asked > 0 else wait * self.jitter()
            late = self.now() + wait >= deadline
            if not again or number >= attempts or late:
                if failure is not None:
                    raise FailureError(failure)
                assert answer is not None
                return Reply(answer.status, dict(_lower(answer)), answer.body, _cookies(answer))
            await asyncio.sleep(wait)

    async def _exchange(self, message: Message, home: str, seconds: float) -> Answer:
        session, connection = self._session, self._connection
        parts = urlsplit(message.url)
        channel = session.channel(connection, home, session.proxy(connection, self.text))
        elsewhere = _origin(message) != home_of(home)
        if elsewhere and message.certificate:
            channel = replace(channel, origin=str(_origin(message)), socket=None)
        exchange = Exchange(
            method=message.method,
            url=message.url,
            headers=message.headers,
            body=message.body,
            redirects="never",
            timeout=seconds,
            body_limit=LARGEST_ANSWER,
            shown_url=f"{parts.scheme}://{parts.netloc}{parts.path}",
            permit=permission(session.project.policy),
        )
        try:
            return await session.client.send(exchange, channel)
        except ExchangeError as problem:
            withheld = elsewhere and channel.identity is not None and not message.certificate
            remedy = _remedy(problem.failure, withheld=withheld)
            raise ExchangeError(replace(problem.failure, help=remedy), sent=problem.sent) from None

    def store(self, field: str) -> "FieldStore":
        """Give the path of Vault that a secret field refers to; raises FieldError where its source only reads."""
        store = self._session.store(self._connection.auth_secrets[field])
        if store is None:
            raise FieldError(
                field,
                "comes from the environment, and must be written back where the provider replaces it",
                help="use a vault:// reference",
            )
        return FieldStore(store, self._connection.auth_secrets[field].span)

    def _place(self) -> Span:
        return self._connection.locate(("auth",))


class FieldStore:
    """The path of a secret field, whose problems are failures of the action that needs it."""

    def __init__(self, store: StoredPath, span: Span) -> None:
        self.label = store.label
        self._store = store
        self._span = span

    async def read(self) -> tuple[JsonObject, int]:
        """Read the newest fields and their version."""
        with self._placed():
            return await self._store.read()

    async def write(self, fields: Mapping[str, Any], version: int) -> int | None:
        """Replace what `version` holds; gives the new version, None where somebody else was first."""
        with self._placed():
            return await self._store.write(fields, version)

    @contextmanager
    def _placed(self) -> Iterator[None]:
        try:
            yield
        except SecretsError as error:
            kind = FailureKind.SECRET_UNAVAILABLE
            failure = Failure(kind=kind, message=error.message, help=error.help, span=self._span)
            raise FailureError(failure) from None


def _remedy(failure: Failure, *, withheld: bool) -> str | None:
    """Give the help of a failure, in words for an exchange that is no action's."""
    given = failure.help
    if given and withheld and ("client certificate" in given or "`tls.cert`" in given):
        return _WITHHELD
    return SLOW.format("connection") if given == SLOW.format("action") else given


def _origin(message: Message) -> Origin:
    return origin_of(message.url, message.url.partition("?")[0])


def permission(policy: Policy) -> Callable[[Origin], None]:
    """Give what is asked before each hop of an exchange; it raises FailureError where the policy does not permit it."""

    def permit(origin: Origin) -> None:
        if policy.require_https and origin.scheme != "https":
            raise against(f"plain http to {origin.place}", "require_https")
        if not policy.permits_host(origin.place):
            raise against(f"a request to {origin.place}", "hosts")

    return permit


def against(what: str, clause: str) -> FailureError:
    """Make the failure of what the policy forbids."""
    return FailureError(
        Failure(
            kind=FailureKind.NOT_ALLOWED,
            message=f"the policy of the project does not permit {what}",
            help=f"`policy.{clause}` in runner.yaml says so",
        )
    )


def _lower(answer: Answer) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in answer.headers]


def _cookies(answer: Answer) -> dict[str, str]:
    """Read what Set-Cookie sets (RFC 6265, 5.2): the last of a name stands."""
    pairs = (
        value.partition(";")[0].partition("=")
        for name, value in answer.headers
        if name.lower() == "set-cookie"
    )
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}
