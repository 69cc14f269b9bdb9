"""YAML documents: types, places in every style, bounds, and hostile text."""

import json
import math
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.diagnostics import Diagnostic
from runner.document import Document, parse, read
from runner.source import Position, Span


def good(text: str) -> Document:
    document, found = parse(text, "f.yaml")
    assert found == []
    assert document is not None
    return document


def bad(text: str) -> list[Diagnostic]:
    document, found = parse(text, "f.yaml")
    assert document is None
    assert found
    return found


def one(text: str) -> Diagnostic:
    found = bad(text)
    assert len(found) == 1, found
    return found[0]


def under(document: Document, span: Span) -> str:
    starts = [0, *(match.end() for match in re.finditer("\r\n|[\n\r\x85\u2028\u2029]", document.text))]
    start = starts[span.start.line - 1] + span.start.column - 1
    end = starts[span.end.line - 1] + span.end.column - 1
    return document.text[start:end]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-0", 0),
        ("17", 17),
        ("-17", -17),
        ("1.5", 1.5),
        ("-1.5e3", -1500.0),
        ("1E2", 100.0),
        ("1e400", "1e400"),
        ("9007199254740993", 9007199254740993),
        ("True", "True"),
        ("TRUE", "TRUE"),
        ("Null", "Null"),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("012", "012"),
        ("0o17", "0o17"),
        ("0x1f", "0x1f"),
        ("0b1", "0b1"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("+1", "+1"),
        (".5", ".5"),
        ("5.", "5."),
        (".inf", ".inf"),
        ("-.inf", "-.inf"),
        (".nan", ".nan"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T00:00:00Z", "2024-01-31T00:00:00Z"),
        ("1.2.3", "1.2.3"),
        ("-", None),
        ("'17'", "17"),
        ('"true"', "true"),
        ("''", ""),
        ('"null"', "null"),
        ("!!str 17", "17"),
        ("!!str", ""),
        ("|\n  17", "17"),
        (">-\n  true", "true"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_types_are_those_of_yaml_1_2_and_json(written: str, value: Any) -> None:
    if written == "-":
        assert good("a:\n  -").value == {"a": [None]}
        return
    found = good(f"a: {written}").value["a"]
    assert found == value
    assert isinstance(found, type(value))
    assert type(found) is type(value) or str(found) == written


def test_keys_are_text() -> None:
    assert good("1: a\ntrue: b\nno: c\nnull: d\n1.5: e\n'x y': f\n").value == {
        "1": "a", "true": "b", "no": "c", "null": "d", "1.5": "e", "x y": "f",
    }  # fmt: skip


def test_long_numbers_stay_text_and_take_no_time() -> None:
    start = time.monotonic()
    assert good("a: " + "9" * 100_000).value == {"a": "9" * 100_000}
    assert time.monotonic() - start < 5


ROWS = [
    ("plain", "a: see {{ x }} now", "{{ x }}"),
    ("plain, several lines", "a: see\n  the\n\n  {{ x }}\n  now", "{{ x }}"),
    ("single quoted", "a: 'it''s {{ x }} ''now'''", "{{ x }}"),
    ("single quoted, several lines", "a: 'it''s\n\n\n  {{ x }}\n  now'", "{{ x }}"),
    ("double quoted", r'a: "\"\\ \x41\u00e9\U0001F600 \n\t{{ x }} now"', "{{ x }}"),
    ("double quoted white escapes", r'a: "\_\N\L\P\v\f\x20\u00a0\u2003 {{ x }}"', "{{ x }}"),
    ("double quoted odd escapes", r'a: "\0\a\b\e\/ {{ x }}"', "{{ x }}"),
    ("double quoted, joined lines", 'a: "see \\\n   {{ x }}\\\n now"', "{{ x }}"),
    ("literal", "a: |\n  first\n    second\n  {{ x }}\n", "{{ x }}"),
    ("literal, keep", "a: |+\n  {{ x }}\n\n\nb: 1", "{{ x }}"),
    ("literal, indented by hand", "a: |2-\n    first\n  {{ x }}", "{{ x }}"),
    ("literal with a comment", "a: | # comment {{ y }}\n  {{ x }}", "{{ x }}"),
    ("literal, empty lines first", "a: |\n\n\n  {{ x }}", "{{ x }}"),
    ("folded", "a: >\n  first\n\n  second\n   more\n  {{ x }}\n", "{{ x }}"),
    ("folded, strip", "a: >-\n  {{ x }}\n  more", "{{ x }}"),
    ("anchor", "a: &here see {{ x }}", "{{ x }}"),
    ("anchor, quoted", "a: &here 'see {{ x }}'", "{{ x }}"),
    ("anchor, literal", "a: &here |\n  see {{ x }}", "{{ x }}"),
    ("tag", "a: !!str 'see {{ x }}'", "{{ x }}"),
    ("tag in full", "a: !<tag:yaml.org,2002:str> 'see {{ x }}'", "{{ x }}"),
    ("tag and anchor", "a: !!str &b\n  see {{ x }}", "{{ x }}"),
    ("tag and anchor, literal", "a: &b !!str >\n  see {{ x }}", "{{ x }}"),
    ("flow", "{a: 'see {{ x }}'}", "{{ x }}"),
    ("flow, plain", "{a: see x now}", "x"),
    ("wide", "a: 日本語 😀 é {{ x }}", "{{ x }}"),
    ("combining", "a: e\u0301 {{ x }}", "{{ x }}"),
    ("no-break space", "a: b\u00a0c {{ x }}", "{{ x }}"),
    ("carriage returns", "a: |\r\n  first\r\n  {{ x }}\r\n", "{{ x }}"),
    ("carriage returns, quoted", 'a: "first\r\n  {{ x }}"\r\n', "{{ x }}"),
    ("a tab inside", 'a: "first\t{{ x }}"', "{{ x }}"),
    ("explicit key", "? a\n: see {{ x }}", "{{ x }}"),
    ("document marker", "---\na: see {{ x }}\n...\n", "{{ x }}"),
    ("comments around", "# one\na: see {{ x }} # two\n# three\n", "{{ x }}"),
]  # fmt: skip


@pytest.mark.parametrize(("style", "text", "part"), ROWS)
def test_a_part_of_a_scalar_is_found_in_every_style(style: str, text: str, part: str) -> None:
    document = good(text)
    value = document.value["a"]
    start = value.index(part)
    span = document.part(("a",), start, start + len(part))
    assert under(document, span) == part
    assert span.path == "f.yaml"


def test_an_alias_has_the_place_of_its_anchor() -> None:
    document = good("x-a: &a {b: 'see {{ x }}'}\nc: [*a, *a]\n")
    assert document.value["c"] == [{"b": "see {{ x }}"}] * 2
    span = document.part(("c", 1, "b"), 4, 11)
    assert (span.start, under(document, span)) == (Position(1, 18), "{{ x }}")


@given(
    value=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40),
    style=st.sampled_from(["'", '"', "|", ">", None]),
    data=st.data(),
)
@settings(max_examples=300, deadline=None)
def test_every_solid_character_has_its_place(value: str, style: str | None, data: Any) -> None:
    value = value.replace("\ufeff", "x").replace("\ufffe", "x").replace("\uffff", "x")
    text = yaml.safe_dump({"a": value}, default_style=style, allow_unicode=data.draw(st.booleans()), width=20)
    document, found = parse(text, "f.yaml")
    if document is None or not isinstance(document.value.get("a"), str):
        return
    written = document.value["a"]
    at = data.draw(st.integers(0, len(written) - 1)) if written else 0
    if not written or written[at].isspace():
        return
    marked = under(document, document.part(("a",), at, at + 1))
    if len(marked) > 1 and marked.startswith("\\"):
        marked = yaml.safe_load(f'"{marked}"')
    assert marked in (written[at], "''")
    assert found == []


@pytest.mark.parametrize(
    ("pointer", "key", "text"),
    [
        (("a",), False, "17"),
        (("a",), True, "a"),
        (("b", "c"), False, "'x'"),
        (("b", "c"), True, '"c"'),
        (("b", "d"), False, "[1, 22]"),
        (("b", "d", 1), False, "22"),
        (("b",), False, '"c"'),
        (("b", "nothing"), False, '"c"'),
        (("b", "d", 9), False, "[1, 22]"),
        (("nothing",), True, "a"),
    ],
)
def test_the_place_of_a_pointer(pointer: tuple[str | int, ...], key: bool, text: str) -> None:
    document = good("a: 17\nb:\n  \"c\": 'x'\n  d: [1, 22]\n")
    assert under(document, document.span(pointer, key=key)) == text


def test_a_block_scalar_ends_with_its_last_line() -> None:
    document = good("a: |\n  one\n  two\n\n\nb: 1\n")
    assert under(document, document.span(("a",))) == "|\n  one\n  two"


def test_an_empty_file_is_null() -> None:
    for text in ("", "\n", "# only a comment\n", "---\n", "~"):
        assert good(text).value is None


@pytest.mark.parametrize(
    ("text", "rule", "message", "place"),
    [
        ("a: b: c", "yaml-syntax", None, (1, 5)),
        ("a: [1, 2\nb: 3", "yaml-syntax", None, None),
        ("a: 'x", "yaml-syntax", None, None),
        ("a: {{ x }}", "yaml-syntax", "a template must be quoted in YAML", None),
        ("a: {{ x }}/b", "yaml-syntax", "a template must be quoted in YAML", None),
        ("a: {% if x %}b", "yaml-syntax", "a template must be quoted in YAML", None),
        (
            "x: |\n  =======\na:\n<<<<<<< HEAD\n  b: 1\n=======\n  b: 2\n>>>>>>> other\n",
            "yaml-syntax",
            "a merge conflict is not resolved: git's marks still stand in the file",
            (4, 1),
        ),
        ("a:\n\tb: 1", "yaml-syntax", "a tab cannot indent YAML", (2, 1)),
        ("\ta: 1", "yaml-syntax", "a tab cannot indent YAML", (1, 1)),
        ("a: 1\nb: \x07", "yaml-syntax", "the file holds U+0007, which YAML does not allow", (2, 4)),
        ("a: 1\na: 2", "duplicate-key", "the key 'a' stands here twice", (2, 1)),
        ("a: {b: 1, 'b': 2}", "duplicate-key", "the key 'b' stands here twice", (1, 11)),
        ("a: !!int 1", "unsupported-yaml", "tags are not supported", (1, 4)),
        ("a: !secret x", "unsupported-yaml", "tags are not supported", (1, 4)),
        ("a: !!python/object/apply:os.system [ls]", "unsupported-yaml", "tags are not supported", (1, 4)),
        ("a: !!map {b: 1}", "unsupported-yaml", "tags are not supported", (1, 4)),
        ("a: 1\n---\nb: 2", "unsupported-yaml", "a file holds one document", (2, 1)),
        ("[a, b]: 1", "unsupported-yaml", "a key must be text", (1, 1)),
        ("? {a: b}\n: 1", "unsupported-yaml", "a key must be text", (1, 3)),
        ("a: &x 1\n*x : 2", "unsupported-yaml", "a key must be text", (2, 1)),
        ("x: &x {a: 1}\nb:\n  <<: *x", "unsupported-yaml", "merge keys are not part of YAML 1.2", (3, 3)),
        ("a: *nothing", "yaml-syntax", "no anchor '&nothing' before this alias", (1, 4)),
        ("a: &x [*x]", "alias-expansion", "the alias '*x' stands inside its own anchor", (1, 8)),
        ("a: &x {b: *x}", "alias-expansion", "the alias '*x' stands inside its own anchor", (1, 11)),
        ("[" * 101 + "]" * 101, "yaml-nesting", "nested deeper than 100 levels", (1, 101)),
    ],
)
def test_what_is_refused(text: str, rule: str, message: str | None, place: tuple[int, int] | None) -> None:
    found = one(text)
    assert found.rule == rule
    assert message is None or found.message == message
    assert found.help, "every message has a remedy"
    if place:
        assert (found.primary.span.start.line, found.primary.span.start.column) == place


def test_messages_name_no_construct_of_the_parser() -> None:
    for text in (
        "a: b: c",
        "a: [1, 2\nb: 3",
        "a: 'x",
        "a: 'it's'",
        "- a\nb: 1",
        "a: 1\n b: 2",
        "a: %x",
        "a: @x",
        "a: `x`",
        "}",
        "a: [1}",
        "*",
        "&",
        'a: "\\q"',
    ):
        found = one(text)
        for word in (
            "<",
            "found character",
            "expected",
            "scanning",
            "parsing",
            "block mapping",
            "token",
            "flow",
        ):
            assert word not in f"{found.message} {found.help}", (text, found.message, found.help)


def test_a_quoted_merge_key_is_a_key() -> None:
    assert good("a: {'<<': 1}").value == {"a": {"<<": 1}}


def test_both_places_of_a_duplicate_key_are_named() -> None:
    found = one("a: 1\nb: 2\na: 3")
    assert [(str(label.span), label.message) for label in found.related] == [("f.yaml:1:1", "first here")]


def test_several_duplicate_keys_are_all_reported() -> None:
    assert [item.rule for item in bad("a: 1\na: 2\nb: {c: 1, c: 2}\n")] == ["duplicate-key"] * 2


def bomb(depth: int, width: int) -> str:
    lines = ["a0: &a0 x"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, depth)]
    return "\n".join(lines)


@pytest.mark.parametrize("text", [bomb(10, 10), bomb(95, 3), bomb(60, 2)])
def test_an_alias_bomb_is_refused_at_once(text: str) -> None:
    start = time.monotonic()
    found = one(text)
    assert time.monotonic() - start < 2
    assert found.rule in ("alias-expansion", "yaml-nesting")


def test_aliases_within_the_bound_work() -> None:
    document = good(bomb(5, 5))
    assert document.value["a1"] == ["x"] * 5


def test_aliases_cannot_nest_beyond_the_bound() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 150)]
    assert one("\n".join(lines)).rule == "yaml-nesting"


