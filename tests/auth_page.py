"""The part of docs/auth.md that is made from the files: a list of the types, and a section for each."""

import re
from collections.abc import Mapping
from typing import Any

from runner import registry

_REFERENCE = re.compile(r" A secret reference: vault://\S+ or env://NAME for development\.")


def filled(text: str) -> str:
    """Give the page with its made parts written anew."""
    for name, made in {"list": _list(), "types": _types()}.items():
        before, mark, rest = text.partition(f"<!-- made from the files: {name} -->\n")
        _, end, after = rest.partition("<!-- end -->\n")
        assert mark, name
        assert end, name
        text = before + mark + made + end + after
    return text


def _list() -> str:
    rows = [f"| [`{name}`](#{name}) | {module.SUMMARY} |\n" for name, module in _modules().items()]
    return "| type | what it is |\n|---|---|\n" + "".join(rows)


def _types() -> str:
    return "\n".join(_section(name, module) for name, module in _modules().items())


def _section(name: str, module: Any) -> str:
    example = f"```yaml\n# fragment of a connection\n{module.EXAMPLE}```\n"
    begin = f"## {name}\n\n{module.SUMMARY[0].upper()}{module.SUMMARY[1:]}.\n\n{example}"
    if module.SCHEMA is None:
        return begin
    return f"{begin}\n| field | meaning |\n|---|---|\n{''.join(_rows(module.SCHEMA, ''))}"


def _rows(schema: Mapping[str, Any], before: str) -> list[str]:
    rows: list[str] = []
    required = schema.get("required", [])
    for name, described in schema["properties"].items():
        marks = [
            word
            for word, there in (("required", name in required), ("secret", "x-secret" in described))
            if there
        ]
        text = _REFERENCE.sub("", described.get("description", "")).replace("|", "\\|")
        choices = " or ".join(f"`{value}`" for value in described.get("enum", []))
        if choices and choices.count(" or ") < 6:
            text += f" One of {choices.replace(' or ', ', ')}."
        marked = f" ({', '.join(marks)})" if marks else ""
        rows.append(f"| `{before}{name}`{marked} | {text} |\n")
        if described.get("type") == "object" and described.get("additionalProperties") is False:
            rows += _rows(described, f"{before}{name}.")
    return rows


def _modules() -> dict[str, Any]:
    return {name: registry.load("auth", name) for name in registry.names("auth")}
