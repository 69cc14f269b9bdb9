"""Answers end to end: numbers that keep their text, lines of JSON, charsets, types that lie."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner import exact_json
from runner.reports import json as json_report
from tests.projects import bench, request, run, simple
from tests.servers.http import Request, Response, Server

NUMBERS = [
    "12345678901234567890",
    "0.1000000000000000055",
    "1.10",
    "1E400",
    "-0.0",
    "3.141592653589793238462643383279",
    "1e3",
    "17",
]
JSON = "application/json"
BODIES: dict[str, tuple[str, bytes]] = {
    "ndjson": ("application/x-ndjson", b'{"id": 1}\n\n{"id": 1.10}\r\n[2]\n'),
    "jsonl": ("application/jsonl; charset=utf-8", '{"t": "a\u2028b"}'.encode()),
    "one-line-wrong": ("application/x-ndjson", b'{"id": 1}\n{"id": \n'),
    "lines-are-html": ("application/ndjson", b"<html>\n<p>sign in</html>"),
    "html": (JSON, b"\n<!DOCTYPE html><title>Sign in</title>"),
    "json-as-html": ("text/html", b'{"id": 7}'),
    "latin-1": (f"{JSON}; charset=iso-8859-1", '{"name": "Zoë"}'.encode("latin-1")),
    "utf-16": (JSON, '{"name": "Zoë"}'.encode("utf-16")),
    "bom-wins": ("text/plain; charset=iso-8859-1", "\ufeffZoë".encode()),
    "bom-16": ("text/csv", "Zoë,1".encode("utf-16")),
    "no-charset": ("text/plain; charset=idna", "Zoë".encode()),
    "infinity": (JSON, b'{"a": -Infinity}'),
}


def numbers(_: Request) -> Response:
    return Response(200, f'{{"n": [{", ".join(NUMBERS)}]}}'.encode(), {"Content-Type": JSON})


def body(asked: Request) -> Response:
    kind, content = BODIES[asked.arguments[0]]
    return Response(200, content, {"Content-Type": kind})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    routes = {
        "GET /numbers": numbers,
        "GET /body/*": body,
        "POST /form": lambda _: Response(204),
        "POST /echo": lambda asked: Response(200, asked.body, {"Content-Type": JSON}),
    }
    with Server(routes) as running:
        yield running


def test_numbers_come_out_as_they_came_in(server: Server, tmp_path: Path) -> None:
    actions = [
        request("get", path="/numbers"),
        {"id": "kept", "set": {"all": "{{ actions.get.output.n }}", "one": "{{ actions.get.output.n[1] }}"}},
        request(
            "send",
            "POST",
            "/echo",
            json={
                "n": "{{ actions.kept.output.all }}",
                "typed": 2.50,
                "text": "{{ actions.kept.output.one }}!",
            },
        ),
        request("form", "POST", "/form", form={"n": "{{ actions.kept.output.all[2] }}"}),
        {
            "id": "read",
            "set": {"n": "{{ '[1.10]' | from_json }}", "t": "{{ actions.get.output.n | to_json }}"},
        },
    ]
    outputs = {
        "n": "{{ actions.send.output.n }}",
        "sum": "{{ actions.get.output.n[2] + 1 }}",
        "read": "{{ actions.read.output }}",
    }
    done = run(simple(tmp_path, actions, url=server.url, outputs=outputs))
    assert done.result.status == "succeeded", done.result
    sent = server.sent("POST")
    written = ",".join(NUMBERS)
    assert sent[0].body.decode() == f'{{"n":[{written}],"typed":2.5,"text":"0.1000000000000000055!"}}'
    assert sent[1].body == b"n=1.10"
    printed = json_report.dumps(done.result.outputs)
    for number in NUMBERS:
        assert f"\n    {number}" in printed
    assert '"sum": 2.1' in printed
    assert "1.10" in printed.partition('"read"')[2]
    assert f'"t": "[{written}]"' in printed
    report = json_report.run(done.result)
    assert all(report.count(number) >= 4 for number in NUMBERS[:6])


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("ndjson", [{"id": 1}, {"id": exact_json.Number("1.10")}, [2]]),
        ("jsonl", [{"t": "a\u2028b"}]),
        ("latin-1", {"name": "Zoë"}),
        ("utf-16", {"name": "Zoë"}),
        ("bom-wins", "Zoë"),
        ("bom-16", "Zoë,1"),
        ("no-charset", "Zoë"),
        ("json-as-html", '{"id": 7}'),
    ],
)
def test_what_is_read(name: str, output: Any, server: Server, tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one", path=f"/body/{name}")], url=server.url)
    result = bench(project).perform("one")
    assert result["output"] == output
    assert exact_json.dumps(result["output"]) == exact_json.dumps(output)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "one-line-wrong",
            "the response says it is lines of JSON and is not: line 2 column 8: Expecting value",
        ),
        ("lines-are-html", "the response says it is lines of JSON and is not: it is a page of HTML or XML"),
        ("html", "the response says it is JSON and is not: it is a page of HTML or XML"),
        (
            "infinity",
            "the response says it is JSON and is not: it holds NaN, Infinity or a number of thousands",
        ),
    ],
)
def test_what_lies(name: str, message: str, server: Server, tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one", path=f"/body/{name}")], url=server.url)
    error = bench(project).perform("one")["error"]
    assert error["kind"] == "protocol"
    assert error["message"].startswith(message)


def test_json_that_says_it_is_html_names_the_filter(server: Server, tmp_path: Path) -> None:
    actions = [
        request("one", path="/body/json-as-html", more={"output": "{{ response.body.id }}"}),
        request("two", path="/body/json-as-html", more={"output": "{{ (response.body | from_json).id }}"}),
    ]
    wrong, right = bench(simple(tmp_path, actions, url=server.url)).perform("one", "two")
    assert wrong["error"]["message"] == "'response.body' is text: it has no 'id'"
    assert "write `response.body | from_json`" in wrong["error"]["help"]
    assert right["output"] == 7
    assert json.dumps(right)
