"""What a reviewer is told first: each kind of danger, and what is none."""

from pathlib import Path

import pytest

from runner.compare.checks import stricter
from runner.compare.danger import KINDS, in_order
from tests.compare.projects import (
    ESCALATE,
    PROJECT,
    TICKETS,
    Files,
    compared,
    dangers,
    edited,
    project,
    written,
)

OTHER = """
    type: none
    base_url: https://other.example.com:8443
    shared: true
"""
SETTINGS = "runner.yaml"

WORKFLOW_DANGERS = [
    ("path: /search", "method: POST, path: /search", [("new-write", "POST /search through tickets")]),
    ("method: POST, path: /tickets", "method: PUT, path: /tickets", [("changed-write", "it goes elsewhere")]),
    ("path: /tickets,", "path: /all,", [("changed-write", "it goes elsewhere")]),
    ("title: idle", "title: busy", [("changed-write", "POST /tickets through tickets: json")]),
    ('        if: "{{ actions.search.output.count > 0 }}"\n', "", [("changed-write", "POST /tickets through tickets: if")]),
    ("status: 200", "status: [200, 500]", [("less-checked", "expect.status takes 500 as well")]),
    ("status: 200", "status: 2xx", [("less-checked", "expect.status takes 2xx as well")]),
    ("status: 200, ", "", [("less-checked", "expect.status takes 2xx, 3xx as well")]),
    ('"{{ response.body.ok }}"', '"true"', [("less-checked", "expect.that: a condition is gone or changed")]),
    ("- id: search\n", "- id: search\n        on_error: continue\n", [("less-checked", "on_error: a failure no longer ends the run")]),
    ("- id: search\n", "- id: search\n        retry: {attempts: 5}\n", [("raised", "retry.attempts")]),
    ("- id: search\n", "- id: search\n        retry: {on: [500]}\n", [("raised", "retry.on: more is tried again")]),
    ("- id: search\n", "- id: search\n        timeout: 5m\n", [("raised", "timeout")]),
    ("path: /search,", "path: /search, paginate: {style: link},", [("raised", "request.paginate: all pages are read")]),
    ("    inputs:", "    limits: {pages: 1001}\n    inputs:", [("raised", "limits.pages")]),
    ("    inputs:", "    limits: {pages: 10, retry_after: 1h}\n    inputs:", [("raised", "limits.retry_after")]),
    ("    inputs:", "    timeout: 2h\n    inputs:", [("raised", "timeout")]),
    ("    inputs:", "    limits: {body: 50MiB}\n    inputs:", [("raised", "limits.body")]),
    ("    inputs:", "    defaults: {timeout: 5m}\n    inputs:", [("raised", "timeout")] * 2),
    ("- id: create\n", "- id: create\n        idempotent: true\n", [("idempotent", "after a lost answer the request is sent again")]),
    ("path: /search,", "path: /search, redirects: follow,", [("connection", "request.redirects follows further")]),
    (", default: 14", "", [("callers", "the input 'days' has no default any more")]),
    ("type: integer, default: 14", "type: string, default: '14'", [("callers", "the input 'days' takes other values")]),
    ("default: 14", "default: 14, minimum: 3", [("callers", "the input 'days' takes other values")]),
    ("      days: {", "      more: {type: string}\n      days: {", [("callers", "the new input 'more' has no default")]),
    ("    inputs:", "    triggers: [{schedule: '0 7 * * *'}]\n    inputs:", [("trigger", "it starts by itself at '0 7 * * *' (UTC)")]),
    ("    outputs: {count", "    outputs: {number", [("callers", "the output 'count' is gone")]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), WORKFLOW_DANGERS)
def test_of_a_workflow(old: str, new: str, expected: list[tuple[str, str]]) -> None:
    result = compared(PROJECT, edited(ESCALATE, old, new))
    assert dangers(result) == expected
    assert {item["file"] for item in result["danger"]} == {ESCALATE}


