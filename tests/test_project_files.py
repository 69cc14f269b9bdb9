"""`load(only=...)` reads less and finds the same; and what makes the check of a valid project fast stays true."""

import contextlib
import gc
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yaml import YAMLError

from benchmarks import generate
from runner import document, yaml_values
from runner.check import check
from runner.cli import main
from runner.diagnostics import Diagnostic, Severity
from runner.garbage import uncollected
from runner.project import load
from runner.project_files import listed, needed
from tests.test_fuzz import PIECES
from tests.test_mutations import STYLES, every_mutation, findings, projects, written


def content(texts: dict[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in texts.items()}


def found_in(root: Path, files: dict[str, bytes], path: str) -> list[Diagnostic]:
    return check(load(root, files=files, only=[path]), [path])


def test_a_file_alone_is_told_all_that_the_whole_check_says_of_it(tmp_path: Path) -> None:
    sources = projects(tmp_path)
    told = 0
    for name, mutation in every_mutation(sources)[::12]:
        texts = {**sources[name], mutation.path: mutation.text}
        whole = findings(tmp_path, texts)
        for path in texts:
            expected = [item for item in whole if item.primary.span.path == path]
            assert found_in(tmp_path, content(texts), path) == expected
            told += len(expected)
    assert told > 40


def test_a_connection_alone_is_judged_by_what_uses_it(tmp_path: Path) -> None:
    files = content(STYLES)
    path = "connections.d/plain.yaml"
    project = load(tmp_path, files=files, only=[path])
    assert list(project.workflows) == ["nightly/styles"]
    assert check(project, [path]) == []
    unused = {**files, "workflows.d/nightly/styles.yaml": b"actions: [{id: a, wait: 1s}]"}
    assert [item.rule for item in found_in(tmp_path, unused, path)] == ["unused-connection"]
    mentioned = {**unused, "workflows.d/b.yaml": b"actions: [{id: plain, wait: 1s}]"}
    assert [item.rule for item in found_in(tmp_path, mentioned, path)] == ["unused-connection"]
    # Who knows what is meant there: the whole check says nothing either.
    misspelt = {**unused, "workflows.d/b.yaml": b"actions: [{id: a, connection: plane, request: {path: /}}]"}
    assert found_in(tmp_path, misspelt, path) == []
    broken = {**files, "workflows.d/b.yaml": b"[plain"}
    assert found_in(tmp_path, broken, path) == []


def test_names_of_all_files_are_known(tmp_path: Path) -> None:
    generate.write(tmp_path, workflows=6, connections=3)
    paths, _ = listed(tmp_path, "workflows.d")
    assert len(paths) == 6
    project = load(tmp_path, only=paths[:1])
    assert len(project.workflow_names) == 6
    assert len(project.connections) == 3
    assert [f"workflows.d/{name}.yaml" for name in project.workflows] == paths[:1]
    assert set(project.texts) & set(paths) == set(paths[:1])


WORKFLOWS = {
    "workflows.d/a.yaml": b"connection: eu/api\n",
    "workflows.d/b/c.yaml": b"connection: other\n",
    "workflows.d/escaped.yaml": b'connection: "eu\\x2fapi"\n',
    "workflows.d/regular.yaml": b'x: "\\n"\n',
}


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        (["workflows.d/a.yaml"], {"workflows.d/a.yaml"}),
        (["workflows.d/b"], {"workflows.d/b/c.yaml"}),
        (["workflows.d/b/", "workflows.d/a.yaml"], {"workflows.d/a.yaml", "workflows.d/b/c.yaml"}),
        (["workflows.d"], set(WORKFLOWS)),
        (["workflows.d/none.yaml"], set()),
        (["connections.d/eu/api.yaml"], {"workflows.d/a.yaml", "workflows.d/escaped.yaml"}),
        (["connections.d/eu/api.yaml", "workflows.d/b"], set(WORKFLOWS) - {"workflows.d/regular.yaml"}),
        (["connections.d"], None),
        (["connections.d/eu"], None),
        (["connections.d/my api.yaml"], None),
        (["runner.yaml"], None),
        (["."], None),
        (["workflows.d/a.yaml", "runner.yaml"], None),
    ],
)
def test_which_workflows_are_read(paths: list[str], chosen: set[str] | None) -> None:
    assert needed(paths, WORKFLOWS, WORKFLOWS.__getitem__) == chosen


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    written(tmp_path, {"workflows.d/a/b.yaml": "", "workflows.d/a-c.yaml": "", "elsewhere/d.yaml": ""})
    (tmp_path / "workflows.d/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "workflows.d/gone.yaml").symlink_to(tmp_path / "nowhere")
    files, told = listed(tmp_path, "workflows.d")
    assert files == ["workflows.d/a/b.yaml", "workflows.d/a-c.yaml", "workflows.d/gone.yaml"]
    assert [item.primary.span.path for item in told] == ["workflows.d/linked"]
    assert listed(tmp_path, "connections.d") == ([], [])


def test_a_valid_workflow_is_never_asked_for_a_place(tmp_path: Path) -> None:
    generate.write(tmp_path, workflows=10, connections=3)
    project = load(tmp_path)
    assert check(project) == []
    unasked = [path for path, document in project.documents.items() if document._keys is not None]
    assert sum(path.startswith("workflows.d/") for path in unasked) == 10


def test_a_valid_project_is_checked_without_jsonschema(tmp_path: Path) -> None:
    generate.write(tmp_path, workflows=2, connections=2)
    program = (
        "import sys; from pathlib import Path; from runner import check, project\n"
        f"assert check.check(project.load(Path({str(tmp_path)!r}))) == []\n"
        "print({'jsonschema', 'jinja2.compiler', 'httpx', 'hvac'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    # Jinja imports its compiler by itself.
    assert done.stdout in ("set()\n", "{'jinja2.compiler'}\n")


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example("a: {b: 1, c: [x, 'y']}\nd: \"e\"\n")
@example("a: 1\na: 2\n")
@example("a: &b 1\nc: *b\n")
@example("a: !!str 1\n")
@example("---\na\n---\nb\n")
@example("? [a]\n: b\n")
@example("<<: a\n")
@example("[" * 100 + "]" * 100)
@example("[" * 101 + "]" * 101)
def test_values_without_places_are_those_with_places(text: str) -> None:
    found: list[Diagnostic] = []
    try:
        value, root = document._Builder(text, "f.yaml", found).build()
    except (YAMLError, document._Abort):
        value, root = None, None
        found.append(Diagnostic(rule="x", severity=Severity.ERROR, message="", primary=None))  # type: ignore[arg-type]
    try:
        short = yaml_values.read(text, document.DEEPEST_NESTING)
    except YAMLError:
        short = None
    if short is None:
        return
    assert not found
    assert (short[0], type(short[0])) == (value, type(value))
    whole, quick = document.Document("f.yaml", text, value, root), document.parse(text, "f.yaml")[0]
    assert quick is not None
    for pointer in list(short[1])[:1]:
        assert quick.span(pointer, key=True) == whole.span(pointer, key=True)
        without_nodes = quick._keys is not None
        assert quick.span(pointer) == whole.span(pointer)
        with_nodes = quick._keys is None
        assert (without_nodes, with_nodes) == (True, True)


def test_the_collector_is_held_off_and_comes_back() -> None:
    seen = [gc.isenabled()]
    with uncollected():
        seen.append(gc.isenabled())
        with uncollected():
            seen.append(gc.isenabled())
        seen.append(gc.isenabled())
    seen.append(gc.isenabled())
    assert seen == [True, False, False, False, True]
    with contextlib.suppress(KeyError), uncollected():
        raise KeyError
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


def test_lines_of_files_from_outside_are_not_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link that somebody proposes for review must not print what else the machine holds."""
    root = tmp_path / "project"
    (tmp_path / "credentials").write_text("a: b: hunter2hunter2\n")
    written(root, {"workflows.d/..data/own.yaml": "a: b: mine\n"})
    (root / "workflows.d/own.yaml").symlink_to("..data/own.yaml")
    (root / "workflows.d/theirs.yaml").symlink_to(tmp_path / "credentials")
    for command in (("validate",), ("run", "theirs")):
        assert main([*command, "-C", str(root)]) == 3
        printed = "".join(capsys.readouterr())
        assert "a: b: mine" in printed
        assert "--> workflows.d/theirs.yaml:1:5" in printed
        assert "hunter2" not in printed
