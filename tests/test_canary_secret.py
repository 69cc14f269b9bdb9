"""A secret in memory: it prints as `***` everywhere, and refuses what would write it down."""

import copy
import json
import pickle

import pytest

from runner.answer import Response
from runner.auth import Message, Outgoing, Refused, Reply
from runner.auth.oauth2.token import Token
from runner.body_format import read
from runner.client import Answer, Channel, Exchange
from runner.client_certificate import ClientCertificate
from runner.perform import Headers
from runner.request import Built
from runner.secrets.vault.login import Login
from runner.sensitive import MASK, Redactor, Rendered, Secret, placeholder

VALUE = "a-secret-value"


def test_a_secret_prints_nothing() -> None:
    secret = Secret(VALUE, "secret/app#token")
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret:>20}",
        f"{secret!r}",
        repr([secret]),
    ]
    assert all(VALUE not in text and MASK in text for text in shown)
    assert secret.reveal() == VALUE
    assert secret.label == "secret/app#token"
    assert not hasattr(secret, "__dict__")


def test_a_secret_is_not_written_down() -> None:
    secret = Secret(VALUE, "x")
    for write in (pickle.dumps, copy.copy, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError) as caught:
            write(secret)
        assert VALUE not in str(caught.value)


def test_secrets_are_equal_by_value_and_their_hash_tells_nothing_of_it() -> None:
    assert Secret(VALUE, "x") == Secret(VALUE, "y")
    assert Secret(VALUE, "x") != Secret("another", "x")
    assert Secret(VALUE, "x") != VALUE
    assert hash(Secret(VALUE, "x")) == hash(Secret("another", "x"))


def test_a_rendering_prints_what_may_be_shown() -> None:
    rendered = Rendered(f"Bearer {VALUE}", "Bearer ‹secret x›")
    assert (
        f"{rendered} {rendered!r} {rendered:>5}"
        == "Bearer ‹secret x› Rendered('Bearer ‹secret x›') Bearer ‹secret x›"
    )
    assert rendered.secret
    plain = "text"
    assert not Rendered(plain, plain).secret


SENT = (("Authorization", VALUE),)
BODY = VALUE.encode()
CARRIERS = (
    Exchange(method="GET", url=f"http://x/?a={VALUE}", headers=SENT, body=BODY, shown_url="http://x/"),
    Answer(200, SENT, BODY, "http://x/", 0.1, "HTTP/1.1"),
    Outgoing("GET", f"http://x/?a={VALUE}", list(SENT), list(SENT), BODY),
    Refused(Outgoing("GET", "http://x/", list(SENT)), {"a": VALUE}),
    Message(method="GET", url=f"http://x/?a={VALUE}", headers=SENT, body=BODY),
    Reply(200, {"a": VALUE}, BODY, {"a": VALUE}),
    Built(
        method="GET",
        url=f"http://x/?a={VALUE}",
        path="/",
        headers=[],
        secret_headers=list(SENT),
        body=BODY,
        secret_body=True,
        shown={},
    ),
    Response(200, Headers({"a": VALUE}), VALUE, "http://x/", 0.1, VALUE),
    read(f'"{VALUE}"'.encode(), "application/json"),
    Token(value=VALUE, obtained_at=0.0, expires_at=None, refresh=VALUE),
    Channel(proxy=f"http://me:{VALUE}@proxy", identity=ClientCertificate("", VALUE)),
    Login(token=VALUE, origin="VAULT_TOKEN", owned=True),
)


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: type(carrier).__name__)
def test_what_carries_secrets_prints_none(carrier: object) -> None:
    assert VALUE not in f"{carrier} {carrier!r} {[carrier]}"


def test_placeholders_name_the_secret() -> None:
    assert placeholder("secret/app#token") == "‹secret secret/app#token›"


def test_short_and_empty_values_are_not_searched_for() -> None:
    redactor = Redactor()
    for value, label in (("", "empty"), ("12345", "short"), ("12345", "again"), ("12345", "short")):
        redactor.add(value, label)
    assert redactor.text("12345") == "12345"
    assert redactor.short == ("short", "again")
    assert redactor.data([True, None, 12345]) == [True, None, 12345]
    assert not redactor.found_in(["12345", None, True, 12345.5])


def test_who_watches_is_told_each_value_once() -> None:
    redactor = Redactor()
    redactor.add("before-it-watched", "a")
    seen: list[str] = []
    redactor.watch(seen.append)
    for value in (VALUE, VALUE, "12345", "two\nlines of it"):
        redactor.add(value, "x")
    assert seen == [VALUE, "two\nlines of it"]


def test_each_line_of_a_long_value_is_searched_for_and_short_lines_are_not() -> None:
    redactor = Redactor()
    redactor.add("first line of it\nshort\n  third line of it  \n", "pem")
    assert redactor.text("has third line of it and short") == f"has {MASK} and short"
    assert redactor.text("first line of it\r\nshort\r\n  third line of it") == MASK
    assert redactor.text("first line of it, short, third line of it") == f"{MASK}, short, {MASK}"


def test_data_keeps_its_shape() -> None:
    redactor = Redactor()
    redactor.add(VALUE, "x")
    data = {
        "a": [VALUE, 1, None, True, 2.5, (VALUE,)],
        f"key {VALUE}": {"deep": f"x{VALUE}y"},
        "object": object,
    }
    assert redactor.data(data) == {
        "a": [MASK, 1, None, True, 2.5, [MASK]],
        f"key {MASK}": {"deep": f"x{MASK}y"},
        "object": object,
    }
    assert not redactor.found_in({"a": [1, None, True, object]})
