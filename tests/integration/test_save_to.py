"""`save_to`: whole or not at all, below the working directory, whatever the server, the disk or the path does."""

import errno
import gzip
import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.downloads import Download
from runner.errors import FailureError
from tests.projects import bench, make, request, run, simple, tries
from tests.servers.faults import faults
from tests.servers.http import Request, Response, Server

JsonObject = dict[str, Any]
PDF = {"Content-Type": "application/pdf"}
CONTENT = b"%PDF " + bytes(range(256)) * 500


def large(asked: Request) -> Response:
    count = int(asked.arguments[0])
    return Response(200, (bytes(1 << 20) for _ in range(count)), PDF, "chunked")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    packed = gzip.compress(CONTENT, mtime=0)
    answers = iter([503, 200])
    routes = {
        "GET /pdf": lambda _: Response(200, CONTENT, PDF),
        "GET /packed": lambda _: Response(200, packed, {**PDF, "Content-Encoding": "gzip"}, "chunked"),
        "GET /bad-packed": lambda _: Response(200, packed[:-20], {**PDF, "Content-Encoding": "gzip"}),
        "GET /large/*": large,
        "GET /flaky": lambda _: Response(
            next(answers), b'{"why": "busy"}', {"Content-Type": "application/json"}
        ),
        "GET /empty": lambda _: Response(204),
        "GET /here": lambda _: Response(302, headers={"Location": "/pdf"}),
    }
    with Server(routes) as running:
        yield running


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def result_of(url: str, work: Path, path: str, save_to: str, **more: Any) -> JsonObject:
    action = request("one", "GET", path, save_to=save_to, more=more)
    project = simple(work.parent / "project", [action], url=url, inputs={"name": {"default": "../../x"}})
    result: JsonObject = bench(project).perform("one")
    return result


