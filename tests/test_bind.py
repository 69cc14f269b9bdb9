"""From values to the model: every key arrives, with its mode, its roots and its place."""

from pathlib import Path

import pytest

from runner.bind import ACTION_ROOTS, CONNECTION_ROOTS, RESPONSE_ROOTS, SEND_ROOTS, URL_ROOTS, VARS_ROOTS
from runner.model import Connection, Workflow
from runner.secret_ref import SecretRef
from runner.template import Mode, Template
from tests.rules.projects import TICKETS, loaded, spine, underlined


def connection(root: Path, text: str) -> Connection:
    project = loaded(root, {"connections.d/c.yaml": text})
    assert project.diagnostics == []
    return project.connections["c"]


def workflow(root: Path, text: str) -> Workflow:
    project = loaded(root, {"workflows.d/w.yaml": text})
    assert project.diagnostics == []
    return project.workflows["w"]


FULL = """\
type: api_key
description: all of it
base_url: https://{{ vars.host }}/api
shared: true
auth:
  keys:
    - {key: "vault://s/a#b", name: X-One, in: header, prefix: Token}
    - {key: "env://TWO", name: two, in: query}
headers: {A: "{{ run.id }}", B: "vault://s/h#b"}
query: {a: 1, b: [x, "{{ environment }}"], c: "env://Q", d: null, e: true}
test: {method: POST, path: "/me/{{ vars.x }}", query: {a: b}, json: {a: ["{{ vars.x }}"]}, expect: {status: [200, 4xx]}}
fail_when: "{{ response.body.error }}"
error_message: "{{ response.body.message }}"
retry: {attempts: 2}
timeout: 1m30s
allow: ["GET *", "POST /tickets/*"]
tls: {verify: false, ca: "vault://s/pki#ca"}
proxy: http://{{ vars.proxy }}:3128
allow_http: true
"""


def test_every_key_of_a_connection(tmp_path: Path) -> None:
    made = connection(tmp_path, FULL)
    assert (made.name, made.type, made.shared, made.allow_http, made.timeout) == (
        "c",
        "api_key",
        True,
        True,
        90.0,
    )
    assert (made.base_url.mode, made.base_url.roots) == (Mode.TEXT, URL_ROOTS)
    assert [(key.name, key.place, key.prefix) for key in made.auth.keys] == [
        ("X-One", "header", "Token"),
        ("two", "query", ""),
    ]
    assert {name: ref.text for name, ref in made.secrets.items()} == {
        "auth.keys.0.key": "vault://s/a#b",
        "auth.keys.1.key": "env://TWO",
        "headers.B": "vault://s/h#b",
        "query.c": "env://Q",
        "tls.ca": "vault://s/pki#ca",
    }
    assert made.query["d"] is None
    assert made.query["e"] is True
    assert made.test is not None
    assert (made.test.method, made.test.path.mode, made.test.has_json) == ("POST", Mode.PATH, True)
    assert made.test.expect.status == ("200", "4xx")
    assert made.fail_when is not None
    assert made.fail_when.roots == CONNECTION_ROOTS | {"response"}
    assert made.retry is not None
    assert made.retry.attempts == 2
    assert made.allow is not None
    assert [(rule.method, rule.path) for rule in made.allow] == [("GET", "*"), ("POST", "/tickets/*")]
    assert made.tls.verify is False
    header = made.headers["A"]
    assert isinstance(header, Template)
    assert header.roots == CONNECTION_ROOTS
    assert underlined(tmp_path, made.locate(("timeout",))) == "1m30s"


def test_every_template_is_remembered(tmp_path: Path) -> None:
    texts = [template.text for template in connection(tmp_path, FULL).templates]
    assert len(texts) == FULL.count("{{")
    assert all("{{" in text for text in texts)