HARMLESS_IN_A_WORKFLOW = [
    ("status: 200", "status: 200, headers: {ETag: true}"),
    ("- id: search\n", "- id: search\n        retry: {attempts: 2}\n"),
    ("- id: search\n", "- id: search\n        timeout: 10s\n"),
    ("path: /search,", "path: /search, redirects: never,"),
    ("      days: {", "      more: {type: string, default: a}\n      days: {"),
    ("    outputs: {count", "    outputs: {more: 1, count"),
    ("- id: search\n", "- id: search\n        sensitive: true\n"),
    ("      days: {", "      days: {description: whole days, "),
    ("default: 14", "default: 15"),
]


@pytest.mark.parametrize(("old", "new"), HARMLESS_IN_A_WORKFLOW)
def test_what_is_stricter_or_new_is_a_change_and_no_danger(old: str, new: str) -> None:
    stricter_one = edited(ESCALATE, old, new)
    result = compared(PROJECT, stricter_one)
    assert result["changes"]
    assert dangers(result) == []


CONNECTION_DANGERS = [
    ("shared: true", "shared: false", "shared: whose credentials these are"),
    ('"POST /tickets"', '"POST /*"', "allow: permitted now: POST /*"),
    ('    allow: ["GET *", "POST /tickets"]\n', "", "allow: workflows may do anything through it"),
    ("shared: true", "shared: true\n    allow_http: true", "allow_http: requests may go out unencrypted"),
    ("shared: true", "shared: true\n    tls: {verify: false}", "tls.verify: any certificate is accepted"),
    ("shared: true", "shared: true\n    tls: {ca: ca.pem}", "tls.ca is another"),
    ("shared: true", "shared: true\n    proxy: http://127.0.0.1:3128", "proxy: requests go by another way"),
    ("example.com/api", "example.com/admin", "base_url: requests go elsewhere"),
    ('api_token"}', 'api_token", prefix: "Token "}', "auth: it signs in otherwise"),
]


@pytest.mark.parametrize(("old", "new", "message"), CONNECTION_DANGERS)
def test_of_a_connection(old: str, new: str, message: str) -> None:
    result = compared(PROJECT, edited(TICKETS, old, new))
    assert dangers(result) == [("connection", message)]
    assert [item["workflow"] for item in result["indirect"]] == ["escalate"]


def test_a_narrower_allow_is_no_danger() -> None:
    assert dangers(compared(PROJECT, edited(TICKETS, '"GET *"', '"GET /tickets/*"'))) == []
    wider = edited(TICKETS, '    allow: ["GET *", "POST /tickets"]\n', "")
    assert dangers(compared(wider, PROJECT)) == []


LIMITED = "shared: true\n    concurrency: 4\n    rate_limit: {requests: 100, per: 1m}"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("concurrency: 4\n    rate_limit: {per: 60s, requests: 100, burst: 1, statuses: []}", []),
        (f"{LIMITED.partition('    ')[2]}\n    paginate: {{style: link, when: asked}}", []),
        (
            f"{LIMITED.partition('    ')[2]}\n    paginate: {{style: link, when: always}}",
            [("raised", "paginate: every GET reads all pages")],
        ),
        ("concurrency: 2\n    rate_limit: {requests: 50, per: 1m}", []),
        ("concurrency: 64\n    rate_limit: {requests: 100, per: 1m}", [("raised", "concurrency")]),
        ("concurrency: 4\n    rate_limit: {requests: 100, per: 30s}", [("raised", "rate_limit")]),
        ("concurrency: 4\n    rate_limit: {requests: 200, per: 2m}", []),
        (
            "concurrency: 4\n    rate_limit: {requests: 100, per: 1m, burst: 9}",
            [("raised", "rate_limit.burst")],
        ),
        ("concurrency: 4\n    rate_limit: {statuses: [403]}", [("raised", "rate_limit")]),
        ("concurrency: 4", [("raised", "rate_limit")]),
    ],
)
def test_a_connection_that_may_be_used_more(now: str, expected: list[tuple[str, str]]) -> None:
    before = edited(TICKETS, "shared: true", LIMITED)
    after = edited(TICKETS, "shared: true", f"shared: true\n    {now}")
    assert dangers(compared(before, after)) == expected


