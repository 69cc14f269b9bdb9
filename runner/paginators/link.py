"""`link`: the next page is in the header Link (RFC 8288), as GitHub, GitLab, Okta and Sentry send it."""

import re
from collections.abc import Iterator

from runner.frozen import dataclass
from runner.language import Json, text
from runner.paginators import Page, Step

SUMMARY = "the next page is in the header `Link` (RFC 8288)"
SCHEMA: Json = {"rel": text("Relation of the link to the next page. Default next.", examples=["next"])}
REQUIRED = ()

_TARGET = re.compile(r"[\s,]*<([^>]*)>")
_PARAMETER = re.compile(
    r"""\s*;\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?""", re.DOTALL
)

_END = re.compile(r"\s*(?:,|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The relation that leads on."""

    rel: str = "next"


def first(config: Config) -> Step:
    """Add nothing."""
    del config
    return Step()


def following(config: Config, page: Page) -> Step | None:
    """Follow the first link with the relation; one with `results="false"` leads to nothing (Sentry)."""
    for target, parameters in links(page.headers.get("link", "")):
        relations = parameters.get("rel", "").lower().split()
        if config.rel.lower() in relations and "anchor" not in parameters:
            return None if parameters.get("results") == "false" else Step(url=target, token=target)
    return None


def links(value: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Read a Link header: targets as written, with their parameters; of equal parameters the first counts.

    What comes after something that is no link is not read: it cannot be told where the next one begins.
    """
    at = 0
    while match := _TARGET.match(value, at):
        at = match.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(value, at):
            at = parameter.end()
            name, quoted, plain = parameter.groups()
            given = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else plain or ""
            parameters.setdefault(name.lower(), given)
        yield match[1].strip(), parameters
        if not _END.match(value, at):
            return
