"""YAML 1.2 text to plain values, and from any value back to its place in the file.

Values are ordinary dicts, lists and scalars. A value is addressed by a pointer, the tuple of keys and indexes that
leads to it; the document finds the span of a pointer, or of a part of a scalar, when a message needs it. Until then
there are values only: nodes take five times the memory, and a file without a mistake is never asked for a place.
"""

import stat
from bisect import bisect_right
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from runner.diagnostics import Diagnostic, Label, Severity, error
from runner.source import Position, Span, whole_file
from runner.yaml_faults import position_of, syntax_error, too_deep
from runner.yaml_scalars import LINE_BREAK, plain_value, solid_places
from runner.yaml_values import LOADER, Marks
from runner.yaml_values import read as read_values

Pointer = tuple[str | int, ...]

LARGEST_FILE = 1024 * 1024
LARGEST_EXPANSION = 100_000
DEEPEST_NESTING = 100


class Node:
    """One YAML node: where it starts and ends, and its children. Aliases share the node of their anchor."""

    __slots__ = ("children", "end", "height", "keys", "size", "start", "style")

    def __init__(self, start: Any, end: Any, style: str | None = None) -> None:
        self.start = start
        self.end = end
        self.style = style
        self.children: dict[str | int, Node] | None = None
        self.keys: dict[str, Any] | None = None
        self.size = 1
        self.height = 0


class Document:
    """A parsed file: `path` as shown to people, its text, its value, and the places of its parts."""

    __slots__ = ("_keys", "_lines", "_root", "_starts", "path", "text", "value")

    def __init__(
        self, path: str, text: str, value: Any, root: Node | None, keys: Marks | None = None
    ) -> None:
        self.path = path
        self.text = text
        self.value = value
        self._root = root
        self._keys = keys  # None: there are nodes, or nothing at all
        self._lines: list[str] | None = None
        self._starts: list[int] | None = None

    @property
    def root(self) -> Node | None:
        """The nodes of the file, built when a place in it is first asked for."""
        if self._keys is not None:
            self._root = _Builder(self.text, self.path, []).build()[1]
            self._keys = None
        return self._root

    @property
    def lines(self) -> list[str]:
        """The lines of the text, without their ends."""
        if self._lines is None:
            self._lines = LINE_BREAK.split(self.text)
        return self._lines

    def span(self, pointer: Pointer, *, key: bool = False) -> Span:
        """Find the place of a value, or of its key. A pointer that leads nowhere gives the nearest thing above it."""
        if key and self._keys is not None and pointer in self._keys:
            event = self._keys[pointer]
            return self._marks(event.start_mark, event.end_mark)
        node = self.root
        for index, part in enumerate(pointer):
            if node is None or node.children is None or part not in node.children:
                break
            if key and index == len(pointer) - 1 and node.keys is not None and isinstance(part, str):
                event = node.keys[part]
                return self._marks(event.start_mark, event.end_mark)
            node = node.children[part]
        if node is None:
            return whole_file(self.path)
        if node.keys:
            first = next(iter(node.keys.values()))
            return self._marks(first.start_mark, first.end_mark)
        return self._marks(node.start, node.end)

    def locate(self, pointer: Pointer, key: bool) -> Span:
        """Find the place of a value or of its key: `span` for callers that pass a function."""
        return self.span(pointer, key=key)

    def origin(self, pointer: Pointer) -> "tuple[Document, Pointer]":
        """Say where a value is written: here. A connection that extends another has more than one home."""
        return self, pointer

    def part(self, pointer: Pointer, start: int, end: int) -> Span:
        """Find the place of the characters `start` to `end` of the value of a string, in whatever style it is written."""
        node = self._find(pointer)
        if node is None or node.children is not None:
            return self.span(pointer)
        places = list(solid_places(self.text, node.start.index, node.end.index, node.style))
        value = self.get(pointer)
        text = value if isinstance(value, str) else ""
        first = sum(not char.isspace() for char in text[:start])
        last = sum(not char.isspace() for char in text[:end])
        if first >= len(places) or last <= first:
            # Only white space, or nothing at all, is meant: the place after what stands before it.
            at = places[min(first, len(places)) - 1][1] if places and first else node.start.index
            return Span(self.path, self._position(at), self._position(at + 1))
        end_of_last = places[min(last, len(places)) - 1][1]
        return Span(self.path, self._position(places[first][0]), self._position(end_of_last))

    def get(self, pointer: Pointer) -> Any:
        """Give the value at a pointer; raises KeyError, IndexError or TypeError where there is none."""
        value = self.value
        for part in pointer:
            value = value[part]
        return value

    def _find(self, pointer: Pointer) -> Node | None:
        node = self.root
        for part in pointer:
            if node is None or node.children is None:
                return None
            node = node.children.get(part)
        return node

    def _position(self, index: int) -> Position:
        if self._starts is None:
            self._starts = [0, *(match.end() for match in LINE_BREAK.finditer(self.text))]
        line = bisect_right(self._starts, index)
        return Position(line, index - self._starts[line - 1] + 1)

    def _marks(self, start: Any, end: Any) -> Span:
        if (
            end.line > start.line and end.column == 0
        ):  # a block scalar or plain text: it ends with its last line
            return Span(self.path, position_of(start), self._position(len(self.text[: end.index].rstrip())))
        return Span(self.path, position_of(start), position_of(end))


