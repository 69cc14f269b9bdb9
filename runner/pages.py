"""All pages of one request, one after the other: each is sent, retried, judged and limited as a request of its own.

Of a page nothing is kept but its items; what was read is remembered by a digest of 16 bytes, to see that a page comes twice.
"""

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from runner import exact_json, registry
from runner.attempts import Attempts
from runner.auth import with_query
from runner.errors import Failure, FailureError, FailureKind, JsonObject
from runner.filters import type_name
from runner.model import Action, Connection, Paginate
from runner.paginators import Page, Step, unusable
from runner.redirects import Origin, origin_of
from runner.request import Built, allowed, build
from runner.template import Template
from runner.template_text import holds

if TYPE_CHECKING:
    from runner.answer import Response
    from runner.perform import Performance

KEPT_ATTEMPTS = 100
"""Attempts of earlier pages that a record keeps: those of pages that took more than one."""


class Pages:
    """The pages of one action, and the output that they make."""

    def __init__(
        self, action: Action, connection: Connection | None, paging: Paginate, performance: "Performance"
    ) -> None:
        self.action = action
        self.connection = connection
        self.paging = paging
        self.performance = performance
        self.style = registry.load("paginators", str(paging.style))
        self.output: list[Any] = []
        self.items = 0
        self.number = 0
        self._built = build(action, connection, performance)
        self._current = self._built
        # What credentials are bound to, whatever the path of the action has made of its URL.
        base = performance.base_url(connection) if connection else self._built.url
        self._base = base.partition("?")[0]
        self._home = origin_of(base, str(self._built.shown["url"]))
        self._seen: set[bytes] = set()
        self._kept: list[JsonObject] = []

    async def run(self) -> list[Any]:
        """Read page after page; gives the items of all, or without `items` the output of each."""
        record = self.performance.record
        record["request"] = self.performance.session.redactor.data(self._built.shown)
        step: Step | None = self.style.first(self.paging.config)
        while step is not None:
            self.number += 1
            record["pages"] = self.number
            record["attempts"] = []
            try:
                self._remember("token", step.token)
                self._current = self._request(step)
                attempts = Attempts(
                    self.action, self.connection, self._current, self.performance, page=self.number
                )
                step = self._read(await attempts.run())
            except FailureError as problem:
                self._record_attempts(last=True)
                raise FailureError(self._named(problem.failure)) from None
            self._record_attempts(last=step is None)
            told = {"page": self.number, "items": self.items}
            self.performance.watcher.paged(self.performance.key, told)
        return self.output

    def _read(self, response: "Response") -> Step | None:
        """Take what a page holds; gives what leads to the next one."""
        paging, limits = self.paging, self.performance.limits
        found = self._items(response)
        output = self.performance.output_of(self.action, response)
        empty = not (response.body if found is None else found)
        if not empty:
            self._remember("page", response.text)
        if found is None:
            self.output.append(output)
        else:
            self.items += len(found)
            if self.items > limits.items:
                raise _over(f"more than {limits.items} items", "`limits.items`", paging.items)
            self.output += self._contribution(output) if self.action.has_output else found
        more = holds(self._rendered(paging.more, response)) if paging.more is not None else None
        if more is False:
            return None
        page = Page(
            number=self.number,
            headers=response.headers,
            render=lambda template: self._rendered(template, response),
            count=None if found is None else len(found),
            total=None if found is None else self.items,
            more=more,
            empty=empty,
        )
        step: Step | None = self.style.following(paging.config, page)
        if step is None and more:
            assert paging.more is not None
            message = "`more` says that there are more pages, and nothing says where"
            raise unusable(
                paging.more, message, "the list would be cut: check `more` and where the next page is"
            )
        most = paging.max_pages or limits.pages
        if step is not None and self.number >= most:
            key = "`paginate.max_pages`" if paging.max_pages else "`limits.pages` or `paginate.max_pages`"
            raise _over(f"more than {most} page{'s' if most > 1 else ''}", key, None)
        return step

    def _items(self, response: "Response") -> list[Any] | None:
        template = self.paging.items
        if template is None:
            return None
        found = self._rendered(template, response)
        if found is None:
            return []
        if not isinstance(found, list):
            raise unusable(
                template,
                f"`items` is {type_name(found)}, not a list",
                "it must give the list of the page's items",
            )
        return found

    def _contribution(self, output: Any) -> list[Any]:
        if isinstance(output, list):
            return output
        place = (*self.action.pointer, "output")
        raise FailureError(
            Failure(
                kind=FailureKind.RENDER,
                message=f"`output` is {type_name(output)}, not a list",
                help="with `paginate.items`, `output` gives what a page adds to the list: one list for each page",
                span=self.performance.workflow.document.span(place),
            )
        )

    def _rendered(self, template: Template, response: "Response") -> Any:
        """Render a template of `paginate`; one of the connection sees the names of the connection."""
        try:
            if template.owner is None:
                return self.performance.render_for(template, response=response.context())
            return self.performance.render(template, response=response.context()).wire
        except FailureError as problem:
            if "| default" in (problem.failure.help or "") or template is self.paging.items:
                raise
            remedy = "where the last page has none, write `| default(null)`"
            told = f"{problem.failure.help}; {remedy}" if problem.failure.help else remedy
            raise FailureError(replace(problem.failure, help=told)) from None

    def _request(self, step: Step) -> Built:
        """Make the request of a page from that of the action."""
        built = self._built
        if step.url is not None:
            return self._at(step.url)
        url, shown = built.url, dict(built.shown)
        if step.query:
            url = with_query(url, step.query.items())
            said = self._said(step.query)
            shown["url"] = _with_shown_query(str(shown["url"]), said)
        headers = built.headers
        if step.headers:
            headers = _replaced(headers, step.headers)
            shown["headers"] = dict(_replaced([*shown["headers"].items()], self._said(step.headers)))
        body = built.body
        if step.body is not None:
            path, value = step.body
            body = exact_json.dumps(
                _put(exact_json.loads(body if isinstance(body, bytes) and body else b"null"), path, value),
                compact=True,
            ).encode()
            shown["body"] = _put(shown.get("body"), path, "‹page›" if self._secretive else value)
        return replace(built, url=url, headers=headers, body=body, shown=shown)

    def _said(self, added: Mapping[str, str]) -> Mapping[str, str]:
        return dict.fromkeys(added, "‹page›") if self._secretive else added

    @property
    def _secretive(self) -> bool:
        """Whether a cursor stays out of the record: it is a part of an answer that is a secret."""
        return self.action.sensitive and self.number > 1

    def _at(self, url: str) -> Built:
        """Go where a page said that the next one is: within the same origin, and what the connection allows."""
        try:
            target = urljoin(self._current.url, url.strip())
            origin = origin_of(target, "")
            path = urlsplit(target).path or "/"
        except (FailureError, ValueError):
            raise _refused("is no http or https URL", "the API gives a URL that cannot be used") from None
        if origin != self._home:
            raise _refused(*_elsewhere(origin, self._home))
        if any(unquote(segment) in (".", "..") for segment in path.split("/")):
            raise _refused("has a path with '.' or '..' in it", "the API gives a URL that cannot be used")
        if not self._allowed(path):
            assert self.connection is not None
            message = f"is at a path that the connection '{self.connection.name}' does not allow"
            raise _refused(message, "the list is `allow` in its file", kind=FailureKind.NOT_ALLOWED)
        # The query is the server's, and may hold anything.
        shown = self._built.shown["url"] if self.action.sensitive else f"{origin}{path}"
        return replace(self._built, url=target, path=path, shown={**self._built.shown, "url": shown})

    def _allowed(self, path: str) -> bool:
        """Tell whether `allow` permits a path, which it sees relative to the base URL."""
        if self.connection is None or self.connection.allow is None:
            return True
        base = urlsplit(self._base).path.rstrip("/")
        return path.startswith(f"{base}/") and allowed(
            self.connection, self._built.method, path.removeprefix(base)
        )

    def _remember(self, what: str, text: str) -> None:
        """Refuse what came before: the server leads in a circle, or does not understand what it is asked."""
        if what == "token" and not text:
            return
        digest = blake2b(f"{what} {text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self._seen:
            if what == "token":
                message = "the server leads back to a page that was read before"
                remedy = "its answers would be read for ever: check where the next page is said to be, or tell those who run it"
            else:
                message = "the page is the same as one before"
                remedy = "the server ignores what asks for the next page: check `paginate`"
            raise FailureError(Failure(kind=FailureKind.PROTOCOL, message=message, help=remedy))
        self._seen.add(digest)

    def _named(self, failure: Failure) -> Failure:
        """Say which page failed, and record its request."""
        record = self.performance.record
        record["request"] = self.performance.session.redactor.data(self._current.shown)
        span = failure.span
        if span is None and self.action.config.paginate not in (None, True):
            place = (*self.action.pointer, self.action.kind, "paginate")
            span = self.performance.workflow.document.span(place, key=True)
        return replace(failure, message=f"page {self.number}: {failure.message}", span=span)

    def _record_attempts(self, *, last: bool) -> None:
        """Keep the attempts of pages that took several; those of the last one are there in any case."""
        own = self.performance.record["attempts"]
        for entry in own:
            entry["page"] = self.number
        if last:
            self.performance.record["attempts"] = [*self._kept, *own]
        elif len(own) > 1:
            self._kept = [*self._kept, *own][-KEPT_ATTEMPTS:]


def _over(what: str, key: str, template: Template | None) -> FailureError:
    return FailureError(
        Failure(
            kind=FailureKind.LIMIT,
            message=f"there are {what}",
            help=f"raise {key}, or ask for less",
            span=template.span if template is not None else None,
        )
    )


def _refused(what: str, remedy: str, *, kind: FailureKind = FailureKind.REDIRECT) -> FailureError:
    return FailureError(Failure(kind=kind, message=f"the next page {what}", help=remedy))


def _elsewhere(origin: Origin, home: Origin) -> tuple[str, str]:
    if origin.host == home.host:
        return (
            f"is at {origin}, the request went to {home}",
            "credentials are for one scheme, host and port: a proxy before the API may give it a wrong idea of its own address",
        )
    return (
        f"is on another host, {origin}",
        f"credentials stay with {home.place}; give that host a connection of its own",
    )


def _replaced(pairs: list[tuple[str, str]], added: Mapping[str, str]) -> list[tuple[str, str]]:
    names = {name.lower() for name in added}
    return [*(pair for pair in pairs if pair[0].lower() not in names), *added.items()]


def _with_shown_query(url: str, added: Mapping[str, str]) -> str:
    """Put parameters into a URL for a record, where placeholders stay as they are."""
    kept = url.partition("?")[2]
    pairs = [pair for pair in kept.split("&") if pair and unquote(pair.partition("=")[0]) not in added]
    pairs += [
        with_query("", [(name, value)])[1:] if "‹" not in value else f"{name}={value}"
        for name, value in added.items()
    ]
    return url.partition("?")[0] + "?" + "&".join(pairs)


def _put(value: Any, path: tuple[str, ...], item: Any) -> Any:
    """Copy a value with another one at a path of names; mappings that are missing on the way are made."""
    if not path:
        return item
    if not isinstance(value, dict) and value is not None:
        raise FailureError(
            Failure(
                kind=FailureKind.RENDER,
                message=f"the cursor has no place in the body: what should hold '{path[0]}' is {type_name(value)}",
                help="`param` with `in: body` names a place in a JSON body that is a mapping",
            )
        )
    inner = value or {}
    return {**inner, path[0]: _put(inner.get(path[0]), path[1:], item)}
