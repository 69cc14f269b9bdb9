"""How a value is written inside text, without Jinja for the values that most texts are made of."""

from typing import Any


def text_of(value: Any) -> str:
    """Write a value inside text, as templates do (`runner.template_values.text_of`, which imports Jinja)."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    from runner.template_values import text_of as with_jinja

    return with_jinja(value)