def test_a_deep_file_is_refused_without_recursion() -> None:
    for text in (
        "[" * 50_000,
        "{a: " * 50_000,
        "- " * 50_000,
        "a:\n" + "".join(" " * i + "b:\n" for i in range(1, 300)),
    ):
        assert bad(text)[0].rule in ("yaml-nesting", "yaml-syntax")


class TestFiles:
    """Files as they lie on disk."""

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "f.yaml"
        path.write_bytes(b"a: 1\nb: \xff\xfe")
        document, found = read(path, "f.yaml")
        assert document is None
        assert [(item.rule, item.message, item.help) for item in found] == [
            ("not-text", "not UTF-8 text: byte 0xff at offset 8", "save the file as UTF-8")
        ]
        assert found[0].primary.span.start == Position(2, 4)

    def test_a_binary_file(self, tmp_path: Path) -> None:
        path = tmp_path / "f.yaml"
        path.write_bytes(b"\x7fELF\x02\x01\x01\x00\x00\x80")
        document, found = read(path, "f.yaml")
        assert document is None
        assert [item.rule for item in found] in (["not-text"], ["yaml-syntax"])

    def test_utf_16_is_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "f.yaml"
        path.write_bytes("a: 1".encode("utf-16"))
        assert read(path, "f.yaml")[1][0].rule == "not-text"

    def test_a_byte_order_mark_is_no_part_of_the_text(self, tmp_path: Path) -> None:
        path = tmp_path / "f.yaml"
        path.write_bytes("\ufeffa: {{ x }}".encode())
        _, found = read(path, "f.yaml")
        assert found[0].primary.span.start.line == 1
        path.write_bytes("\ufeffa: 'b'".encode())
        document, _ = read(path, "f.yaml")
        assert document is not None
        assert document.span(("a",), key=True).start == Position(1, 1)

    def test_a_large_file_is_refused_unread(self, tmp_path: Path) -> None:
        path = tmp_path / "f.yaml"
        path.write_bytes(b"a: " + b"x" * (1024 * 1024 - 3))
        assert read(path, "f.yaml")[1] == []
        path.write_bytes(b"a: " + b"x" * (1024 * 1024 - 2))
        document, found = read(path, "f.yaml")
        assert document is None
        assert found[0].message == "the file has 1,048,577 bytes; at most 1,048,576 are read"

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        _, found = read(tmp_path / "f.yaml", "f.yaml")
        assert found[0].message == "the file cannot be read: No such file or directory"

    def test_a_directory_and_a_link_to_itself(self, tmp_path: Path) -> None:
        (tmp_path / "d.yaml").mkdir()
        (tmp_path / "l.yaml").symlink_to("l.yaml")
        for name in ("d.yaml", "l.yaml"):
            assert read(tmp_path / name, name)[1][0].rule == "unreadable-file"

    def test_a_pipe_or_device_does_not_hang(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "p.yaml")
        assert read(tmp_path / "p.yaml", "p.yaml")[1][0].rule == "unreadable-file"
        (tmp_path / "z.yaml").symlink_to("/dev/zero")
        assert read(tmp_path / "z.yaml", "z.yaml")[1][0].rule == "unreadable-file"