def test_defaults_of_a_connection(tmp_path: Path) -> None:
    made = connection(tmp_path, "type: none\nbase_url: https://example.com\n")
    assert (made.shared, made.allow, made.retry, made.timeout, made.test, made.proxy) == (
        False,
        None,
        None,
        None,
        None,
        None,
    )
    assert (made.tls.verify, made.tls.ca, made.secrets, made.templates) == (True, None, {}, ())


@pytest.mark.parametrize(
    ("type_", "auth", "secrets"),
    [
        ("bearer", "{token: 'vault://s/a#b', prefix: Token}", ["auth.token"]),
        ("basic", "{username: ann, password: 'vault://s/a#b'}", ["auth.password"]),
        (
            "basic",
            "{username: 'vault://s/a#u', password: 'vault://s/a#b'}",
            ["auth.username", "auth.password"],
        ),
        ("api_key", "{key: 'vault://s/a#b', name: X, in: cookie}", ["auth.key"]),
    ],
)
def test_auth(type_: str, auth: str, secrets: list[str], tmp_path: Path) -> None:
    made = connection(tmp_path, f"type: {type_}\nbase_url: https://example.com\nauth: {auth}\n")
    assert list(made.secrets) == secrets
    assert all(isinstance(ref, SecretRef) for ref in made.secrets.values())


STEPS = """\
description: all of it
inputs: {a: {type: string, description: x}, p: {type: string, secret: true}, d: {type: integer, default: 3}}
vars: {v: "{{ inputs.a }}"}
secrets: {s: "vault://s/a#b"}
timeout: 10m
limits: {body: 1MiB}
defaults: {connection: api, retry: {attempts: 5}, timeout: 5s}
actions:
  - id: one
    name: The first
    if: "{{ inputs.d > 1 }}"
    request:
      method: POST
      path: "/x/{{ inputs.a }}"
      query: {q: ["{{ vars.v }}"]}
      headers: {H: "{{ secrets.s }}"}
      json: {p: "{{ inputs.p }}"}
    expect: {status: 2xx, headers: {A: true, B: "{{ inputs.a }}"}, that: ["{{ response.body.ok }}"], schema: {type: object}}
    output: {id: "{{ response.body.id }}"}
    sensitive: true
    retry: {attempts: 2}
    timeout: 1s
    on_error: continue
    idempotent: true
  - id: two
    connection: other
    request: {path: /}
  - id: three
    request: {url: "https://example.com/{{ inputs.a }}"}
  - {id: four, wait: 5s}
  - {id: five, wait: {until: "{{ run.started_at }}"}}
  - {id: six, if: false, fail: "because {{ inputs.a }}"}
on_failure:
  - {id: seven, set: {m: "{{ error.message }}"}}
finally:
  - {id: eight, set: {s: "{{ actions.one.status }}"}}
outputs: {o: "{{ actions.one.output }}"}
"""


def test_every_key_of_a_workflow(tmp_path: Path) -> None:
    made = workflow(tmp_path, STEPS)
    assert (made.name, made.timeout, made.default_timeout, made.limits) == ("w", 600.0, 5.0, {"body": "1MiB"})
    assert made.default_retry is not None
    assert made.default_retry.attempts == 5
    assert {name: (item.required, item.secret, item.default) for name, item in made.inputs.items()} == {
        "a": (True, False, None), "p": (True, True, None), "d": (False, False, 3),
    }  # fmt: skip
    assert "secret" not in made.inputs["p"].schema
    assert [action.key for action in made.every_action] == [
        "one", "two", "three", "four", "five", "six", "on_failure/seven", "finally/eight",
    ]  # fmt: skip
    assert [action.connection for action in made.every_action] == ["api", "other", *[None] * 6]
    assert made.connections == ("api", "other")
    one = made.actions[0]
    assert (one.name, one.sensitive, one.timeout, one.on_error, one.idempotent, one.has_output) == (
        "The first", True, 1.0, "continue", True, True,
    )  # fmt: skip
    assert (one.config.method, one.config.body_kind, one.config.path.mode) == ("POST", "json", Mode.PATH)
    assert one.expect.status == ("2xx",)
    assert one.expect.headers["A"] is True
    assert made.actions[5].condition is False
    assert made.unread == frozenset()


