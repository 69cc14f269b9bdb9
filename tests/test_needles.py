"""Searching for many texts at once finds what searching for each of them finds."""

import random

import pytest

from runner import sensitive
from runner.needles import FEW, Needles
from runner.sensitive import MASK, Redactor, written_forms


@pytest.mark.parametrize("alphabet", ["ab", "abcdefgh.-é", "01"])
@pytest.mark.parametrize("count", [FEW // 2, FEW * 5])
def test_it_finds_what_each_search_alone_finds(alphabet: str, count: int) -> None:
    chance = random.Random(f"{alphabet} {count}")
    needles = Needles()
    added: set[str] = set()
    for _ in range(count):
        needle = "".join(chance.choices(alphabet, k=chance.randint(1, 14)))
        needles.add(needle)
        needles.add(needle)
        added.add(needle)
        if len(added) % 50 == 0:
            text = "".join(chance.choices(alphabet, k=chance.randint(0, 60)))
            found = list(needles.within(text))
            assert set(found) == {each for each in added if each in text}
            assert [len(each) for each in found] == sorted((len(each) for each in found), reverse=True)
    assert len(needles) == len(added)


def test_many_secrets_are_found_in_every_form() -> None:
    """Values that begin alike, values that differ before a common host, values of three lengths of words."""
    redactor = Redactor()
    values = [
        form.format(number)
        for number in range(1200)
        for form in ("tok_live_{:06}", "person{}@mail.example.com", "{}&x <{}>".replace("{}", "{0}"))
    ]
    for number, value in enumerate(values):
        redactor.add(value, f"actions.make[{number}].output")
    assert redactor.known > 3000
    for value in (values[0], values[1], values[-3], values[-2], values[-1], "1199&x <1199>"):
        for form in written_forms(value):
            assert value not in redactor.text(f"said {form}, and no more")
            assert redactor.found_in({"a": [form]}), form
            assert MASK in redactor.text(form)
        escaped = "".join(char if char.isalnum() else f"\\u{ord(char):04x}" for char in value)
        assert redactor.text(f'"{escaped}"') == f'"{MASK}"'
    plain = "tok_live_x person@mail.example.com &x <> 1199 tok_live_"
    assert redactor.text(plain) == plain
    assert not redactor.found_in([plain])


def test_a_value_is_looked_at_closely_only_where_all_its_words_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their patterns are made when they are needed: short words that stand everywhere make none."""
    made: list[str] = []
    pattern = sensitive.escaped_pattern

    def escaped(part: str) -> str:
        made.append(part)
        return pattern(part)

    monkeypatch.setattr(sensitive, "escaped_pattern", escaped)
    redactor = Redactor()
    for number in range(2000):
        redactor.add(f"tok_live_{number}_abcdef", "actions.make.output")
    for number in range(0, 2000, 100):
        redactor.text(f"GET /item/{number} took 0.{number} s: tok live abcde_f {number + 1}")
    assert made == []
    assert redactor.text("tok%5Flive\\u005f1234\\x5fabcdef") == MASK
    assert "tok_live_1234_abcdef" in made
    assert len(made) < 20  # 1, 2, 12, 234 and the like stand in it too


def test_the_work_per_secret_does_not_grow_with_their_number() -> None:
    """Counted, not timed: what is looked for in a text stays a handful, however many secrets there are."""

    class Counting(str):
        __slots__ = ("asked",)

        def __contains__(self, needle: object) -> bool:
            self.asked = getattr(self, "asked", 0) + 1
            return super().__contains__(needle)  # type: ignore[operator]

    needles = Needles()
    for number in range(20_000):
        needles.add(f"tok_live_{number:06}_{number * 7919 % 100_000:05}")
    text = Counting("a record with tok_live_012345_60055 and tok_live_012345_99999 in it")
    assert list(needles.within(text)) == ["tok_live_012345_60055"]
    assert text.asked < 2000
