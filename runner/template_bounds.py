"""The bounds of a rendering: how many steps, how long, how large a piece, so that no template stops a run."""

import builtins
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from jinja2 import Undefined

MOST_STEPS = 1_000_000
"""Loop rounds and calls of one rendering."""

LONGEST_SECONDS = 10.0
"""Wall time of one rendering."""

LARGEST_PIECE = 10 * 1024 * 1024
"""Characters or items that one operation may build."""


MOST_VALUES = 4_000_000
"""Values in the lists and mappings of one result."""

MOST_BUILT = 256 * 1024 * 1024
"""Characters that the filters and methods of one rendering may build, all together."""


class TemplateFault(Exception):  # noqa: N818 - a fault of the template, found when checking or when rendering
    """What is wrong with a template: rule or nothing, message without values, place in its text, remedy."""

    def __init__(
        self,
        message: str,
        *,
        start: int = 0,
        end: int | None = None,
        help: str | None = None,
        rule: str = "template-syntax",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.help = help
        self.rule = rule


class Budget:
    """Steps and time of one rendering."""

    __slots__ = ("built", "deadline", "steps", "values")

    def __init__(self) -> None:
        self.built = 0
        self.steps = 0
        self.values = 0
        self.deadline = time.monotonic() + LONGEST_SECONDS

    def spend(self) -> None:
        """Count one step; raises TemplateFault where the budget is used up."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TemplateFault(
                f"the template takes more than {MOST_STEPS:,} steps", help="compute less in a template"
            )
        if self.steps % 64 == 0:
            self._look_at_the_clock()

    def take(self) -> None:
        """Count one value of a result: lists may hold one list many times, so that few become very many."""
        self.values += 1
        if self.values > MOST_VALUES:
            raise TemplateFault(
                f"the template gives more than {MOST_VALUES:,} values", help="build less in a template"
            )
        if self.values % 1024 == 0:
            self._look_at_the_clock()

    def build(self, made: Any) -> None:
        """Count what a filter or method made."""
        self.built += _length(made) if isinstance(made, str) else 0
        if self.built > MOST_BUILT or _length(made) > LARGEST_PIECE:
            raise TemplateFault(
                "an operation in the template builds too much", help="build less in a template"
            )

    def _look_at_the_clock(self) -> None:
        if time.monotonic() > self.deadline:
            raise TemplateFault(
                f"the template takes longer than {LONGEST_SECONDS:.0f} s", help="compute less in a template"
            )


budget: ContextVar[Budget] = ContextVar("budget")


def check_operation(operator: str, left: Any, right: Any) -> None:
    """Refuse an operation that would build something huge."""
    size = 0.0
    if operator == "*":
        size = _length(left) * _number(right) + _length(right) * _number(left)
        if isinstance(left, int) and isinstance(right, int):
            size = left.bit_length() + right.bit_length()
    elif operator == "**" and isinstance(left, int) and isinstance(right, int):
        size = left.bit_length() * abs(right)
    elif operator == "+":
        size = _length(left) + _length(right)
    elif operator == "%" and isinstance(left, str):
        size = max((int(width) for width in re.findall(r"\d{1,12}", left)), default=0)
        size = LARGEST_PIECE + 1 if "*" in left else size
        size += left.count("%") * _longest(right)
    if size > LARGEST_PIECE:
        raise TemplateFault("an operation in the template builds too much", help="build less in a template")


def steps(iterable: Any) -> Iterator[Any]:
    """Count the rounds of a loop."""
    if isinstance(iterable, Undefined):
        str(iterable)  # raises
    spent = budget.get()
    for item in iterable:
        spent.spend()
        yield item


def check_join(separator: str, items: Iterable[Any]) -> list[Any]:
    """Refuse a join that would build something huge; gives the items, which may have been an iterator."""
    listed = []
    size = 0
    for item in items:
        listed.append(item)
        size += len(separator) + _length(item)
        if size > LARGEST_PIECE:
            raise TemplateFault(
                "an operation in the template builds too much", help="build less in a template"
            )
    return listed


def bounded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a filter so that its arguments are bounded."""

    def checked(*args: Any, **kwargs: Any) -> Any:
        check_sizes(next((item for item in args if isinstance(item, str)), None), args, kwargs)
        made = function(*args, **kwargs)
        budget.get().build(made)
        return made

    for name in ("jinja_pass_arg",):  # how Jinja marks filters that take the environment
        if builtins.hasattr(function, name):
            setattr(checked, name, builtins.getattr(function, name))
    return checked


def check_sizes(subject: Any, args: Iterable[Any], kwargs: dict[str, Any]) -> None:
    """Refuse arguments that make a method or filter build something huge: widths, counts, replacements."""
    values = [*args, *kwargs.values()]
    size = max((value for value in values if isinstance(value, int)), default=0)
    if isinstance(subject, str):
        longest = max((len(value) for value in values if isinstance(value, str)), default=0)
        size = max(size, (len(subject) + 1) * longest if len(values) > 1 else 0)
        size = max(
            [
                size,
                *(
                    int(width)
                    for width in re.findall(r"\d{6,12}", subject)
                    if "{" in subject or "%" in subject
                ),
            ]
        )
    if size > LARGEST_PIECE and not any(isinstance(value, float) for value in values):
        raise TemplateFault("an operation in the template builds too much", help="build less in a template")


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def _longest(values: Any) -> int:
    """Give the length of the longest of the values that a text is filled with."""
    items = (
        values.values() if isinstance(values, dict) else values if isinstance(values, tuple) else (values,)
    )
    return max((len(item) for item in items if isinstance(item, str)), default=0)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
