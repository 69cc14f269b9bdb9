"""However a project is written (order of keys, quotes, styles, comments, anchors), the comparison finds nothing."""

import json
import random
import re
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.check import check
from runner.compare import compare
from runner.compare.conceal import scalars
from runner.document import parse
from runner.project import load

ROOT = Path(__file__).parents[2]
EXAMPLES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "runner.yaml", *ROOT.glob("connections.d/*.yaml"), *ROOT.glob("workflows.d/*.yaml")]
}
MORE = {
    "connections.d/eu/child.yaml": """
extends: tickets
base_url: https://tickets.example.com/eu
headers: {X-One: "1", X-Two: "{{ vars.tickets_url }}"}
query: {a: [1, 2], b: null}
retry: {attempts: 5, on: [503, 429, timeout], backoff: {first: 2s, factor: 3}}
""",
    "workflows.d/every.yaml": """
description: "yes: no # not a comment"
inputs: {ids: {type: array, items: {type: string, pattern: "^[a-z]+$"}}, on: {type: boolean, default: false}}
secrets: {key: "vault://secret/a#b"}
vars: {text: "line\\nbreak  ", empty: "", number: "007"}
defaults: {timeout: 10s}
actions:
  - {id: one, connection: eu/child, request: {path: "/a/{{ inputs.ids }}", form: {x: "1", "y z": "true"}}}
  - {id: two, set: {list: [1, "1", 1.5, null, true, [], {}], deep: {a: {b: {c: "{{ secrets.key }}"}}}}, sensitive: true}
  - {id: three, wait: 10s}
  - {id: four, if: "{{ inputs.on }}", fail: "no"}
outputs: {ids: "{{ inputs.ids }}", text: "{{ vars.text ~ vars.number ~ vars.empty }}"}
""",
}
PROJECT = {**EXAMPLES, **MORE}


class Writer:
    """Writes a value as YAML, each part in a style drawn at random."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.anchors: dict[str, str] = {}

    def file(self, value: dict[str, Any]) -> str:
        body = self.block(value, 0)
        shared = "".join(f"x-{name}: &{name} {text}\n" for text, name in self.anchors.items())
        return f"{self.comment()}{shared}{body}"

    def comment(self) -> str:
        return self.draw.choice(["", "# a comment: with {braces}\n", "\n\n#\n"])

    def block(self, value: dict[str, Any], indent: int) -> str:
        lines = []
        for key in self.draw.sample(list(value), len(value)):
            item = value[key]
            pad = " " * indent
            lines.append(f"{pad}{self.key(key)}:{self.item(item, indent)}\n")
            comment = self.comment()
            lines.append(comment if comment.startswith("\n") or not comment else pad + comment)
        return "".join(lines)

    def item(self, item: Any, indent: int) -> str:
        if isinstance(item, dict) and item and self.draw.random() < 0.7:
            return "\n" + self.block(item, indent + self.draw.choice([1, 2, 4])).rstrip("\n")
        if isinstance(item, list) and item and self.draw.random() < 0.7:
            pad = " " * (indent + 2)
            return "".join(f"\n{pad}- {self.flow(each)}" for each in item)
        if isinstance(item, str) and item and "\n" not in item and self.draw.random() < 0.15:
            return f" {self.alias(item)}"
        return f" {self.flow(item)}"

    def key(self, key: str) -> str:
        plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", key)
        return key if plain and self.draw.random() < 0.7 else json.dumps(key)

    def alias(self, text: str) -> str:
        name = self.anchors.setdefault(json.dumps(text), f"a{len(self.anchors)}")
        return f"*{name}"

    def flow(self, value: Any) -> str:
        if isinstance(value, dict):
            keys = self.draw.sample(list(value), len(value))
            return "{" + ", ".join(f"{self.key(key)}: {self.flow(value[key])}" for key in keys) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.flow, value)) + "]"
        if isinstance(value, str):
            plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_/]*", value) and value not in ("true", "false", "null")
            styles = [json.dumps(value, ensure_ascii=self.draw.random() < 0.5)]
            if "\n" not in value:
                styles.append("'" + value.replace("'", "''") + "'")
            return self.draw.choice([*styles, value] if plain else styles)
        return json.dumps(value)


def rewritten(seed: int) -> dict[str, str]:
    """Write the project anew; the values stay, the texts do not."""
    draw = random.Random(seed)
    made = {}
    for path, text in PROJECT.items():
        document, _ = parse(text, path)
        assert document is not None, path
        made[path] = Writer(draw).file(document.value)
        again, found = parse(made[path], path)
        assert again is not None, (found, made[path])
        kept = {key: item for key, item in again.value.items() if not key.startswith("x-a")}
        assert kept == document.value
    return made


def loaded(files: dict[str, str]) -> Any:
    return load(Path("/nowhere"), files={path: text.encode() for path, text in files.items()})


@given(st.integers(min_value=0))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_same_project_written_anew_gives_an_empty_comparison(seed: int) -> None:
    texts = rewritten(seed)
    assert texts != PROJECT
    result = compare(loaded(PROJECT), loaded(texts))
    assert result["changes"] == result["danger"] == result["indirect"] == []


@given(st.integers(min_value=0), st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_one_changed_text_is_found_however_the_rest_is_written(seed: int, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(path for path in PROJECT if path.startswith("workflows.d"))))
    document, _ = parse(PROJECT[path], path)
    assert document is not None
    texts = [pointer for pointer, value in scalars(document.value) if isinstance(value, str)]
    pointer = data.draw(st.sampled_from(texts))
    holder = document.get(pointer[:-1])
    holder[pointer[-1]] += " more"
    changed = {**rewritten(seed), path: yaml.safe_dump(document.value, sort_keys=False)}
    result = compare(loaded(PROJECT), loaded(changed))
    assert [item["file"] for item in result["changes"]] == [path]


def test_the_example_project_has_no_errors() -> None:
    assert [item for item in check(loaded(PROJECT)) if item.severity == "error"] == []