PAGED = "path: /search, paginate: {style: page, max_pages: 5, items: '{{ response.body }}'}"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("{style: page, param: page, start: 1, max_pages: 5, items: '{{ response.body }}'}", None),
        ("{style: page, max_pages: 4, items: '{{ response.body }}'}", []),
        (
            "{style: page, max_pages: 6, items: '{{ response.body }}'}",
            [("raised", "request.paginate.max_pages")],
        ),
        ("{style: page, items: '{{ response.body }}'}", [("raised", "request.paginate.max_pages")]),
        ("false", []),
    ],
)
def test_pages_that_are_read(now: str, expected: list[tuple[str, str]] | None) -> None:
    before = edited(ESCALATE, "path: /search", PAGED)
    result = compared(before, edited(ESCALATE, "path: /search", f"path: /search, paginate: {now}"))
    assert dangers(result) == (expected or [])
    assert bool(result["changes"]) == (expected is not None)


def test_idempotency_keys_are_a_danger_as_idempotent_is() -> None:
    after = edited(TICKETS, "shared: true", "shared: true\n    idempotency: {header: Idempotency-Key}")
    message = "idempotency: after a lost answer, POST and PATCH are sent again"
    assert dangers(compared(PROJECT, after)) == [("idempotent", message)]
    assert dangers(compared(after, PROJECT)) == []
    lower = edited(TICKETS, "shared: true", "shared: true\n    idempotency: {header: idempotency-key}")
    assert compared(after, lower)["changes"] == []


def test_more_of_a_connection() -> None:
    after = edited(
        TICKETS,
        "shared: true",
        "shared: true\n    retry: {attempts: 9}\n    timeout: 1m\n    test: {method: POST, path: /x}",
    )
    assert dangers(compared(PROJECT, after)) == [
        ("new-write", "POST /x, sent by `runner connections test`"),
        ("raised", "retry.attempts"),
        ("raised", "timeout"),
    ]
    weaker = edited(TICKETS, "shared: true", "shared: true\n    fail_when: '{{ response.body.bad }}'")
    assert dangers(compared(weaker, PROJECT)) == [("less-checked", "fail_when is gone or another")]


def test_another_way_to_the_server() -> None:
    proxy = "proxy: {url: 'http://p.example.com', username: u, password: 'vault://secret/support/proxy#pw'}"
    after = edited(TICKETS, "shared: true", f"shared: true\n    {proxy}\n    http2: false")
    assert dangers(compared(PROJECT, after)) == [
        ("new-secret", "vault://secret/support/proxy#pw"),
        ("new-secret-flow", "vault://secret/support/proxy#pw goes to p.example.com as proxy.password"),
        ("connection", "proxy: requests go by another way"),
    ]
    after = edited(TICKETS, "shared: true", "shared: true\n    socket: /run/app.sock\n    tls: {cert: c.pem}")
    assert dangers(compared(PROJECT, after)) == [
        ("connection", "socket: requests go by another way"),
        ("connection", "tls.cert is another"),
    ]


def test_a_new_host_secret_and_flow() -> None:
    moved = edited(TICKETS, "tickets.example.com", "evil.example.com")
    assert dangers(compared(PROJECT, moved)) == [
        ("new-host", "evil.example.com"),
        (
            "new-secret-flow",
            "vault://secret/support/tickets#api_token goes to evil.example.com as auth.token",
        ),
        ("connection", "base_url: requests go elsewhere"),
    ]
    other = edited(TICKETS, "support/tickets", "support/admin")
    assert [kind for kind, _ in dangers(compared(PROJECT, other))] == ["new-secret", "new-secret-flow"]
    # The same secret at the same host by the same way is nothing new, whatever the connection is called.
    second = {**PROJECT, "connections.d/second.yaml": PROJECT[TICKETS]}
    assert dangers(compared(PROJECT, second)) == []


