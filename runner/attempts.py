"""Sending one request until it succeeds or must not be repeated: the rules of retry (SPEC 5)."""

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner import answer as answers
from runner import waits
from runner.answer import Response
from runner.auth import Authenticator, Outgoing, Refused
from runner.client import Exchange, ExchangeError
from runner.duration import written
from runner.errors import Failure, FailureError, FailureKind, JsonObject
from runner.means import against, permission
from runner.model import IDEMPOTENT_METHODS, Action, Connection, RateLimit, Retry
from runner.redirects import Origin, Redirects

if TYPE_CHECKING:
    from runner.perform import Performance
    from runner.request import Built


RETRIED_STATUSES = frozenset({429, 502, 503, 504})
HARMLESS_STATUSES = frozenset({429, 503})
"""What says that the server did not act: a POST may be sent again after these (SPEC 5)."""


class Remembered:
    """Applies an authenticator and remembers the last request: a 401 is about that one."""

    def __init__(self, made: Authenticator) -> None:
        self.made = made
        self.request: Outgoing | None = None
        self.bare = False
        """Whether nothing was added to it."""

    async def apply(self, request: Outgoing) -> None:
        """Apply it, and remember."""
        before = len(request.headers), len(request.query)
        await self.made.apply(request)
        self.request = request
        self.bare = before == (len(request.headers), len(request.query))


