"""`offset`: a page begins after so many items."""

from runner.frozen import dataclass
from runner.language import Json, text
from runner.paginators import Page, Step

SUMMARY = "a page begins after so many items"
SCHEMA: Json = {
    "param": text(
        "Parameter of the query with the number of items before the page. Default offset.",
        minLength=1,
        examples=["startAt"],
    ),
    "start": {
        "type": "integer",
        "minimum": 0,
        "description": "What the first page asks for. Default 0.",
        "examples": [1],
    },
    "limit": {
        "type": "integer",
        "minimum": 1,
        "description": "Items that a page is asked for. Without it nothing is said, and the server decides.",
        "examples": [100],
    },
    "limit_param": text(
        "Parameter of the query with `limit`. Default limit.", minLength=1, examples=["maxResults"]
    ),
}
REQUIRED = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The parameters, where counting starts, and how much a page is asked for."""

    param: str = "offset"
    start: int = 0
    limit: int | None = None
    limit_param: str = "limit"


def first(config: Config) -> Step:
    """Ask for the first items."""
    return _step(config, 0)


def following(config: Config, page: Page) -> Step | None:
    """Ask for what comes after the items that came, until `more` is false; without `more` until a page is empty.

    A page that is shorter than `limit` is not the last one for certain: many servers give fewer than they are asked for.
    """
    if page.empty and page.more is None:
        return None
    return _step(config, page.total if page.total is not None else page.number * (config.limit or 0))


def _step(config: Config, before: int) -> Step:
    query = {config.param: str(config.start + before)}
    if config.limit is not None:
        query[config.limit_param] = str(config.limit)
    return Step(token=str(before), query=query)