def files_in(work: Path) -> list[str]:
    return sorted(str(path.relative_to(work)) for path in work.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("path", ["/pdf", "/packed", "/here"])
def test_the_output_says_what_was_saved(path: str, server: Server, work: Path) -> None:
    result = result_of(server.url, work, path, "a/b/{{ inputs.name }}.pdf")
    name = "a/b/%2E.%2F..%2Fx.pdf"
    assert result["output"] == {
        "path": name,
        "bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "content_type": "application/pdf",
    }
    assert files_in(work) == [name]
    assert (work / name).read_bytes() == CONTENT
    assert "body" not in result["record"]["response"]


def test_it_replaces_a_file_and_follows_retries(server: Server, work: Path) -> None:
    (work / "x").write_text("what was there")
    result = result_of(server.url, work, "/flaky", "x", output="{{ response.body.bytes }}")
    assert (result["output"], tries(result)) == (15, 2)
    assert files_in(work) == ["x"]
    assert (work / "x").read_bytes() == b'{"why": "busy"}'
    assert result_of(server.url, work, "/empty", "x")["output"]["bytes"] == 0


def test_no_limit_and_no_memory(server: Server, work: Path) -> None:
    tracemalloc.start()
    try:
        result = result_of(server.url, work, "/large/40", "x")
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()
    assert result["output"]["bytes"] == (work / "x").stat().st_size == 40 << 20


@pytest.mark.parametrize(
    ("path", "more", "kind"),
    [
        ("/truncated/length", {}, "connection"),
        ("/truncated/chunked", {}, "connection"),
        ("/hold-body", {"timeout": "300ms"}, "timeout"),
        ("/drip/200/0.05", {"timeout": "300ms"}, "timeout"),
        ("/status/404", {}, "unexpected-status"),
        ("/body/json", {"expect": {"that": ["{{ response.body.bytes > 1000 }}"]}}, "expectation"),
        ("/body/json", {"output": "{{ response.body.nothing }}"}, "render"),
        ("/body/bad-gzip", {}, "protocol"),
    ],
)
def test_nothing_is_left_after_a_failure(path: str, more: JsonObject, kind: str, work: Path) -> None:
    (work / "x").write_text("what was there")
    with faults() as broken:
        result = result_of(broken.url, work, path, "x", retry={"attempts": 2}, **more)
    assert result["error"]["kind"] == kind, result["error"]
    assert files_in(work) == ["x"]
    assert (work / "x").read_text() == "what was there"
    if path == "/status/404":
        assert result["record"]["response"]["body"] == '{"status": 404}'


def test_a_packed_body_that_is_cut(server: Server, work: Path) -> None:
    assert result_of(server.url, work, "/bad-packed", "x")["error"]["kind"] == "protocol"
    assert files_in(work) == []


@pytest.mark.parametrize(
    ("save_to", "part"),
    [
        ("{{ '/etc/x' | raw }}", "the path of a file is absolute"),
        ("{{ '../x' | raw }}", "holds a '.' or '..' segment"),
        ("{{ '' }}", "a value in the path is empty"),
        ("a/{{ '' }}/x", "a value in the path is empty"),
        ("link", "a part of its path is a symbolic link"),
        ("linked/x", "a part of its path is a symbolic link"),
        ("folder", "it is a directory"),
        ("file/x", "a part of its path is a file, not a directory"),
        ("{{ 'x' * 300 }}", "its name is too long"),
        ("{{ 'connections.d' }}/new.yaml", "`connections.d` belongs to the project"),
        ("./{{ 'workflows.d' }}/new.yaml", "`workflows.d` belongs to the project"),
        ("{{ '.git' | raw }}/hooks/pre-commit", "`.git` belongs to the project"),
    ],
)
def test_where_nothing_is_saved(save_to: str, part: str, server: Server, work: Path) -> None:
    outside = work.parent / "outside"
    outside.mkdir()
    (outside / "x").write_text("mine")
    (work / "link").symlink_to(outside / "x")
    (work / "linked").symlink_to(outside)
    (work / "folder").mkdir()
    (work / "file").write_text("")
    sent = len(server.requests)
    result = result_of(server.url, work, "/pdf", save_to)
    assert result["status"] == "failed", result
    assert len(server.requests) == sent
    assert part in result["error"]["message"], result["error"]
    assert files_in(work) == ["file", "link"]
    assert (outside / "x").read_text() == "mine"
    assert list(outside.iterdir()) == [outside / "x"]


def test_a_directory_that_may_not_be_written_is_told_before_anything_is_sent(
    server: Server, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "closed").mkdir()
    real = os.access
    # Root, to whom nothing is closed, runs tests too.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed" and real(path, mode))
    sent = len(server.requests)
    for path in ("closed/x", "closed/a/b/x"):
        error = result_of(server.url, work, "/pdf", path)["error"]
        assert error["message"] == f"'{path}' cannot be saved: permission denied"
    assert len(server.requests) == sent
    assert files_in(work) == []


@pytest.mark.parametrize(
    ("number", "part"),
    [
        (errno.ENOSPC, "'x' cannot be saved: the disk is full"),
        (errno.EACCES, "'x' cannot be saved: permission denied"),
        (errno.EIO, "'x' cannot be saved: Input/output error"),
    ],
)
@pytest.mark.parametrize("call", ["open", "fsync", "rename"])
def test_what_the_disk_says(
    number: int, part: str, call: str, server: Server, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(os, call)

    def failing(*given: Any, **more: Any) -> Any:
        if call != "open" or (isinstance(given[0], str) and given[0].endswith(".part")):
            raise OSError(number, os.strerror(number))
        return real(*given, **more)

    monkeypatch.setattr(os, call, failing)
    result = result_of(server.url, work, "/pdf", "x")
    monkeypatch.undo()
    assert result["error"]["kind"] == "file"
    assert result["error"]["message"] == part
    assert tries(result) == 1
    assert files_in(work) == []


def test_a_disk_that_is_really_full(work: Path) -> None:
    download = Download(work, "x", owner="run one")
    download.begin()
    with Path("/dev/full").open("wb", buffering=0) as full:
        os.dup2(full.fileno(), download._file.fileno())
    with pytest.raises(FailureError, match="the disk is full"):
        download.write(bytes(1 << 20))
    download.discard()
    assert files_in(work) == []


def test_two_actions_and_one_name(server: Server, work: Path) -> None:
    actions = [request("a", path="/pdf", save_to="x"), request("b", path="/pdf", save_to="x")]
    done = run(simple(work.parent / "project", actions, url=server.url))
    assert done.statuses == {"a": "succeeded", "b": "failed"}
    assert done.failure == ("file", "'x' was saved by 'a' in this run already")


def test_repetitions_of_a_call_have_one_file_and_two_actions_in_it_two(server: Server, work: Path) -> None:
    def called(*names: str) -> JsonObject:
        actions = [
            request(name, path="/pdf", save_to=target) for name, target in zip("ab", names, strict=True)
        ]
        sync = {
            "id": "sync",
            "workflow": "sub",
            "repeat": {"until": "{{ false }}", "every": "1ms", "at_most": 2},
        }
        return {
            "connections.d/api.yaml": {"type": "none", "base_url": server.url, "shared": True},
            "workflows.d/sub.yaml": {"actions": actions},
            "workflows.d/main.yaml": {"actions": [sync]},
        }

    before = server.count("GET", "/pdf")
    done = run(make(work.parent / "project", called("x", "y")))
    assert done.failure[0] == "timeout"  # it was called twice, and the second time saved both anew
    assert server.count("GET", "/pdf") - before == 4
    done = run(make(work.parent / "project", called("x", "x")))
    assert done.failure == (
        "file",
        "the workflow 'sub' failed: 'x' was saved by 'sync#1/a' in this run already",
    )


def test_each_item_has_a_file_of_its_own(server: Server, work: Path) -> None:
    each = request(
        "get", path="/pdf", save_to="out/{{ item }}", more={"for_each": ["a/b", "a%2Fb", "..", "A"]}
    )
    done = run(
        simple(work.parent / "project", [each], url=server.url, outputs={"all": "{{ actions.get.output }}"})
    )
    assert done.statuses == {"get": "succeeded"}, done.failure
    assert files_in(work) == ["out/%2E.", "out/A", "out/a%252Fb", "out/a%2Fb"]
    same = request("get", path="/pdf", save_to="same", more={"for_each": [1, 2]})
    done = run(simple(work.parent / "project", [same], url=server.url))
    assert done.failure[0] == "file"


def test_a_killed_run_leaves_a_hidden_file_that_the_resumed_one_takes(work: Path) -> None:
    killed = Download(work, "d/x", owner="run-1 one")
    killed.begin()
    killed.write(b"half")
    killed._file.flush()
    [left] = files_in(work)
    assert left.startswith("d/.")
    resumed = Download(work, "d/x", owner="run-1 one")
    resumed.begin()
    resumed.write(b"whole")
    resumed._file.flush()
    resumed.commit()
    assert files_in(work) == ["d/x"]
    assert (work / "d/x").read_bytes() == b"whole"
    killed._file.close()
    killed._file = None
    killed.discard()


def test_a_path_with_a_secret_is_refused(server: Server, work: Path) -> None:
    action = request("one", path="/pdf", save_to="{{ inputs.key }}.pdf")
    project = simple(
        work.parent / "project", [action], url=server.url, inputs={"key": {"type": "string", "secret": True}}
    )
    done = run(project, input_file={"key": "a-secret-value"})
    assert done.failure[0] == "secret-in-output"
    assert files_in(work) == []
