"""The pages for users, as tests read them: their blocks, and a terminal in which the console blocks are run."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_ANYTHING = re.compile(r"(?m)^\.\.\.\n|\.\.\.")
_COLUMNS = re.compile(r"(?<=\S) {3,}")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        indent, language, inner = match.groups()
        lines = "".join(line.removeprefix(indent) for line in inner.splitlines(keepends=True))
        if language in languages:
            found.append(Block(page, text.count("\n", 0, match.start()) + 2, language, lines))
    return found


def section(page: Path, heading: str) -> str:
    """Give the text below a heading, up to the next one of its level."""
    text = page.read_text(encoding="utf-8")
    marks, _, _ = heading.partition(" ")
    start = text.index(f"{heading}\n")
    end = re.search(rf"^{marks} ", text[start + len(heading) :], re.MULTILINE)
    return text[start : start + len(heading) + end.start()] if end else text[start:]


class Shell:
    """Runs the console blocks of a page one after another, as one person in one terminal."""

    def __init__(self, directory: Path, environ: Mapping[str, str], addresses: Mapping[str, str]) -> None:
        self._directory = directory
        self._state = directory.parent / "state.sh"
        self._environ = environ
        self._addresses = addresses
        self._state.write_text("")

    def real(self, text: str) -> str:
        for shown, real in self._addresses.items():
            text = text.replace(shown, real)
        return text

    def run(self, command: str) -> str:
        """Run a command; gives stdout and stderr as a terminal shows them, with the addresses of the page."""
        script = f"source '{self._state}'\n{self.real(command)}\n(exit $?); export -p > '{self._state}'"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._directory,
            env=dict(self._environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        output = done.stdout
        for shown, real in self._addresses.items():
            output = output.replace(real, shown)
        return output

    def play(self, block: Block) -> None:
        for command, expected in exchanges(block.text):
            actual = self.run(command)
            assert fits(actual, expected), (
                f"{block}: $ {command}\n--- expected\n{expected}\n--- actual\n{actual}"
            )


def exchanges(text: str) -> Iterator[tuple[str, str]]:
    """Split a console block into commands and what each prints. A line that ends in a backslash goes on."""
    lines = text.splitlines(keepends=True)
    assert lines[0].startswith("$ "), "a console block begins with a command"
    at = 0
    while at < len(lines):
        command = lines[at].removeprefix("$ ")
        at += 1
        while command.endswith("\\\n"):
            command += lines[at]
            at += 1
        start = at
        while at < len(lines) and not lines[at].startswith("$ "):
            at += 1
        yield command.rstrip("\n"), "".join(lines[start:at])


def fits(actual: str, expected: str) -> bool:
    """Compare an output with what a page says: `...` stands for anything, on a line of its own for any lines."""
    parts = [re.escape(part) for part in _ANYTHING.split(_trimmed(expected))]
    gaps = ["(?s:.*)" if gap.endswith("\n") else "[^\n]*" for gap in _ANYTHING.findall(_trimmed(expected))]
    pattern = "".join(part + gap for part, gap in zip(parts, [*gaps, ""], strict=True))
    return re.fullmatch(pattern, _trimmed(actual)) is not None


def _trimmed(text: str) -> str:
    """Take white space out of the ends of lines, and of tables, whose widths depend on the ports that a test has."""
    lines = (line if "^" in line else _COLUMNS.sub("  ", line) for line in text.splitlines())
    return "".join(f"{line.rstrip()}\n" for line in lines)
