"""YAML text to values, nothing else: the way that nearly every file is read, without a trace of where its parts stand.

Most files are never spoken of, so their places are found when the first message asks (`Document.root`). What is out of
the ordinary (aliases, tags, any mistake) is left to the builder of `runner.document`, which knows the messages.
"""

from sys import intern
from typing import Any

import yaml

from runner.yaml_scalars import plain_value

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where the wheel has it (every published one does): seven times as fast, the same events."""

Marks = dict[tuple[str, str], Any]
"""Events of the keys of the second level (`inputs.days`), which are asked for in files without a mistake too."""


def read(text: str, deepest: int) -> tuple[Any, Marks] | None:
    """Give the value of a text, or None where this is no matter for the short way.

    May raise YAMLError; a text that is not accepted here is to be read again by the builder in any case.
    """
    parser = LOADER(text)
    try:
        return _read(parser.get_event, deepest)
    finally:
        parser.dispose()


def _read(next_event: Any, deepest: int) -> tuple[Any, Marks] | None:
    scalar, alias, end = yaml.ScalarEvent, yaml.AliasEvent, yaml.StreamEndEvent
    opening_mapping, opening_list = yaml.MappingStartEvent, yaml.SequenceStartEvent
    closing_mapping, closing_list = yaml.MappingEndEvent, yaml.SequenceEndEvent
    marks: Marks = {}
    stack: list[tuple[Any, str | None]] = []  # the collections around the open one, each with its pending key
    current: Any = None
    mapping, documents = False, 0
    key: str | None = None
    result: Any = None
    while True:
        event = next_event()
        kind = type(event)
        value: Any
        if kind is scalar:
            if event.anchor is not None or event.tag is not None:
                return None
            value = event.value
            if mapping and key is None:
                if value in current or value == "<<":
                    return None
                key = intern(value)
                if len(stack) == 2 and (outer := stack[1][1]) is not None:
                    marks[outer, key] = event
                continue
            if not event.style:
                value = plain_value(value)
        elif kind is closing_mapping or kind is closing_list:
            value = current
            current, key = stack.pop()
            mapping = type(current) is dict
        elif kind is opening_mapping or kind is opening_list:
            if event.anchor is not None or event.tag is not None or len(stack) >= deepest:
                return None
            if mapping and key is None:
                return None
            stack.append((current, key))
            mapping = kind is opening_mapping
            current = {} if mapping else []
            key = None
            continue
        elif kind is alias:
            return None
        elif kind is end:
            return result, marks
        else:
            documents += kind is yaml.DocumentStartEvent
            if documents > 1:
                return None
            continue
        if mapping:
            current[key] = value
            key = None
        elif current is None:
            result = value
        else:
            current.append(value)
