"""Where requests go and what goes along: every redirect, every difference of origin, every place of a credential."""

import itertools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest

from runner.errors import FailureKind
from tests.servers.wire import HOME, SECRET, Record, ask, by_authenticator, by_connection, redirect, refused

# --- the table: no credential ever reaches another origin

ORIGINS = ["https://evil.test", "https://sub.api.test", "https://api.test.evil.test", "https://api.test:8443"]
PLACES = ["authorization", "header", "cookie", "query"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("other", ORIGINS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("given_by", [by_authenticator, by_connection])
def test_credentials_stay_at_home(
    status: int, other: str, place: str, given_by: Callable[[str], dict[str, Any]]
) -> None:
    record = Record(
        {
            "/start": redirect(status, "/here", f"session={SECRET}; Domain=test; Path=/"),
            "/here": redirect(status, f"{other}/there"),
            "/there": redirect(status, f"{HOME}/back"),
        }
    )
    answer = ask(record, redirects="follow", **given_by(place))

    assert answer.body == b"here"
    assert [origin for origin, _ in record.received] == [HOME, HOME, other, HOME]
    start, here, _, back = (request for _, request in record.received)
    for request in (start, here):
        assert SECRET in unquote(str(request.url)) + str(request.headers.raw).replace("session", "")
    assert SECRET not in record.got(other)
    # Another host chose the URL of the last hop: no credential, only the cookie of that origin itself.
    without_session = str(back.headers.raw).replace(f"session={SECRET}", "")
    assert SECRET not in unquote(str(back.url)) + without_session


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("other", [*ORIGINS, "http://api.test"])
def test_credentials_of_another_origin_are_not_sent_at_all(place: str, other: str) -> None:
    record = Record({})
    ask(record, origin=other, **by_connection(place))
    ask(record, origin=None, **by_authenticator(place))
    assert SECRET not in record.got(HOME)


@pytest.mark.parametrize("name", ["Authorization", "authorization", "Cookie", "Proxy-Authorization", "Host"])
def test_headers_of_the_action_that_stay_at_home(name: str) -> None:
    record = Record({"/start": redirect(307, "/here"), "/here": redirect(307, "https://other.test/there")})
    headers = ((name, SECRET), ("X-Trace", "yes"), ("Content-Type", "text/plain"))
    ask(record, redirects="follow", headers=headers, method="POST", body=b"text")
    assert record.way[-1] == "POST https://other.test/there"
    other = record.received[-1][1]
    assert SECRET not in record.got("https://other.test")
    assert other.headers["Host"] == "other.test"
    assert other.headers["X-Trace"] == "yes"
    assert other.headers["Content-Type"] == "text/plain"
    assert other.content == b"text"
    assert SECRET in str(record.received[1][1].headers.raw)


def test_an_upgrade_to_tls_is_another_origin() -> None:
    record = Record({"/start": redirect(301, "https://api.test/start/", f"a={SECRET}")})
    ask(record, url="http://api.test/start", origin="http://api.test", **by_authenticator("header"))
    assert record.way[1] == "GET https://api.test/start/"
    assert SECRET in record.got("http://api.test")
    assert SECRET not in record.got("https://api.test")


@pytest.mark.parametrize("spelled", ["https://API.Test", "https://api.test:443", "https://api.test:/v2/x"])
def test_one_origin_in_other_letters(spelled: str) -> None:
    record = Record({"/start": redirect(302, "HTTPS://API.TEST:443/here")})
    ask(record, origin=spelled, **by_authenticator("header"))
    assert all(request.headers.get("X-Api-Key") == SECRET for _, request in record.received)
    assert len(record.received) == 2


@pytest.mark.parametrize(
    "location",
    [
        f"https://other.test/there?api_key={SECRET}&keep=1",
        f"https://other.test/there?keep=1&token={SECRET}",
    ],
)
def test_a_server_that_repeats_a_parameter_in_its_redirect(location: str) -> None:
    record = Record({"/start": redirect(302, location)})
    ask(record, redirects="follow", **by_connection("query"))
    assert record.way[1] == "GET https://other.test/there?keep=1"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "location",
    [
        f"https://other.test/{SECRET}/there",
        f"https://other.test/there?next=https%3A%2F%2Fx%2F%3Fk%3D{SECRET}",
        f"https://other.test/there?next=https%253A%252F%252Fx%252F%253Fk%253D{SECRET}",
        f"https://{SECRET}.other.test/".replace("_", "-").replace("-Secret-", "-Secret_"),
    ],
)
def test_a_server_that_leaks_the_credential_into_its_redirect(place: str, location: str) -> None:
    record = Record({"/start": redirect(302, location)})
    failed = refused(record, redirects="follow", **by_connection(place))
    assert failed.kind is FailureKind.REDIRECT
    assert len(record.received) == 1


def test_a_leaked_credential_is_found_behind_its_escapes() -> None:
    awkward = "a/b+c=d&e f"
    inner = quote(f"https://x/?k={quote(awkward, safe='')}", safe="")
    record = Record({"/start": redirect(302, f"https://other.test/there?next={inner}")})
    assert refused(record, redirects="follow", extra=(("X-Api-Key", awkward),)).kind is FailureKind.REDIRECT
    assert len(record.received) == 1


def test_a_credential_that_a_redirect_repeats_at_home_is_sent_once() -> None:
    record = Record(
        {"/start": lambda request: httpx.Response(308, headers={"Location": f"{request.url}&x=1"})}
    )
    record = Record({"/start": redirect(308, f"/start/?a=1&api_key={SECRET}")})
    answer = ask(record, url=f"{HOME}/start?a=1", **by_connection("query"))
    assert record.way[1] == f"GET {HOME}/start/?a=1&api_key={SECRET}"
    assert answer.url == f"{HOME}/start/"


# --- which redirects are followed


def test_what_same_host_means() -> None:
    for target in [*ORIGINS, "https://api.test:444"]:
        record = Record({"/start": redirect(302, f"{target}/x?token=abc")})
        failed = refused(record, **by_authenticator("header"))
        assert failed.kind is FailureKind.REDIRECT
        assert not failed.retryable
        assert target in failed.message
        assert "abc" not in failed.message
        assert all(choice in str(failed.help) for choice in ("`follow`", "`same_host`", "`never`"))
        assert len(record.received) == 1
    for start, target in [
        ("http://api.test:8080", "https://api.test"),
        ("http://api.test", "https://api.test:8443"),
    ]:
        record = Record({"/start": redirect(302, f"{target}/x")})
        assert refused(record, url=f"{start}/start").kind is FailureKind.REDIRECT


@pytest.mark.parametrize("policy", ["follow", "same_host"])
@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("http://api.test/x", "which is not encrypted"),
        ("http://other.test/x", "which is not encrypted"),
        (f"https://user:{SECRET}@api.test/x", "something that is no http or https URL"),
        (f"ftp://api.test/{SECRET}", "something that is no http or https URL"),
        ("file:///etc/passwd", "something that is no http or https URL"),
        ("javascript:alert(1)", "something that is no http or https URL"),
        ("https://[::1", "something that is no http or https URL"),
        ("https://a b/", "something that is no http or https URL"),
    ],
)
def test_redirects_that_are_never_followed(policy: str, location: str, problem: str) -> None:
    record = Record({"/start": redirect(302, location)})
    failed = refused(record, redirects=policy)
    assert failed.kind is FailureKind.REDIRECT
    assert problem in failed.message
    assert len(record.received) == 1


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_never_gives_the_redirect_as_the_answer(status: int) -> None:
    record = Record({"/start": redirect(status, "https://other.test/x")})
    answer = ask(record, redirects="never")
    assert answer.status == status
    assert ("location", "https://other.test/x") in [(name.lower(), value) for name, value in answer.headers]
    assert answer.url == "the shown url"


