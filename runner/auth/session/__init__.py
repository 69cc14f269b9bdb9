"""A session: log in by a declared request, take the token from the answer, log in again when it is refused.

Metabase, Argo CD, Mattermost, Splunk, Tableau and many in-house APIs work so. Logins are slow and counted by servers: one
serves all requests of a run.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from runner import exact_json
from runner.auth import Bound, Means, Message, Outgoing, Refused, Reply, Shown, bare_scheme, revealed
from runner.auth.session.fields import EXAMPLE as EXAMPLE
from runner.auth.session.fields import SCHEMA as SCHEMA
from runner.bind import URL_ROOTS, Binder
from runner.duration import seconds, written
from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass
from runner.secret_ref import SecretRef
from runner.sensitive import Secret
from runner.template import Mode, Template, Tree

LONGEST_LOGOUT = 5.0
"""Seconds that the end of a run waits for the end of a session."""

SUMMARY = "log in by a request, send the token that it gives"
_BODIES = ("json", "form")
SECRET_FIELDS = frozenset({"password"})
MULTILINE_FIELDS = frozenset({"password"})
"""It stands in a body, which carries everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request of the session itself. `kind` says what the body is: json, form, or none (None)."""

    method: str
    path: Template
    query: Mapping[str, Tree]
    headers: Mapping[str, Template]
    kind: str | None
    body: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The fields of `auth`; `place` is what is written as `in`, `lifetime` in seconds."""

    username: SecretRef | str | None = None
    password: SecretRef
    login: Request
    token: Template
    place: str = "header"
    name: str = "Authorization"
    prefix: str | None = None
    lifetime: float | None = None
    logout: Request | None = None

    @property
    def before(self) -> str:
        """The text before the token."""
        if self.prefix is None:
            return "Bearer " if self.name.lower() == "authorization" else ""
        return bare_scheme(self.prefix) if self.place == "header" else self.prefix


def bind(value: Mapping[str, Any], binder: Binder) -> Bound:
    """Bind the fields, and the requests as templates."""
    own = ("login", "logout", "token", "in", "lifetime")
    plain = {name: item for name, item in value.items() if name not in own}
    fields, secrets = binder.fields(plain, ("auth",), SECRET_FIELDS)
    fields["login"] = _bound(value["login"], "login", binder)
    if "logout" in value:
        fields["logout"] = _bound(value["logout"], "logout", binder)
    fields["token"] = binder.template(value["token"], ("auth", "token"), URL_ROOTS | {"response"})
    if "in" in value:
        fields["place"] = value["in"]
    if "lifetime" in value:
        fields["lifetime"] = seconds(value["lifetime"])
    return Bound(config=None if binder.diagnostics else Config(**fields), secrets=secrets)


def _bound(value: Mapping[str, Any], key: str, binder: Binder) -> Request:
    pointer = ("auth", key)
    roots = URL_ROOTS | {"auth"}
    kind = next((name for name in _BODIES if name in value), None)
    return Request(
        method=value.get("method", "POST"),
        path=binder.template(value["path"], (*pointer, "path"), URL_ROOTS, mode=Mode.PATH),
        query={
            name: binder.tree(item, (*pointer, "query", name), URL_ROOTS)
            for name, item in value.get("query", {}).items()
        },
        headers={
            name: binder.template(item, (*pointer, "headers", name), roots, mode=Mode.TEXT)
            for name, item in value.get("headers", {}).items()
        },
        kind=kind,
        body=binder.tree(value[kind], (*pointer, kind), roots) if kind else None,
    )


def shown(config: Config, labels: Mapping[str, str]) -> Shown:
    """Show where the token goes, and which request gives it."""
    login = f"{config.login.method} {config.login.path.text}"
    token = f"{config.before}‹token from {login}, with {labels['password']}›"
    if config.place == "query":
        return Shown(query={config.name: token})
    return Shown({"Cookie": f"{config.name}={token}"} if config.place == "cookie" else {config.name: token})


