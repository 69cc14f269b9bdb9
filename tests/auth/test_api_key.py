"""`type: api_key`: header, query, cookie, prefixes, several keys."""

from typing import Any

import pytest

from runner.auth.api_key import Config, Key
from runner.secret_ref import parse
from runner.source import whole_file
from tests.auth.wire import Added, added

REF = parse("env://KEY", whole_file("x.yaml"))


def sent(*keys: tuple[str, str, str, str]) -> Added:
    """Send keys of name, place, prefix and value."""
    config = Config(
        keys=tuple(Key(key=REF, name=name, place=place, prefix=prefix) for name, place, prefix, _ in keys)
    )
    return added("api_key", config, {f"keys.{index}.key": value for index, (*_, value) in enumerate(keys)})


@pytest.mark.parametrize(
    ("prefix", "value"),
    [
        ("", "k-123456"),
        ("Key", "Key k-123456"),
        ("Token token=", "Token token=k-123456"),
        ("Key ", "Key k-123456"),
    ],
)
def test_headers(prefix: str, value: str) -> None:
    assert sent(("X-Api-Key", "header", prefix, "k-123456")).headers == [("X-Api-Key", value)]


@pytest.mark.parametrize("prefix", ["", "v1."])
def test_query_parameters_take_a_prefix_as_it_is(prefix: str) -> None:
    result = sent(("api key", "query", prefix, "k/1+2&3=4 ü"))
    assert result.query == [("api key", f"{prefix}k/1+2&3=4 ü")]
    assert result.headers == []


@pytest.mark.parametrize(
    ("value", "cookie"),
    [
        ("plain-1~", "sid=plain-1~"),
        ("a;b, c", "sid=a%3Bb%2C%20c"),
        ("ü", "sid=%C3%BC"),
        ('a"\\', "sid=a%22%5C"),
    ],
)
def test_cookies_hold_what_cookies_can(value: str, cookie: str) -> None:
    assert sent(("sid", "cookie", "", value)).headers == [("Cookie", cookie)]


def test_several_keys() -> None:
    result = sent(
        ("X-App", "header", "", "app-key"),
        ("X-User", "header", "User", "user-key"),
        ("k", "query", "", "query-key"),
        ("a", "cookie", "", "cookie-a"),
        ("b", "cookie", "", "cookie-b"),
    )
    assert result.headers == [
        ("X-App", "app-key"),
        ("X-User", "User user-key"),
        ("Cookie", "a=cookie-a; b=cookie-b"),
    ]
    assert result.query == [("k", "query-key")]


def test_no_keys_is_nobody_s_case_but_adds_nothing() -> None:
    config: Any = Config(keys=())
    assert added("api_key", config, {}).headers == []
