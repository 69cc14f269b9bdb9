"""Mistakes put into the text of valid projects: each kind picks a place by chance and says which line is wrong then."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

Files = Mapping[str, str]
Lines = list[str]


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mistake: the file, its text with the mistake, the line of it (from 1), and the rules that may say so."""

    kind: str
    path: str
    text: str
    line: int
    rules: frozenset[str]


Change = tuple[int, Lines, int]
"""Which line (from 0) is replaced by which lines, and which of the new ones is wrong."""

Mutator = Callable[[random.Random, Lines], Iterator[Change]]
"""Gives every change of its kind that the lines of a file allow."""

KINDS: dict[str, tuple[str, frozenset[str], Mutator]] = {}


def kind(name: str, *rules: str, folder: str = "") -> Callable[[Mutator], Mutator]:
    def register(mutator: Mutator) -> Mutator:
        KINDS[name] = (folder, frozenset(rules), mutator)
        return mutator

    return register


def mutations(files: Files, name: str, chance: random.Random, count: int) -> list[Mutation]:
    """Make a number of mistakes of a kind, each at another place."""
    folder, rules, mutator = KINDS[name]
    found = []
    for path, text in sorted(files.items()):
        if not path.startswith(folder):
            continue
        lines = text.split("\n")
        for index, new, wrong in mutator(chance, lines):
            broken = [*lines[:index], *new, *lines[index + 1 :]]
            found.append(Mutation(name, path, "\n".join(broken), index + wrong + 1, rules))
    chance.shuffle(found)
    return found[:count]


def crlf(mutation: Mutation) -> Mutation:
    """The same mistake in a file with the line ends of Windows."""
    text = mutation.text.replace("\n", "\r\n")
    return Mutation(mutation.kind, mutation.path, text, mutation.line, mutation.rules)


def shifted(mutation: Mutation) -> Mutation:
    """The same mistake below a comment."""
    text = "# Größe: 'it is' {{ not }} a \"template\"\n\n" + mutation.text
    return Mutation(mutation.kind, mutation.path, text, mutation.line + 2, mutation.rules)


def _replaced(lines: Lines, pattern: str, *new: str) -> Iterator[Change]:
    """Replace what a pattern finds in a line, in each way that is given."""
    for index, line in enumerate(lines):
        match = re.search(pattern, line)
        if match and not line.lstrip().startswith("#"):
            for text in new:
                yield index, [line[: match.start()] + match.expand(text) + line[match.end() :]], 0


def _after(lines: Lines, pattern: str, *new: str) -> Iterator[Change]:
    """Put a line after one that matches; groups of the match may stand in it."""
    for index, line in enumerate(lines):
        match = re.search(pattern, line)
        if match:
            for text in new:
                yield index, [line, match.expand(text)], 1


def _ids(lines: Lines) -> list[tuple[int, str]]:
    return [
        (index, match[1]) for index, line in enumerate(lines) if (match := re.match(r"  - id: (\w+)$", line))
    ]


