"""Values in templates: how each is written in text, what becomes of a result, and the filters that say so."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Self

from jinja2 import Undefined, pass_environment
from jinja2.filters import make_attrgetter

from runner import filters
from runner.template_bounds import LARGEST_PIECE, TemplateFault, budget, check_join, check_sizes


class Raw(str):
    """Text that a path takes as it is: the explicit choice `| raw`."""

    __slots__ = ()

    def __new__(cls, value: Any) -> Self:
        """Take any value as text."""
        return super().__new__(cls, text_of(value))


def text_of(value: Any) -> str:
    """Write a value inside text: `true`, nothing for null, JSON for lists and mappings, ISO 8601 for times."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if value is True:
        return "true"
    if value is False:
        return "false"
    if isinstance(value, Undefined):
        return str(value)  # raises
    if isinstance(value, datetime):
        return filters.iso(value)
    if isinstance(value, dict | list | tuple):
        return filters.to_json(to_data(value))
    if isinstance(value, int | float):
        return repr(value)
    return filters.to_json(to_data(value))


def to_data(value: Any) -> Any:
    """Give the result of an expression as JSON data; raises where it is none, or holds something undefined."""
    spent = budget.get(None)
    if spent is not None:
        spent.take()
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value) if type(value) is not str else value
    if isinstance(value, dict):
        return {text_of(key): to_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_data(item) for item in value]
    if isinstance(value, Undefined):
        str(value)  # raises
    if isinstance(value, datetime):
        return filters.iso(value)
    if isinstance(value, Iterator | range | set | frozenset) or type(value).__name__ in (
        "dict_keys",
        "dict_values",
        "dict_items",
    ):
        return [to_data(item) for item in value]
    name = getattr(value, "__name__", type(value).__name__)
    raise TemplateFault(
        f"the expression gives no data but the method or object '{name}'",
        help=f"call it: {name}()" if callable(value) else "give text, a number, a list or a mapping",
    )


def concat(*parts: Any) -> str:
    """Do what `~` does."""
    texts = [text_of(part) for part in parts]
    if sum(map(len, texts)) > LARGEST_PIECE:
        raise TemplateFault("an operation in the template builds too much", help="build less in a template")
    return "".join(texts)


def joined(pieces: Iterable[str]) -> str:
    """Put pieces together, within the bounds."""
    return "".join(check_join("", pieces))


@pass_environment
def join(environment: Any, value: Any, d: Any = "", attribute: str | int | None = None) -> str:
    """Join the items of a list, each as text of templates is written, or one attribute of each."""
    if isinstance(value, Undefined):
        str(value)  # raises
    items = value if attribute is None else map(make_attrgetter(environment, attribute), value)
    separator = text_of(d)
    return separator.join(check_join(separator, (text_of(item) for item in items)))


def to_json(value: Any, indent: int | None = None) -> str:
    """Write a value as JSON, within the bounds."""
    check_sizes(None, (indent,), {})
    return filters.to_json(to_data(value), indent)


def default(value: Any, default_value: Any = None, boolean: bool = False) -> Any:
    """Give `default_value` (null unless given) for something undefined; with `boolean` also for something empty."""
    if isinstance(value, Undefined) or (boolean and not value):
        return default_value
    return value


def of_defined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a filter of ours fail on something undefined as Jinja's do."""

    def checked(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            if isinstance(value, Undefined):
                str(value)  # raises
        return function(*args, **kwargs)

    return checked
