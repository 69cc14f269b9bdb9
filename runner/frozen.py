"""Data classes that are made quickly: `dataclass` as in the standard library, with one difference in what it costs.

The standard one writes and compiles up to ten methods for each class, half a millisecond to a whole one. A command
imports some seventy of them, which was a third of the time until it began. Here only `__init__` is compiled; the other
methods are shared. `frozen` is held by the type checker, not at run time.
"""

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(
        *,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        repr: bool = True,
        eq: bool = True,
        order: bool = False,
    ) -> Callable[[type], type]:
        """Make a data class; the keywords mean what they mean in the standard library."""

        def made(owner: type) -> type:
            shared = dict(_ORDER) if order else {}
            if repr:
                shared["__repr__"] = _shown
            if eq:
                shared |= {"__eq__": _equal, "__hash__": _hashed if frozen else None}
            for name, method in shared.items():
                if name not in owner.__dict__ or (name == "__hash__" and owner.__dict__[name] is None):
                    setattr(owner, name, method)
            return dataclasses.dataclass(owner, slots=slots, kw_only=kw_only, repr=False, eq=False)

        return made


@recursive_repr()
def _shown(self: Any) -> str:
    parts = (f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(parts)})"


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    key = _compared(self.__class__)
    return key(self) == key(other)


def _hashed(self: Any) -> int:
    return hash(_counted(self.__class__)(self))


@cache
def _compared(owner: Any) -> Callable[[Any], Any]:
    """Give what reads the fields that two instances are compared by."""
    return _reader(tuple(each.name for each in dataclasses.fields(owner) if each.compare))


@cache
def _counted(owner: Any) -> Callable[[Any], Any]:
    """Give what reads the fields that the hash is made of."""
    listed = dataclasses.fields(owner)
    return _reader(tuple(each.name for each in listed if (each.compare if each.hash is None else each.hash)))


def _reader(names: tuple[str, ...]) -> Callable[[Any], Any]:
    return attrgetter(*names) if names else lambda _: ()


def _ordering(name: str) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        key = _compared(self.__class__)
        return getattr(key(self), name)(key(other))

    return compare


_ORDER = {name: _ordering(name) for name in ("__lt__", "__le__", "__gt__", "__ge__")}
