"""The text in which values stand in the history: JSON, with the exact text of every number."""

from typing import Any

from runner import exact_json


def text_of(value: Any) -> str:
    """Write a value; raises ValueError or TypeError for one that JSON does not have, such as infinity."""
    text = exact_json.dumps(value, compact=True)
    if text.isascii():
        return text
    # Half a character, which no UTF-8 text can hold, becomes the escape that JSON has for it.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def value_of(text: str | None) -> Any:
    """Read what `text_of` wrote."""
    return None if text is None else exact_json.loads(text)
