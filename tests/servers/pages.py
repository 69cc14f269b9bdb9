"""A server with lists in pages, in every style, that misbehaves where a path says so.

    with paged(25, size=10) as server:
        server.url + "/cursor"         # {"items": [...], "next": "10"}, and so on

`HANDLERS` is the list of what there is. Items are `{"id": 0}`, `{"id": 1}`, ...
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.servers.http import Answer, Connection, Request, Response, Server, Takeover, reply


class Lists:
    """A list of so many items, given in pages of a size."""

    def __init__(self, count: int, size: int) -> None:
        self.count = count
        self.size = size
        self.attempts: dict[str, int] = {}

    def part(self, start: int) -> tuple[list[Any], str | None]:
        """Give the items from a place, and where the next ones begin."""
        end = min(start + self.size, self.count)
        return [{"id": number} for number in range(start, end)], str(end) if end < self.count else None

    def first_time(self, name: str) -> bool:
        self.attempts[name] = self.attempts.get(name, 0) + 1
        return self.attempts[name] == 1


Handler = Callable[[Lists, Request], Answer]


def cursor(lists: Lists, request: Request) -> Answer:
    """`?after=`; null at the end."""
    items, following = lists.part(int(request.parameter("after") or 0))
    return reply({"items": items, "next": following, "more": following is not None})


def header(lists: Lists, request: Request) -> Answer:
    """The token goes and comes in a header; an empty one at the end."""
    items, following = lists.part(int(request.header("X-Continue") or 0))
    return reply({"items": items}, headers={"X-Next": following or ""})


def body(lists: Lists, request: Request) -> Answer:
    """The token stands in the JSON body."""
    given = request.json().get("variables", {}).get("after")
    items, following = lists.part(int(given or 0))
    return reply({"items": items, "next": following or False, "saw": request.json()})


def page(lists: Lists, request: Request) -> Answer:
    """`?page=`, from 1."""
    items, following = lists.part((int(request.parameter("page") or 1) - 1) * lists.size)
    return reply({"items": items, "last": following is None})


def offset(lists: Lists, request: Request) -> Answer:
    """`?offset=`; whatever `limit` says, a page holds no more than the server likes."""
    items, _ = lists.part(int(request.parameter("offset") or 0))
    return reply({"items": items, "total": lists.count})


def next_url(lists: Lists, request: Request) -> Answer:
    """`/next_url/relative`, `/next_url/absolute`, `/next_url/query`."""
    items, following = lists.part(int(request.parameter("from") or 0))
    form = {
        "relative": f"/next_url/relative?from={following}",
        "absolute": f"http://{request.header('Host')}/next_url/absolute?from={following}",
        "query": f"?from={following}",
    }[request.arguments[0]]
    return reply({"items": items, "next": form if following else None})


def link(lists: Lists, request: Request) -> Answer:
    """The header Link, with relations that lead elsewhere, and a comma in a URL and in quotes."""
    items, following = lists.part(int(request.parameter("from") or 0))
    links = ['</link?from=0,1>; rel="first"', '</x>; title="a, <b>; rel=next"; rel=up']
    if following:
        links.append(f'</link?from={following}>; title=x; rel="prefetch next"')
    return reply(items, headers={"Link": ", ".join(links)})


def same_cursor(lists: Lists, request: Request) -> Answer:
    """Other items, and the same token for ever."""
    number = lists.attempts["n"] = lists.attempts.get("n", 0) + 1
    return reply({"items": [{"id": number}], "next": "again"})


def same_page(lists: Lists, request: Request) -> Answer:
    """Take no notice of what is asked for: the first page, for ever."""
    return reply({"items": [{"id": 1}]})


def loop(lists: Lists, request: Request) -> Answer:
    """Lead round three pages."""
    at = int(request.parameter("from") or 0)
    number = lists.attempts["n"] = lists.attempts.get("n", 0) + 1
    return reply({"items": [{"id": number}], "next": f"?from={(at + 1) % 3}"})


def endless(lists: Lists, request: Request) -> Answer:
    """Always one page more."""
    at = int(request.parameter("after") or 0)
    return reply({"items": [{"id": at}], "next": str(at + 1)})


def elsewhere(lists: Lists, request: Request) -> Answer:
    """`/elsewhere?to=URL`: the next page is there."""
    return reply({"items": [{"id": 0}], "next": request.parameter("to")})


def tired(lists: Lists, request: Request) -> Answer:
    """As `cursor`, but each page but the first is refused once with a 429."""
    after = request.parameter("after")
    if after and lists.first_time(after):
        return Response(429, headers={"Retry-After": "2"})
    return cursor(lists, request)


def expiring(lists: Lists, request: Request) -> Answer:
    """As `cursor`, but the credentials are over once, at the second page."""
    if request.parameter("after") == str(lists.size) and lists.first_time("401"):
        return reply({}, 401)
    return cursor(lists, request)


def broken(lists: Lists, request: Request) -> Answer:
    """As `cursor`, but the second page breaks off in its middle, the first time."""
    if request.parameter("after") == str(lists.size) and lists.first_time("broken"):
        return Takeover(_half)
    return cursor(lists, request)


def failing(lists: Lists, request: Request) -> Answer:
    """As `cursor`, but the third page is an error inside a 200."""
    if request.parameter("after") == str(2 * lists.size):
        return reply({"error": "index rebuilt", "items": []})
    return cursor(lists, request)


def _half(connection: Connection) -> None:
    connection.send(
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"items"'
    )


HANDLERS: dict[str, Handler] = {
    **{f"* /{each.__name__}": each for each in (cursor, header, body, page, offset, link)},
    "* /next_url/*": next_url,
    **{f"* /{each.__name__}": each for each in (same_cursor, same_page, loop, endless, elsewhere)},
    **{f"* /{each.__name__}": each for each in (tired, expiring, broken, failing)},
}


def paged(count: int = 25, *, size: int = 10) -> Server:
    lists = Lists(count, size)
    return Server({route: partial(handler, lists) for route, handler in HANDLERS.items()})