class _Abort(Exception):  # noqa: N818 - control flow inside this module
    """Nothing more can be read from this file."""


def read(path: Path, shown: str) -> tuple[Document | None, list[Diagnostic]]:
    """Read a YAML file; a file that cannot be used gives None and the diagnostics that say why."""
    try:
        status = path.stat()
        size = status.st_size
        if not stat.S_ISREG(status.st_mode):  # a pipe or a device could be read for ever
            what = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
            return None, [
                error(
                    "unreadable-file",
                    f"the file cannot be read: it is {what}",
                    whole_file(shown),
                    help="put a file there, or take it away",
                )
            ]
        if size > LARGEST_FILE:
            return None, [_too_large(size, shown)]
        raw = path.read_bytes()
    except OSError as problem:
        reason = problem.strerror or "cannot be read"
        return None, [
            error(
                "unreadable-file",
                f"the file cannot be read: {reason}",
                whole_file(shown),
                help="check that it is there and may be read",
            )
        ]
    return read_bytes(raw, shown)


def read_bytes(raw: bytes, shown: str) -> tuple[Document | None, list[Diagnostic]]:
    """Read the content of a YAML file that comes from elsewhere, such as a revision of git; see `read`."""
    if len(raw) > LARGEST_FILE:
        return None, [_too_large(len(raw), shown)]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        before = raw[raw.rfind(b"\n", 0, problem.start) + 1 : problem.start]
        column = len(before.decode("utf-8-sig", "replace")) + 1
        place = Span(shown, Position(line, column), Position(line, column + 1))
        message = f"not UTF-8 text: byte 0x{raw[problem.start]:02x} at offset {problem.start}"
        return None, [error("not-text", message, place, help="save the file as UTF-8")]
    return parse(text, shown)


def _too_large(size: int, shown: str) -> Diagnostic:
    return error(
        "file-too-large",
        f"the file has {size:,} bytes; at most {LARGEST_FILE:,} are read",
        whole_file(shown),
        help="split it into several workflows or connections",
    )


def parse(text: str, shown: str) -> tuple[Document | None, list[Diagnostic]]:
    """Parse YAML text; see `read`."""
    with suppress(yaml.YAMLError):  # the builder meets the same error and explains it
        plain = read_values(text, DEEPEST_NESTING)
        if plain is not None:
            return Document(shown, text, plain[0], None, plain[1]), []
    found: list[Diagnostic] = []
    try:
        value, root = _Builder(text, shown, found).build()
    except yaml.YAMLError as problem:
        if too_deep(problem):  # libyaml 0.2.6 gives up before its events say where our own limit is passed
            with suppress(yaml.YAMLError, _Abort):
                _Builder(text, shown, found).build(yaml.SafeLoader)
        if not found:
            found.append(syntax_error(problem, text, shown))
        return None, found
    except _Abort:
        return None, found
    if any(item.severity is Severity.ERROR for item in found):
        return None, found
    return Document(shown, text, value, root), found


