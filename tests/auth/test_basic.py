"""`type: basic`: RFC 7617 with UTF-8, and its encoded form is masked as well."""

import base64

import pytest

from runner.auth.basic import Authenticator, Config
from runner.secret_ref import parse
from runner.sensitive import MASK, Redactor, Secret
from runner.source import whole_file
from tests.auth.means import Lent
from tests.auth.wire import added


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("robot", "pass word"),
        ("robot@example.com/token", "a:b:c"),
        ("Zoë", "pä→ß"),
        ("robot", ""),
        ("robot", "line\nbreak"),
    ],
)
def test_pairs(username: str, password: str) -> None:
    fields = {"username": username, "password": password} if password else {"username": username}
    sent = added("basic", Config(username=username), fields)
    ((name, value),) = sent.headers
    assert name == "Authorization"
    scheme, _, encoded = value.partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded).decode() == f"{username}:{password}"
    assert list(sent.registered) == [encoded]


def test_a_user_name_from_the_file_is_no_secret_and_the_pair_is() -> None:
    redactor = Redactor()
    means = Lent()
    ref = parse("env://PASSWORD", whole_file("x.yaml"))
    Authenticator(
        Config(username="robot", password=ref),
        {"username": "robot", "password": Secret("secret-pw", "x")},
        means,
    )
    for value, label in means.registered.items():
        redactor.add(value, label)
    pair = base64.b64encode(b"robot:secret-pw").decode()
    assert redactor.text(f"Basic {pair}, robot") == f"Basic {MASK}, robot"