def test_every_field_knows_its_roots_and_its_action(tmp_path: Path) -> None:
    made = workflow(tmp_path, STEPS)
    roots = {template.field: (template.roots, template.owner) for template in made.templates}
    first = ("actions", 0)
    assert roots["actions[0].if"] == (ACTION_ROOTS, first)
    assert roots["actions[0].request.path"] == (SEND_ROOTS, first)
    assert roots["actions[0].request.headers.H"] == (SEND_ROOTS, first)
    assert roots["actions[0].expect.that[0]"][0] == RESPONSE_ROOTS
    assert roots["actions[0].output.id"] == (RESPONSE_ROOTS, first)
    assert roots["actions[5].fail"] == (ACTION_ROOTS, ("actions", 5))
    assert roots["on_failure[0].set.m"] == (SEND_ROOTS | {"error"}, ("on_failure", 0))
    assert roots["finally[0].set.s"] == (SEND_ROOTS | {"error"}, ("finally", 0))
    assert roots["vars.v"] == (VARS_ROOTS, None)
    assert roots["outputs.o"] == (ACTION_ROOTS, None)
    assert len(made.templates) == STEPS.count("{{")


@pytest.mark.parametrize(
    ("actions", "unread", "kept"),
    [
        ("  - {id: a, set: {a: 1}}\n  - {id: b, sett: {a: 1}}\n", {"id:b"}, ["a"]),
        ("  - {set: {a: 1}}\n  - {id: b, set: {a: 1}}\n", {"actions"}, ["b"]),
        ("  - {id: [x], set: {a: 1}}\n", {"actions"}, []),
        ("  - x\n", {"actions"}, []),
    ],
)
def test_what_is_broken_is_left_out_and_named(
    actions: str, unread: set[str], kept: list[str], tmp_path: Path
) -> None:
    made = loaded(tmp_path, {"workflows.d/w.yaml": f"actions:\n{actions}"}).workflows["w"]
    assert made.unread == unread
    assert [action.id for action in made.actions] == kept


def test_one_broken_item_leaves_the_others(tmp_path: Path) -> None:
    text = "inputs: {a: {type: string}, b: 7}\nsecrets: {s: 'vault://s/a#b', t: 8}\nvars: {'1': x, v: y}\nactions:\n  - {id: a, set: {a: 1}}\n"
    made = loaded(tmp_path, {"workflows.d/w.yaml": text}).workflows["w"]
    assert (set(made.inputs), set(made.secrets), set(made.vars)) == ({"a"}, {"s"}, {"v"})


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (
            "{path: /, url: 'https://example.com'}",
            "a request has either `path` (with a connection) or `url` (without)",
        ),
        ("{method: GET}", "a request has either `path` (with a connection) or `url` (without)"),
        (
            "{url: 'https://example.com', method: POST, json: {}, form: {}}",
            "a request has one body, this one has json and form",
        ),
    ],
)
def test_what_no_schema_can_say(request_: str, message: str, tmp_path: Path) -> None:
    found = spine(
        tmp_path,
        {
            "workflows.d/w.yaml": f"defaults: {{connection: c}}\nactions:\n  - {{id: a, request: {request_}}}\n",
            "connections.d/c.yaml": TICKETS,
        },
    )
    assert [item.message for item in found] == [message]


def test_a_mistake_beside_another_is_reported_too(tmp_path: Path) -> None:
    text = "actions:\n  - id: a\n    request: {path: x, headers: {A: '{{ inputs.nope }}', B: 1}}\n    timeout: soon\n"
    found = spine(tmp_path, {"workflows.d/w.yaml": text})
    assert sorted(item.rule for item in found) == [
        "invalid-value",
        "invalid-value",
        "undefined-reference",
        "wrong-type",
    ]