def test_a_secret_that_a_workflow_sends_elsewhere() -> None:
    files = {
        **PROJECT,
        "connections.d/other.yaml": OTHER,
        "workflows.d/send.yaml": """
            secrets: {key: "vault://secret/a#b"}
            actions:
              - id: wrapped
                set: {value: "{{ secrets.key }}"}
              - id: send
                connection: other
                request: {path: /, headers: {X-Plain: "1"}}
        """,
    }
    leaking = edited("workflows.d/send.yaml", '"1"', '"{{ actions.wrapped.output.value }}"', files)
    assert (
        "new-secret-flow",
        "vault://secret/a#b goes to other.example.com:8443 as request.headers.X-Plain",
    ) in dangers(compared(files, leaking))


def test_hosts_of_urls_and_of_what_only_a_run_knows() -> None:
    more = """
      - id: ping
        request: {url: "https://ping.example.com/x"}
      - id: dynamic
        request: {url: "https://{{ inputs.days }}.example.com/x"}
    outputs"""
    result = compared(PROJECT, edited(ESCALATE, "\n    outputs", more))
    assert [message for kind, message in dangers(result) if kind == "new-host"] == [
        "ping.example.com",
        "‹known at run time› {{ inputs.days }}.example.com",
    ]


def test_removed_guards() -> None:
    guard = (
        '      - id: guard\n        if: "{{ inputs.days > 9 }}"\n        fail: too many\n      - id: create'
    )
    guarded = edited(ESCALATE, "      - id: create", guard)
    assert dangers(compared(guarded, PROJECT)) == [
        ("less-checked", "an action that could fail the run is gone")
    ]
    weaker = edited(ESCALATE, "days > 9", "days > 99", guarded)
    assert dangers(compared(guarded, weaker)) == [
        ("less-checked", "the condition under which the run fails is another")
    ]
    first, _, rest = guarded[ESCALATE].partition("      - id: guard")
    its, _, create = rest.partition("      - id: create")
    action, outputs, end = create.partition("    outputs")
    late = {**guarded, ESCALATE: f"{first}      - id: create{action}      - id: guard{its}{outputs}{end}"}
    assert dangers(compared(guarded, late)) == [("changed-write", "actions: another order")]


def test_a_write_moved_to_another_section() -> None:
    first, _, rest = PROJECT[ESCALATE].partition("      - id: create")
    action, outputs, end = rest.partition("    outputs")
    late = {**PROJECT, ESCALATE: f"{first}    finally:\n      - id: create{action}{outputs}{end}"}
    assert dangers(compared(late, PROJECT)) == [("changed-write", "POST /tickets through tickets: section")]
    assert written(compared(late, PROJECT)) == [f"{ESCALATE} create - section: 'finally' ''"]


def test_what_was_secret() -> None:
    secret = edited(ESCALATE, "      days: {", "      pin: {type: string, secret: true}\n      days: {")
    secret = edited(ESCALATE, "- id: search\n", "- id: search\n        sensitive: true\n", secret)
    open_ = edited(ESCALATE, ", secret: true", "", secret)
    open_ = edited(ESCALATE, "        sensitive: true\n", "", open_)
    assert [kind for kind, _ in dangers(compared(secret, open_))] == ["less-secret", "less-secret"]


