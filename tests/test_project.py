"""Projects: found, read, overridden by environments, extended; every mistake in its place."""

import errno
import os
import tracemalloc
from pathlib import Path

import pytest

from runner.check import check, require
from runner.diagnostics import ProjectError
from runner.errors import UsageError
from runner.project import find, load
from tests.rules.projects import TICKETS, brief, loaded, spine, underlined, write

BEARER = "type: bearer\nbase_url: https://example.com\nshared: true\nauth: {token: 'vault://s/a#b'}\ntest: {path: /me}\n"
ACTION = "actions:\n  - {id: a, set: {a: 1}}\n"


class TestFind:
    """Which directory is the project."""

    def test_from_a_directory_below(self, tmp_path: Path) -> None:
        write(tmp_path / "p", {"connections.d/c.yaml": TICKETS})
        below = tmp_path / "p" / "connections.d" / "deep"
        below.mkdir()
        assert find(None, below) == tmp_path / "p"
        assert find(None, tmp_path / "p") == tmp_path / "p"

    def test_one_folder_is_enough(self, tmp_path: Path) -> None:
        (tmp_path / "workflows.d").mkdir()
        assert find(None, tmp_path) == tmp_path

    def test_the_nearest_counts(self, tmp_path: Path) -> None:
        (tmp_path / "workflows.d").mkdir()
        (tmp_path / "sub" / "connections.d").mkdir(parents=True)
        assert find(None, tmp_path / "sub") == tmp_path / "sub"

    def test_a_file_of_that_name_is_no_project(self, tmp_path: Path) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "workflows.d").write_text("")
        (tmp_path / "connections.d").mkdir()
        assert find(None, tmp_path / "sub") == tmp_path

    def test_a_named_directory_is_taken_as_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "p" / "workflows.d").mkdir(parents=True)
        assert find(Path("p"), tmp_path) == tmp_path / "p"
        assert find(tmp_path / "p", Path("/")) == tmp_path / "p"

    @pytest.mark.parametrize("name", ["nowhere", "empty", "empty/.."])
    def test_what_is_no_project(self, name: str, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(UsageError) as caught:
            find(Path(name), tmp_path)
        assert name in caught.value.message
        assert caught.value.help

    def test_no_project_above(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            find(None, tmp_path)
        assert caught.value.message.startswith("no project here or above")
        assert "-C DIR" in (caught.value.help or "")


class TestFiles:
    """Which files are read, and under which name."""

    def test_names_are_paths_without_suffix(self, tmp_path: Path) -> None:
        project = loaded(
            tmp_path,
            {
                "connections.d/a.yaml": TICKETS,
                "connections.d/eu/b.c.yaml": TICKETS,
                "workflows.d/x/y/z.yaml": ACTION,
            },
        )
        assert set(project.connections) == {"a", "eu/b.c"} == project.connection_names
        assert set(project.workflows) == {"x/y/z"} == project.workflow_names
        assert set(project.documents) == set(project.texts)
        assert project.diagnostics == []

    def test_other_files_are_left_alone(self, tmp_path: Path) -> None:
        write(
            tmp_path,
            {"connections.d/README.md": "# x", "connections.d/.hidden.yaml": "[", "workflows.d/a.yaml~": "["},
        )
        (tmp_path / "connections.d" / "dir.yaml").mkdir()
        assert load(tmp_path).diagnostics == []

    def test_yml_is_reported(self, tmp_path: Path) -> None:
        found = loaded(tmp_path, {"connections.d/a.yml": TICKETS}).diagnostics
        assert [(item.rule, item.help) for item in found] == [("unreadable-file", "rename it to a.yaml")]

    def test_an_unreadable_file_hides_no_other(self, tmp_path: Path) -> None:
        files = {"connections.d/a.yaml": "[", "connections.d/b.yaml": TICKETS, "workflows.d/c.yaml": "x: [\n"}
        project = loaded(tmp_path, files)
        assert sorted(item.primary.span.path for item in project.diagnostics) == [
            "connections.d/a.yaml",
            "workflows.d/c.yaml",
        ]
        assert set(project.connections) == {"b"}
        assert project.connection_names == {"a", "b"}
        assert project.texts["connections.d/a.yaml"] == "["

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        write(tmp_path, {})
        (tmp_path / "connections.d/a.yaml").symlink_to("a.yaml")
        (tmp_path / "connections.d/b.yaml").symlink_to("nowhere")
        assert [item.rule for item in load(tmp_path).diagnostics] == ["unreadable-file", "unreadable-file"]

    def test_a_folder_that_is_not_looked_into_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path, {"connections.d/a.yaml": TICKETS, "workflows.d/closed/b.yaml": "x: ["})
        (tmp_path / "workflows.d" / "link").symlink_to(tmp_path / "connections.d")
        real = os.scandir

        def scandir(path: str) -> object:
            if str(path).endswith("closed"):  # root, whom nothing is closed to, runs tests too
                raise PermissionError(errno.EACCES, "Permission denied", path)
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        found = [(item.primary.span.path, item.rule, item.message) for item in load(tmp_path).diagnostics]
        assert sorted(found) == [
            ("workflows.d/closed", "unreadable-file", "the folder cannot be read: Permission denied"),
            (
                "workflows.d/link",
                "unreadable-file",
                "a symbolic link to a folder is not followed: what is in it is not read",
            ),
        ]

    def test_files_that_kubernetes_mounts(self, tmp_path: Path) -> None:
        write(tmp_path, {"connections.d/..2026_01/api.yaml": TICKETS})
        (tmp_path / "connections.d" / "..data").symlink_to("..2026_01")
        (tmp_path / "connections.d" / "api.yaml").symlink_to("..data/api.yaml")
        project = load(tmp_path)
        assert (project.diagnostics, set(project.connections)) == ([], {"api"})

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        write(tmp_path, {})
        (tmp_path / "connections.d/a.yaml").write_bytes(b"a: \xff")
        assert [item.rule for item in load(tmp_path).diagnostics] == ["not-text"]

    def test_an_empty_project(self, tmp_path: Path) -> None:
        project = loaded(tmp_path, {})
        assert check(project) == []
        assert require(project) == []


class TestSettings:
    """runner.yaml and its environments."""

    def test_an_environment_is_merged_over(self, tmp_path: Path) -> None:
        settings = (
            "vault: {address: 'https://a:8200', namespace: team}\nvars: {a: 1, b: 2}\nlimits: {body: 1KiB}\n"
            "environments:\n  dev:\n    vault: {address: 'https://b:8200'}\n    vars: {b: 3}\n    limits: {connect: 1s}\n"
            "    connections: {c: {base_url: 'https://dev.example.com', timeout: 1s}}\n  prod: {}\n"
        )
        files = {"runner.yaml": settings, "connections.d/c.yaml": BEARER}
        plain = loaded(tmp_path, files)
        dev = loaded(tmp_path, files, environment="dev")
        assert plain.environments == dev.environments == ("dev", "prod")
        assert plain.vars == {"a": 1, "b": 2}
        assert dev.vars == {"a": 1, "b": 3}
        assert dev.vault == {"address": "https://b:8200", "namespace": "team"}
        assert dev.limits == {"body": "1KiB", "connect": "1s"}
        assert plain.connections["c"].base_url.text == "https://example.com"
        assert dev.connections["c"].base_url.text == "https://dev.example.com"
        assert dev.connections["c"].timeout == 1.0
        assert dev.connections["c"].base_url.span.path == "runner.yaml"
        assert plain.diagnostics == dev.diagnostics == []

    def test_an_unknown_environment(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            loaded(tmp_path, {"runner.yaml": "environments: {staging: {}}\n"}, environment="stagin")
        assert caught.value.message == "no environment 'stagin' in runner.yaml"
        assert caught.value.help == "did you mean 'staging'?"

    def test_an_unknown_environment_of_a_broken_runner_yaml_is_a_diagnostic(self, tmp_path: Path) -> None:
        project = loaded(tmp_path, {"runner.yaml": "environments: [\n"}, environment="dev")
        assert [item.rule for item in project.diagnostics] == ["yaml-syntax"]

    @pytest.mark.parametrize(
        ("text", "rule", "marked"),
        [
            ("wars: {}\n", "unknown-key", "wars"),
            ("vars: []\n", "wrong-type", "[]"),
            ("environments: {dev: {var: {}}}\n", "unknown-key", "var"),
            ("environments: {dev: {connections: {c: {tpe: x}}}}\n", "unknown-key", "tpe"),
            ("environments: {'a b': {}}\n", "invalid-value", "'a b'"),
            ("vault: {adress: x}\n", "unknown-key", "adress"),
            ("- a\n", "wrong-type", "- a"),
        ],
    )
    def test_mistakes_stand_at_their_key(self, text: str, rule: str, marked: str, tmp_path: Path) -> None:
        found = loaded(tmp_path, {"runner.yaml": text}).diagnostics
        assert [(item.rule, underlined(tmp_path, item.primary.span).strip()) for item in found] == [
            (rule, marked)
        ]

    def test_an_empty_runner_yaml(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, {"runner.yaml": "# nothing yet\n"}).diagnostics == []

    def test_a_mistake_in_an_override_is_in_runner_yaml(self, tmp_path: Path) -> None:
        settings = "environments: {dev: {connections: {c: {base_url: 'http://dev.example.com'}}}}\n"
        found = spine(tmp_path, {"runner.yaml": settings, "connections.d/c.yaml": BEARER}, environment="dev")
        assert [(item.rule, item.primary.span.path) for item in found] == [("plain-http", "runner.yaml")]

    def test_a_secret_typed_into_an_override(self, tmp_path: Path) -> None:
        settings = "environments: {dev: {connections: {c: {auth: {token: hunter2hunter2}}}}}\n"
        found = spine(tmp_path, {"runner.yaml": settings, "connections.d/c.yaml": BEARER}, environment="dev")
        assert [item.rule for item in found] == ["hardcoded-secret"]
        assert found[0].primary.concealed
        assert underlined(tmp_path, found[0].primary.span) == "hunter2hunter2"


class TestExtends:
    """A second instance of the same tool."""

    def test_top_level_keys_replace(self, tmp_path: Path) -> None:
        files = {
            "connections.d/a.yaml": BEARER + "headers: {A: one, B: two}\ntimeout: 5s\n",
            "connections.d/b.yaml": "extends: a\nbase_url: https://b.example.com\nheaders: {A: three}\n",
            "connections.d/c.yaml": "extends: b\ntimeout: 9s\n",
        }
        project = loaded(tmp_path, files)
        assert project.diagnostics == []
        third = project.connections["c"]
        assert (third.type, third.shared, third.timeout) == ("bearer", True, 9.0)
        assert third.base_url.text == "https://b.example.com"
        assert list(third.headers) == ["A"]
        assert third.base_url.span.path == "connections.d/b.yaml"
        assert third.secrets["auth.token"].span.path == "connections.d/a.yaml"

    @pytest.mark.parametrize(
        ("files", "messages"),
        [
            ({"a": "extends: b\n"}, ["no connection 'b' to extend"]),
            ({"a": "extends: a\n"}, ["'extends' leads back to itself: a -> a"]),
            ({"a": "extends: b\n", "b": "extends: a\n"}, ["'extends' leads back to itself: a -> b -> a", "'extends' leads back to itself: b -> a -> b"]),
            ({"a": "extends: b\n", "b": "extends: c\n", "c": "tpe: none\n"}, ["unknown key 'tpe'", "the key 'type' is missing", "the key 'base_url' is missing"]),
            ({"a": "extends: b\ntpe: x\n", "b": TICKETS}, ["unknown key 'tpe'"]),
            ({"a": "extends: b\n", "b": "["}, ["a value is missing here"]),
            ({"a": "extends: [b]\n", "b": TICKETS}, ["'extends' must be text, not a list"]),
        ],
    )  # fmt: skip
    def test_mistakes_are_reported_once(
        self, files: dict[str, str], messages: list[str], tmp_path: Path
    ) -> None:
        found = spine(tmp_path, {f"connections.d/{name}.yaml": text for name, text in files.items()})
        said = [item.message for item in found if item.rule != "missing-key" or len(messages) > 1]
        assert sorted(said) == sorted(messages)

    def test_a_mistake_of_the_parent_is_not_one_of_the_child(self, tmp_path: Path) -> None:
        files = {"connections.d/a.yaml": BEARER + "timeout: soon\n", "connections.d/b.yaml": "extends: a\n"}
        found = spine(tmp_path, files)
        assert [(item.rule, item.primary.span.path) for item in found] == [
            ("invalid-value", "connections.d/a.yaml")
        ]


FILES = {
    "connections.d/z.yaml": "type: none\nbase_url: http://example.com\n",
    "connections.d/a.yaml": "type: none\nbase_url: nothing\n",
    "workflows.d/w.yaml": "actions:\n  - {id: a, set: {a: '{{ inputs.x }}', b: '{{ inputs.y }}'}}\n",
}


class TestCheck:
    """All findings in order."""

    def test_sorted_by_file_and_place(self, tmp_path: Path) -> None:
        found = spine(tmp_path, FILES)
        assert [item[0] for item in brief(tmp_path, found)] == [
            "malformed-url",
            "plain-http",
            "undefined-reference",
            "undefined-reference",
        ]
        assert found == sorted(found, key=lambda item: item.sort_key)

    def test_of_some_files_or_rules(self, tmp_path: Path) -> None:
        project = loaded(tmp_path, FILES)
        assert {item.primary.span.path for item in check(project, ["connections.d/a.yaml"])} == {
            "connections.d/a.yaml"
        }
        below = {item.primary.span.path for item in check(project, ["connections.d/"])}
        assert below == {"connections.d/a.yaml", "connections.d/z.yaml"}
        assert check(project, ["connections"]) == []
        assert check(project, ["."]) == check(project)
        assert {item.rule for item in check(project, rules=["plain-http"])} == {"plain-http"}

    def test_errors_end_the_command(self, tmp_path: Path) -> None:
        with pytest.raises(ProjectError) as caught:
            require(loaded(tmp_path, FILES))
        assert caught.value.message == "the project has 4 errors"
        assert caught.value.exit_code == 3

    def test_the_repository_itself_is_clean(self) -> None:
        assert check(load(Path(__file__).parent.parent)) == []


def test_what_is_extended_without_a_type_is_one_error_and_no_crash(tmp_path: Path) -> None:
    folder = tmp_path / "connections.d"
    folder.mkdir()
    (folder / "half.yaml").write_text("description: nothing else\n")
    (folder / "whole.yaml").write_text("extends: half\ntype: none\nbase_url: https://example.com\n")
    (folder / "neither.yaml").write_text("extends: half\nbase_url: https://example.com\n")

    project = load(tmp_path)

    assert {(item.primary.span.path, item.rule) for item in project.diagnostics} == {
        ("connections.d/half.yaml", "missing-key")
    }
    assert set(project.connections) == {"whole"}


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, {"workflows.d/w.yaml": ACTION})
    os.truncate(tmp_path / "workflows.d/w.yaml", 64 << 20)
    tracemalloc.start()
    try:
        project = load(tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [item.rule for item in project.diagnostics] == ["file-too-large"]
    assert peak < 16 << 20, peak
