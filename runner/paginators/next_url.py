"""`next_url`: each page holds the URL of the next one."""

from typing import Any

from runner.filters import type_name
from runner.frozen import dataclass
from runner.language import Json, text
from runner.paginators import Page, Step, unusable
from runner.template import Template

SUMMARY = "each page holds the URL of the next one"
SCHEMA: Json = {
    "next": text(
        "Template over `response`: the URL of the next page, absolute or relative to this one. Null, false or empty text on the last page.",
        examples=["{{ response.body.links.next }}"],
    ),
}
REQUIRED = ("next",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Where the URL comes from."""

    next: Template


def first(config: Config) -> Step:
    """Add nothing."""
    del config
    return Step()


def following(config: Config, page: Page) -> Step | None:
    """Follow the URL that the page gave; none, false and empty text are the end."""
    url: Any = page.render(config.next)
    if url is None or url is False or url == "":
        return None
    if not isinstance(url, str):
        raise unusable(
            config.next,
            f"`next` is {type_name(url)}, which is no URL",
            "it must give the URL of the next page, and null, false or empty text on the last page",
        )
    return Step(url=url, token=url)
