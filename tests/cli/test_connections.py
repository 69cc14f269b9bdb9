"""The life of a connection on the command line: listed with its last test, shown with origins, tested where it changed,
cloned, deleted."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from runner import last_tests
from runner.cli import main
from runner.project import load
from tests.cli.terminal import Terminal
from tests.servers.http import Request, Response, Server, reply

GIT = {"PATH": os.defpath, "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"}
WORKFLOW = "actions:\n  - {id: one, connection: desk, request: {path: /x}}\n"


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


def desk(url: str, **more: str) -> str:
    lines = "".join(f"{key}: {value}\n" for key, value in more.items())
    return f"type: gitlab\nshared: true\nauth: {{key: 'env://DESK'}}\nbase_url: {url}\n{lines}"


@pytest.fixture
def api() -> Iterator[Server]:
    def user(request: Request) -> Response:
        known = request.header("PRIVATE-TOKEN") == "the-secret-key"
        return reply({"id": 1, "state": "active"}) if known else reply({"message": "who?"}, status=401)

    with Server(
        {"GET /user": user, "GET /odd": lambda _: reply({"message": "how odd"}, status=409)}
    ) as server:
        yield server


@pytest.fixture
def root(tmp_path: Path, api: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNNER_USER", raising=False)
    monkeypatch.delenv("RUNNER_STATE", raising=False)
    monkeypatch.setenv("DESK", "the-secret-key")
    monkeypatch.setenv("SITE", "the-secret-key")
    write(tmp_path, "connections.d/desk.yaml", desk(api.url))
    write(tmp_path, "workflows.d/w.yaml", WORKFLOW)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert main(list(arguments)) == code, capsys.readouterr()
    captured = capsys.readouterr()
    return captured.out, captured.err


def data(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    return json.loads(said(capsys, *arguments, "--format", "json", code=code)[0])


def test_the_list_has_the_last_test(root: Path, api: Server, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, "connections.d/odd.yaml", desk(api.url, test="{path: /odd}"))
    (before,) = (each for each in data(capsys, "connections")["connections"] if each["name"] == "desk")
    assert (before["type"], before["credentials"], before["used_by"]) == ("gitlab", ["env://DESK"], ["w"])
    assert before["last_test"] is None
    said(capsys, "connections", "test", "--all", code=1)
    after = {each["name"]: each["last_test"] for each in data(capsys, "connections")["connections"]}
    assert (after["desk"]["classification"], after["desk"]["status"]) == ("ok", 200)
    assert (after["odd"]["classification"], after["odd"]["status"]) == ("unexpected", 409)
    assert after["desk"]["at"].endswith("+00:00")
    table, _ = said(capsys, "connections")
    assert f"ok, {after['desk']['at']}" in table
    assert (root / ".runner" / ".gitignore").read_text() == "*\n"
    kept = "".join(path.read_text() for path in (root / ".runner" / "tests").rglob("*.json"))
    assert "the-secret-key" not in kept
    assert "how odd" not in kept


def test_results_are_kept_whole_by_many_at_once(tmp_path: Path) -> None:
    """Each writer's result is whole, and a reader never sees half of one."""
    writer = (
        "import sys; from pathlib import Path; from runner import last_tests\n"
        "for turn in range(100):\n"
        "    last_tests.keep(Path(sys.argv[1]), None, None, [{'connection': 'eu/desk', 'classification': sys.argv[2] * 500}], turn)\n"
    )
    with ThreadPoolExecutor() as pool:
        running = [
            pool.submit(subprocess.run, [sys.executable, "-c", writer, str(tmp_path), letter], check=True)
            for letter in "abc"
        ]
        seen = 0
        while not all(each.done() for each in running):
            for result in last_tests.read(tmp_path, None).values():
                assert len(set(result["classification"])) == 1
                assert len(result["classification"]) == 500
                seen += 1
        for each in running:
            each.result()
    assert seen
    assert set(last_tests.read(tmp_path, None)) == {"eu/desk"}
    assert last_tests.read(tmp_path, "staging") == {}
    assert [path.suffix for path in (tmp_path / "tests" / "_").iterdir()] == [".json"]


