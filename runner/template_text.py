"""How a value is written inside text, without Jinja for the values that most texts are made of, and when it is true."""

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


def holds(value: Any) -> bool:
    """Tell whether what a condition gave is true: text is judged by what it says, so that `false` as text is false."""
    if isinstance(value, str):
        return value.strip().lower() not in ("", "false")
    return bool(value)
