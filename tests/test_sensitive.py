"""Secrets in memory: they do not print, and what leaked is found in every form."""

import base64
import binascii
import copy
import dataclasses
import html
import json
import logging
import pickle
import shlex
import traceback
import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runner.sensitive import MASK, PASSING, Redactor, Rendered, Secret, placeholder, written_forms

VALUE = "p4ss/w+rd&<'\"é> ü$x"


class TestSecret:
    """The class itself."""

    secret = Secret(VALUE, "secret/a#b")

    @pytest.mark.parametrize(
        "show",
        [
            repr,
            str,
            ascii,
            "{}".format,
            "{!r}".format,
            "{!s:>20}".format,
            "{:x}".format,
            lambda secret: "%s" % secret,  # noqa: UP031
            lambda secret: "%r" % secret,  # noqa: UP031
            lambda secret: f"{secret!a}",
            lambda secret: str([secret]),
            lambda secret: str({"a": secret}),
            lambda secret: repr(dataclasses.make_dataclass("D", ["a"])(secret)),
            lambda secret: str(ValueError(secret)),
            lambda secret: repr(ValueError(secret)),
        ],
    )
    def test_it_prints_as_stars(self, show: Callable[[Secret], str]) -> None:
        shown = show(self.secret)
        assert MASK in shown
        assert VALUE not in shown
        assert "p4ss" not in shown

    @pytest.mark.parametrize(
        "use",
        [
            pickle.dumps,
            lambda secret: pickle.dumps([secret], protocol=0),
            copy.copy,
            copy.deepcopy,
            json.dumps,
            lambda secret: json.dumps({"a": secret}),
            lambda secret: secret + "x",
            lambda secret: "x" + secret,
            lambda secret: "".join(iter([secret])),
            len,
            iter,
            bytes,
            lambda secret: secret[0],
            lambda secret: "p" in secret,
            vars,
            lambda secret: secret.__dict__,
            lambda secret: setattr(secret, "more", 1),
            lambda secret: secret.value,
        ],
    )
    def test_it_refuses_to_travel(self, use: Callable[[Any], Any]) -> None:
        with pytest.raises((TypeError, AttributeError)) as caught:
            use(self.secret)
        assert "p4ss" not in "".join(traceback.format_exception(caught.value))

    def test_it_gives_its_value_and_its_label(self) -> None:
        assert self.secret.reveal() == VALUE
        assert self.secret.label == "secret/a#b"

    def test_it_compares_by_value_and_never_with_text(self) -> None:
        assert self.secret == Secret(VALUE, "secret/a#b")
        assert self.secret != Secret("x", "secret/a#b")
        assert self.secret != VALUE
        assert len({self.secret, Secret(VALUE, "secret/a#b")}) == 1

    def test_a_log_record_and_a_traceback_show_stars(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        logging.getLogger("x").warning("token %s %r", self.secret, {"a": self.secret})
        assert "p4ss" not in caplog.text
        assert MASK in caplog.text


class TestRendered:
    """A value with two faces."""

    both = Rendered("Bearer " + VALUE, "Bearer ‹secret a#b›")

    def test_it_prints_as_shown(self) -> None:
        for shown in (
            repr(self.both),
            str(self.both),
            f"{self.both:>50}",
            str([self.both]),
            "%s" % self.both,  # noqa: UP031
        ):
            assert "p4ss" not in shown
            assert "‹secret a#b›" in shown

    def test_the_placeholder_names_the_reference(self) -> None:
        assert placeholder("a#b") == "‹secret a#b›"


def redactor(*values: str) -> Redactor:
    made = Redactor()
    for value in values:
        made.add(value, "label")
    return made


def every_unit(value: str, form: str) -> str:
    raw = value.encode("utf-16-be")
    return "".join(form.format(raw[at] << 8 | raw[at + 1]) for at in range(0, len(raw), 2))


ENCODERS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "quote": urllib.parse.quote,
    "quote all": lambda value: urllib.parse.quote(value, safe=""),
    "quote, lower case": lambda value: "".join(f"%{byte:02x}" for byte in value.encode()),
    "quote, every byte": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
    "quote_plus": urllib.parse.quote_plus,
    "urlencode": lambda value: urllib.parse.urlencode({"a": value}),
    "encodeURIComponent": lambda value: urllib.parse.quote(value, safe="~()*!'"),
    "json": json.dumps,
    "json, utf-8": lambda value: json.dumps(value, ensure_ascii=False),
    "json, slashes escaped": lambda value: json.dumps(value).replace("/", "\\/"),
    "json in json": lambda value: json.dumps(json.dumps({"a": value})),
    "html": html.escape,
    "html, decimal": lambda value: html.escape(value).replace("&#x27;", "&#39;"),
    "html, named": lambda value: html.escape(value).replace("&#x27;", "&apos;"),
    "html text": lambda value: html.escape(value, quote=False),
    "shell": shlex.quote,
    "repr": repr,
    "json, every character": lambda value: every_unit(value, "\\u{:04x}"),
    "json in json, every character": lambda value: json.dumps(every_unit(value, "\\u{:04X}")),
    "html, every character": lambda value: "".join(f"&#{ord(char)};" for char in value),
    "html, every character in hex": lambda value: "".join(f"&#x{ord(char):X};" for char in value),
    "html, every character, twice": lambda value: "".join(f"&amp;#{ord(char)};" for char in value),
    "json, every second character": lambda value: "".join(
        every_unit(char, "\\u{:04x}") if at % 2 else json.dumps(char)[1:-1] for at, char in enumerate(value)
    ),
    "JavaScript": lambda value: "".join(f"\\u{{{ord(char):x}}}" for char in value),
    "Python, wide": lambda value: "".join(f"\\U{ord(char):08x}" for char in value),
    "bytes": lambda value: "".join(f"\\x{byte:02x}" for byte in value.encode()),
    "every second letter": lambda value: "".join(
        f"%{ord(char):02x}" if at % 2 and char.isascii() else urllib.parse.quote(char, safe="")
        for at, char in enumerate(value)
    ),
    "base64 in lines": lambda value: base64.encodebytes(b"x" * 50 + value.encode()).decode(),
    "base64 in lines, in json": lambda value: json.dumps(
        base64.encodebytes(b"x" * 50 + value.encode()).decode()
    ),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64, URL": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64, no padding": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
    "basic auth": lambda value: base64.b64encode(f"user:{value}".encode()).decode(),
    "base64 in json": lambda value: json.dumps(
        {"a": base64.b64encode(b"x" + value.encode() + b"yz").decode()}
    ),
}
AWKWARD = [
    VALUE,
    "plain-token-0123456789",
    "a/b+c=d==",
    "with space and\ttab",
    "quote'and\"both",
    "back\\slash\\",
    "ünïcödé-пароль-密码",
    "emoji😀token",
    "%7Balready%7D",
    "{{ not a template }}",
    "<script>&amp;",
    "$(command) `tick` $var",
    "......",
    "\x7fcontrol\x01chars",
    "a" * 6,
    "x" * 5000,
]