class Attempts:
    """One request of one action, over all its attempts. `page` is its number, from 1."""

    def __init__(
        self,
        action: Action,
        connection: Connection | None,
        built: "Built",
        performance: "Performance",
        *,
        page: int = 1,
    ) -> None:
        self.action = action
        self.connection = connection
        self.built = built
        self.performance = performance
        self.page = page
        workflow = performance.workflow
        inherited = workflow.default_retry or (connection.retry if connection else None)
        self.retry: Retry = action.retry or inherited or Retry()
        most = performance.session.project.policy.max_attempts
        self.most = self.retry.attempts if most is None else min(most, self.retry.attempts)
        self.timeout: float = (
            action.timeout or workflow.default_timeout or (connection.timeout if connection else None) or 30.0
        )
        self.repeatable = built.method in IDEMPOTENT_METHODS or action.idempotent or built.keyed
        self.rate: RateLimit | None = connection.rate_limit if connection else None
        self._queued = 0.0
        self.log: list[JsonObject] = []
        self._applied: Remembered | None = None
        performance.record["attempts"] = self.log

    async def run(self) -> Response:
        """Give the response that satisfies every expectation; raises FailureError with the last attempt's failure."""
        session = self.performance.session
        started = session.clock()
        # A server that challenges (Digest) says 401 to what has no credentials yet: that is no verdict on them. Twice,
        # because credentials that were read again begin anew.
        renewals = {"challenged": 2, "refused": 1}
        number = 0
        while True:
            number += 1
            failure, response, sent = await self._attempt(number)
            if failure is None:
                assert response is not None
                return response
            bare = self._applied is not None and self._applied.bare
            renewal = "challenged" if bare else "refused"
            if (
                response is not None
                and response.status == 401
                and renewals[renewal]
                and self.connection is not None
            ):
                renewals[renewal] -= 1
                if await self._renewed(self.connection, response):
                    number -= 1
                    continue
            if number >= self.most or not self._may_repeat(failure, response, sent=sent):
                if number < self.most and not self.repeatable:
                    failure = self._unrepeated(failure, response, sent=sent)
                raise FailureError(self._counted(failure, number))
            wait = self._wait(number, response)
            # Time in the queue of a rate limit is no sign that the server is in trouble.
            if session.clock() - started - self._queued + wait > self.performance.limits.retrying:
                raise FailureError(self._out_of_time(failure, number))
            self.log[-1]["wait"] = round(wait, 3)
            self.performance.watcher.retrying(
                self.performance.key,
                {
                    "attempt": number,
                    "wait": wait,
                    "why": session.redactor.text(failure.message),
                    **({"page": self.page} if self.page > 1 else {}),
                },
            )
            await session.sleep(wait)

    async def _attempt(self, number: int) -> tuple[Failure | None, Response | None, bool]:
        """Send once, when it is its turn."""
        asked = self.performance.session.clock()
        async with self._turn():
            self._queued += self.performance.session.clock() - asked
            return await self._sent(number)

    def _turn(self) -> AbstractAsyncContextManager[None]:
        """Give the place in the queue of the connection; a request without one has none."""
        if self.connection is None:
            return nullcontext()
        name = self.connection.name

        def waiting(seconds: float | None) -> None:
            self.performance.watcher.queued(self.performance.key, {"wait": seconds, "connection": name})

        return self.performance.session.throttle(self.connection).turn(waiting)

    async def _sent(self, number: int) -> tuple[Failure | None, Response | None, bool]:
        """Send once; gives the failure or None, the response if there was one, and whether a byte was sent."""
        entry: JsonObject = {"number": number}
        self.log.append(entry)
        clean = self.performance.session.redactor
        before = self.performance.now()
        try:
            response = await self._send()
        except ExchangeError as problem:
            entry["duration"] = round(max(0.0, self.performance.now() - before), 6)
            entry["error"] = clean.data(problem.failure.to_json())
            entry["sent"] = problem.sent
            return problem.failure, None, problem.sent
        response.pages = self.page
        entry["duration"] = round(response.elapsed, 6)
        entry["status"] = response.status
        failure: Failure | None = None
        try:
            answers.judge(self.action, self.connection, response, self.performance)
        except FailureError as problem:
            failure = problem.failure
            if response.status != waits.TOO_MANY and self._limited(response):
                failure = replace(failure, help="too many requests in too short a time, as the API says it")
            entry["error"] = clean.data(failure.to_json())
        record = self.performance.record
        record["response"] = answers.recorded(response, self.performance, failed=failure is not None)
        record["answer"] = clean.data(response.for_actions())
        return failure, response, True

    async def _send(self) -> Response:
        session = self.performance.session
        built = self.built
        proxy = None
        authenticator = None
        headers: tuple[tuple[str, str], ...] = ()
        query: tuple[tuple[str, str], ...] = ()
        if self.connection is not None:
            authenticator = await self._credentials(self.connection)
            headers, query = session.secret_parts(self.connection)
            overridden = {name.lower() for name, _ in (*built.headers, *built.secret_headers)}
            headers = tuple((name, value) for name, value in headers if name.lower() not in overridden)
            proxy = session.proxy(self.connection, self.performance.render_for)
        headers += tuple(built.secret_headers)
        expected = self.action.expect.status or ()
        exchange = Exchange(
            method=built.method,
            url=built.url,
            headers=tuple(built.headers),
            body=built.body,
            redirects=self._redirects(),
            timeout=self.timeout,
            save=built.download,
            body_limit=self.performance.limits.body,
            shown_url=str(built.shown["url"]),
            accept_redirect=frozenset(
                int(code) for code in expected if code.isdigit() and code.startswith("3")
            ),
            permit=self._permit,
            holds_secret=session.redactor.found_in,
        )
        home = _origin(self.performance.base_url(self.connection) if self.connection else built.url)
        channel = session.channel(self.connection, home, proxy, self.performance.limits)
        answer = await session.client.send(exchange, channel, authenticator, extra=headers, extra_query=query)
        response = answers.read(answer)
        if answer.saved and built.download is not None:
            response.body = built.download.described(response.headers.get("content-type"))
        return response

    async def _credentials(self, connection: Connection) -> Remembered:
        """Give what adds the credentials, ready to do so; without them nothing is sent, and it may be tried again."""
        try:
            made = await self.performance.session.prepared(connection)
        except FailureError as problem:
            raise ExchangeError(problem.failure, sent=False) from None
        self._applied = Remembered(made)
        return self._applied

    async def _renewed(self, connection: Connection, response: Response) -> bool:
        """After a 401: get other credentials, where there are any."""
        assert self._applied is not None
        headers = {name.lower(): value for name, value in response.headers.items()}
        refused = Refused(self._applied.request, headers)
        return await self.performance.session.refresh(connection, refused, self._applied.made)

    def _permit(self, origin: Origin) -> None:
        """Enforce the policy on every hop, before a byte is sent."""
        policy = self.performance.session.project.policy
        permission(policy)(origin)
        if self.built.method in policy.deny_methods:
            raise against(f"the method {self.built.method}", "deny_methods")

    def _redirects(self) -> Redirects:
        """Give the action's choice; a body that holds a secret stays with the host that it is for."""
        chosen: Redirects = self.action.config.redirects
        return "same_host" if self.built.secret_body and chosen == "follow" else chosen

    def _may_repeat(
        self, failure: Failure, response: Response | None, *, sent: bool, harmless: bool = False
    ) -> bool:
        """Apply SPEC 5: by method, by what failed, by whether the server can have acted.

        `harmless` asks what would be if the request might be repeated whatever became of it.
        """
        repeatable = self.repeatable or harmless
        on = self.retry.on
        if response is not None:
            if failure.kind is not FailureKind.UNEXPECTED_STATUS:
                return False
            statuses = {response.status, waits.TOO_MANY} if self._limited(response) else {response.status}
            if not statuses & (RETRIED_STATUSES if on is None else on):
                return False
            return repeatable or bool(statuses & HARMLESS_STATUSES)
        if not failure.retryable:
            return False
        if on is not None and failure.kind.value not in on:
            return False
        return repeatable or not sent

    def _unrepeated(self, failure: Failure, response: Response | None, *, sent: bool) -> Failure:
        """Say why a write was not tried again, where a read would have been."""
        if not self._may_repeat(failure, response, sent=sent, harmless=True):
            return failure
        why = f"it was not tried again, because the server may have acted on the {self.built.method}"
        remedy = f"{why}; `idempotent: true` says of an action that repeating it is harmless"
        return replace(failure, help=f"{failure.help}; {remedy}" if failure.help else remedy)

    def _wait(self, number: int, response: Response | None) -> float:
        backoff = self.retry.backoff
        try:
            grown = backoff.first * float(backoff.factor) ** (number - 1)
        except OverflowError:
            grown = backoff.limit
        wait = min(backoff.limit, grown) * self.performance.session.jitter()
        asked = waits.asked(response, self.rate, self.performance.now()) if response is not None else None
        if asked is None:
            return wait
        longest = self.performance.limits.retry_after
        if asked > longest:
            raise FailureError(
                Failure(
                    kind=FailureKind.RATE_LIMITED,
                    message=f"the server asks to wait {written(asked)}, longer than the {written(longest)} that are obeyed",
                    help="run it later, send less, or raise `limits.retry_after`",
                    span=self.performance.workflow.document.span((*self.action.pointer, self.action.kind)),
                )
            )
        return asked if asked > 0 else wait

    def _limited(self, response: Response) -> bool:
        return waits.limited(response, self.rate)

    def _out_of_time(self, failure: Failure, number: int) -> Failure:
        used = f"the time for retries, {written(self.performance.limits.retrying)}, is used up"
        remedy = f"{failure.help}; `limits.retrying` raises that time" if failure.help else None
        return replace(self._counted(failure, number, why=used), help=remedy)

    def _counted(self, failure: Failure, number: int, why: str | None = None) -> Failure:
        """Say after how many attempts, where there was more than one."""
        if number == 1 and why is None:
            return failure
        more = f" (after {number} attempt{'s' if number > 1 else ''}{f'; {why}' if why else ''})"
        return replace(failure, message=failure.message + more)


@lru_cache(maxsize=64)  # of connections it is always the same
def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
