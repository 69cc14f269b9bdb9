"""One action from end to end: what it sees, what it gives back, what is recorded of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.perform import Headers, moment
from runner.sensitive import MASK
from tests.projects import bench, make, request, run, simple
from tests.servers.http import Server, reply

JsonObject = dict[str, Any]
TOKEN = "the-secret-token"


@pytest.fixture(scope="module")
def api() -> Iterator[Server]:
    """Answers with what it was sent."""
    routes = {
        "* /login": lambda _: reply(
            {"token": TOKEN, "id": 7}, 200, {"X-Subject-Token": TOKEN, "ETag": TOKEN}
        ),
        "* /echo": lambda request: reply({"got": request.body.decode(), "key": request.header("X-Key")}),
        "* /**": lambda _: reply({"ok": True}),
    }
    with Server(routes) as server:
        yield server


@pytest.fixture(autouse=True)
def _forget(api: Server) -> None:
    api.clear()


# --- what an action sees


def test_every_root(api: Server, tmp_path: Path) -> None:
    body = {
        "input": "{{ inputs.n }}",
        "secret input": "{{ inputs.s }}",
        "var": "{{ vars.site }}",
        "environment": "{{ environment }}",
        "run": "{{ run.id }} {{ run.workflow }} {{ run.user }} {{ run.started_at }}",
        "secret": "{{ secrets.own }}",
        "output": "{{ actions.before.output.id }}",
        "status": "{{ actions.before.status }}",
        "header": "{{ actions.before.response.headers['X-Total'] }}",
        "message": "{{ actions.failed.error.message }}",
    }
    project = make(
        tmp_path,
        {
            "runner.yaml": {"vars": {"site": "eu"}, "environments": {"test": {"vars": {"site": "test"}}}},
            "connections.d/api.yaml": {"type": "none", "base_url": api.url, "shared": True},
            "workflows.d/main.yaml": {
                "inputs": {"n": {"default": 3}, "s": {"secret": True}},
                "secrets": {"own": "env://OWN"},
                "actions": [
                    request("before"),
                    request("failed", more={"on_error": "continue"}),
                    request("one", "POST", "/x", json=body),
                ],
            },
        },
        environment="test",
    )
    states = {
        "before": {
            "status": "succeeded",
            "output": {"id": 9},
            "response": {"status": 200, "headers": {"x-total": "5"}},
        },
        "failed": {"status": "failed", "error": {"kind": "timeout", "message": "no answer"}},
    }
    work = bench(project, environ={"OWN": "an-own-secret"}, inputs={"s": "a-secret-input"})
    result = work.perform("one", states=states, user="ann")
    assert api.requests[0].json() == {
        "input": 3,
        "secret input": "a-secret-input",
        "var": "test",
        "environment": "test",
        "run": "run-1 main ann 2026-01-01T00:00:00Z",
        "secret": "an-own-secret",
        "output": 9,
        "status": "succeeded",
        "header": "5",
        "message": "no answer",
    }
    recorded = result["record"]["request"]["body"]
    assert recorded["secret"] == "‹secret OWN›"
    assert recorded["secret input"] == "‹secret inputs.s›"
    assert recorded["output"] == 9


def test_headers_are_a_mapping_in_any_case() -> None:
    headers = Headers({"x-a": "1"})
    assert headers["X-A"] == headers.get("x-A") == "1"
    assert "X-a" in headers
    assert headers.get("none", 3) == 3


# --- outputs


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("{{ response.body.id }}", 7),
        ("id {{ response.body.id }}", "id 7"),
        ({"a": ["{{ response.body.id }}"], "b": None}, {"a": [7], "b": None}),
        (None, None),
        ("{{ none }}", None),
    ],
)
def test_outputs(output: Any, expected: Any, api: Server, tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one", path="/login", more={"output": output})], url=api.url)
    assert bench(project).perform("one")["output"] == expected


def test_an_output_that_cannot_be_computed(api: Server, tmp_path: Path) -> None:
    project = simple(
        tmp_path, [request("one", more={"output": "{{ response.body.none.deep }}"})], url=api.url
    )
    error = bench(project).perform("one")["error"]
    assert error["kind"] == "render"
    assert "none" in error["message"]
    assert error["file"] == "workflows.d/main.yaml"


# --- sensitive outputs


def test_a_sensitive_output_flows_on_in_memory_and_shows_nowhere(api: Server, tmp_path: Path) -> None:
    actions = [
        request("login", path="/login", more={"sensitive": True}),
        request(
            "use",
            "POST",
            "/x",
            json={"t": "{{ actions.login.output.token }}"},
            headers={"X-Key": "{{ actions.login.output.token }}"},
        ),
    ]
    project = simple(tmp_path, actions, url=api.url)
    login, use = bench(project).perform("login", "use")
    assert "output" not in login
    assert login["sensitive"] is True
    assert api.requests[1].json() == {"t": TOKEN}
    assert api.requests[1].header("X-Key") == TOKEN
    assert use["record"]["request"]["body"] == {"t": "‹secret actions.login.output›"}
    assert use["record"]["request"]["headers"]["X-Key"] == "‹secret actions.login.output›"
    assert TOKEN not in json.dumps([login, use])


def test_what_was_recorded_before_the_output_was_known_is_cleaned(api: Server, tmp_path: Path) -> None:
    """The token stands in a response header that is recorded, and in one that later actions see."""
    project = simple(tmp_path, [request("login", path="/login", more={"sensitive": True})], url=api.url)
    login = bench(project).perform("login")
    assert login["record"]["response"]["headers"]["etag"] == MASK
    assert login["response"]["headers"]["x-subject-token"] == MASK


def test_a_whole_sensitive_run(api: Server, tmp_path: Path) -> None:
    actions = [
        request("login", path="/login", more={"sensitive": True, "output": "{{ response.body.token }}"}),
        {"id": "both", "set": {"header": "Key {{ actions.login.output }}"}, "sensitive": True},
        request("use", headers={"X-Key": "{{ actions.both.output.header }}"}),
    ]
    ran = run(
        simple(tmp_path, actions, url=api.url, outputs={"t": "{{ actions.both.output.header }}", "n": 1})
    )
    assert ran.result.status == "succeeded"
    assert api.requests[-1].header("X-Key") == f"Key {TOKEN}"
    assert ran.result.outputs == {"t": MASK, "n": 1}
    assert [action["output"] for action in ran.result.to_json()["actions"]] == [MASK, MASK, {"ok": True}]
    assert TOKEN not in json.dumps(ran.result.to_json()) + repr(ran)


# --- secrets in outputs


@pytest.mark.parametrize(
    "output",
    [
        "{{ response.body.key }}",
        "{{ response.body.key | b64encode }}",
        "{{ ('user:' ~ response.body.key) | b64encode }}",
        "{{ response.body.key | url_quote }}",
        "{{ response.body.key | to_json }}",
        {"deep": ["in a list", {"a": "x{{ response.body.key }}y"}]},
        {"html": "{{ response.body.key | replace('&', '&amp;') }}"},
    ],
    ids=str,
)
def test_an_output_that_holds_a_secret_fails_with_advice(output: Any, api: Server, tmp_path: Path) -> None:
    connection = {"type": "api_key", "auth": {"key": "env://KEY", "name": "X-Key", "in": "header"}}
    secret = 'a "secret"/key&more'
    for sensitive in (False, True):
        action = request("one", path="/echo", more={"output": output, "sensitive": sensitive})
        project = simple(tmp_path / str(sensitive), [action], url=api.url, connection=connection)
        result = bench(project, environ={"KEY": secret}).perform("one")
        if sensitive:
            assert result["status"] == "succeeded"
        else:
            assert result["error"]["kind"] == "secret-in-output"
            assert result["error"]["message"] == "the output of 'one' holds a secret"
            assert "`sensitive: true`" in result["error"]["help"]
            assert result["error"]["line"] == 1
        assert secret not in json.dumps(result)


def test_an_output_that_holds_none_is_left_alone(api: Server, tmp_path: Path) -> None:
    connection = {"type": "bearer", "auth": {"token": "env://KEY"}}
    project = simple(tmp_path, [request("one")], url=api.url, connection=connection)
    ran = run(project, environ={"KEY": "not-in-the-answer"})
    assert ran.action("one").output == {"ok": True}


# --- records


def test_a_record_has_times(api: Server, tmp_path: Path) -> None:
    work = bench(simple(tmp_path, [request("one")], url=api.url))
    record = work.perform("one")["record"]
    assert record["started_at"] == "2023-11-14T22:13:20.000Z"
    assert record["duration"] > 0
    assert set(record) == {"request", "attempts", "response", "started_at", "duration"}


def test_a_moment_has_milliseconds_and_a_zone() -> None:
    assert moment(0) == "1970-01-01T00:00:00.000Z"
    assert moment(1_700_000_000.1239) == "2023-11-14T22:13:20.123Z"


def test_a_failure_without_a_place_gets_that_of_its_action(api: Server, tmp_path: Path) -> None:
    text = "actions:\n  - id: one\n    connection: api\n    request:\n      path: /status\n    expect:\n      headers: {X-None: true}\n"
    api_file = {"type": "none", "base_url": api.url, "shared": True}
    project = make(tmp_path, {"workflows.d/main.yaml": text, "connections.d/api.yaml": api_file})
    error = bench(project).perform("one")["error"]
    assert (error["file"], error["line"], error["column"]) == ("workflows.d/main.yaml", 4, 5)


def test_an_action_that_is_not_there_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        bench(simple(tmp_path, [request("one")])).perform("two")