@pytest.mark.parametrize("value", AWKWARD)
@pytest.mark.parametrize("form", ENCODERS)
def test_a_leak_is_found_and_removed_in_every_form(form: str, value: str) -> None:
    leak = ENCODERS[form](value)
    text = f"before {leak} after"
    cleaner = redactor(value)
    assert cleaner.found_in(text)
    clean = cleaner.text(text)
    assert MASK in clean
    assert clean.startswith("before ")
    assert clean.endswith(" after")
    assert not cleaner.found_in(clean)
    assert value not in clean
    assert leak not in clean


@pytest.mark.parametrize("value", AWKWARD)
@pytest.mark.parametrize("before", range(7))
@pytest.mark.parametrize("after", range(4))
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_at_every_alignment(
    value: str, before: int, after: int, encode: Callable[[bytes], bytes]
) -> None:
    for byte in (b"\x00", b"\xff", b"a"):
        text = encode(byte * before + value.encode() + byte * after).decode()
        assert redactor(value).found_in(text)
        assert MASK in redactor(value).text(text)


def test_the_leak_tests_can_fail() -> None:
    assert not Redactor().found_in(VALUE)
    assert not redactor("another-value").found_in(VALUE)
    assert redactor("another-value").text(VALUE) == VALUE


@given(
    value=st.text(st.characters(exclude_categories=["Cs"]), min_size=6, max_size=30),
    form=st.sampled_from(list(ENCODERS)),
    around=st.tuples(st.binary(max_size=5), st.binary(max_size=5)),
)
@settings(max_examples=500, deadline=None)
def test_any_value_is_found_in_any_form(value: str, form: str, around: tuple[bytes, bytes]) -> None:
    assume(len(value.strip()) >= 6)
    cleaner = redactor(value)
    assert cleaner.found_in(ENCODERS[form](value))
    raw = around[0] + value.encode() + around[1]
    assert cleaner.found_in(base64.b64encode(raw).decode())
    assert cleaner.found_in(binascii.hexlify(raw).decode())


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_text_without_a_secret_stays_as_it_is(text: str) -> None:
    cleaner = redactor("Zq8#vN2!kL5@")
    assert cleaner.text(text) == text
    assert cleaner.data({"a": [text]}) == {"a": [text]}


