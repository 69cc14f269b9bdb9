"""What may import what, and what may stand where. `docs/architecture.md` says why."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from runner import registry

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "runner"

LAYERS: dict[str, frozenset[str]] = {
    layer: frozenset(names.split())
    for layer, names in {
        "ground": """
            frozen source errors duration needles escaped_letters sensitive secret_ref registry diagnostics result reference garbage comparison body
            exact_json pem keys
            """,
        "load": """
            yaml_scalars yaml_faults yaml_values document
            language language_files language_traffic language_presets language_connection schema schema_parts foreign_keys
            filters template template_paths template_bounds template_engine template_parser template_references template_trees
            template_values template_cache template_text
            expression expression_walk
            policy users cron model order effective bind bind_connection bind_workflow project_files project
            """,
        "check": "calls flow ignores check compare git git_head vault_policy",
        "resolve": "plan inputs calling idempotency",
        "keep": "history",
        "execute": """
            client_certificate files body_encoding downloads
            redirects tls target progress decoder body_format dispatch client throttle channels session auth_fields means
            transport_choice
            answer waits attempts request pages perform scope items invocation course frame engine watching endings
            """,
        "run": "run connection_test login last_tests exclusive",
    }.items()
}
"""The modules of the spine, from the ground up. A module imports from its own layer and those above it in this list."""

ORDER = list(LAYERS)

FOLDERS: dict[str, str] = {
    "auth": "load",
    "secrets": "ground",
    "reports": "ground",
    "rules": "execute",
    "actions": "execute",
    "transports": "execute",
    "paginators": "load",
    "presets": "load",
    "backends": "execute",
    "schedulers": "load",
}
"""Of each extension folder, the last layer that its files may import."""

BY_NAME = {
    ("language_files", "secrets.vault.config_schema"): "the schema of `vault` in runner.yaml",
    ("session", "secrets.env"): "the source of env:// references",
    ("session", "secrets.vault"): "the source of vault:// references",
    ("backends.temporal.connect", "secrets.vault"): "settings of a worker may be secret references",
    ("run", "backends.memory"): "what performs the steps of `runner run`",
    ("run", "backends.history"): "what remembers them",
}
"""Modules of the spine that name one extension; everything else asks the registry."""

THIRD_PARTY: dict[str, tuple[str, ...]] = {
    "yaml": ("document", "yaml_faults", "yaml_values"),
    "jinja2": (
        "expression_walk",
        "template_bounds",
        "template_engine",
        "template_parser",
        "template_references",
        "template_trees",
        "template_values",
    ),
    "jsonschema": ("schema",),
    "jsonschema_rs": ("schema",),
    "jmespath": ("filters",),
    "httpx": ("client", "dispatch", "transports.httpx"),
    "httpcore": ("transports.httpx",),
    "httptools": ("transports.httptools",),
    "idna": ("target",),
    "brotli": ("decoder",),
    "backports": ("decoder",),
    "compression": ("decoder",),
    "jwt": ("keys",),
    "cryptography": ("keys", "backends.temporal"),
    "sqlite3": ("history.database",),
    "certifi": ("tls", "secrets.vault"),
    "hvac": ("secrets.vault",),
    "requests": ("secrets.vault",),
    "urllib3": ("secrets.vault",),
    "temporalio": ("backends.temporal",),
}
"""Which module, or folder, may import which package. Of the standard library sqlite3 is held to one, too."""

REVEALERS = frozenset({"auth", "session", "backends.temporal.connect"})
"""Who may turn a `Secret` into its value."""

ENVIRONMENT_READERS = frozenset({"settings", "secrets.env"})


class Module:
    """A module of the package: its name without `runner.`, and its tree."""

    def __init__(self, path: Path) -> None:
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        self.name = ".".join(part for part in parts if part != "__init__")
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)

    def imports(self, nodes: Iterator[ast.AST] | list[ast.stmt]) -> set[str]:
        """Give the full names of imported modules; `from runner import x` counts as `runner.x`."""
        found: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}: imports are absolute"
                base = str(node.module)
                found |= {_existing(f"{base}.{alias.name}") or base for alias in node.names}
        return found

    @property
    def all_imports(self) -> set[str]:
        return self.imports(ast.walk(self.tree))

    @property
    def own_imports(self) -> set[str]:
        return {name.removeprefix("runner.") for name in self.all_imports if name.startswith("runner.")}

    @property
    def first_imports(self) -> set[str]:
        """What the import of this module imports: not the ones inside functions or for type checks."""
        own = self.imports([node for node in self.tree.body if not isinstance(node, ast.If)])
        return {name.removeprefix("runner.") for name in own if name.startswith("runner.")}


def _existing(name: str) -> str | None:
    path = ROOT / name.replace(".", "/")
    return (
        name if name.startswith("runner.") and (path.with_suffix(".py").exists() or path.is_dir()) else None
    )


@cache
def modules() -> tuple[Module, ...]:
    found = [path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts]
    return tuple(Module(path) for path in sorted(found))


def layer_of(name: str) -> str | None:
    first = name.partition(".")[0]  # a package of the spine stands as one
    return next((layer for layer, names in LAYERS.items() if first in names), None)


def folder_of(name: str) -> str | None:
    first = name.partition(".")[0]
    return first if first in FOLDERS else None


EVERY = pytest.mark.parametrize("module", modules(), ids=lambda module: module.name or "runner")


def test_every_module_has_a_place() -> None:
    placeless = [
        module.name
        for module in modules()
        if not (layer_of(module.name) or folder_of(module.name) or module.name.partition(".")[0] == "cli")
        and module.name not in ("", "__main__", "settings")
    ]
    assert placeless == [], "add it to LAYERS where it belongs"


@EVERY
def test_imports_go_down_only(module: Module) -> None:
    name = module.name
    if name.partition(".")[0] in ("cli", "__main__", ""):
        return
    folder = folder_of(name)
    reach = FOLDERS[folder] if folder else layer_of(name) or "ground"
    for other in module.own_imports:
        if other == "__version__" or other.partition(".")[0] == folder:
            continue
        assert other.partition(".")[0] not in ("cli", "settings", "__main__"), f"{name} imports {other}"
        if folder_of(other):
            interface = other in FOLDERS and ORDER.index(FOLDERS[other]) <= ORDER.index(reach)
            assert interface or (name, other) in BY_NAME, f"{name} imports the extension {other}"
            continue
        layer = layer_of(other)
        assert layer is not None, f"{name} imports {other}"
        assert ORDER.index(layer) <= ORDER.index(reach), f"{name} ({reach}) imports {other} ({layer})"


def test_no_import_circle() -> None:
    graph = {module.name: module.first_imports - {module.name} for module in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as problem:
        pytest.fail(" -> ".join(problem.args[1]))


@EVERY
def test_an_extension_imports_no_sibling(module: Module) -> None:
    folder = folder_of(module.name)
    inside = module.name.split(".")
    if folder is None or len(inside) < 2:
        return
    for other in module.own_imports:
        parts = other.split(".")
        # A type that is a folder is one type: its files know each other.
        if parts[0] == folder and len(parts) > 1:
            assert parts[1] == inside[1], f"{module.name} imports its sibling {other}"


@EVERY
def test_third_party_packages_stand_where_they_may(module: Module) -> None:
    for name in module.all_imports:
        package = name.partition(".")[0]
        if package == "runner" or (package in sys.stdlib_module_names and package != "sqlite3"):
            continue
        assert package in THIRD_PARTY, f"{module.name} imports {package}"
        places = THIRD_PARTY[package]
        assert any(module.name == place or module.name.startswith(f"{place}.") for place in places), (
            f"{module.name} imports {package}"
        )


def calls(module: Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))


@EVERY
def test_few_may_reveal_a_secret(module: Module) -> None:
    if module.name in REVEALERS:
        return
    named = [
        node for node in ast.walk(module.tree) if isinstance(node, ast.Attribute) and node.attr == "reveal"
    ]
    private = [
        node
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute | ast.Constant)
        and "_Secret__value" in (node.attr if isinstance(node, ast.Attribute) else str(node.value))
    ]
    assert named + private == [], f"{module.name}:{(named + private)[0].lineno}" if named + private else ""


def test_those_who_may_reveal_do() -> None:
    revealing = {module.name for module in modules() if ".reveal()" in module.text}
    assert revealing == REVEALERS


@EVERY
def test_only_the_command_line_prints(module: Module) -> None:
    if module.name.partition(".")[0] == "cli":
        return
    printed = [
        call.lineno for call in calls(module) if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]
    streams = [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("stdout", "stderr", "__stdout__", "__stderr__")
        and isinstance(node.value, ast.Name)
        and node.value.id == "sys"
    ]
    assert printed + streams == []


@EVERY
def test_the_environment_is_read_in_one_place(module: Module) -> None:
    if module.name in ENVIRONMENT_READERS:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr not in ("environ", "environb", "getenv", "putenv"), f"line {node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            assert {alias.name for alias in node.names}.isdisjoint({"environ", "getenv"}), (
                f"line {node.lineno}"
            )


@EVERY
def test_modules_and_functions_are_short(module: Module) -> None:
    assert len(module.text.splitlines()) <= 400
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


@EVERY
def test_everything_says_what_it_is_for(module: Module) -> None:
    assert ast.get_docstring(module.tree), "a module docstring"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"class {node.name}: a docstring"


@EVERY
def test_names_say_something(module: Module) -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "core"}
    assert vague.isdisjoint(module.name.split("."))


def test_data_classes_are_made_quickly() -> None:
    found = [
        str(path.relative_to(ROOT))
        for path in PACKAGE.rglob("*.py")
        if path.name != "frozen.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
        if any(name.name == "dataclass" for name in node.names)
    ]
    assert not found, f"import dataclass from runner.frozen, which says why: {found}"


@pytest.mark.parametrize("name", registry.names("rules"))
def test_a_rule_reports_under_its_own_name(name: str) -> None:
    path = PACKAGE / "rules" / f"{name.replace('-', '_')}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    others = set(registry.names("rules")) - {name}
    assert named & others == set()


TINY = {
    "connections.d/c.yaml": "type: bearer\nbase_url: https://example.com\nshared: true\nauth: {token: 'vault://s/a#b'}\n",
    "workflows.d/w.yaml": (
        "inputs: {a: {type: string}}\nactions:\n  - id: one\n    connection: c\n"
        '    request: {path: "/x/{{ inputs.a }}"}\noutputs: {o: "{{ actions.one.output }}"}\n'
    ),
}
LISTING = "import json, sys; print(json.dumps(sorted(sys.modules)))"


def loaded_modules(code: str, cwd: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {LISTING}"], cwd=cwd, capture_output=True, check=True
    )
    return set(json.loads(done.stdout))


HEAVY = (
    "httpx",
    "httpcore",
    "hvac",
    "requests",
    "urllib3",
    "asyncio",
    "ssl",
    "jmespath",
    "sqlite3",
    "http.client",
    "tempfile",
    "zoneinfo",
    "difflib",
)


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("import runner.cli", ("yaml", "jinja2", "jsonschema", "runner.project")),
        ("import runner.errors, runner.sensitive, runner.diagnostics, runner.result", ("yaml", "jinja2")),
        ("from pathlib import Path; from runner.project import load; load(Path())", ("jinja2",)),
        (
            "from pathlib import Path; from runner.project import load; from runner.check import require; require(load(Path()))",
            ("jinja2",),
        ),
    ],
)
def test_a_start_imports_only_what_it_needs(code: str, more: tuple[str, ...], tmp_path: Path) -> None:
    for name, text in TINY.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert loaded_modules(code, tmp_path) & {*HEAVY, *more} == set()
