"""`type: bearer`: the rules of the prefix."""

import pytest

from runner.auth import bare_scheme
from runner.auth.bearer import Config
from runner.secret_ref import SecretRef, parse
from runner.source import whole_file
from tests.auth.wire import added

TOKEN = "tok-123456"


def reference() -> SecretRef:
    return parse("env://TOKEN", whole_file("x.yaml"))


@pytest.mark.parametrize(
    ("prefix", "value"),
    [
        ("Bearer ", "Bearer tok-123456"),
        ("Bearer", "Bearer tok-123456"),
        ("Token", "Token tok-123456"),
        ("Token ", "Token tok-123456"),
        ("Token token=", "Token token=tok-123456"),
        ('Token token="', 'Token token="tok-123456'),
        ("", "tok-123456"),
        ("Key:", "Key:tok-123456"),
        ("Schlüssel", "Schlüssel tok-123456"),
        ("v2", "v2 tok-123456"),
    ],
)
def test_prefix(prefix: str, value: str) -> None:
    assert added("bearer", Config(token=reference(), prefix=prefix), {"token": TOKEN}).headers == [
        ("Authorization", value)
    ]


def test_the_default_is_bearer() -> None:
    sent = added("bearer", Config(token=reference()), {"token": TOKEN})
    assert sent.headers == [("Authorization", "Bearer tok-123456")]
    assert sent.query == []


def test_a_scheme_is_completed_once() -> None:
    assert bare_scheme(bare_scheme("Bearer")) == "Bearer "
