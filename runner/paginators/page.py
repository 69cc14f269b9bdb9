"""`page`: pages are counted."""

from runner.frozen import dataclass
from runner.language import Json, text
from runner.paginators import Page, Step

SUMMARY = "pages are counted"
SCHEMA: Json = {
    "param": text(
        "Parameter of the query with the number of the page. Default page.", minLength=1, examples=["page"]
    ),
    "start": {
        "type": "integer",
        "minimum": 0,
        "description": "Number of the first page. Default 1.",
        "examples": [0],
    },
}
REQUIRED = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The parameter, and where counting starts."""

    param: str = "page"
    start: int = 1


def first(config: Config) -> Step:
    """Ask for the first page by its number."""
    return _step(config, config.start)


def following(config: Config, page: Page) -> Step | None:
    """Ask for the next number, until `more` is false; without `more` until a page is empty."""
    if page.empty and page.more is None:
        return None
    return _step(config, config.start + page.number)


def _step(config: Config, number: int) -> Step:
    return Step(token=str(number), query={config.param: str(number)})