class _Builder:
    """Builds values and nodes from the parser's events, without recursion."""

    def __init__(self, text: str, shown: str, found: list[Diagnostic]) -> None:
        self.text = text
        self.shown = shown
        self.found = found
        self.anchors: dict[str, tuple[Any, Node] | None] = {}
        self.result: tuple[Any, Node | None] = (None, None)
        # Of each open collection: its value, its node, the pending key, its anchor.
        self.stack: list[list[Any]] = []

    def build(self, loader: Any = LOADER) -> tuple[Any, Node | None]:
        documents = 0
        for event in yaml.parse(self.text, Loader=loader):
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._open(event, mapping=kind is yaml.MappingStartEvent)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self._stop(
                        event, "unsupported-yaml", "a file holds one document", "split it at the '---' line"
                    )
        return self.result

    def _scalar(self, event: Any) -> None:
        if self.stack and self.stack[-1][2] is None and self.stack[-1][1].keys is not None:
            self._key(event)
            return
        node = Node(event.start_mark, event.end_mark, event.style)
        value: Any = event.value
        if event.tag is not None:
            if event.tag != "tag:yaml.org,2002:str":
                self._report(
                    event, "unsupported-yaml", "tags are not supported", "leave the tag out; quote text"
                )
        elif event.implicit[0] and not event.style:
            value = plain_value(value)
        if event.anchor:
            self.anchors[event.anchor] = (value, node)
        self._add(value, node)

    def _key(self, event: Any) -> None:
        frame = self.stack[-1]
        key = event.value
        if key in frame[1].keys:
            first = frame[1].keys[key]
            self.found.append(
                Diagnostic(
                    rule="duplicate-key",
                    severity=Severity.ERROR,
                    message=f"the key '{key}' stands here twice",
                    primary=Label(self._span(event)),
                    related=(Label(self._span(first), "first here"),),
                    help="keep one of them",
                )
            )
        elif key == "<<" and not event.style:
            self._report(
                event,
                "unsupported-yaml",
                "merge keys are not part of YAML 1.2",
                "write the keys out, or alias whole values",
            )
        frame[1].keys.setdefault(key, event)
        frame[2] = key

    def _open(self, event: Any, *, mapping: bool) -> None:
        if self.stack and self.stack[-1][2] is None and self.stack[-1][1].keys is not None:
            start = event.start_mark.index
            if self.text[max(start - 1, 0) : start + 2].count("{") >= 2:
                self._stop(
                    event,
                    "yaml-syntax",
                    "a template must be quoted in YAML",
                    'put quotes around it: "{{ ... }}"',
                )
            self._stop(event, "unsupported-yaml", "a key must be text", "write a plain or quoted key")
        if event.tag is not None and not event.implicit:
            self._report(event, "unsupported-yaml", "tags are not supported", "leave the tag out")
        if len(self.stack) >= DEEPEST_NESTING:
            self._stop(
                event, "yaml-nesting", f"nested deeper than {DEEPEST_NESTING} levels", "flatten the value"
            )
        node = Node(event.start_mark, event.end_mark)
        node.children = {}
        if mapping:
            node.keys = {}
        if event.anchor:
            self.anchors[event.anchor] = None
        self.stack.append([{} if mapping else [], node, None, event.anchor])

    def _close(self, event: Any) -> None:
        value, node, _, anchor = self.stack.pop()
        node.end = event.end_mark
        if anchor:
            self.anchors[anchor] = (value, node)
        self._add(value, node)

    def _alias(self, event: Any) -> None:
        if self.stack and self.stack[-1][2] is None and self.stack[-1][1].keys is not None:
            self._stop(event, "unsupported-yaml", "a key must be text", "write the key out")
        if event.anchor not in self.anchors:
            self._stop(
                event, "yaml-syntax", f"no anchor '&{event.anchor}' before this alias", "define it above"
            )
        target = self.anchors[event.anchor]
        if target is None:
            self._stop(
                event,
                "alias-expansion",
                f"the alias '*{event.anchor}' stands inside its own anchor",
                "write the value out",
            )
            return
        value, node = target
        if len(self.stack) + node.height > DEEPEST_NESTING:
            self._stop(
                event,
                "yaml-nesting",
                f"aliases nest deeper than {DEEPEST_NESTING} levels",
                "flatten the value",
            )
        self._add(value, node, alias=event)

    def _add(self, value: Any, node: Node, alias: Any = None) -> None:
        if not self.stack:
            self.result = (value, node)
            return
        container, parent, key, _ = self.stack[-1]
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        if parent.size > LARGEST_EXPANSION and alias is not None:
            self._stop(
                alias,
                "alias-expansion",
                f"aliases expand this file to more than {LARGEST_EXPANSION:,} values",
                "repeat less, or generate the file",
            )
        if parent.keys is None:
            parent.children[len(container)] = node
            container.append(value)
            return
        if key not in container:
            container[key] = value
            parent.children[key] = node
        self.stack[-1][2] = None

    def _span(self, event: Any) -> Span:
        return Span(self.shown, position_of(event.start_mark), position_of(event.end_mark))

    def _report(self, event: Any, rule: str, message: str, remedy: str) -> None:
        self.found.append(error(rule, message, self._span(event), help=remedy))

    def _stop(self, event: Any, rule: str, message: str, remedy: str) -> None:
        self._report(event, rule, message, remedy)
        raise _Abort
