"""`cursor`: each page names a token that asks for the next one, in the query, a header or the JSON body."""

from typing import Any

from runner.filters import type_name
from runner.frozen import dataclass
from runner.language import Json, text
from runner.paginators import Page, Step, unusable
from runner.template import Template

SUMMARY = "each page names a token that asks for the next one"
SCHEMA: Json = {
    "param": text(
        "Where the token is sent: name of the parameter or header, or names joined by dots into the JSON body.",
        minLength=1,
        examples=["after", "variables.after"],
    ),
    "next": text(
        "Template over `response`: the token of the next page. Null, false or empty text on the last page.",
        examples=["{{ response.body.next }}"],
    ),
    "in": text(
        "`query` (default), `header` or `body`, which is then JSON.",
        enum=["query", "header", "body"],
        examples=["body"],
    ),
}
REQUIRED = ("param", "next")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where the token comes from, and where it goes."""

    param: str
    next: Template
    place: str = "query"


def first(config: Config) -> Step:
    """Add nothing: the first page needs no token."""
    del config
    return Step()


def following(config: Config, page: Page) -> Step | None:
    """Send the token that the page gave; none, false and empty text are the end."""
    token: Any = page.render(config.next)
    if token is None or token is False or token == "":
        return None
    if isinstance(token, bool) or not isinstance(token, str | int | float):
        raise unusable(
            config.next,
            f"`next` is {type_name(token)}, which is no token of a next page",
            "it must give text or a number, and null, false or empty text on the last page",
        )
    written = str(token)
    if config.place == "header":
        return Step(token=written, headers={config.param: written})
    if config.place == "body":
        return Step(token=written, body=(tuple(config.param.split(".")), token))
    return Step(token=written, query={config.param: written})
