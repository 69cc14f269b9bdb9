"""What templates of equal text share: the tree that was read, and what it was compiled to.

Files of one project say the same again and again (`{{ response.body.id }}`), and nothing of either depends on the place.
"""

from functools import cache, lru_cache
from typing import Any

from runner import template_engine as engine
from runner.template import Mode, writer

_KEPT = 2048
"""Texts that are remembered."""


@lru_cache(maxsize=_KEPT)
def parsed(mode: Mode, text: str) -> engine.Parsed | engine.TemplateFault:
    """Read a text with Jinja; what is wrong with it is given, not raised."""
    try:
        read = engine.parse if mode is Mode.VALUE else engine.parse_text
        return read(environment(mode), text)
    except engine.TemplateFault as fault:
        return fault


@lru_cache(maxsize=_KEPT)
def compiled(mode: Mode, text: str) -> Any:
    """Compile what `parsed` has read without fault; raises what Jinja raises."""
    found = parsed(mode, text)
    assert isinstance(found, engine.Parsed)
    return engine.compile_tree(environment(mode), found.tree, exact=found.exact)


@cache
def environment(mode: Mode) -> engine.Environment:
    """Give Jinja's environment for a kind of field."""
    return engine.Environment(writer(mode))
