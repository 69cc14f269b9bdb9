"""The redactor against encoders that are not its own, and the canary suite's search against planted leaks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sensitive import MASK, Redactor
from tests.canary import AWKWARD, ENCODERS, Search, value

SECRETS = {name: value(name, 7) for name in AWKWARD}
AROUND = ("before {} after", '{{"error": "{}", "x": 1}}', "a={}&b=2", "{}", "<p>{}</p>", "x{}y")


@pytest.mark.parametrize("name", AWKWARD)
def test_the_search_finds_every_planted_leak(name: str) -> None:
    search = Search([SECRETS[name]])
    missed = [
        (form, around)
        for form, encode in ENCODERS.items()
        for around in AROUND
        if not search.leaks(around.format(encode(SECRETS[name])))
    ]
    assert missed == []


def test_the_search_finds_nothing_where_nothing_is() -> None:
    search = Search(SECRETS.values())
    assert (
        search.leaks("nothing of it here", json.dumps({"token": MASK}), b"\xff\xfe" + bytes(range(256))) == []
    )


def test_the_search_finds_half_a_secret() -> None:
    secret = SECRETS["plain"]
    assert Search([secret]).leaks(f"cut: {secret[:12]}")
    assert Search([secret]).leaks(f"{secret[-12:]} was cut")


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("form", ENCODERS)
def test_the_redactor_leaves_nothing(name: str, form: str) -> None:
    redactor = Redactor()
    redactor.add(SECRETS[name], name)
    search = Search([SECRETS[name]])
    for around in AROUND:
        text = around.format(ENCODERS[form](SECRETS[name]))
        cleaned = redactor.text(text)
        assert search.leaks(cleaned) == [], cleaned
        assert MASK in cleaned
        assert redactor.found_in({"deep": [text]})
        assert redactor.found_in({text: 1})
        assert search.leaks(json.dumps(redactor.data({"deep": [text], text: 1}))) == []


def test_a_form_of_one_secret_that_is_another_secret_is_searched_for_in_all_its_own_forms() -> None:
    redactor = Redactor()
    first = "first/secret+value"
    second = ENCODERS["percent"](first)
    for secret in (first, second):
        redactor.add(secret, "x")
    search = Search([second])
    for form, encode in ENCODERS.items():
        assert search.leaks(redactor.text(encode(second))) == [], form


def test_secrets_inside_of_each_other() -> None:
    redactor = Redactor()
    redactor.add("secret-one", "a")
    redactor.add("xx-secret-one-yy", "b")
    assert redactor.text("xx-secret-one-yy secret-one") == f"{MASK} {MASK}"


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=6, max_size=30)
    .map(lambda text: f"s{text.strip()}3")
    .filter(lambda text: len(text) >= 8),
    st.sampled_from(sorted(ENCODERS)),
)
def test_no_secret_survives_any_encoding(secret: str, form: str) -> None:
    redactor = Redactor()
    redactor.add(secret, "x")
    assert Search([secret]).leaks(redactor.text(f"[{ENCODERS[form](secret)}]")) == []


@pytest.mark.parametrize("number", [12345678, -1234567.5, 123456])
def test_numbers_whose_digits_are_a_secret(number: Any) -> None:
    redactor = Redactor()
    redactor.add(json.dumps(number), "pin")
    assert redactor.data([number, True, None, 1]) == [MASK, True, None, 1]
    assert redactor.found_in({"n": number})