def test_schemas_of_bodies() -> None:
    strict = edited(ESCALATE, "status: 200,", "status: 200, schema: {type: object, required: [a]},")
    assert dangers(compared(PROJECT, strict)) == []
    assert dangers(compared(strict, PROJECT)) == [("less-checked", "expect.schema is gone")]
    looser = edited(ESCALATE, "[a]", "[]", strict)
    assert dangers(compared(strict, looser)) == [("less-checked", "expect.schema may permit more")]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (True, {"type": "object"}, True),
        ({"type": "object"}, True, False),
        ({}, False, True),
        ({"type": "object"}, {"type": "object", "required": ["a"]}, True),
        ({"required": ["a"]}, {"required": ["b", "a"]}, True),
        ({"required": ["a", "b"]}, {"required": ["b"]}, False),
        ({"enum": [1, 2]}, {"enum": [2]}, True),
        ({"enum": [1]}, {"enum": [True]}, False),
        ({"minimum": 1}, {"minimum": 2}, True),
        ({"minimum": 1}, {"minimum": 0}, False),
        ({"maxLength": 3}, {"maxLength": 2}, True),
        ({"maxLength": 3}, {"maxLength": 4}, False),
        ({"items": {"type": "string"}}, {"items": {"type": "string", "minLength": 1}}, True),
        ({"properties": {"a": {}}}, {"properties": {"a": {"type": "string"}, "b": {}}}, True),
        ({"properties": {"a": {}}, "additionalProperties": False}, {"properties": {"a": {}, "b": {}}, "additionalProperties": False}, False),
        ({"additionalProperties": False}, {"additionalProperties": False, "properties": {"a": {}}}, False),
        ({"type": "string"}, {"type": "string", "anyOf": [{}]}, False),
        ({"type": "string", "title": "a"}, {"type": "string", "description": "b"}, True),
        ({"pattern": "a"}, {"pattern": "b"}, False),
    ],
)  # fmt: skip
def test_whether_a_schema_permits_nothing_new(before: object, after: object, *, expected: bool) -> None:
    assert stricter(before, after) is expected