YAMLISH = st.text(st.sampled_from("ab1 \n\t:-[]{},&*!|>'\"%@`#?~<\\\r\x85\u2028é😀\ufeff\x00."), max_size=80)


@given(st.one_of(YAMLISH, st.text(max_size=80)))
@settings(max_examples=1000, deadline=None)
def test_any_text_gives_a_document_or_diagnostics(text: str) -> None:
    document, found = parse(text, "f.yaml")
    assert (document is None) == bool(found)
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    for item in found:
        span = item.primary.span
        assert 1 <= span.start.line <= len(lines) + 1
        assert span.start.column >= 1
        assert span.start <= span.end
        assert item.message
        assert "\n" not in item.message + (item.help or "")
    if document is not None:
        visit(document, (), document.value)


def visit(document: Document, pointer: tuple[str | int, ...], value: Any) -> None:
    span = document.span(pointer)
    assert span.start <= span.end
    if isinstance(value, dict):
        for key, item in value.items():
            assert isinstance(key, str)
            assert document.span((*pointer, key), key=True).start.line >= 1
            visit(document, (*pointer, key), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            visit(document, (*pointer, index), item)
    elif isinstance(value, str):
        part = document.part(pointer, 0, len(value))
        assert part.start <= part.end
    else:
        assert value is None or isinstance(value, bool | int) or math.isfinite(value)


@given(st.binary(max_size=100))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_a_document_or_diagnostics(raw: bytes) -> None:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"runner-d-fuzz-{os.getpid()}.yaml"
    try:
        path.write_bytes(raw)
        document, found = read(path, "f.yaml")
    finally:
        path.unlink()
    assert (document is None) == bool(found)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5), inner, max_size=4
        )
    ),
    max_leaves=15,
)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_json_is_yaml(value: Any) -> None:
    document, found = parse(json.dumps(value, ensure_ascii=False), "f.yaml")
    assert found == []
    assert document is not None
    assert document.value == value
