"""Bodies that are sent: multipart, files by streaming, GraphQL; to a real server, repeated after failures, never from outside."""

import email
import email.policy
import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from runner.plan import describe
from runner.template import Mode
from tests.projects import bench, planned, request, simple, tries
from tests.servers.http import Handler, Request, Response, Server, Takeover, reply
from tests.servers.listeners import silent_port
from tests.template.maker import made

JsonObject = dict[str, Any]
CSV = "id,name\r\n1,Zoë\r\n".encode()


@pytest.fixture
def server() -> Iterator[Server]:
    answered = iter([503, 401, 200])
    graphql: dict[str, Any] = {
        "good": {"data": {"me": {"id": 7}}},
        "bad": {
            "data": None,
            "errors": [{"message": "no such\nfield"}, {"extensions": {}}, "odd", {"message": "4"}],
        },
        "half": {"data": {"me": None}, "errors": [{"message": "not for the token the-secret-token"}]},
        "none": {"ok": True},
    }
    routes: dict[str, Handler] = {
        "POST /flaky": lambda _: Response(next(answered, 200)),
        "POST /hop": lambda _: Response(307, headers={"Location": "/echo"}),
        "POST /early": lambda _: Response(413, b"too much"),
        "POST /close": lambda _: Takeover(lambda connection: connection.reset()),
        "POST /graphql/*": lambda asked: reply(graphql[asked.arguments[0]]),
        "POST /refused": lambda _: reply({"errors": [{"message": "syntax"}]}, 400),
        "* /**": lambda asked: reply({"length": asked.header("Content-Length")}),
    }
    with Server(routes) as running:
        yield running


def parts(asked: Request) -> list[EmailMessage]:
    """Read multipart with a parser not written here."""
    kind = asked.header("Content-Type")
    message = email.message_from_bytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + asked.body, policy=email.policy.HTTP
    )
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return [part for part in message.iter_parts() if isinstance(part, EmailMessage)]


def described(part: EmailMessage) -> tuple[str | None, str | None, str, bytes]:
    name = part.get_param("name", header="content-disposition")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return str(name), part.get_filename(), part.get_content_type(), content


def result_of(
    server: Server, root: Path, monkeypatch: pytest.MonkeyPatch, path: str, environ: Any = None, **fields: Any
) -> JsonObject:
    (root / "work").mkdir(exist_ok=True)
    monkeypatch.chdir(root / "work")
    more = fields.pop("more", {})
    workflow = {"inputs": {"name": {"default": 'a "b"\r\n/../c'}}, "secrets": fields.pop("secrets", {})}
    action = request("one", "POST", path, more=more, **fields)
    if "graphql" in fields:
        del action["request"]["method"]
    project = simple(root, [action], url=server.url, **workflow)
    result: JsonObject = bench(project, environ=environ or {}).perform("one")
    return result


def test_multipart(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "data.csv").write_bytes(CSV)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "x.tar.gz").write_bytes(b"\x1f\x8b")
    fields = {
        "text": "é {{ inputs.name }}",
        "number": 1.10,
        "flag": True,
        "left out": None,
        "many": ["a", None, "b"],
        'q"\n': "quoted",
        "json": {"value": {"id": ["{{ inputs.name | length }}"]}},
        "csv": {"file": "data.csv"},
        "named": {
            "file": "lib/x.tar.gz",
            "filename": "{{ inputs.name }}",
            "content_type": "text/{{ 'plain' }}",
        },
        "guessed": [{"file": "lib/x.tar.gz"}],
    }
    result = result_of(
        server,
        tmp_path,
        monkeypatch,
        "/x",
        multipart=fields,
        secrets={"s": "env://S"},
        environ={"S": "no secret here"},
    )
    assert result["status"] == "succeeded", result
    [asked] = server.requests
    assert asked.header("Content-Length") == str(len(asked.body))
    assert asked.header("Transfer-Encoding") is None
    found = [described(part) for part in parts(asked)]
    assert found == [
        ("text", None, "text/plain", 'é a "b"\r\n/../c'.encode()),
        ("number", None, "text/plain", b"1.1"),
        ("flag", None, "text/plain", b"true"),
        ("many", None, "text/plain", b"a"),
        ("many", None, "text/plain", b"b"),
        ("q%22%0A", None, "text/plain", b"quoted"),
        ("json", None, "application/json", b'{"id":[12]}'),
        ("csv", "data.csv", "text/csv", CSV),
        ("named", "a %22b%22%0D%0A/../c", "text/plain", b"\x1f\x8b"),
        ("guessed", "x.tar.gz", "application/gzip", b"\x1f\x8b"),
    ]
    assert result["record"]["request"]["body"]["csv"] == {"file": "data.csv"}


