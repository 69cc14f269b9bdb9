"""All pages of a request, from a real server that gives them in every style and misbehaves in every way."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.errors import JsonObject
from runner.paginators.link import links
from runner.plan import describe
from tests.projects import Bench, bench, planned, request, run, simple, tries
from tests.servers.http import Answer, Request, Server, reply
from tests.servers.pages import paged

ITEMS = "{{ response.body['items'] }}"
NEXT = "{{ response.body.next }}"
CURSOR: JsonObject = {"style": "cursor", "param": "after", "next": NEXT, "items": ITEMS}
ALL = [{"id": number} for number in range(25)]
STYLES: dict[str, tuple[str, JsonObject, list[str]]] = {
    "cursor": ("/cursor", CURSOR, ["", "after=10", "after=20"]),
    "header": (
        "/header",
        {"style": "cursor", "param": "x-continue", "in": "header", "next": "{{ response.headers['X-Next'] }}", "items": ITEMS},
        ["", "", ""],
    ),
    "page": ("/page", {"style": "page", "items": ITEMS}, ["page=1", "page=2", "page=3", "page=4"]),
    "page with more": (
        "/page",
        {"style": "page", "items": ITEMS, "more": "{{ not response.body.last }}"},
        ["page=1", "page=2", "page=3"],
    ),
    "offset": (
        "/offset",
        {"style": "offset", "limit": 50, "items": ITEMS},
        [f"offset={start}&limit=50" for start in (0, 10, 20, 25)],
    ),
    "relative": (
        "/next_url/relative",
        {"style": "next_url", "next": NEXT, "items": ITEMS},
        ["", "from=10", "from=20"],
    ),
    "absolute": (
        "/next_url/absolute",
        {"style": "next_url", "next": NEXT, "items": ITEMS},
        ["", "from=10", "from=20"],
    ),
    "query only": (
        "/next_url/query",
        {"style": "next_url", "next": NEXT, "items": ITEMS},
        ["", "from=10", "from=20"],
    ),
    "link": ("/link", {"style": "link", "items": "{{ response.body }}"}, ["", "from=10", "from=20"]),
}  # fmt: skip


@pytest.fixture
def server() -> Iterator[Server]:
    with paged() as running:
        yield running


def work(
    server: Server,
    root: Path,
    path: str,
    paginate: Any,
    *,
    more: JsonObject | None = None,
    connection: JsonObject | None = None,
    workflow: JsonObject | None = None,
    **fields: Any,
) -> Bench:
    given = {} if paginate is None else {"paginate": paginate}
    action = request("one", fields.pop("method", "GET"), path, more=more, **given, **fields)
    return bench(simple(root, [action], url=server.url, connection=connection, **(workflow or {})))


@pytest.mark.parametrize("name", STYLES)
def test_every_style_reads_all_pages(name: str, server: Server, tmp_path: Path) -> None:
    path, paginate, asked = STYLES[name]
    result = work(server, tmp_path, path, paginate).perform("one")
    assert result.get("output") == ALL, result
    assert [item.target.partition("?")[2] for item in server.requests] == asked
    assert result["record"]["pages"] == len(asked)
    assert tries(result) == 1
    if name == "header":
        assert [item.header("X-Continue") for item in server.requests] == [None, "10", "20"]


def test_a_cursor_in_the_body_leaves_the_rest_of_it_as_it_was(server: Server, tmp_path: Path) -> None:
    paginate = {**CURSOR, "param": "variables.after", "in": "body"}
    query = '{"query": "q", "variables": {"first": 0.1000000000000000055}}'
    given = {"inputs": {"body": {"type": "object", "default": {}}}}
    bench_ = work(
        server,
        tmp_path,
        "/body",
        paginate,
        method="POST",
        json="{{ '" + query + "' | from_json }}",
        more={"idempotent": True},
        workflow=given,
    )
    result = bench_.perform("one")
    assert result["output"] == ALL
    bodies = [item.body.decode() for item in server.requests]
    assert bodies[0] == '{"query":"q","variables":{"first":0.1000000000000000055}}'
    assert bodies[2] == '{"query":"q","variables":{"first":0.1000000000000000055,"after":"20"}}'


def test_output_and_items(server: Server, tmp_path: Path) -> None:
    ids = {"output": "{{ response.body['items'] | map(attribute='id') | list }}"}
    result = work(server, tmp_path / "a", "/cursor", CURSOR, more=ids).perform("one")
    assert result["output"] == [*range(25)]
    pages = {name: item for name, item in CURSOR.items() if name != "items"}
    result = work(server, tmp_path / "b", "/cursor", pages).perform("one")
    assert [len(page["items"]) for page in result["output"]] == [10, 10, 5]
    counted = {"output": {"page": "{{ response.pages }}", "status": "{{ response.status }}"}}
    result = work(server, tmp_path / "c", "/cursor", pages, more=counted).perform("one")
    assert result["output"] == [{"page": number, "status": 200} for number in (1, 2, 3)]
    assert result["response"]["status"] == 200
    wrong = {"output": "{{ response.pages }}"}
    result = work(server, tmp_path / "d", "/cursor", CURSOR, more=wrong).perform("one")
    assert result["error"]["message"] == "page 1: `output` is a number, not a list"


# --- what the connection says


@pytest.mark.parametrize(
    ("theirs", "own", "fields", "expected"),
    [
        (CURSOR, None, {}, ALL),
        (CURSOR, False, {}, "one"),
        (CURSOR, None, {"method": "POST"}, "one"),
        ({**CURSOR, "when": "asked"}, None, {}, "one"),
        ({**CURSOR, "when": "asked"}, True, {}, ALL),
        ({**CURSOR, "when": "asked", "items": "{{ response.body.none }}"}, {"items": ITEMS}, {}, ALL),
        ({"style": "link"}, CURSOR, {}, ALL),
        (CURSOR, {"max_pages": 2}, {}, "error"),
    ],
)
def test_a_connection_gives_the_default(
    theirs: JsonObject, own: Any, fields: JsonObject, expected: Any, server: Server, tmp_path: Path
) -> None:
    bench_ = work(server, tmp_path, "/cursor", own, connection={"paginate": theirs}, **fields)
    result = bench_.perform("one")
    if expected == "one":
        assert (server.count(), result["output"]["next"]) == (1, "10")
        assert "pages" not in result["record"]
    elif expected == "error":
        assert result["error"]["message"] == "page 2: there are more than 2 pages"
    else:
        assert result["output"] == expected


# --- what never ends, or not where it should


@pytest.mark.parametrize(
    ("path", "paginate", "count", "message", "remedy"),
    [
        ("/same_cursor", CURSOR, 2, "page 3: the server leads back to a page that was read before", "for ever"),
        ("/same_page", {"style": "page", "items": ITEMS}, 2, "page 2: the page is the same as one before", "ignores"),
        (
            "/loop",
            {"style": "next_url", "next": NEXT, "items": ITEMS},
            4,
            "page 5: the server leads back to a page that was read before",
            "for ever",
        ),
        ("/endless", CURSOR, 5, "page 5: there are more than 5 pages", "raise `limits.pages` or `paginate.max_pages`"),
        ("/endless", {**CURSOR, "max_pages": 3}, 3, "page 3: there are more than 3 pages", "raise `paginate.max_pages`"),
        ("/endless", {**CURSOR, "max_pages": 50}, 8, "page 8: there are more than 7 items", "raise `limits.items`"),
        ("/cursor", {**CURSOR, "param": "aftr"}, 2, "page 2: the page is the same as one before", "ignores"),
        (
            "/cursor",
            {**CURSOR, "next": "{{ response.body.nxt }}"},
            1,
            "page 1: 'response.body' has no 'nxt'",
            "did you mean 'next'?; where the last page has none, write `| default(null)`",
        ),
        (
            "/cursor",
            {**CURSOR, "next": "{{ response.body['items'] }}"},
            1,
            "page 1: `next` is a list, which is no token of a next page",
            "must give text",
        ),
        ("/cursor", {**CURSOR, "items": NEXT}, 1, "page 1: `items` is text, not a list", "the list of the page's"),
        (
            "/cursor",
            {**CURSOR, "next": "{{ null if response.body.next else null }}", "more": "{{ response.body.more }}"},
            1,
            "page 1: `more` says that there are more pages, and nothing says where",
            "cut",
        ),
    ],
)  # fmt: skip
def test_no_list_is_cut_or_endless(
    path: str, paginate: JsonObject, count: int, message: str, remedy: str, server: Server, tmp_path: Path
) -> None:
    limits = {"limits": {"pages": 5, "items": 7 if "7 items" in message else 1000}}
    result = work(server, tmp_path, path, paginate, workflow=limits).perform("one")
    assert result["status"] == "failed"
    assert result["error"]["message"] == message
    assert remedy in result["error"]["help"]
    assert server.count() == count
    assert "output" not in result


@pytest.mark.parametrize(
    ("to", "kind", "message"),
    [
        ("http://127.0.0.2:1/x", "redirect", "is on another host, http://127.0.0.2:1"),
        ("//127.0.0.2/x", "redirect", "is on another host, http://127.0.0.2"),
        ("https://127.0.0.1/x", "redirect", "is at https://127.0.0.1, the request went to HOME"),
        ("http://user:secret@127.0.0.1/x", "redirect", "is no http or https URL"),
        ("file:///etc/passwd", "redirect", "is no http or https URL"),
        ("HOME/api/%2e%2e/admin", "redirect", "has a path with '.' or '..' in it"),
        ("HOME/admin", "not-allowed", "is at a path that the connection 'api' does not allow"),
        ("HOME/api/../admin", "redirect", "has a path with '.' or '..' in it"),
        ("/apix", "not-allowed", "is at a path that the connection 'api' does not allow"),
    ],
)
@pytest.mark.parametrize("style", ["next_url", "link"])
def test_no_page_is_read_where_the_action_may_not_go(
    style: str, to: str, kind: str, message: str, tmp_path: Path
) -> None:
    def first(_: Request) -> Answer:
        target = to.replace("HOME", running.url)
        return reply({"items": [1], "next": target}, headers={"Link": f"<{target}>; rel=next"})

    paginate = {"style": "link"} if style == "link" else {"style": "next_url", "next": NEXT}
    with Server({"GET /**": first}) as running:
        project = simple(
            tmp_path,
            [request("one", path="/list", paginate=paginate)],
            url=f"{running.url}/api",
            connection={"allow": ["GET /list*"]},
        )
        result = bench(project).perform("one")
        assert running.count() == 1
        expected = f"page 2: the next page {message}".replace("HOME", running.url)
    assert (result["error"]["kind"], result["error"]["message"]) == (kind, expected)
    assert "secret" not in str(result["error"])


# --- each page as one request


def test_a_page_is_retried_and_the_record_says_which(server: Server, tmp_path: Path) -> None:
    bench_ = work(server, tmp_path, "/tired", CURSOR)
    result = bench_.perform("one")
    assert result["output"] == ALL
    assert bench_.clock.waits == [2.0, 2.0]
    found = [(entry["page"], entry["status"]) for entry in result["record"]["attempts"]]
    assert found == [(2, 429), (2, 200), (3, 429), (3, 200)]


def test_a_page_that_breaks_off_is_read_again(server: Server, tmp_path: Path) -> None:
    result = work(server, tmp_path, "/broken", CURSOR).perform("one")
    assert result["output"] == ALL
    assert [item.parameter("after") for item in server.requests] == [None, "10", "10", "20"]


def test_a_page_of_a_post_that_breaks_off_is_not(server: Server, tmp_path: Path) -> None:
    keyed = {"idempotency": {"header": "X-Key"}}
    result = work(server, tmp_path, "/broken", CURSOR, method="POST", connection=keyed).perform("one")
    assert (result["error"]["kind"], server.count()) == ("connection", 2)
    assert result["error"]["message"].startswith("page 2: ")
    assert {item.header("X-Key") for item in server.requests} == {None}


def test_a_401_in_the_middle_gets_other_credentials_once(server: Server, tmp_path: Path) -> None:
    bearer = {"type": "bearer", "auth": {"token": "env://TOKEN"}}
    environ = {"TOKEN": "first-token"}
    bench_ = work(server, tmp_path / "a", "/expiring", CURSOR, connection=bearer)
    bench_.environ = environ
    result = bench_.perform("one")
    # The variable has not changed: the answer stands, and its page is named.
    assert result["error"]["message"] == "page 2: the server answered 401 Unauthorized"

    def changing(asked: Request) -> Answer:
        new = asked.header("Authorization") == "Bearer second-token"
        if asked.parameter("after") and not new:
            environ["TOKEN"] = "second-token"
            return reply({}, 401)
        return reply({"items": [new], "next": None if new else "1"})

    with Server({"GET /x": changing}) as other:
        bench_ = work(other, tmp_path / "b", "/x", CURSOR, connection=bearer)
        bench_.environ = environ
        assert bench_.perform("one")["output"] == [False, True]
        assert [item.parameter("after") for item in other.requests] == [None, "1", "1"]


def test_every_page_is_judged(server: Server, tmp_path: Path) -> None:
    connection = {
        "fail_when": "{{ response.body.error is defined }}",
        "error_message": "{{ response.body.error }}",
    }
    bench_ = work(server, tmp_path, "/failing", CURSOR, connection=connection)
    result = bench_.perform("one")
    assert result["error"]["message"] == "page 3: the server answered 200, but it is an error: index rebuilt"
    assert result["record"]["request"]["url"] == f"{server.url}/failing?after=20"
    assert result["record"]["pages"] == 3
    assert '"error": "index rebuilt"' in result["record"]["response"]["body"]
    expect = {"expect": {"that": ["{{ response.pages < 2 }}"]}}
    result = work(server, tmp_path / "b", "/cursor", CURSOR, more=expect).perform("one")
    assert result["error"]["message"].startswith("page 2: expectation 1 is not true")


def test_every_page_takes_a_turn(server: Server, tmp_path: Path) -> None:
    slow = {"rate_limit": {"requests": 1, "per": "7s"}}
    bench_ = work(server, tmp_path, "/cursor", CURSOR, connection=slow)
    assert bench_.perform("one")["output"] == ALL
    assert bench_.clock.waits == [7.0, 7.0]


def test_a_sensitive_list_keeps_its_cursors_to_itself(server: Server, tmp_path: Path) -> None:
    bench_ = work(server, tmp_path, "/cursor", {**CURSOR, "max_pages": 2}, more={"sensitive": True})
    result = bench_.perform("one")
    assert result["record"]["request"]["url"] == f"{server.url}/cursor?after=‹page›"
    assert server.requests[1].parameter("after") == "10"


def test_a_secret_that_comes_back_in_a_cursor_is_not_recorded(tmp_path: Path) -> None:
    def leaking(asked: Request) -> Answer:
        token = (asked.header("Authorization") or "").removeprefix("Bearer ")
        if asked.parameter("after"):
            return reply({}, 500)
        return reply({"items": [1], "next": token})

    bearer = {"type": "bearer", "auth": {"token": "env://TOKEN"}}
    with Server({"GET /x": leaking}) as server:
        project = simple(
            tmp_path, [request("one", path="/x", paginate=CURSOR)], url=server.url, connection=bearer
        )
        work_ = bench(project, environ={"TOKEN": "very-secret-token"})
        result = work_.perform("one")
        assert server.requests[1].parameter("after") == "very-secret-token"
    assert result["error"]["message"] == "page 2: the server answered 500 Internal Server Error"
    assert "very-secret-token" not in str(result)


def test_pages_in_a_run_and_its_outputs(server: Server, tmp_path: Path) -> None:
    project = simple(
        tmp_path,
        [request("one", path="/cursor", paginate=CURSOR)],
        url=server.url,
        outputs={"count": "{{ actions.one.output | length }}"},
    )
    ran = run(project)
    assert ran.result.outputs == {"count": 25}
    assert ran.action("one").to_json()["pages"] == 3
    assert ran.watched.pages == [("one", 1, 10), ("one", 2, 20), ("one", 3, 25)]


def test_nothing_of_a_page_is_kept_but_its_items(tmp_path: Path) -> None:
    padding = "x" * 200_000

    def big(asked: Request) -> Answer:
        at = int(asked.parameter("after") or 0)
        return reply({"items": [at], "next": str(at + 1) if at < 79 else None, "padding": f"{at}{padding}"})

    with Server({"GET /x": big}) as server:
        project = simple(tmp_path, [request("one", path="/x", paginate=CURSOR)], url=server.url)
        work_ = bench(project)
        tracemalloc.start()
        try:
            result = work_.perform("one")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert result["output"] == [*range(80)]
    assert peak < 8_000_000, peak  # all bodies together have 16 MB, as bytes


def test_a_plan_shows_how_pages_are_read(tmp_path: Path) -> None:
    actions = [
        request("one", path="/x", paginate={**CURSOR, "max_pages": 7}),
        request("two", path="/x", query={"q": "a"}, paginate={"style": "offset", "limit": 5, "items": ITEMS}),
        request("three", path="/x"),
    ]
    project = simple(tmp_path, actions, limits={"pages": 3})
    one, two, three = (item["request"] for item in describe(project, planned(project))["actions"])
    assert one["paginate"] == {
        "style": "cursor", "param": "after", "next": NEXT, "in": "query", "items": ITEMS, "max_pages": 7,
    }  # fmt: skip
    assert two["url"].endswith("/x?q=a&offset=0&limit=5")
    assert two["paginate"]["max_pages"] == 3
    assert "paginate" not in three


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        ("<a>; rel=next", [("a", {"rel": "next"})]),
        ('<a>;rel="next",<b>;rel=prev', [("a", {"rel": "next"}), ("b", {"rel": "prev"})]),
        ('<a?x=1,2;3>; title="q\\"; rel=\\"no"; rel=next', [("a?x=1,2;3", {"title": 'q"; rel="no', "rel": "next"})]),
        ("<a>; rel=next; rel=prev", [("a", {"rel": "next"})]),
        ("<a> ; REL = next , , <b>", [("a", {"rel": "next"}), ("b", {})]),
        ("<a>; flag; rel=next", [("a", {"flag": "", "rel": "next"})]),
        ("<a>; rel=next garbage <b>; rel=next", [("a", {"rel": "next"})]),
        ("garbage", []),
        ("<unfinished", []),
    ],
)  # fmt: skip
def test_a_link_header_is_read_by_its_grammar(value: str, expected: list[Any]) -> None:
    assert list(links(value)) == expected
