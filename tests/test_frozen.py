"""`runner.frozen.dataclass` makes what the one of the standard library makes."""

import dataclasses
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from runner import frozen

OPTIONS: tuple[dict[str, bool], ...] = (
    {"frozen": True, "slots": True},
    {"frozen": True, "slots": True, "kw_only": True},
    {"frozen": True, "slots": True, "order": True},
    {"frozen": True, "slots": True, "repr": False},
    {"slots": True},
    {"slots": True, "eq": False},
    {},
)


def made(decorator: Callable[..., Any], options: dict[str, bool], own: dict[str, Any]) -> Any:
    fields = {
        "a": 0,
        "b": dataclasses.field(default="b", repr=False),
        "c": dataclasses.field(default=0, compare=False),
        "d": dataclasses.field(default_factory=tuple, hash=False),
    }
    body = {"__annotations__": dict.fromkeys(fields, "object"), "__module__": __name__, **fields, **own}
    return decorator(**options)(type("Made", (), body))


def seen(owner: Any) -> list[Any]:
    """What can be observed of a class: of instances that differ in one field each."""
    values = [owner(), owner(a=1), owner(b="c"), owner(c=1), owner(d=(1,))]
    shown = [repr(value) if "0x" not in repr(value) else "standard" for value in values]
    equal = [one == other for one in values for other in values] + [values[0] == "a"]
    hashed = [hash(value) == hash(values[0]) for value in values] if owner.__hash__ else [None]
    ordered = "__lt__" in owner.__dict__
    less = [operator.lt(one, other) for one in values for other in values] if ordered else []
    slots = getattr(owner, "__slots__", None)
    names = [(field.name, field.repr, field.compare) for field in dataclasses.fields(owner)]
    again = [dataclasses.replace(value, a=7).a for value in values]
    return [shown, equal, hashed, less, slots, names, again, owner.__match_args__]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize(
    "own",
    [{}, {"__repr__": lambda _: "own"}, {"__hash__": lambda _: 5}, {"__eq__": lambda *_: True}],
    ids=["plain", "repr", "hash", "eq"],
)
def test_as_the_standard_library(options: dict[str, bool], own: dict[str, Any]) -> None:
    assert seen(made(frozen.dataclass, options, own)) == seen(made(dataclasses.dataclass, options, own))


@frozen.dataclass(frozen=True, slots=True)
class Sample:
    """One that pickle can find."""

    a: int
    inner: Any = None


def test_others_are_not_compared_and_copies_are_equal() -> None:
    one = Sample(1, Sample(2))
    assert pickle.loads(pickle.dumps(one)) == one
    assert one != dataclasses.make_dataclass("Sample", ["a", "inner"])(1, Sample(2))
    assert repr(one) == "Sample(a=1, inner=Sample(a=2, inner=None))"


def test_the_type_checker_holds_frozen() -> None:
    one = Sample(1)
    one.a = 2  # type: ignore[misc]  # were it allowed, the type checker would call this comment unused
    assert one == Sample(2)