def test_a_file_is_streamed_and_sent_again_as_it_was(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(3 << 20)
    (tmp_path / "export.bin").write_bytes(content)  # the project's directory, not the working directory
    monkeypatch.setattr("runner.session.Session.refresh", lambda *_: _true())
    result = result_of(server, tmp_path, monkeypatch, "/flaky", body={"file": "export.bin"})
    assert result["status"] == "succeeded", result
    assert tries(result) == 3
    for asked in server.requests:
        assert hashlib.sha256(asked.body).digest() == hashlib.sha256(content).digest()
        assert asked.header("Content-Length") == str(3 << 20)
        assert asked.header("Content-Type") == "application/octet-stream"
    server.clear()
    result = result_of(
        server, tmp_path, monkeypatch, "/hop", body={"file": "export.bin"}, headers={"content-type": "x/y"}
    )
    assert result["output"] == {"length": str(3 << 20)}
    assert server.requests[1].header("Content-Type") == "x/y"
    assert server.requests[1].body == content


async def _true() -> bool:
    return True


def test_a_large_file_takes_no_memory(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(48 << 20)
    monkeypatch.setattr("tests.servers.messages._exactly", _read_away)
    tracemalloc.start()
    try:
        result = result_of(server, tmp_path, monkeypatch, "/x", multipart={"f": {"file": "large"}})
        assert result["status"] == "succeeded", result
        assert tracemalloc.get_traced_memory()[1] < 12 << 20
    finally:
        tracemalloc.stop()


def _read_away(stream: Any, size: int) -> bytes:
    while size:
        piece = stream.read(min(size, 65536))
        if not piece:
            raise ConnectionError
        size -= len(piece)
    return b""


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("gone.csv", "there is no such file"),
        ("folder", "it is a directory"),
        ("link", "a symbolic link leads out of its directory"),
        ("linked/secret", "a symbolic link leads out of its directory"),
        ("fifo", "it is no file"),
        ("round", "its links lead in a circle"),
        ("sealed", "permission denied"),
        ("{{ inputs.name }}", "there is no such file"),
    ],
)
def test_files_that_are_not_sent(
    path: str, part: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("never")
    work = tmp_path / "project" / "work"
    work.mkdir(parents=True)
    (work / "folder").mkdir()
    (work / "link").symlink_to(tmp_path / "outside" / "secret")
    (work / "linked").symlink_to(tmp_path / "outside")
    (work / "round").symlink_to("round")
    os.mkfifo(work / "fifo")
    (work / "sealed").write_text("x")
    if path == "sealed":  # the tests may run as root, whom no permission stops
        real = Path.open
        monkeypatch.setattr(
            Path, "open", lambda self, *a, **k: _refuse() if self.name == "sealed" else real(self, *a, **k)
        )
    result = result_of(server, tmp_path / "project", monkeypatch, "/x", body={"file": path})
    assert result["error"]["kind"] == "file"
    assert part in result["error"]["message"], result["error"]
    assert not any(asked.body for asked in server.requests)


def _refuse() -> Any:
    raise PermissionError(13, "Permission denied")


def test_a_file_that_changes_while_it_is_sent(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").write_bytes(b"x" * 1000)
    real = Path.stat
    for wrong in (999, 1001):

        def stat(self: Path, wrong: int = wrong, **given: Any) -> os.stat_result:
            found = real(self, **given)
            return os.stat_result((*found[:6], wrong, *found[7:])) if self.name == "log" else found

        monkeypatch.setattr(Path, "stat", stat)
        error = result_of(server, tmp_path, monkeypatch, "/x", body={"file": "log"})["error"]
        assert error["kind"] == "file"
        assert "it grew or shrank while it was read" in error["message"]


def test_an_answer_before_the_end_of_the_body(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"x" * 100_000)
    error = result_of(server, tmp_path, monkeypatch, "/early", body={"file": "f"})["error"]
    assert error["message"].startswith("the server answered 413")
    error = result_of(server, tmp_path, monkeypatch, "/close", body={"file": "f"})["error"]
    assert error["kind"] == "connection"


@pytest.mark.parametrize("transport", ["httptools", "httpx"])
def test_a_server_that_does_not_take_the_body(transport: str, server: Server, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(64 << 20)
    with silent_port() as port:
        found = simple(
            tmp_path,
            [
                request(
                    "one", "PUT", body={"file": "large"}, more={"timeout": "500ms", "retry": {"attempts": 1}}
                )
            ],
            url=f"http://127.0.0.1:{port}",
        )
        error = bench(found, environ={"RUNNER_TRANSPORT": transport}).perform("one")["error"]
    assert error["kind"] == "timeout"
    assert error["message"] == f"127.0.0.1:{port} did not take the body of the request within 500ms"
    assert "raise `timeout`" in error["help"]


# --- GraphQL


def test_graphql(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = "query me($id: ID!) { user(id: $id) { name }}"
    asked = {"query": document, "variables": {"id": "{{ inputs.name }}"}, "operation": "me"}
    result = result_of(server, tmp_path, monkeypatch, "/graphql/good", graphql=asked)
    assert result["output"] == {"data": {"me": {"id": 7}}}
    [sent] = server.requests
    assert (sent.method, sent.header("Content-Type")) == ("POST", "application/json")
    assert sent.json() == {"query": document, "variables": {"id": 'a "b"\r\n/../c'}, "operationName": "me"}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/graphql/bad",
            "the server answered 200, but it holds errors: no such field; no message; no message (and 1 more)",
        ),
        ("/graphql/half", "the server answered 200, but it holds errors: not for the token ***"),
        ("/graphql/none", "the server answered 200, but its body is no answer of GraphQL"),
        ("/refused", "the server answered 400 Bad Request: syntax"),
    ],
)
def test_graphql_errors(
    path: str, message: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"query": "{ me { id } }"}
    secrets = {"s": "env://S"}
    result = result_of(
        server, tmp_path, monkeypatch, path, graphql=asked, secrets=secrets, environ={"S": "the-secret-token"}
    )
    assert result["error"]["message"] == message
    assert "the-secret-token" not in str(result)


# --- plans and paths


def test_the_plan_shows_them(tmp_path: Path) -> None:
    actions = [
        request("a", "POST", multipart={"f": {"file": "d/{{ inputs.day }}.csv"}, "s": "{{ secrets.s }}"}),
        request("b", "PUT", body={"file": "{{ actions.a.output }}.bin"}),
        request("c", "GET", save_to="out/{{ inputs.day }}.pdf"),
    ]
    inputs = {"day": {"default": "1/../2"}}
    project = simple(tmp_path, actions, inputs=inputs, secrets={"s": "env://S"})
    shown = [each["request"] for each in describe(project, planned(project))["actions"]]
    assert shown[0]["body"] == {"f": {"file": "d/1%2F..%2F2.csv"}, "s": "‹secret S›"}
    assert shown[0]["body_kind"] == "multipart"
    assert shown[1]["body"] == {"file": "‹known at run time›.bin"}
    assert shown[2]["save_to"] == "out/1%2F..%2F2.pdf"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("a b é", "x/a b é.txt"),
        ("../../etc/passwd", "x/%2E.%2F..%2Fetc%2Fpasswd.txt"),
        ("a%2Fb\\\0", "x/a%252Fb%5C%00.txt"),
        (".bashrc", "x/%2Ebashrc.txt"),
        ("CON:1?", "x/CON%3A1%3F.txt"),
        (17, "x/17.txt"),
    ],
)
def test_a_value_stays_within_its_segment(value: Any, path: str) -> None:
    template = made("x/{{ inputs.v }}.txt", mode=Mode.FILE)
    assert template.render({"inputs": {"v": value}}) == path
    assert made("x/{{ inputs.v ~ '' }}.txt", mode=Mode.FILE).render({"inputs": {"v": value}}) == path
