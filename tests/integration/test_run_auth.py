"""Auth types through whole runs: what a real server receives, byte for byte."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.projects import request, run, simple
from tests.servers.http import Request, Server, reply

JsonObject = dict[str, Any]


def received(root: Path, connection: JsonObject, environ: dict[str, str], **fields: Any) -> Request:
    """Run one request through a connection; it must succeed."""
    with Server({"* /**": lambda _: reply({"ok": True})}) as server:
        project = simple(root, [request("one", **fields)], url=server.url, connection=connection)
        ran = run(project, environ=environ)
        assert ran.result.exit_code == 0, ran.result.error
        return server.requests[0]


def test_bearer_with_a_prefix(tmp_path: Path) -> None:
    auth = {"token": "env://TOKEN", "prefix": "Token token="}
    sent = received(tmp_path, {"type": "bearer", "auth": auth}, {"TOKEN": "the-token"})
    assert sent.header("Authorization") == "Token token=the-token"


@pytest.mark.parametrize(("user", "name"), [("robot", "robot"), ("env://USER_NAME", "Zoë")])
def test_basic(user: str, name: str, tmp_path: Path) -> None:
    auth = {"username": user, "password": "env://PASSWORD"}
    environ = {"USER_NAME": "Zoë", "PASSWORD": "p:ä ss\nword"}
    sent = received(tmp_path, {"type": "basic", "auth": auth}, environ)
    pair = base64.b64encode(f"{name}:p:ä ss\nword".encode()).decode()
    assert sent.header("Authorization") == f"Basic {pair}"


def test_several_keys_beside_what_the_action_sends(tmp_path: Path) -> None:
    keys = [
        {"key": "env://A", "name": "X-Api-Key", "in": "header"},
        {"key": "env://B", "name": "key", "in": "query"},
        {"key": "env://C", "name": "sid", "in": "cookie", "prefix": "s:"},
    ]
    sent = received(
        tmp_path,
        {"type": "api_key", "auth": {"keys": keys}, "query": {"fixed": "1"}},
        {"A": "key-number-a", "B": "b/+&= ä", "C": "c; x"},
        path="/x?p=1",
        query={"q": "2"},
        headers={"Cookie": "own={{ 1 + 2 }}"},
    )
    assert sent.header("X-Api-Key") == "key-number-a"
    assert sent.target == "/x?p=1&fixed=1&q=2&key=b%2F%2B%26%3D%20%C3%A4"
    assert sent.header("Cookie") == "own=3; sid=s:c%3B%20x"


def test_secret_headers_and_parameters_of_the_connection(tmp_path: Path) -> None:
    sent = received(
        tmp_path,
        {"type": "none", "headers": {"X-Key": "env://A", "X-Plain": "p"}, "query": {"k": "env://B", "v": 1}},
        {"A": "secret-key", "B": "secret&key"},
    )
    assert (sent.header("X-Key"), sent.header("X-Plain")) == ("secret-key", "p")
    assert sent.query == (("v", "1"), ("k", "secret&key"))


def test_a_header_of_the_action_replaces_a_secret_one_of_the_connection(tmp_path: Path) -> None:
    connection = {"type": "none", "headers": {"X-Key": "env://A"}}
    sent = received(tmp_path, connection, {"A": "secret-key"}, headers={"x-key": "own"})
    assert [value for name, value in sent.headers if name.lower() == "x-key"] == ["own"]


@pytest.mark.parametrize("own", ["Bearer {{ run.workflow }}", "Bearer {{ secrets.own }}"])
def test_the_credentials_of_the_connection_win_over_a_header_of_the_action(own: str, tmp_path: Path) -> None:
    with Server({"* /**": lambda _: reply({"ok": True})}) as server:
        project = simple(
            tmp_path,
            [request("one", headers={"authorization": own})],
            url=server.url,
            connection={"type": "bearer", "auth": {"token": "env://TOKEN"}},
            secrets={"own": "env://OWN"},
        )
        assert run(project, environ={"TOKEN": "the-token", "OWN": "another-secret"}).result.exit_code == 0
        given = [value for name, value in server.requests[0].headers if name.lower() == "authorization"]
    assert given == ["Bearer the-token"]


@pytest.mark.parametrize("value", ["token-with-break\n", "to\rken-1", "to\0ken-1"])
@pytest.mark.parametrize("kind", ["bearer", "header"])
def test_a_credential_with_a_line_break_is_named_and_nothing_is_sent(
    value: str, kind: str, tmp_path: Path
) -> None:
    auth = (
        {"type": "bearer", "auth": {"token": "env://TOKEN"}}
        if kind == "bearer"
        else {"type": "api_key", "auth": {"key": "env://TOKEN", "name": "X-Key", "in": "header"}}
    )
    with Server({"* /**": lambda _: reply({})}) as server:
        project = simple(tmp_path, [request("one")], url=server.url, connection=auth)
        ran = run(project, environ={"TOKEN": value})
        assert server.connections == 0
    assert ran.failure[0] == "secret-unavailable"
    assert "auth." in ran.failure[1]
    assert "'api'" in ran.failure[1]
    assert ran.result.exit_code == 4
    assert ran.result.error is not None
    assert ran.result.error.span is not None
    assert ran.result.error.span.path == "connections.d/api.yaml"
