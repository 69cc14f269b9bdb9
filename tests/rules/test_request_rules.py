"""Rules about single requests: paths, bodies, timeouts, retries, what an action repeats of its connection."""

from pathlib import Path

import pytest

from runner.diagnostics import Diagnostic
from tests.rules.exact import SCALARS, only_place, said, styled
from tests.rules.projects import TICKETS, findings, underlined

W = "workflows.d/w.yaml"
C = "connections.d/c.yaml"


def through(lines: str, more: str = "") -> str:
    return f"inputs: {{x: {{type: string, default: a}}}}\nactions:\n  - id: a\n    connection: c\n    request:\n{lines}{more}"


def path_text(style: str, path: str) -> str:
    return through(f"      path: {styled(style, path, 8)}\n")


def with_connection(root: Path, rule: str, text: str, marked: str) -> str:
    """Check that a rule finds one thing in a workflow beside the connection `c`, exact to the column."""
    files = {C: TICKETS, W: text}
    (found,) = [item for item in findings(root, files) if item.rule == rule]
    assert underlined(root, found.primary.span) == marked
    before = text[: text.index(marked)]
    start = found.primary.span.start
    assert (start.line, start.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert found.help
    return found.message


@pytest.mark.parametrize("style", SCALARS)
@pytest.mark.parametrize(
    ("path", "marked"),
    [
        ("/tickets/../admin", ".."),
        ("/tickets/{{ inputs.x }}/%2e%2E", "%2e%2E"),
        ("/t/./{{ inputs.x }}", "."),
        ("/a\\..\\b", ".."),
        ("/tickets#top", "#top"),
        ("//tickets", "/tickets"),
        ("/https://example.com/x", "https://"),
    ],
)
def test_paths_that_leave_their_place_in_every_style(
    style: str, path: str, marked: str, tmp_path: Path
) -> None:
    written = path
    if style in ("double quoted", "tag of text"):
        written = path.replace("\\", "\\\\")
    text = path_text(style, written)
    files = {C: TICKETS, W: text}
    (found,) = [item for item in findings(tmp_path, files) if item.rule == "url-escapes-base"]
    where = text.index(written)
    if marked == "/tickets":
        marked = "/"  # the second slash
        where += 1
    else:
        where = text.index(marked, where)
    shown = marked.replace("\\", "\\\\")
    assert underlined(tmp_path, found.primary.span) == shown
    before = text[:where]
    start = found.primary.span.start
    assert (start.line, start.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert found.severity.value == ("warning" if marked in ("/", "https://") else "error")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/a/b.c/..d/e..",
        "/...",
        "/a?next=x/../b&c=//d",
        "/{{ '../' ~ inputs.x }}",
        "/{{ inputs.x }}{# see ../ #}",
        "/proxy/https://example.com",
        "/a//b",
        "/.well-known/x",
        "/a%23b",
    ],
)
def test_paths_that_are_fine(path: str, tmp_path: Path) -> None:
    files = {C: TICKETS, W: path_text("double quoted", path)}
    assert said(tmp_path, "url-escapes-base", files) == []


def test_the_path_of_a_test_endpoint(tmp_path: Path) -> None:
    assert said(tmp_path, "url-escapes-base", {C: f"{TICKETS}test: {{path: /v1/../me}}\n"})[0][1] == ".."