def test_a_state_that_cannot_be_written_loses_nothing_else(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(root, ".runner", "a file")
    out, err = said(capsys, "connections", "test", "desk", "-v")
    assert "1 of 1 connections ok" in out
    assert "the results are not kept" in err


def test_show_says_where_each_value_comes_from(
    root: Path, api: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        root,
        "connections.d/child.yaml",
        "extends: desk\nshared: true\nheaders: {X-Api-Key: typed-in, X-A: b}\n",
    )
    write(root, "runner.yaml", "environments: {test: {connections: {child: {timeout: 5s}}}}\n")
    shown = data(capsys, "connections", "show", "child", "--env", "test")
    values = {each["key"]: (each["value"], each["from"]) for each in shown["values"]}
    assert values["base_url"] == (api.url, "extends connections.d/desk.yaml")
    assert values["error_message"][1] == "preset gitlab"
    assert values["headers.x-a"] == ("b", "file")
    assert values["headers.x-api-key"] == ("‹concealed›", "file")
    assert values["timeout"] == ("5s", "environment in runner.yaml")
    assert (shown["type"], shown["auth_type"]) == ("gitlab", "api_key")
    text, _ = said(capsys, "connections", "show", "child", "--env", "test")
    assert "gitlab, signs in by api_key" in text
    assert "typed-in" not in text


def test_changed_connections(root: Path, api: Server, capsys: pytest.CaptureFixture[str]) -> None:
    def git(*arguments: str) -> None:
        names = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *names, *arguments], cwd=root, env=GIT, check=True)

    for name in ("same", "spelled", "base", "child", "site"):
        write(root, f"connections.d/{name}.yaml", desk(api.url))
    write(root, "connections.d/child.yaml", "extends: base\nshared: true\n")
    write(root, "connections.d/site.yaml", desk('"{{ vars.url }}"').replace("DESK", "SITE"))
    write(root, "runner.yaml", "vars: {url: https://a.example.com}\n")
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "x")
    _, err = said(capsys, "connections", "test", "--changed", "main")
    assert "no connection means something else than in main" in err
    write(root, "connections.d/spelled.yaml", "# another text, the same meaning\n" + desk(api.url))
    write(root, "connections.d/base.yaml", desk(api.url, timeout="5s"))
    write(root, "runner.yaml", f"vars: {{url: '{api.url}'}}\n")
    write(root, "connections.d/new.yaml", desk(api.url, test="{path: /odd}"))
    out, _ = said(capsys, "connections", "test", "--changed", "main", "--format", "junit", code=1)
    suite = ET.fromstring(out)[0]
    cases = {case.get("name"): [part.tag for part in case] for case in suite}
    assert cases == {"base": [], "child": [], "new": ["failure"], "site": []}
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "0")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "how odd" in str(failure.get("message"))
    assert "connections.d/new.yaml:" in str(failure.text)
    assert (
        "exclude each other" in said(capsys, "connections", "test", "--all", "--changed", "main", code=2)[1]
    )


def test_an_empty_base_url_is_refused_before_sending(
    root: Path, api: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    write(root, "connections.d/desk.yaml", desk('"{{ vars.url }}"'))
    write(root, "runner.yaml", "vars: {url: ''}\n")
    _, err = said(capsys, "connections", "test", "desk", code=3)
    assert "base_url" in err
    assert api.requests == ()


def test_clone(root: Path, api: Server, capsys: pytest.CaptureFixture[str]) -> None:
    write(
        root,
        "connections.d/desk.yaml",
        desk(api.url).replace("env://DESK", "vault://secret/team/desk?version=3#key"),
    )
    _, err = said(capsys, "connections", "clone", "desk", "eu/desk", "--yes")
    assert "wrote connections.d/eu/desk.yaml" in err
    clone = load(root).connections["eu/desk"]
    assert (clone.extends, clone.base_url.text, clone.named_type) == ("desk", api.url, "gitlab")
    # Credentials belong to a host: another host gets others.
    said(capsys, "connections", "clone", "desk", "us", "--base-url", "https://us.example.com", "--yes")
    other = load(root).connections["us"]
    assert other.base_url.text == "https://us.example.com"
    assert [ref.text for ref in other.secrets.values()] == ["vault://secret/team/us#key"]
    assert main(["validate"]) == 0
    text = (root / "connections.d/us.yaml").read_text()
    capsys.readouterr()
    for name, more, message in (
        ("us", (), "is there already"),
        ("../x", (), "is no name for a connection"),
        (".hidden", (), "is no name for a connection"),
    ):
        assert message in said(capsys, "connections", "clone", "desk", name, *more, "--yes", code=2)[1]
    _, err = said(capsys, "connections", "clone", "desk", "bad", "--base-url", "ftp://x", "--yes", code=3)
    assert "connections.d/bad.yaml:3:" in err
    assert not (root / "connections.d/bad.yaml").exists()
    assert (root / "connections.d/us.yaml").read_text() == text


def test_delete(root: Path, api: Server, capsys: pytest.CaptureFixture[str]) -> None:
    write(root, "connections.d/child.yaml", "extends: desk\nshared: true\n")
    write(root, "runner.yaml", "environments: {test: {connections: {desk: {timeout: 5s}}}}\n")
    write(root, "workflows.d/broken.yaml", "actions: [{id: one, connection: desk\n")
    _, err = said(capsys, "connections", "delete", "desk", "--yes", code=2)
    for user in (
        "workflows.d/w.yaml",
        "connections.d/child.yaml extends it",
        "runner.yaml, environment test",
        "workflows.d/broken.yaml has errors and may use it",
    ):
        assert user in err
    assert (root / "connections.d/desk.yaml").exists()
    _, err = said(capsys, "connections", "delete", "child", "--yes")
    assert "- delete connections.d/child.yaml" in err
    assert "leave its secrets where they are: env://DESK" in err
    assert not (root / "connections.d/child.yaml").exists()


@pytest.mark.parametrize(
    ("answer", "code", "gone"), [(None, 2, False), ("n\n", 1, False), ("\n", 1, False), ("y\n", 0, True)]
)
def test_a_person_is_asked(
    answer: str | None,
    code: int,
    gone: bool,
    root: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(root, "connections.d/spare.yaml", "extends: desk\nshared: true\n")
    monkeypatch.setattr("sys.stdin", None if answer is None else Terminal(answer))
    _, err = said(capsys, "connections", "delete", "spare", code=code)
    assert (root / "connections.d/spare.yaml").exists() is not gone
    if answer is None:
        assert "--yes does it without asking" in err
