"""What a request consists of: headers, query, proxies of the environment; and what the library keeps to itself."""

import logging
import subprocess
import sys

import h11
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import tls
from runner.auth import Outgoing, with_query
from runner.client import Answer, Channel, Exchange, ExchangeError
from runner.errors import Failure, FailureError, FailureKind
from runner.redirects import checked_header, origin_of, proxy_address
from tests.servers.wire import (
    HOME,
    SECRET,
    Places,
    Record,
    ask,
    by_authenticator,
    by_connection,
    redirect,
    refused,
)

# --- headers and query


def test_a_credential_replaces_a_header_of_its_name() -> None:
    record = Record({})
    headers = (("authorization", "typed"), ("X-Other", "1"), ("Via", "a"), ("Via", "b"))
    ask(record, headers=headers, **by_authenticator("authorization"))
    request = record.received[0][1]
    assert request.headers.get_list("Authorization") == [f"Bearer {SECRET}"]
    assert request.headers.get_list("Via") == ["a", "b"]


def test_the_authenticator_sees_what_will_be_sent() -> None:
    seen: list[Outgoing] = []

    class Signs:
        async def apply(self, request: Outgoing) -> None:
            seen.append(request)
            request.headers.append(("X-Signature", str(len(request.headers))))

        async def refresh(self) -> bool:
            return False

    record = Record({})
    ask(
        record,
        method="POST",
        body=b"text",
        headers=(("X-A", "1"),),
        extra=(("X-B", "2"),),
        extra_query=(("k", "v"),),
        authenticator=Signs(),
    )
    assert (seen[0].method, seen[0].url, seen[0].body) == ("POST", f"{HOME}/start", b"text")
    assert seen[0].query == [("k", "v")]
    assert record.received[0][1].headers["X-Signature"] == "2"


def test_a_failure_of_the_authenticator_is_passed_on() -> None:
    class Fails(Places):
        async def apply(self, request: Outgoing) -> None:
            raise FailureError(
                Failure(kind=FailureKind.SECRET_UNAVAILABLE, message="no token", help="log in")
            )

    record = Record({})
    assert refused(record, authenticator=Fails("")).kind is FailureKind.SECRET_UNAVAILABLE
    assert not record.received


def test_query_parameters_are_added_and_replace_their_namesakes() -> None:
    assert with_query("https://a/x", [("k", "a b&c=/é")]) == "https://a/x?k=a%20b%26c%3D%2F%C3%A9"
    assert with_query("https://a/x?a=1&k=old&%6B=older&b=%20", [("k", "v")]) == "https://a/x?a=1&b=%20&k=v"
    assert with_query("https://a/x?", []) == "https://a/x?"


HEADER_TEXT = st.text(st.sampled_from("aZ09-_ \t\r\n\0\x0b\x0c\x1c\x7f\x85\xa0é→"))


@given(HEADER_TEXT, HEADER_TEXT)
def test_a_checked_header_is_taken_by_the_library(name: str, value: str) -> None:
    try:
        header = checked_header(name, value)
    except FailureError:
        return
    # Else it would refuse it with a text that holds the value.
    h11.Request(method="GET", target="/", headers=[(b"Host", b"a"), header])
    assert header[1].decode("latin-1") == value.strip(" \t")


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\0b", "a\x7fb", "a→b"])
def test_a_header_is_refused_without_its_value(value: str) -> None:
    with pytest.raises(FailureError) as caught:
        checked_header("X-Note", f"{SECRET}{value}")
    assert caught.value.failure.kind is FailureKind.RENDER
    assert "'X-Note'" in caught.value.failure.message
    assert SECRET not in str(caught.value.failure)


AWKWARD = st.text("ab.@:\\/#?[]%1 \t-_é|ß", max_size=12)


@given(AWKWARD, AWKWARD)
def test_an_origin_is_read_as_httpx_reads_it(host: str, rest: str) -> None:
    url = f"https://{host}/{rest}"
    try:
        origin = origin_of(url, "")
        parsed = httpx.URL(url)
    except (FailureError, httpx.InvalidURL):
        return
    assert not parsed.userinfo
    assert httpx.URL(str(origin)).raw_host == parsed.raw_host
    assert (parsed.port or 443) == origin.port