@pytest.mark.parametrize("style", [name for name in SCALARS if name != "plain"])
@pytest.mark.parametrize(
    "path", ["/raw/{{ inputs.x | raw }}", "/{% if inputs.x %}{{ (inputs.x ~ 'a') | raw }}{% endif %}"]
)
def test_raw_in_every_style(style: str, path: str, tmp_path: Path) -> None:
    text = path_text(style, path)
    (found,) = [item for item in findings(tmp_path, {C: TICKETS, W: text}) if item.rule == "raw-in-path"]
    before = text[: text.index("| raw") + 2]
    start = found.primary.span.start
    assert (start.line, start.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
    assert underlined(tmp_path, found.primary.span) == "raw"


@pytest.mark.parametrize(
    "lines",
    [
        '      path: "/raw/{{ inputs.x }}"\n',
        '      path: /x\n      query: {q: "{{ inputs.x | raw }}"}\n',
    ],
)
def test_no_raw_in_the_path(lines: str, tmp_path: Path) -> None:
    assert said(tmp_path, "raw-in-path", {C: TICKETS, W: through(lines)}) == []


@pytest.mark.parametrize("body", ["json: {a: 1}", "'form': {a: 1}", "body: |\n        text", "json: null"])
@pytest.mark.parametrize("method", ["", "      method: HEAD\n", "      method: GET\n"])
def test_a_body_where_none_belongs(body: str, method: str, tmp_path: Path) -> None:
    text = through(f"      path: /\n{method}      {body}\n")
    name = method.rsplit(maxsplit=1)[-1] if method else "GET"
    message = with_connection(tmp_path, "body-on-get", text, body.partition(":")[0])
    assert message == f"a {name} request has a body: servers ignore or refuse it"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_body_of_other_methods(method: str, tmp_path: Path) -> None:
    text = through(f"      path: /\n      method: {method}\n      json: {{a: 1}}\n")
    assert said(tmp_path, "body-on-get", {C: TICKETS, W: text}) == []


def test_the_body_of_a_test_endpoint(tmp_path: Path) -> None:
    assert len(said(tmp_path, "body-on-get", {C: f"{TICKETS}test: {{path: /, json: {{a: 1}}}}\n"})) == 1
    text = f"{TICKETS}test: {{method: POST, path: /, json: {{a: 1}}}}\n"
    assert said(tmp_path, "body-on-get", {C: text}) == []


@pytest.mark.parametrize("style", SCALARS)
def test_timeouts_in_every_style(style: str, tmp_path: Path) -> None:
    text = through("      path: /\n", f"    timeout: {styled(style, '601s', 6)}\n")
    files = {C: TICKETS, W: text}
    (found,) = [item for item in findings(tmp_path, files) if item.rule == "no-timeout"]
    assert found.primary.span.start.line == 7
    assert "601s" in underlined(tmp_path, found.primary.span)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("timeout: 25h\nactions: [{id: a, set: {v: 1}}]\n", "25h"),
        ("defaults: {timeout: 11m}\nactions: [{id: a, set: {v: 1}}]\n", "11m"),
        ("timeout: 24h\ndefaults: {timeout: 10m}\nactions: [{id: a, set: {v: 1}}]\n", None),
    ],
)
def test_timeouts_of_workflows(text: str, marked: str | None, tmp_path: Path) -> None:
    assert [item[1] for item in said(tmp_path, "no-timeout", {W: text})] == ([marked] if marked else [])


def test_an_inherited_timeout_is_reported_once(tmp_path: Path) -> None:
    files = {C: f"{TICKETS}timeout: 1h\n", "connections.d/d.yaml": "extends: c\n"}
    assert [item[1] for item in said(tmp_path, "no-timeout", files)] == ["1h"]


POST = "actions:\n  - id: a\n    request: {method: %s, url: 'https://a.example.com'%s}\n    %s\n"


@pytest.mark.parametrize(
    ("method", "retry", "marked"),
    [
        ("POST", "retry: {attempts: 5}", ["5"]),
        ("PATCH", "retry: {attempts: 5}", ["5"]),
        ("POST", "retry: {on: [429, 500, timeout]}", ["500", "timeout"]),
        ("POST", "retry:\n      attempts: 2\n      on:\n        - 'timeout'\n        - 503", ["'timeout'"]),
        ("POST", "retry: {attempts: 5, on: [429, 503, connection]}", []),
        ("POST", "retry: {attempts: 3}", []),
        ("POST", "retry: {attempts: 1, on: [500]}", []),
        ("POST", "retry: {attempts: 5}\n    idempotent: true", []),
        ("PUT", "retry: {attempts: 5, on: [500]}", []),
        ("GET", "retry: {attempts: 5}", []),
    ],
)
def test_retries_that_never_happen(method: str, retry: str, marked: list[str], tmp_path: Path) -> None:
    text = POST % (method, "", retry)
    assert [item[1] for item in said(tmp_path, "unsafe-retry", {W: text})] == marked


def test_an_idempotency_key_is_a_reason_to_say_so(tmp_path: Path) -> None:
    text = POST % ("POST", ", headers: {idempotency-key: x}", "retry: {attempts: 9}")
    (found,) = findings(tmp_path, {W: text})
    assert found.help == "it sends an Idempotency-Key: set `idempotent: true`, and this POST is repeated"


SHADOWED = (
    TICKETS
    + "shared: true\nheaders: {X-A: '1', X-Secret: 'vault://s/a#b'}\nquery: {limit: 10, site: '{{ environment }}'}\n"
    "timeout: 20s\nretry: {attempts: 2}\ntest: {path: /}\n"
)


