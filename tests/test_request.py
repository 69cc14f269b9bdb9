"""What reaches the server: every part of a request as written in a workflow, read off the wire of a real server."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import FailureError
from runner.model import AllowRule
from runner.plan import describe
from runner.request import allowed, check_url, is_loopback
from runner.source import whole_file
from tests.projects import make, planned, request, run, simple
from tests.servers.http import Request, Server, reply

JsonObject = dict[str, Any]


@pytest.fixture(scope="module")
def api() -> Iterator[Server]:
    with Server({"* /**": lambda _: reply({"ok": True})}) as server:
        yield server


@pytest.fixture(autouse=True)
def _forget(api: Server) -> None:
    api.clear()


def arrived(
    api: Server,
    root: Path,
    *,
    method: str = "POST",
    path: str = "/x",
    base: str = "",
    connection: JsonObject | None = None,
    inputs: JsonObject | None = None,
    **fields: Any,
) -> Request:
    """Run a workflow of one request, whose inputs may be anything; gives what arrived."""
    given = inputs or {}
    project = simple(
        root,
        [request("one", method, path, **fields)],
        url=api.url + base,
        connection=connection,
        inputs={name: {} for name in given},
    )
    ran = run(project, input_file=given)
    assert ran.result.exit_code == 0, ran.result.error
    (only,) = api.requests
    return only


def refused(api: Server, root: Path, **parts: Any) -> tuple[str, str, str | None]:
    """Run a request that must not be sent; gives kind, message and help."""
    given = parts.pop("inputs", {})
    connection = parts.pop("connection", None)
    url = parts.pop("base", api.url)
    project = simple(
        root,
        [request("one", parts.pop("method", "POST"), parts.pop("path", "/x"), **parts)],
        url=url,
        connection=connection,
        inputs={name: {} for name in given},
    )
    ran = run(project, input_file=given)
    assert api.requests == ()
    error = ran.result.error
    assert error is not None
    assert error.span is not None
    return error.kind.value, error.message, error.help


# --- where it goes


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


# --- query


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ({}, "/x"),
        ({"a": "1", "b": 2}, "/x?a=1&b=2"),
        ({"a": [1, "two", None, True]}, "/x?a=1&a=two&a=true"),
        ({"a": None}, "/x"),
        ({"a": []}, "/x"),
        ({"a": ""}, "/x?a="),
        ({"a": True, "b": False}, "/x?a=true&b=false"),
        ({"a b": "c d"}, "/x?a%20b=c%20d"),
        ({"a": "x&y=z#?+%"}, "/x?a=x%26y%3Dz%23%3F%2B%25"),
        ({"a": "ü"}, "/x?a=%C3%BC"),
        ({"a": "-._~"}, "/x?a=-._~"),
        ({"ids[]": [1, 2]}, "/x?ids%5B%5D=1&ids%5B%5D=2"),
        ({"a": "{{ inputs.many }}"}, "/x?a=1&a=2"),
        ({"a": "{{ inputs.nothing }}"}, "/x"),
        ({"a": "{{ inputs.yes }}"}, "/x?a=true"),
        ({"a": "{{ inputs.deep }}"}, "/x?a=%7B%22k%22%3A%5B1%5D%7D"),
        ({"a": 1.0}, "/x?a=1.0"),
    ],
)
def test_query(query: JsonObject, target: str, api: Server, tmp_path: Path) -> None:
    inputs = {"many": [1, 2], "nothing": None, "yes": True, "deep": {"k": [1]}}
    assert arrived(api, tmp_path, query=query, inputs=inputs).target == target


def test_queries_of_path_connection_and_action_come_together(api: Server, tmp_path: Path) -> None:
    sent = arrived(
        api, tmp_path, path="/x?p=0", query={"b": 2, "c": 3}, connection={"query": {"a": 1, "b": 1}}
    )
    assert sent.target == "/x?p=0&a=1&b=2&c=3"


def test_an_action_can_take_a_parameter_of_the_connection_away(api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, query={"b": None}, connection={"query": {"a": 1, "b": 1}})
    assert sent.target == "/x?a=1"


# --- headers


def test_headers_of_the_action_win_whatever_their_case(api: Server, tmp_path: Path) -> None:
    sent = arrived(
        api,
        tmp_path,
        headers={"x-version": "2", "X-Own": "{{ inputs.n }}"},
        connection={"headers": {"X-Version": "1", "X-Team": "support"}},
        inputs={"n": 5},
    )
    assert [value for name, value in sent.headers if name.lower() == "x-version"] == ["2"]
    assert (sent.header("X-Own"), sent.header("X-Team")) == ("5", "support")


def test_null_takes_a_header_away(api: Server, tmp_path: Path) -> None:
    sent = arrived(
        api,
        tmp_path,
        headers={"X-VERSION": "{{ none }}", "X-Empty": ""},
        connection={"headers": {"X-Version": "1"}},
    )
    assert sent.header("X-Version") is None
    assert sent.header("X-Empty") == ""


def test_headers_that_everybody_expects(api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, json={})
    assert (sent.header("User-Agent") or "").startswith("runner.d/")
    assert sent.header("Accept") == "*/*"
    assert sent.header("Content-Type") == "application/json"


def test_a_content_type_of_the_action_stays(api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, json=[1], headers={"content-type": "application/vnd.api+json"})
    assert [value for name, value in sent.headers if name.lower() == "content-type"] == [
        "application/vnd.api+json"
    ]


@pytest.mark.parametrize("value", ["a\nb", "a\r\nX-Evil: 1", "a\n", "\x00"])
def test_no_line_break_gets_into_a_header(value: str, api: Server, tmp_path: Path) -> None:
    kind, message, remedy = refused(
        api, tmp_path, headers={"X-Note": "note {{ inputs.v }}"}, inputs={"v": value}
    )
    assert kind == "render"
    assert message.startswith("header 'X-Note' holds a ")
    assert remedy


def test_a_header_beyond_latin_1_is_refused_with_a_remedy(api: Server, tmp_path: Path) -> None:
    kind, _, remedy = refused(api, tmp_path, headers={"X-Note": "{{ inputs.v }}"}, inputs={"v": "→"})
    assert kind == "render"
    assert remedy is not None
    assert "url_quote" in remedy


# --- bodies


@pytest.mark.parametrize(
    ("json", "body"),
    [
        ({"a": 1}, b'{"a":1}'),
        ({"n": "{{ inputs.n }}", "s": "{{ inputs.n }}x"}, b'{"n":7,"s":"7x"}'),
        ({"list": "{{ inputs.many }}", "none": "{{ none }}"}, b'{"list":[1,2],"none":null}'),
        (["ü", "</script>"], '["ü","</script>"]'.encode()),
        ("text", b'"text"'),
        ("{{ inputs.quoted }}", b'"say \\"hi\\"\\n"'),
        (None, b"null"),
        (False, b"false"),
        ({"zip": "007"}, b'{"zip":"007"}'),
        ({"big": 12345678901234567890}, b'{"big":12345678901234567890}'),
    ],
)
def test_json(json: Any, body: bytes, api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, json=json, inputs={"n": 7, "many": [1, 2], "quoted": 'say "hi"\n'})
    assert sent.body == body


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ({"a": "1", "b": 2}, b"a=1&b=2"),
        ({"a": [1, 2, None]}, b"a=1&a=2"),
        ({"a": None, "b": ""}, b"b="),
        ({"a b": "c d&e=ü+"}, b"a+b=c+d%26e%3D%C3%BC%2B"),
        ({"t": True}, b"t=true"),
        ({}, b""),
    ],
)
def test_form(form: JsonObject, body: bytes, api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, form=form)
    assert sent.body == body
    assert sent.header("Content-Type") == "application/x-www-form-urlencoded"


def test_a_body_is_sent_as_it_is(api: Server, tmp_path: Path) -> None:
    sent = arrived(
        api, tmp_path, body="ü {{ inputs.n }}\n", headers={"Content-Type": "text/plain"}, inputs={"n": 1}
    )
    assert sent.body == "ü 1\n".encode()
    assert sent.header("Content-Length") == "5"


def test_a_request_without_a_body_has_no_content_type(api: Server, tmp_path: Path) -> None:
    sent = arrived(api, tmp_path, method="GET")
    assert sent.header("Content-Type") is None
    assert sent.body == b""


def test_a_number_that_json_does_not_have(api: Server, tmp_path: Path) -> None:
    kind, message, _ = refused(api, tmp_path, json={"x": "{{ inputs.n * 1e308 * 10 }}"}, inputs={"n": 1})
    assert kind == "render"
    assert message == "the JSON body holds a number that JSON does not have"


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "/{{ inputs.v }}"},
        {"query": {"q": "{{ inputs.v }}"}},
        {"form": {"f": "{{ inputs.v }}"}},
        {"body": "{{ inputs.v }}"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_half_a_character_is_refused_where_utf_8_has_none(
    fields: JsonObject, api: Server, tmp_path: Path
) -> None:
    """JSON from outside may hold a lone surrogate: no bug of ours, and no crash."""
    kind, message, remedy = refused(api, tmp_path, inputs={"v": "a\ud83d"}, **fields)
    assert kind == "render"
    assert "half a character" in message
    assert remedy


# --- what is allowed


@pytest.mark.parametrize(
    ("rules", "method", "path", "expected"),
    [
        (None, "DELETE", "/x", True),
        ([], "GET", "/x", False),
        (["GET *"], "GET", "/any/thing", True),
        (["GET *"], "POST", "/any", False),
        (["* /x"], "DELETE", "/x", True),
        (["POST /tickets/*"], "POST", "/tickets/1/close", True),
        (["POST /tickets/*"], "POST", "/tickets", False),
        (["POST /tickets/*/close"], "POST", "/tickets/1/close", True),
        (["POST /tickets/*/close"], "POST", "/tickets/1/open", False),
        (["GET /a[b]"], "GET", "/ab", False),
        (["GET /a[b]"], "GET", "/a[b]", True),
        (["GET /a?"], "GET", "/ab", False),
        (["GET /A"], "GET", "/a", False),
        (["GET /x", "PUT /x"], "PUT", "/x", True),
    ],
)
def test_allow(
    rules: list[str] | None, method: str, path: str, expected: bool, api: Server, tmp_path: Path
) -> None:
    connection = simple(tmp_path, [request("one")]).connections["api"]
    pairs = None if rules is None else tuple(AllowRule(method=r.split()[0], path=r.split()[1]) for r in rules)
    from dataclasses import replace

    assert allowed(replace(connection, allow=pairs), method, path) is expected


def test_a_path_that_only_the_run_knows_is_checked_before_it_is_sent(api: Server, tmp_path: Path) -> None:
    kind, message, remedy = refused(
        api,
        tmp_path,
        path="/{{ inputs.what }}/1",
        inputs={"what": "admin"},
        connection={"allow": ["POST /tickets/*", "GET *"]},
    )
    assert kind == "not-allowed"
    assert message == "the connection 'api' does not allow POST on this path"
    assert remedy == "it allows 'POST /tickets/*', 'GET *'; the list is `allow` in its file"


def test_the_query_is_no_part_of_what_is_allowed(api: Server, tmp_path: Path) -> None:
    sent = arrived(
        api, tmp_path, path="/x?{{ inputs.q }}", inputs={"q": "/y"}, connection={"allow": ["POST /x"]}
    )
    assert sent.target == "/x?%2Fy"


# --- what is recorded


def test_the_record_shows_the_request(api: Server, tmp_path: Path) -> None:
    project = simple(
        tmp_path,
        [
            request(
                "one",
                "PUT",
                "/a/{{ inputs.n }}",
                query={"q": ["x y", 1]},
                headers={"X-A": "b"},
                json={"n": "{{ inputs.n }}"},
            )
        ],
        url=api.url,
        inputs={"n": {"default": "p/q"}},
    )
    shown = run(project).action("one").record["request"]
    assert shown == {
        "method": "PUT",
        "url": f"{api.url}/a/p%2Fq?q=x%20y&q=1",
        "headers": {"X-A": "b", "Content-Type": "application/json"},
        "body": {"n": "p/q"},
    }


def test_a_plan_shows_what_a_run_records(api: Server, tmp_path: Path) -> None:
    actions = [
        request(
            "a",
            "PUT",
            "/x/{{ inputs.n }}",
            query={"q": ["a b", 1], "no": None},
            headers={"X-A": "{{ secrets.own }}"},
            json={"k": "{{ inputs.key }}", "n": "{{ inputs.n }}"},
        ),
        request("b", "POST", "/f?x=1", form={"a": "1 2", "k": "{{ secrets.own }}"}),
        {"id": "c", "request": {"url": f"{api.url}/u", "query": {"k": "{{ secrets.own }}"}}},
    ]
    project = simple(
        tmp_path, actions, url=api.url, inputs={"n": {"default": "p/q"}, "key": {"secret": True}}, secrets={"own": "env://OWN"},
        connection={"headers": {"X-B": "1"}, "query": {"b": 2}},
    )  # fmt: skip
    environ = {"OWN": "an-own-secret", "RUNNER_INPUT_KEY": "a-secret-input"}
    ran = run(project, environ=environ)
    assert ran.result.exit_code == 0
    plan = describe(project, planned(project, environ=environ))
    for described, action in zip(plan["actions"], ran.result.actions, strict=True):
        wanted, recorded = described["request"], action.record["request"]
        assert (wanted["method"], wanted["url"], wanted.get("body")) == (
            recorded["method"],
            recorded["url"],
            recorded.get("body"),
        )
        assert wanted["headers"].items() <= recorded["headers"].items()