@kind("unknown key", "unknown-key")
def unknown_key(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _after(lines, r"^  - id: \w+$", r"    zebra: 1", r"    x-note: here", r"    'a b': 2")
    yield from _after(lines, r"^shared: true$", "zebra: {a: 1}", "SHARED: true")
    yield from _replaced(lines, r"expect: \{", r"expect: {zebra: [], ")


@kind("misspelt key", "unknown-key")
def misspelt_key(chance: random.Random, lines: Lines) -> Iterator[Change]:
    known = r"^(    )(connection|request|expect|output|retry|on_error)(?=:)"
    for pattern in (
        known,
        r"^(      )(method|path|json|query)(?=:)",
        r"^()(base_url|shared|description|timeout)(?=:)",
    ):
        for index, line in enumerate(lines):
            match = re.search(pattern, line)
            if match:
                word = match[2]
                at = chance.randrange(len(word) - 1)
                swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
                for wrong in {swapped, word[:at] + word[at + 1 :], word + "s"} - {word}:
                    yield index, [match[1] + wrong + line[match.end() :]], 0


@kind("wrong type", "wrong-type", "invalid-value", "hardcoded-secret")
def wrong_type(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(lines, r"shared: true", "shared: yes", "shared: 1", "shared: [true]")
    yield from _replaced(lines, r"attempts: \d+", "attempts: five", "attempts: 2.5", "attempts: null")
    yield from _replaced(lines, r"status: \[201, 409\]", "status: {code: 201}", "status: true")
    yield from _replaced(lines, r"^(\s+)path: .*", r"\1path: 7", r"\1path: [a]")
    yield from _replaced(lines, r"^description: [^>|].*", "description: {a: b}", "description: 3")
    yield from _replaced(lines, r"minimum: 1", "minimum: one")
    yield from _replaced(lines, r"token: vault.*", "token: 12345678", "token: [a]")


@kind("missing key", "missing-key")
def missing_key(chance: random.Random, lines: Lines) -> Iterator[Change]:
    for index, name in _ids(lines):
        following = lines[index + 1]
        if re.match(r"    (?!name:)\w", following):
            yield index, [f"  - name: {name}"], 0
    yield from _replaced(lines, r"^test: \{path: /\S+\}$", "test: {method: GET}")
    yield from _replaced(lines, r"^(auth: \{)token: [^,}]+", r"\1prefix: Bearer")


@kind("bad enum", "invalid-value", "wrong-type")
def bad_enum(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(lines, r"method: (\w)(\w)(\w+)", r"method: \1\3\2", "method: FETCH", "method: get")
    yield from _replaced(lines, r"^type: \w+", "type: bear", "type: Bearer", "type: ntlm")
    yield from _replaced(lines, r"\bin: header", "in: head", "in: body")
    yield from _replaced(lines, r"on_error: continue", "on_error: ignore")
    yield from _replaced(lines, r"redirects: never", "redirects: none")


@kind("duplicate key", "duplicate-key")
def duplicate_key(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _after(lines, r"^(    (?:connection|name|timeout|on_error): \S+)$", r"\1")
    yield from _after(lines, r"^(      (?:method|path): \S+)$", r"\1")
    yield from _after(lines, r"^((?:shared|timeout|type): \S+)$", r"\1")
    yield from _replaced(lines, r"\{type: (\w+),", r"{type: \1, type: \1,")


@kind("tab", "yaml-syntax")
def tab(chance: random.Random, lines: Lines) -> Iterator[Change]:
    for index, line in enumerate(lines):
        if re.match(r"  +[a-z_]+: ", line) and index and lines[index - 1].rstrip().endswith(":"):
            yield index, ["\t" + line.lstrip()], 0
            yield index, [line[:2] + "\t" + line.lstrip()], 0


@kind("bad indentation", "yaml-syntax")
def bad_indentation(chance: random.Random, lines: Lines) -> Iterator[Change]:
    for index, line in enumerate(lines):
        before = lines[index - 1] if index else ""
        indent = len(line) - len(line.lstrip())
        sibling = re.match(rf" {{{indent}}}[\w-]+: [^|>\[{{&*\"']*$", before)
        if indent >= 4 and sibling and re.match(r"\s+[a-z_]+: ?\S*$", line):
            yield index, [" " + line], 0
            yield index, [line[1:]], 0


@kind("unclosed quote", "yaml-syntax")
def unclosed_quote(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(lines, r'^(\s+[a-z_]+: "[^"]*)"$', r"\1")
    yield from _replaced(lines, r"^(\s+[a-z_]+: '[^']*)'$", r"\1")


@kind("undefined action", "undefined-reference", folder="workflows.d")
def undefined_action(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(lines, r"\bactions\.(\w+)", r"actions.\1x", "actions.zebra", "actions['no-such']")
    yield from _replaced(lines, r"\bactions\.(\w+)\.output", r"actions.\1.outputs")


@kind("action used before it runs", "undefined-reference", folder="workflows.d")
def too_early(chance: random.Random, lines: Lines) -> Iterator[Change]:
    ids = _ids(lines)
    for (start, own), (end, later) in pairwise(ids):
        for index in range(start, end):
            if index > start and not lines[index].startswith("    "):
                break  # the list ends here
            for name in (own, later):
                match = re.search(r"\bactions\.\w+\.output", lines[index])
                if match:
                    yield index, [lines[index].replace(match[0], f"actions.{name}.output", 1)], 0


@kind("undefined input", "undefined-reference", folder="workflows.d")
def undefined_input(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(
        lines, r"\binputs\.(\w+)", r"inputs.\1_", "inputs.zebra", "input.days", "inputs['a b']"
    )


@kind("undefined variable", "undefined-reference")
def undefined_variable(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(lines, r"\bvars\.(\w+)", r"vars.\1s", "vars.zebra", "var.site")


@kind("undefined secret", "undefined-reference", folder="workflows.d")
def undefined_secret(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _after(lines, r"^      method: POST$", "      query: {key: '{{ secrets.zebra }}'}")
    yield from _replaced(lines, r"\bsecrets\.(\w+)", r"secrets.\1x", "secret.key")


@kind("unknown filter", "unknown-filter")
def unknown_filter(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(lines, r"\| (length|first|list|default)", r"| \1s", "| zebra", r"| \1 | jq('.a')")
    yield from _replaced(lines, r"(\{\{ \w+\.\w+) \}\}", r"\1 | uppercase }}", r"\1 is emptyish }}")


@kind("template syntax", "template-syntax")
def template_syntax(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(
        lines, r"\{\{ ([\w.]+) \}\}", r"{{ \1 }", r"{{ \1 | }}", r"{{ \1. }}", r"{{ \1 \1 }}", r"{{ }}"
    )
    yield from _replaced(
        lines, r"\{\{ ([\w.]+) \}\}", r"{{ (\1 }}", r"{% if \1 %}x", r"{{ \1 ? 1 : 2 }}", r"{{ \1 and }}"
    )


@kind("unavailable root", "unavailable-root")
def unavailable_root(chance: random.Random, lines: Lines) -> Iterator[Change]:
    for name in ("response.body", "item.id", "error.message"):
        yield from _replaced(
            lines, r"^(\s+(?:path|q|title|limit|X-\w+): .*\{\{ )[\w.]+(?= \}\})", rf"\g<1>{name}"
        )
    yield from _replaced(lines, r"^(base_url: .*\{\{ )[\w.]+", r"\1inputs.site", r"\1run.id")


@kind("unknown connection", "undefined-connection", folder="workflows.d")
def unknown_connection(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(lines, r"^(\s+connection: )(\S+)$", r"\1\2-old", r"\1zebra", r"\1connections.d/\2")


@kind("duplicate id", "duplicate-name", folder="workflows.d")
def duplicate_id(chance: random.Random, lines: Lines) -> Iterator[Change]:
    ids = _ids(lines)
    for number, (index, _) in enumerate(ids[1:], start=1):
        yield index, [f"  - id: {chance.choice(ids[:number])[1]}"], 0


@kind("typed-in secret", "hardcoded-secret")
def typed_in_secret(chance: random.Random, lines: Lines) -> Iterator[Change]:
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    typed = "".join(chance.choices(letters, k=36))
    secret = r"((?:token|password|key): )(?:vault|env)://[^\s,}]+"
    yield from _replaced(
        lines, secret, rf"\g<1>{typed}", rf"\g<1>'{typed[:9]}'", rf"\g<1>ghp_{typed}", r"\1'{{ vars.site }}'"
    )
    yield from _after(lines, r"^headers:$", f"  Authorization: Bearer {typed}", f"  X-Api-Key: {typed}")
    yield from _replaced(lines, r"^(description: ).*$", rf"\g<1>the token is ghp_{typed}")
    yield from _replaced(lines, r"https://", rf"https://me:{typed[:12]}@")


@kind("malformed reference", "malformed-secret-ref")
def malformed_reference(chance: random.Random, lines: Lines) -> Iterator[Change]:
    start = r"((?:token|password|key|\w+_key): vault://)(secret)/([^\s#]+)#(\w+)"
    yield from _replaced(
        lines, start, r"\1\2/\3", r"\1\2/\3#", r"\1#\4", r"\1\2/data/\3#\4", r"\1\2/../\3#\4", r"\1\2//\3#\4"
    )
    yield from _replaced(lines, start, r"\1\2/{{ inputs.a }}/\3#\4", r"\1\2/\3?version=x#\4")


@kind("plain http", "plain-http")
def plain_http(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(lines, r"^(base_url: .?)https://", r"\1http://", r"\1HTTP://")
    yield from _replaced(lines, r"(^      url: .?)https://", r"\1http://")


@kind("bad duration", "invalid-value", "wrong-type")
def bad_duration(chance: random.Random, lines: Lines) -> Iterator[Change]:
    where = r"(timeout|wait|first|limit): (\d+)(s|m)\b"
    yield from _replaced(
        lines, where, r"\1: \2 seconds", r"\1: \2x", r"\1: s\2", r"\1: -\2s", r"\1: 1:30", r"\1: '\2 s'"
    )


@kind("two bodies", "invalid-value", folder="workflows.d")
def two_bodies(chance: random.Random, lines: Lines) -> Iterator[Change]:
    for index, line in enumerate(lines):
        if re.match(r"      json: ?\S", line):
            yield index, [line, "      body: text"], 1
            yield index, [line, "      form: {a: b}"], 1


@kind("two kinds", "action-kind", "unknown-key", folder="workflows.d")
def two_kinds(chance: random.Random, lines: Lines) -> Iterator[Change]:
    for index, line in enumerate(lines):
        if re.match(r"  - id: \w+$", line) and not re.match(r"    (wait|set):", lines[index + 1]):
            yield index, [line, "    wait: 5s"], 0
            yield index, [line, "    set: {a: 1}"], 0


@kind("wrong default", "invalid-value", folder="workflows.d")
def wrong_default(chance: random.Random, lines: Lines) -> Iterator[Change]:
    yield from _replaced(
        lines, r"(type: integer, default:) \d+", r"\1 fortnight", r"\1 2.5", r"\1 [1]", r"\1 null", r"\1 -3"
    )
    yield from _replaced(lines, r"(type: string, default:) [^,}]+", r"\1 7", r"\1 true")