@pytest.mark.parametrize(
    ("lines", "more", "marked", "message"),
    [
        ("headers: {X-A: '1'}", "", "X-A", "the header 'X-A' is sent by the connection already, with this value"),
        ("headers: {x-a: '1'}", "", "x-a", "the header 'x-a' is sent by the connection already, with this value"),
        ("headers: {'x-A': '2'}", "", "'x-A'", "'x-A' replaces the header 'X-A' of the connection: HTTP takes no notice of case"),
        ("headers:\n        x-secret: a", "", "x-secret", "'x-secret' replaces the secret header 'X-Secret' of the connection: the secret is not sent"),
        ("query: {limit: 10}", "", "limit", "the query parameter 'limit' is sent by the connection already, with this value"),
        ("query: {site: '{{ environment }}'}", "", "site", "the query parameter 'site' is sent by the connection already, with this value"),
        ("query: {q: 1}", "timeout: 20s", "timeout", "`timeout` is that of the connection"),
        ("query: {q: 1}", "retry: {attempts: 2}", "retry", "`retry` is that of the connection"),
        ("headers: {X-A: '2', X-B: '1'}\n      query: {limit: 11}", "timeout: 21s\n    retry: {attempts: 3}", None, None),
    ],
)  # fmt: skip
def test_what_an_action_repeats(
    lines: str, more: str, marked: str | None, message: str | None, tmp_path: Path
) -> None:
    text = through(f"      path: /\n      {lines}\n", f"    {more}\n")
    found = said(tmp_path, "shadowed-connection-default", {C: SHADOWED, W: text})
    assert found == ([(message, marked)] if message else [])


def test_a_timeout_that_the_workflow_s_own_default_hides_is_needed(tmp_path: Path) -> None:
    text = through("      path: /\n", "    timeout: 20s\ndefaults: {timeout: 5s}\n")
    assert said(tmp_path, "shadowed-connection-default", {C: SHADOWED, W: text}) == []


@pytest.mark.parametrize(
    "auth",
    [
        "type: bearer\nauth: {token: 'vault://s/a#b'}",
        "type: basic\nauth: {username: u, password: 'vault://s/a#b'}",
        "type: api_key\nauth: {key: 'vault://s/a#b', name: Authorization, in: header}",
    ],
)
def test_a_header_that_credentials_set(auth: str, tmp_path: Path) -> None:
    files = {
        C: f"{auth}\nbase_url: https://a.example.com\nshared: true\n",
        W: through('      path: /\n      headers: {authorization: "{{ inputs.x }}"}\n'),
    }
    assert said(tmp_path, "shadowed-connection-default", files) == [
        (
            "the credentials of the connection set 'authorization': this one is not what is sent",
            "authorization",
        )
    ]


@pytest.mark.parametrize("style", ["no", "'no'", '"no"', "|-\n      no"])
def test_what_stands_after_a_fail(style: str, tmp_path: Path) -> None:
    text = f"actions:\n  - {{id: stop, fail: x}}\n  - id: {style}\n    set: {{v: 1}}\n  - {{id: more, set: {{v: 1}}}}\n"
    text += "finally:\n  - {id: last, set: {v: 1}}\n"
    assert said(tmp_path, "unreachable-action", {W: text}) == [
        ("'no' never runs: 'stop' before it ends the run", style),
        ("'more' never runs: 'stop' before it ends the run", "more"),
    ]


def test_an_action_that_is_switched_off(tmp_path: Path) -> None:
    text = "actions:\n  - {id: off, if: false, set: {v: 1}}\n  - {id: b, set: {v: 1}}\n"
    found = only_place(tmp_path, "unreachable-action", W, text, "false")
    assert found.message == "'off' never runs: its `if` is false"


@pytest.mark.parametrize(
    "stop",
    [
        "{id: stop, if: '{{ inputs.x }}', fail: x}",
        "{id: stop, on_error: continue, fail: x}",
        "{id: stop, set: {v: 1}}",
    ],
)
def test_what_may_go_on(stop: str, tmp_path: Path) -> None:
    text = f"inputs: {{x: {{type: string}}}}\nactions:\n  - {stop}\n  - {{id: b, set: {{v: 1}}}}\n"
    assert said(tmp_path, "unreachable-action", {W: text}) == []


def told(root: Path, files: dict[str, str]) -> list[Diagnostic]:
    """Give what is found beside the input that `through` declares and nothing uses."""
    return [item for item in findings(root, files) if item.rule != "unused-input"]


PAGES = "{style: cursor, param: after, next: '{{ response.body.next }}'}"


@pytest.mark.parametrize(
    ("method", "paginate", "more", "message", "marked"),
    [
        ("GET", "true", "", "the connection 'c' has no `paginate`", "paginate"),
        ("GET", "{max_pages: 3}", "", "the connection 'c' has no `paginate`", "paginate"),
        ("PUT", PAGES, "", "a PUT has no pages to read", "paginate"),
        ("GET", "{style: page}", "", "the style `page` cannot see where the list ends", "paginate"),
        (
            "GET",
            "{style: offset, more: '{{ response.body.m }}'}",
            "",
            "cannot tell how many items",
            "paginate",
        ),
        ("POST", PAGES.replace("}'}", "}', in: body}"), "", "has no JSON body to stand in", "paginate"),
        (
            "GET",
            "{style: cursor, param: a, next: '{{ run.id }}'}",
            "",
            "`next` is the same",
            "'{{ run.id }}'",
        ),
        ("GET", "{style: link, more: 'yes'}", "", "`more` is the same for every page", "'yes'"),
    ],
)
def test_pages_that_cannot_be_read(
    method: str, paginate: str, more: str, message: str, marked: str, tmp_path: Path
) -> None:
    text = through(f"      method: {method}\n      path: /x\n      paginate: {paginate}\n{more}")
    found = with_connection(tmp_path, "unusable-pagination", text, marked)
    assert message in found


