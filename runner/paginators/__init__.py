"""Styles of pagination, one file each: how an API says where the next page is.

A style's file holds `SUMMARY`, `SCHEMA` (the keys of `paginate` that are its own), `REQUIRED`, a frozen `Config` with a
field for each of them, `bind` where a key is a template, `first(config)` (what the first request adds) and
`following(config, page)` (what the next one adds, or None after the last page).
"""

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any

from runner import registry
from runner.bind import RESPONSE_ROOTS, Binder
from runner.document import Pointer
from runner.errors import Failure, FailureError, FailureKind
from runner.frozen import dataclass
from runner.language import Json, closed, text
from runner.model import Action, Connection, Paginate
from runner.template import Template

PAGE_ROOTS = frozenset({"response", "vars", "environment", "run"})
"""What leads to the next page is sent to the server: it is made of what the server said, never of a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one page's request has that others have not. `token` tells pages apart: none may come twice.

    `url` replaces the whole URL. `body` is a path into the JSON body, and the value that goes there.
    """

    token: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: tuple[tuple[str, ...], Any] | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that was read: its number from 1, its items and those of all pages so far (None without `items`)."""

    number: int
    headers: Mapping[str, str]
    render: Callable[[Template], Any]
    count: int | None
    total: int | None
    more: bool | None
    """What the template `more` says; None where there is none."""
    empty: bool
    """Whether it holds no items, or without `items` an empty body."""


def unusable(template: Template, message: str, remedy: str) -> FailureError:
    """Make the failure of a template that gives what cannot lead to a page."""
    return FailureError(Failure(kind=FailureKind.RENDER, message=message, help=remedy, span=template.span))


_COMMON: Json = {
    "items": text(
        "Template over `response`: the list of a page's items. The output is all of them, one list.",
        examples=["{{ response.body.results }}"],
    ),
    "more": text(
        "Template over `response`: false on the last page.", examples=["{{ response.body.has_more }}"]
    ),
    "max_pages": {
        "type": "integer",
        "minimum": 1,
        "description": "Most pages; one more is a failure. Default: `limits.pages`, 1000.",
        "examples": [50],
    },
}
_WHEN = text(
    "`always` (default): every GET of the connection that does not say `paginate: false`. `asked`: actions with `paginate: true`, or keys of it.",
    enum=["always", "asked"],
    examples=["asked"],
)


def schema(*, default: bool) -> Json:
    """Compose the schema of `paginate`: with `default` that of a connection, else that of a request."""
    names = registry.names("paginators")
    described: Json = {
        "style": text("How the API says where the next page is.", enum=list(names), examples=["cursor"]),
        **_COMMON,
    }
    if default:
        described["when"] = _WHEN
    shared = dict.fromkeys(described, True)
    branches: list[Json] = []
    for name in names:
        module = registry.load("paginators", name)
        chosen = {"type": "object", "properties": {"style": {"const": name}}, "required": ["style"]}
        branches.append({"if": chosen, "then": closed({**shared, **module.SCHEMA}, required=module.REQUIRED)})
    made: Json = {
        "type": "object",
        "properties": described,
        "allOf": branches,
        "minProperties": 1,
        "description": "How the pages of an answer follow each other, for every GET of this connection.",
        "examples": [{"style": "link"}],
    }
    if default:
        return {**made, "required": ["style"]}
    bare = {"type": "object", "not": {"required": ["style"]}}
    branches.append({"if": bare, "then": closed(shared)})
    return {
        **made,
        "type": ["object", "boolean"],
        "description": "Read all pages of the answer. `true`, or keys without `style`: as the connection says; `false`: one request.",
        "examples": [
            {"style": "cursor", "param": "after", "next": "{{ response.body.next }}"},
            {"items": "{{ response.body.results }}"},
        ],
    }


def bind(value: Mapping[str, Any] | bool | None, pointer: Pointer, binder: Binder) -> Paginate | bool | None:
    """Bind `paginate`."""
    if value is None or isinstance(value, bool):
        return value
    style = value.get("style")
    made = Paginate(
        style=style,
        items=binder.template(value["items"], (*pointer, "items"), RESPONSE_ROOTS)
        if "items" in value
        else None,
        max_pages=value.get("max_pages"),
        automatic=value.get("when", "always") == "always",
    )
    extra, binder.extra_roots = binder.extra_roots, frozenset()
    if "more" in value:
        made = replace(made, more=binder.template(value["more"], (*pointer, "more"), PAGE_ROOTS))
    if style is not None:
        module = registry.load("paginators", style)
        own = {name: value[name] for name in module.SCHEMA if name in value}
        if "next" in own:
            own["next"] = binder.template(own["next"], (*pointer, "next"), PAGE_ROOTS)
        fields = {"place" if name == "in" else name: item for name, item in own.items()}
        made = replace(made, config=module.Config(**fields))
    binder.extra_roots = extra
    return made


def effective(action: Action, connection: Connection | None) -> Paginate | None:
    """Give the pagination that holds for a request; None for a single request.

    An action's own `style` stands alone; without one its keys are laid over those of the connection.
    """
    if action.kind != "request" or action.config.paginate is False:
        return None
    own: Paginate | bool | None = action.config.paginate
    theirs = connection.paginate if connection is not None else None
    if own is None:
        plain = action.config.method == "GET" and action.config.save_to is None
        wanted = theirs is not None and theirs.automatic and plain
        return theirs if wanted else None
    if isinstance(own, bool):
        return theirs
    if own.style is not None:
        return own
    if theirs is None:
        return None
    given = {name: getattr(own, name) for name in ("items", "more", "max_pages")}
    return replace(theirs, **{name: item for name, item in given.items() if item is not None})


def describe(paging: Paginate, most: int) -> Json:
    """Show how pages are read, for a plan; templates as written, since answers are not known; `most` is the limit."""
    described: Json = {"style": paging.style}
    if paging.style is not None:
        for name in registry.load("paginators", paging.style).SCHEMA:
            value = getattr(paging.config, "place" if name == "in" else name)
            if value is not None:
                described[name] = value.text if isinstance(value, Template) else value
    for name, template in (("items", paging.items), ("more", paging.more)):
        if template is not None:
            described[name] = template.text
    return {**described, "max_pages": paging.max_pages or most}