def test_redirects_that_are_answers() -> None:
    for status in (300, 304):
        assert ask(Record({"/start": redirect(status, "/x")})).status == status
    expected = Record({"/start": redirect(302, "https://other.test/")})
    assert ask(expected, accept_redirect=frozenset({302})).status == 302
    assert ask(lambda _: httpx.Response(302)).status == 302
    assert ask(lambda _: httpx.Response(302, headers={"Location": ""})).status == 302


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (303, "GET", "GET"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
def test_the_method_after_a_redirect(status: int, method: str, expected: str) -> None:
    record = Record({"/start": redirect(status, "/next")})
    headers = (("Content-Type", "text/plain"), ("content-language", "en"), ("X-Kept", "1"))
    ask(record, method=method, body=b"text", headers=headers)
    request = record.received[1][1]
    assert request.method == expected
    assert request.headers["X-Kept"] == "1"
    kept = expected == method
    assert request.content == (b"text" if kept else b"")
    assert ("Content-Type" in request.headers) == kept
    assert ("Content-Language" in request.headers) == kept
    assert ("Content-Length" in request.headers) == kept


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("next", f"{HOME}/v2/next"),
        ("../next?a=b c#part", f"{HOME}/next?a=b%20c"),
        ("//api.test/next", f"{HOME}/next"),
        ("?page=2", f"{HOME}/v2/start?page=2"),
        ("/\\other.test/x", f"{HOME}/\\other.test/x"),
        ("/é", f"{HOME}/%C3%A9"),
    ],
)
def test_targets_are_resolved(location: str, expected: str) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        if len(seen) > 1:
            return httpx.Response(200)
        return httpx.Response(302, headers=[(b"Location", location.encode())])  # as a server writes UTF-8

    ask(answer, url=f"{HOME}/v2/start?old=1")
    assert seen[1] == expected