class Authenticator:
    """Sends the token of one session, and begins the next where that is refused or at its end."""

    def __init__(self, config: Config, fields: Mapping[str, Secret | str], means: Means) -> None:
        import asyncio

        self._config = config
        self._means = means
        self._names = {name: revealed(fields[name]) for name in ("username", "password") if name in fields}
        self._token: str | None = None
        self._ends = float("inf")
        self._lock = asyncio.Lock()  # one login at a time, whoever needs it

    async def prepare(self) -> None:
        """Have a session."""
        if self._over:
            async with self._lock:
                if self._over:
                    await self._log_in()

    async def apply(self, request: Outgoing) -> None:
        """Add the token."""
        config, token = self._config, self._written
        if config.place == "query":
            request.query.append((config.name, token))
        elif config.place == "cookie":
            request.headers.append(("Cookie", f"{config.name}={token}"))
        else:
            request.headers.append((config.name, token))

    async def refresh(self, refused: Refused) -> bool:
        """Log in again, where the refused token is still the newest: of many refused requests one does."""
        async with self._lock:
            sent = [*refused.request.headers, *refused.request.query] if refused.request else []
            if any(value.endswith(self._written) for _, value in sent):
                await self._log_in()
        return True

    async def close(self) -> None:
        """Log out, where that is declared; a session that stays open is worth a warning, not a failed run."""
        logout = self._config.logout
        if logout is None or self._token is None:
            return
        import asyncio

        outgoing = Outgoing(logout.method, "", [])
        await self.apply(outgoing)
        self._token = None
        try:
            async with asyncio.timeout(LONGEST_LOGOUT):
                answer = await self._send(logout, outgoing, harmless=True)
        except FailureError as problem:
            self._warn(problem.failure.message)
        except TimeoutError:
            self._warn(f"no answer within {written(LONGEST_LOGOUT)}")
        else:
            if answer.status >= 400 and answer.status not in (401, 404):
                self._warn(f"status {answer.status}")

    @property
    def _over(self) -> bool:
        return self._token is None or self._means.now() >= self._ends

    @property
    def _written(self) -> str:
        """The token as it is sent."""
        token = self._config.before + (self._token or "")
        return quote(token, safe="!#$%&()*+-./:<=>?@[]^_`{|}~") if self._config.place == "cookie" else token

    async def _log_in(self) -> None:
        config, now = self._config, self._means.now()
        answer = await self._send(config.login, None, harmless=config.login.method == "GET")
        if answer.status >= 400:
            raise self._refused(answer.status)
        token = self._means.value(config.token, response=_response(answer))
        if not isinstance(token, str | int) or isinstance(token, bool) or token == "":
            raise self._failed(
                "was answered without the token that `auth.token` names",
                "compare `auth.token` with what the API's documentation says of its login",
            )
        self._means.register(str(token), "the token of a session")
        if any(char in str(token) for char in "\r\n\0"):
            raise self._failed("gave a token with a line break", "add `| trim` to `auth.token`")
        self._token = str(token)
        self._means.register(self._written, "the token of a session")
        if config.lifetime is not None:
            self._ends = now + max(config.lifetime * 0.9, config.lifetime - 60)

    async def _send(self, request: Request, added: Outgoing | None, *, harmless: bool) -> Reply:
        headers = {name: self._means.text(item, auth=self._names) for name, item in request.headers.items()}
        pairs = [*headers.items(), *(added.headers if added else [])]
        body: bytes | None = None
        if request.kind is not None:
            content = self._means.value(request.body, auth=self._names)
            kind = "application/json" if request.kind == "json" else "application/x-www-form-urlencoded"
            body = _body(request.kind, content)
            if not any(name.lower() == "content-type" for name, _ in pairs):
                pairs.append(("Content-Type", kind))
        query = [
            *(pair for name, item in request.query.items() for pair in _pairs(name, self._means.value(item))),
            *(added.query if added else []),
        ]
        path = self._means.text(request.path)
        mark = "&" if "?" in path else "?"
        url = self._means.base_url() + path + (mark + urlencode(query, quote_via=quote) if query else "")
        return await self._means.send(
            Message(method=request.method, url=url, headers=tuple(pairs), body=body, harmless=harmless)
        )

    def _refused(self, status: int) -> FailureError:
        message = f"was answered with status {status}"
        if status in (400, 401, 403, 422):
            remedy = "check auth.username and auth.password: try them at the API's own login"
            return self._failed(message, remedy, FailureKind.UNAUTHORIZED)
        if status == 429:
            return self._failed(
                message, "the API counts logins: run it later, or less often", FailureKind.RATE_LIMITED
            )
        if status >= 500:
            return self._failed(message, "the API has trouble of its own: run it later", retryable=True)
        return self._failed(message, "check `auth.login`: its path, its method, its body")

    def _failed(
        self,
        message: str,
        remedy: str,
        kind: FailureKind = FailureKind.UNEXPECTED_STATUS,
        *,
        retryable: bool = False,
    ) -> FailureError:
        login = self._config.login
        whole = f"the login of the connection '{self._means.connection}' ({login.method} {login.path.text}) {message}"
        return FailureError(
            Failure(kind=kind, message=whole, help=remedy, span=login.path.span, retryable=retryable)
        )

    def _warn(self, why: str) -> None:
        self._means.warn(f"the session of the connection '{self._means.connection}' was not ended: {why}")


def _response(answer: Reply) -> dict[str, Any]:
    """Give what `auth.token` sees of an answer."""
    text = answer.body.decode("utf-8", "replace")
    body: Any = text
    if text.lstrip()[:1] in ("{", "[", '"'):
        try:
            body = exact_json.bounded(text)
        except ValueError:
            body = text
    return {
        "status": answer.status,
        "headers": answer.headers,
        "body": body,
        "cookies": answer.cookies,
    }


def _body(kind: str, content: Any) -> bytes:
    if kind == "json":
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return urlencode([pair for name, item in content.items() for pair in _pairs(name, item)]).encode()


def _pairs(name: str, value: Any) -> list[tuple[str, str]]:
    """Write a parameter: a list repeats it, null leaves it out."""
    items = value if isinstance(value, list) else [value]
    return [(name, item if isinstance(item, str) else json.dumps(item)) for item in items if item is not None]