# --- transports of tests, and errors by kind


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (httpx.ConnectError, False),
        (httpx.ConnectTimeout, False),
        (httpx.ReadTimeout, True),
        (httpx.ReadError, True),
    ],
)
def test_without_a_trace_only_errors_of_connecting_are_certain(
    error: type[httpx.TransportError], sent: bool
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise error(f"a text with {SECRET}", request=request)

    with pytest.raises(ExchangeError) as caught:
        ask(fail, **by_authenticator("header"))
    assert caught.value.sent is sent
    assert SECRET not in str(caught.value.failure) + repr(caught.value)


def test_an_error_of_no_known_kind_says_nothing_of_its_text() -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError(SECRET)

    assert refused(fail).kind is FailureKind.PROTOCOL


def test_the_limit_holds_for_answers_given_whole() -> None:
    assert refused(lambda _: httpx.Response(200, text="x" * 11), body_limit=10).kind is FailureKind.LIMIT


def test_what_prints_holds_no_secret() -> None:
    exchange = Exchange(
        method="GET",
        url=f"{HOME}/?k={SECRET}",
        headers=(("A", SECRET),),
        body=SECRET.encode(),
        shown_url="shown",
    )
    answer = Answer(200, (("A", SECRET),), SECRET.encode(), "shown", 0.1, "HTTP/1.1")
    channel = Channel(proxy=f"http://u:{SECRET}@proxy")
    assert SECRET not in f"{exchange!r} {answer!r} {channel!r}"
    assert hash(channel) == hash(Channel(proxy=f"http://u:{SECRET}@proxy"))


# --- proxies of the environment


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("https://a.test", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("http://a.test", {"HTTPS_PROXY": "http://p:1"}, None),
        ("http://a.test", {"HTTP_PROXY": "p:1"}, "p:1"),
        ("http://a.test", {"HTTP_PROXY": "p:1", "REQUEST_METHOD": "GET"}, None),
        ("http://a.test", {"http_proxy": "p:1", "REQUEST_METHOD": "GET"}, "p:1"),
        ("https://a.test", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.test", {"ALL_PROXY": "http://p:1", "https_proxy": "http://q:1"}, "http://q:1"),
        ("https://a.test", {"HTTPS_PROXY": "http://p:1", "https_proxy": "http://q:1"}, "http://q:1"),
        ("https://a.test", {"HTTPS_PROXY": ""}, None),
        ("https://localhost", {"ALL_PROXY": "http://p:1"}, None),
        ("https://x.localhost", {"ALL_PROXY": "http://p:1"}, None),
        ("https://127.9.9.9:8200", {"ALL_PROXY": "http://p:1"}, None),
        ("https://[::1]:8200", {"ALL_PROXY": "http://p:1"}, None),
        *(
            ("https://a.test", {"ALL_PROXY": "http://p:1", "NO_PROXY": exceptions}, None)
            for exceptions in (
                "*",
                "a.test",
                "x, A.TEST",
                ".test",
                "test",
                "*.test",
                "a.test:443",
                "x a.test",
            )
        ),
        *(
            ("https://a.test", {"ALL_PROXY": "http://p:1", "no_proxy": exceptions}, "http://p:1")
            for exceptions in ("", "b.test", "a.test:8443", "est", "10.0.0.0/8", ",")
        ),
        ("https://10.1.2.3", {"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, None),
        ("https://[fd00::1]", {"ALL_PROXY": "http://p:1", "NO_PROXY": "[fd00::1]"}, None),
        ("https://11.1.2.3", {"ALL_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8,11.1.2"}, "http://p:1"),
    ],
)
def test_the_proxy_of_the_environment(url: str, environ: dict[str, str], expected: str | None) -> None:
    assert tls.environment_proxy(origin_of(url, url), environ) == expected


def test_addresses_of_proxies() -> None:
    assert proxy_address("p.test:3128") == ("http://p.test:3128", None)
    assert proxy_address("https://al:a%40b@p.test") == ("https://p.test", ("al", "a@b"))
    for url in ("ftp://p.test", "http://", f"http://{SECRET}@", "http://p.test:x"):
        with pytest.raises(FailureError) as caught:
            proxy_address(url)
        assert SECRET not in str(caught.value.failure)


# --- start-up and logs


def test_importing_costs_nothing_and_httpx_comes_without_its_command_line() -> None:
    program = (
        "import sys, runner.client\n"
        "assert not {'httpx', 'httpcore', 'anyio', 'certifi'} & set(sys.modules), 'import'\n"
        "runner.client.Client(environ={})\n"
        "assert not {'httpx._main', 'click', 'rich', 'pygments'} & set(sys.modules), 'client'\n"
        "import httpx\n"
        "assert callable(httpx.main)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


def test_the_library_logs_no_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    ask(Record({"/start": redirect(302, "/x")}), **by_connection("query"))
    assert SECRET not in caplog.text
    assert logging.getLogger("httpcore.http11").getEffectiveLevel() == logging.WARNING