def test_loops_and_chains_end() -> None:
    loop = Record(
        {"/start": redirect(302, "/b"), "/b": redirect(302, "/start?x=1"), "/c": redirect(302, "/b")}
    )
    failed = refused(loop, url=f"{HOME}/start?x=1")
    assert failed.kind is FailureKind.REDIRECT
    assert f"in a loop: {HOME}/start comes again" in failed.message
    assert len(loop.received) == 2

    numbers = itertools.count(1)
    failed = refused(lambda _: httpx.Response(302, headers={"Location": f"/{next(numbers)}"}))
    assert "more than 10 times" in failed.message
    assert next(numbers) == 12


def test_the_same_url_with_another_cookie_is_no_loop() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "seen=1" in request.headers.get("Cookie", ""):
            return httpx.Response(200, text="welcome")
        return httpx.Response(302, headers=[("Location", "/start"), ("Set-Cookie", "seen=1; Path=/")])

    assert ask(answer).body == b"welcome"


# --- cookies between hops


def cookie_after(*cookies: str, **fields: Any) -> str | None:
    record = Record({"/v1/login": redirect(303, "/v1/in", *cookies)})
    ask(record, url=f"{HOME}/v1/login", **fields)
    cookie: str | None = record.received[1][1].headers.get("Cookie")
    return cookie


def test_cookies_of_a_hop_go_back() -> None:
    assert cookie_after("a=1; Path=/; HttpOnly; Secure", "b=2") == "a=1; b=2"
    assert cookie_after("a=1; Path=/v1", "b=2; Path=/v1/in/deep", "c=3; Path=/v") == "a=1"
    assert cookie_after("a=1", "a=; Max-Age=0") is None
    assert cookie_after("a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT") is None
    assert cookie_after("a=1; Expires=nonsense", "b=2; Max-Age=60") == "a=1; b=2"
    assert cookie_after("nonsense", "=1", "a=b=c") == "a=b=c"
    assert cookie_after("a=2", headers=(("Cookie", "x=1; a=1"),)) == "x=1; a=2"
    assert cookie_after("a=2", extra=(("cookie", "k=9"),)) == "k=9; a=2"