def test_pages_of_a_connection_are_judged_where_they_are_used(tmp_path: Path) -> None:
    shared = TICKETS + "paginate: {style: page}\n"
    found = findings(tmp_path, {C: shared, W: through("      path: /x\n")})
    (one,) = [item for item in found if item.rule == "unusable-pagination"]
    assert underlined(tmp_path, one.primary.span) == "request"
    assert [underlined(tmp_path, label.span) for label in one.related] == ["style"]
    items = "      path: /x\n      paginate: {items: '{{ response.body }}'}\n"
    assert not told(tmp_path, {C: shared, W: through(items)})
    assert not told(tmp_path, {C: shared, W: through("      path: /x\n      paginate: false\n")})


@pytest.mark.parametrize(
    ("lines", "message", "marked"),
    [
        (f"method: POST\n      paginate: {PAGES}", "this POST is sent once for every page", "paginate"),
        (
            "query: {page: 2}\n      paginate: {style: page, items: '{{ response.body }}'}",
            "sets the parameter",
            "page",
        ),
        (
            "paginate: {style: link, items: '{{ run.id }}'}",
            "`items` is the same for every page",
            "'{{ run.id }}'",
        ),
    ],
)
def test_pages_that_are_hardly_meant(lines: str, message: str, marked: str, tmp_path: Path) -> None:
    text = through(f"      path: /x\n      {lines}\n")
    assert message in with_connection(tmp_path, "doubtful-pagination", text, marked)
    harmless = text.replace("method: POST", "method: GET").replace("query: {page: 2}", "query: {q: 2}")
    if "run.id" not in text:
        assert not [
            item for item in findings(tmp_path, {C: TICKETS, W: harmless}) if "pagination" in item.rule
        ]


@pytest.mark.parametrize(
    "leak", ["{{ secrets.a }}", "{{ inputs.x }}", "{{ actions.b.output }}", "{{ item }}"]
)
@pytest.mark.parametrize("key", ["next", "more"])
def test_what_leads_to_the_next_page_is_made_of_the_answer(key: str, leak: str, tmp_path: Path) -> None:
    given = {"next": "{{ response.body.n }}", key: leak + "{{ response.body.n }}"}
    more = f", more: '{given['more']}'" if "more" in given else ""
    text = (
        "secrets: {a: 'vault://secret/a#b'}\ninputs: {x: {secret: true}}\n"
        "actions:\n  - {id: b, set: {c: 1}}\n  - id: a\n    connection: c\n    for_each: [1]\n    request:\n"
        f"      path: /x\n      paginate: {{style: cursor, param: a, next: '{given['next']}'{more}}}\n"
    )
    found = [item for item in findings(tmp_path, {C: TICKETS, W: text}) if item.rule == "unavailable-root"]
    assert len(found) == 1


def test_pagination_that_says_what_the_connection_says(tmp_path: Path) -> None:
    shared = TICKETS + f"paginate: {PAGES}\n"
    text = through(f"      path: /x\n      paginate: {PAGES}\n")
    (one,) = told(tmp_path, {C: shared, W: text})
    assert (one.rule, one.help) == ("shadowed-connection-default", "leave it out")
    asked = shared.replace("}'}", "}', when: asked}")
    (one,) = told(tmp_path, {C: asked, W: text})
    assert one.help == "write `paginate: true`"


def test_a_constant_idempotency_key_is_the_same_in_every_run(tmp_path: Path) -> None:
    shared = TICKETS + "idempotency: {header: Idempotency-Key}\n"
    lines = "      path: /x\n      method: POST\n      headers: {idempotency-key: %s}\n"
    (one,) = told(tmp_path, {C: shared, W: through(lines % "mine")})
    assert one.rule == "shadowed-connection-default"
    assert "the same in every run" in one.message
    assert not told(tmp_path, {C: shared, W: through(lines % "'{{ run.id }}'")})
    retry = "    retry: {attempts: 9, on: [500, timeout]}\n"
    post = "      path: /x\n      method: POST\n"
    assert not told(tmp_path, {C: shared, W: through(post, retry)})
    assert told(tmp_path, {C: TICKETS, W: through(post, retry)})