def test_values_of_several_lines_are_found_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nshort\n  indented-line-of-key  \n-----END KEY-----\n"
    cleaner = redactor(key)
    for leak in (
        key,
        key.strip(),
        key.replace("\n", "\\n"),
        "xMIIEvQIBADANBgkqhkiG9w0x",
        "indented-line-of-key",
        key.replace("\n", "\r\n"),
    ):
        assert MASK in cleaner.text(leak), leak
    assert cleaner.text("short") == "short"


def test_a_value_with_white_space_around_is_found_without_it() -> None:
    assert redactor("  spaced-token \n").text("x spaced-token y") == f"x {MASK} y"


def test_the_longest_form_goes_first() -> None:
    cleaner = redactor("abcdef", "abcdef-ghijkl")
    assert cleaner.text("abcdef-ghijkl abcdef") == f"{MASK} {MASK}"


def test_overlapping_secrets_leave_nothing_readable() -> None:
    cleaner = redactor("secret-one-two", "two-three-four")
    shown = cleaner.text("secret-one-two-three-four")
    assert shown == MASK
    assert cleaner.text("secret-one-twosecret-one-two") == MASK * 2
    assert redactor("abaaba").text("xabaabaabay") == f"x{MASK}y"


def test_short_values_are_named_and_not_searched_for() -> None:
    cleaner = Redactor()
    cleaner.add("12345", "a#pin")
    cleaner.add("", "a#nothing")
    cleaner.add("1234", "a#pin")
    assert cleaner.short == ("a#pin",)
    assert cleaner.text("12345") == "12345"
    cleaner.add("123456", "a#long")
    assert cleaner.text("123456") == MASK


def test_data_is_cleaned_in_values_keys_and_numbers() -> None:
    cleaner = redactor("123456789", "token-value")
    data = {
        "a": ["x token-value", {"token-value": 1}],
        "n": 123456789,
        "f": 123456789.5,
        "m": -123456789,
        "t": True,
        "z": None,
        "s": 7,
    }
    assert cleaner.data(data) == {
        "a": [f"x {MASK}", {MASK: 1}],
        "n": MASK,
        "f": MASK,
        "m": MASK,
        "t": True,
        "z": None,
        "s": 7,
    }
    for leak in (
        "token-value",
        ["token-value"],
        {"token-value": 1},
        {"a": {"b": ["x", 123456789]}},
        ("token-value",),
    ):
        assert cleaner.found_in(leak)
    others: list[Any] = ["token", 12345678, True, None, [], {}, {"a": 1}]
    for other in others:
        assert not cleaner.found_in(other)


def test_data_without_secrets_is_the_same_object() -> None:
    data = {"a": [1]}
    assert Redactor().data(data) is data
    assert not Redactor().found_in(data)


def test_watchers_hear_each_value_once() -> None:
    cleaner = Redactor()
    heard: list[str] = []
    cleaner.watch(heard.append)
    for _ in range(2):
        cleaner.add("token-value", "a")
    cleaner.add("pin", "b")
    assert heard == ["token-value"]


def test_forms_are_never_short() -> None:
    for value in AWKWARD:
        assert all(len(form) >= 6 for form in written_forms(value))


def test_a_form_of_one_secret_that_is_another_secret() -> None:
    encoded = base64.b64encode(b"token-value-one").decode()
    cleaner = redactor("token-value-one", encoded)
    assert cleaner.text(encoded) == MASK


def test_values_of_single_requests_are_searched_for_while_they_are_among_the_last() -> None:
    redactor = Redactor()
    redactor.add("the-key-itself", "key")
    redactor.add_passing("sign+1/=")
    redactor.add_passing("short")
    assert redactor.text("a sign+1/= b sign%2B1%2F%3D c short") == f"a {MASK} b {MASK} c short"
    assert redactor.found_in({"a": ["x sign+1/= y"]})
    for number in range(PASSING):
        redactor.add_passing(f"signature-{number:03d}")
    assert not redactor.found_in("sign+1/=")
    assert redactor.data(["signature-000", f"signature-{PASSING - 1:03d}"]) == [MASK, MASK]
