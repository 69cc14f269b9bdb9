"""Where a request goes: base URL, path, and what can leave neither."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import FailureError, JsonObject
from runner.request import check_url, is_loopback
from runner.source import whole_file
from tests.projects import make, request, run
from tests.request.sent import arrived, refused
from tests.servers.http import Server


@pytest.mark.parametrize(
    ("base", "path", "target"),
    [
        ("", "/x", "/x"),
        ("/", "/x", "/x"),
        ("/api/v2", "/x", "/api/v2/x"),
        ("/api/v2/", "/x", "/api/v2/x"),
        ("/api/v2///", "/x/", "/api/v2/x/"),
        ("/api", "/x?a=1", "/api/x?a=1"),
        ("", "/", "/"),
        ("/a%20b", "/c%2Fd", "/a%20b/c%2Fd"),
        ("", "//other.example.com/x", "//other.example.com/x"),
    ],
)
def test_paths_are_added_to_the_base_url(
    base: str, path: str, target: str, api: Server, tmp_path: Path
) -> None:
    assert arrived(api, tmp_path, base=base, path=path).target == target


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("plain", "plain"),
        ("a/b", "a%2Fb"),
        ("a b", "a%20b"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("ü→", "%C3%BC%E2%86%92"),
        ("100%", "100%25"),
        ("a%2Fb", "a%252Fb"),
        ("...", "..."),
        ("+&;@:", "%2B%26%3B%40%3A"),
        (7, "7"),
        (True, "true"),
        (1.5, "1.5"),
    ],
)
def test_a_value_stays_in_its_segment(value: Any, segment: str, api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, path="/a/{{ inputs.name }}/z", inputs={"name": value})
    assert sent.target == f"/a/{segment}/z"


@pytest.mark.parametrize("value", ["..", ".", "../admin", "a/../../b", "..\\..", "", None])
def test_a_value_cannot_leave_its_place(value: Any, api: Server, tmp_path: Path) -> None:
    kind, message, remedy = refused(api, tmp_path, path="/a/{{ inputs.name }}", inputs={"name": value})
    assert kind == "render"
    assert "path" in message
    assert remedy


def test_the_base_url_follows_vars_and_environment(api: Server, tmp_path: Path) -> None:
    files = {
        "runner.yaml": {
            "vars": {"host": "nowhere.invalid"},
            "environments": {"test": {"vars": {"host": api.url}}},
        },
        "connections.d/api.yaml": {"type": "none", "base_url": "{{ vars.host }}/{{ environment }}"},
        "workflows.d/main.yaml": {"actions": [request("one")]},
    }
    assert run(make(tmp_path, files, environment="test")).result.exit_code == 0
    assert api.requests[0].target == "/test/"


def test_the_variables_of_a_workflow_do_not_move_its_connections(api: Server, tmp_path: Path) -> None:
    """Else a workflow could send the credentials of a connection to a host of its own choice."""
    files = {
        "runner.yaml": {"vars": {"home": api.url, "version": "1"}},
        "connections.d/api.yaml": {
            "type": "none",
            "base_url": "{{ vars.home }}",
            "headers": {"X-Version": "{{ vars.version }}"},
            "query": {"v": "{{ vars.version }}"},
        },
        "workflows.d/main.yaml": {
            "vars": {"home": "https://elsewhere.example.com", "version": "9"},
            "actions": [request("one", headers={"X-Own": "{{ vars.version }}"})],
        },
    }
    assert run(make(tmp_path, files)).result.exit_code == 0
    sent = api.requests[0]
    assert (sent.header("X-Version"), sent.header("X-Own"), sent.target) == ("1", "9", "/?v=1")


def test_a_url_needs_no_connection(api: Server, tmp_path: Path) -> None:
    action = {"id": "one", "request": {"url": f"{api.url}/{{{{ inputs.x }}}}?a=1", "query": {"b": 2}}}
    project = make(
        tmp_path, {"workflows.d/main.yaml": {"inputs": {"x": {"default": "p/q"}}, "actions": [action]}}
    )
    assert run(project).result.exit_code == 0
    assert api.requests[0].target == "/p/q?a=1&b=2"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("{{ inputs.u }}", "the URL is not an absolute http(s) URL"),
        ("ftp{{ inputs.u }}://h/", "the URL is not an absolute http(s) URL"),
        ("http{{ inputs.u }}://example.com/", "the URL is plain http to another machine"),
        ("https://{{ inputs.at }}example.com/", "the URL holds a user name or password"),
        ("https://{{ inputs.u }}", "the URL is not an absolute http(s) URL"),
        ("https://h{{ inputs.u }}:0/", "the URL is not an absolute http(s) URL"),
        ("https://h{{ inputs.u }}:99999/", "the URL is not an absolute http(s) URL"),
        ("https://[{{ inputs.u }}/", "the URL is not an absolute http(s) URL"),
    ],
)
def test_urls_that_are_not_asked(url: str, message: str, tmp_path: Path) -> None:
    project = make(
        tmp_path,
        {
            "workflows.d/main.yaml": {
                "inputs": {"u": {"default": ""}, "at": {"default": "a:b@"}},
                "actions": [{"id": "one", "request": {"url": url}}],
            }
        },
    )
    assert run(project).failure == ("not-allowed", message)


@pytest.mark.parametrize(
    ("base", "connection", "kind"),
    [
        ("http://{{ vars.host }}", {}, "not-allowed"),
        ("http://{{ vars.host }}", {"allow_http": True}, "connection"),
    ],
)
def test_plain_http_that_only_the_run_can_see(
    base: str, connection: JsonObject, kind: str, tmp_path: Path
) -> None:
    files = {
        "runner.yaml": {"environments": {"far": {"vars": {"host": "far.invalid"}}}, "vars": {"host": "127.0.0.1:1"}},
        "connections.d/api.yaml": {
            "type": "none", "base_url": base, "retry": {"attempts": 1}, **connection,
        },
        "workflows.d/main.yaml": {"actions": [request("one")]},
    }  # fmt: skip
    make(tmp_path, files)
    from runner.project import load  # as `run` does after `validate` had another environment

    assert run(load(tmp_path, environment="far")).failure[0] == kind


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("api.localhost", True), ("LOCALHOST.", True), ("127.0.0.1", True), ("127.9.9.9", True),
        ("::1", True), ("[::1]", True), ("localhost.example.com", False), ("127.0.0.1.example.com", False),
        ("10.0.0.1", False), ("0.0.0.0", False), ("", False), ("::ffff:10.0.0.1", False),
    ],
)  # fmt: skip
def test_what_this_machine_is(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@given(st.text(max_size=40), st.booleans())
def test_no_url_crashes_the_check(text: str, allow_http: bool) -> None:
    span = whole_file("x.yaml")
    for url in (text, f"http://{text}", f"https://{text}/x"):
        with suppress(FailureError):
            check_url(url, span, allow_http=allow_http)