POLICY = """
    policy:
      hosts: [a.example.com, "*.example.org"]
      deny_methods: [DELETE]
      require_https: true
      max_attempts: 3
      secrets: {tickets: [secret/support/*]}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[a.example.com,", "[b.example.com,", "policy.hosts is another"),
        ("deny_methods: [DELETE]", "deny_methods: [PUT]", "policy.deny_methods is another"),
        ("      require_https: true\n", "", "policy.require_https is gone"),
        ("max_attempts: 3", "max_attempts: 4", "policy.max_attempts is another"),
        ("secrets: {tickets", "secrets: {other", "policy.secrets is another"),
        ("[secret/support/*]", '["*"]', "policy.secrets is another"),
        ("[a.example.com,", "[", None),
        ("[DELETE]", "[DELETE, PUT]", None),
        ("max_attempts: 3", "max_attempts: 2", None),
        ("[secret/support/*]", "[]", None),
    ],
)
def test_of_the_policy(old: str, new: str, message: str | None) -> None:
    before = {**PROJECT, SETTINGS: POLICY}
    result = compared(before, edited(SETTINGS, old, new, before))
    assert result["changes"]
    assert [text for kind, text in dangers(result) if kind == "policy"] == ([message] if message else [])


def test_clauses_that_come_later_are_compared_as_well() -> None:
    before = {**PROJECT, SETTINGS: POLICY + "      x_later: [1]\n"}
    result = compared(before, edited(SETTINGS, "x_later: [1]", "x_later: [2]", before))
    assert ("policy", "policy.x_later is another") in dangers(result)


def test_of_an_environment() -> None:
    settings = "    vars: {host: a}\n    environments:\n      staging:\n        vars: {host: b}\n"
    before = {**edited(TICKETS, "https://tickets", "https://{{ vars.host }}"), SETTINGS: settings}
    after = edited(
        SETTINGS,
        "vars: {host: b}",
        "vars: {host: c}\n        connections: {tickets: {shared: true, tls: {verify: false}}}\n        limits: {body: 20MiB}",
        before,
    )
    result = compared(before, after)
    assert dangers(result) == [
        ("new-host", "c.example.com"),
        ("new-secret-flow", "vault://secret/support/tickets#api_token goes to c.example.com as auth.token"),
        ("raised", "limits.body"),
        ("connection", "tls.verify: any certificate is accepted"),
    ]
    assert {item["environment"] for item in result["danger"]} == {"staging"}
    (indirect,) = result["indirect"]
    assert indirect["through"] == [
        "connection tickets in environment staging (runner.yaml)",
        "connection tickets, vars.host in environment staging (runner.yaml)",
    ]


def test_of_vault() -> None:
    before = {**PROJECT, SETTINGS: "    vault: {address: 'https://vault.example.com', namespace: a}\n"}
    result = compared(before, edited(SETTINGS, "vault.example", "other.example", before))
    assert dangers(result) == [("vault", "vault.address")]


def test_a_new_workflow_has_no_callers_yet() -> None:
    new = {**PROJECT, "workflows.d/new.yaml": PROJECT[ESCALATE].replace(", default: 14", "")}
    assert dangers(compared(PROJECT, new)) == [("new-write", "POST /tickets through tickets")]
    assert dangers(compared(new, PROJECT)) == [("callers", "the workflow is gone")]


def test_of_files_and_graphql() -> None:
    own = "workflows.d/files.yaml"
    actions = (
        "actions:\n"
        "  - {id: get, connection: tickets, request: {path: /x, save_to: out/x.pdf}}\n"
        "  - {id: put, connection: tickets, request: {method: PUT, path: /x, body: {file: out/x.pdf}}}\n"
        "  - {id: ask, connection: tickets, request: {path: /g, graphql: {query: '{ a }'}}}\n"
    )
    before = {**PROJECT, own: actions}
    assert dangers(compared(PROJECT, before)) == [
        ("new-write", "POST /g through tickets"),
        ("new-write", "PUT /x through tickets"),
        ("file", "request.save_to: the answer is written to this file"),
    ]
    after = {**PROJECT, own: actions.replace("out/x.pdf", "x.pdf").replace("{ a }", "{ b }")}
    assert dangers(compared(before, after)) == [
        ("changed-write", "POST /g through tickets: graphql"),
        ("changed-write", "PUT /x through tickets: body"),
        ("file", "request.save_to: the answer is written to this file"),
    ]


def test_kinds_stand_in_their_order_and_each_item_once() -> None:
    items = [{"kind": kind, "file": "f", "message": "m"} for kind in KINDS]
    assert in_order([*reversed(items), items[0]]) == items


def test_every_kind_is_explained() -> None:
    page = (Path(__file__).parents[2] / "docs/diff.md").read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f"| `{kind}` |" not in page] == []


def test_the_project_of_these_tests_has_no_mistake() -> None:
    assert compared({}, PROJECT)["head"]["errors"] == 0
    assert project(PROJECT).workflows["escalate"].unread == frozenset()


def test_calls_of_workflows_that_write() -> None:
    reader = "actions:\n  - {id: look, connection: tickets, request: {path: /search}}\n"
    caller = "actions:\n  - {id: go, workflow: reader}\n"
    before: Files = {**PROJECT, "workflows.d/reader.yaml": reader, "workflows.d/caller.yaml": caller}
    writing = edited("workflows.d/caller.yaml", "workflow: reader", "workflow: escalate", before)
    assert dangers(compared(before, writing)) == [
        ("new-write", "calls the workflow 'escalate', which writes")
    ]
    more = edited("workflows.d/caller.yaml", "escalate", "escalate, with: {days: 3}, for_each: [1]", writing)
    assert dangers(compared(writing, more)) == [
        ("changed-write", "calls the workflow 'escalate', which writes: with, for_each"),
        ("raised", "for_each: it was done once before"),
    ]
    changed = edited(ESCALATE, "title: idle", "title: late", writing)
    indirect = compared(writing, changed)["indirect"]
    assert [item["workflow"] for item in indirect] == ["caller"]
