"""The clauses of the policy in review; and keys that are deprecated."""

import json
from pathlib import Path

import pytest

from runner import registry
from runner.document import parse
from runner.language import POLICY
from tests.rules.exact import SCALARS, said, styled
from tests.rules.projects import findings

W = "workflows.d/w.yaml"
C = "connections.d/c.yaml"
BASE = "type: none\nbase_url: {}\n"


@pytest.mark.parametrize("style", SCALARS)
def test_hosts_in_every_style(style: str, tmp_path: Path) -> None:
    text = f"type: none\nbase_url: {styled(style, 'https://a.example.net/v1', 2)}\n"
    files = {"runner.yaml": "policy: {hosts: ['*.example.com', localhost]}\n", C: text}
    (found,) = findings(tmp_path, files)
    assert (found.rule, found.message) == (
        "policy-hosts",
        "the policy does not permit requests to 'a.example.net'",
    )
    assert found.help == "`policy.hosts` in runner.yaml permits: *.example.com, localhost"
    assert found.primary.span.start.line == 2
    assert found.primary.span.start.column == 11


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://a.example.com", True),
        ("https://a.b.EXAMPLE.com/x", True),
        ("https://example.com", False),
        ("https://a.example.com.evil.net", False),
        ("https://evilexample.com", False),
        ("http://localhost:8080", True),
        ("https://api.test:8443", True),
        ("https://api.test", False),
        ("https://only.test", True),
        ("https://only.test:444", False),
        ("https://{{ vars.host }}", True),
        ("https://{{ vars.known }}/x", False),
        ("http://[::1]:80", True),
    ],
)
def test_which_hosts_fit(url: str, fits: bool, tmp_path: Path) -> None:
    hosts = ["*.example.com", "localhost", "api.test:8443", "only.test:443", "[::1]"]
    files = {
        "runner.yaml": f"vars: {{known: no.test}}\npolicy: {{hosts: {json.dumps(hosts)}}}\nenvironments: {{e: {{vars: {{host: x}}}}}}\n",
        C: BASE.format(json.dumps(url)),
        W: "actions:\n  - {id: a, request: {url: '" + url + "'}}\n",
    }
    assert len(said(tmp_path, "policy-hosts", files)) == (0 if fits else 2)


def test_no_host_at_all(tmp_path: Path) -> None:
    files = {"runner.yaml": "policy: {hosts: []}\n", C: BASE.format("https://a.test")}
    assert [item.help for item in findings(tmp_path, files)] == [
        "`policy.hosts` in runner.yaml permits: none"
    ]


@pytest.mark.parametrize("style", SCALARS)
def test_methods_in_every_style(style: str, tmp_path: Path) -> None:
    text = f"actions:\n  - id: a\n    request:\n      url: https://a.test\n      method: {styled(style, 'DELETE', 8)}\n"
    (found,) = findings(tmp_path, {"runner.yaml": "policy: {deny_methods: [DELETE]}\n", W: text})
    assert (found.rule, found.message) == ("policy-deny-methods", "the policy denies the method DELETE")
    assert (found.primary.span.start.line, found.primary.span.start.column) == (5, 15)


def test_methods_of_tests_and_the_default(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "policy: {deny_methods: [GET, POST]}\n",
        C: "type: none\nbase_url: https://a.test\ntest: {method: POST, path: /}\n",
        W: "actions:\n  - {id: a, request: {url: 'https://a.test'}}\n  - {id: b, request: {url: 'https://a.test', method: PUT}}\n",
    }
    assert [item[0] for item in said(tmp_path, "policy-deny-methods", files)] == [
        "the policy denies the method POST",
        "the policy denies the method GET",
    ]


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://a.test", True),
        ("http://localhost:1", False),
        ("HTTP://127.0.0.1", False),
        ("{{ vars.url }}/x", False),
    ],
)
def test_https(url: str, fits: bool, tmp_path: Path) -> None:
    files = {
        "runner.yaml": "vars: {url: 'http://localhost:9'}\npolicy: {require_https: true}\n",
        C: BASE.format(json.dumps(url)),
        W: "actions:\n  - {id: a, request: {url: '" + url + "'}}\n",
    }
    assert len(said(tmp_path, "policy-require-https", files)) == (0 if fits else 2)
    assert (
        said(tmp_path, "policy-require-https", {**files, "runner.yaml": "policy: {require_https: false}\n"})
        == []
    )


def test_shared(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "policy: {require_shared: true}\n",
        "connections.d/a.yaml": BASE.format("https://a.test") + "shared: true\n",
        "connections.d/b.yaml": BASE.format("https://a.test") + "shared: false\n",
        "connections.d/c.yaml": BASE.format("https://a.test"),
    }
    assert said(tmp_path, "policy-require-shared", files) == [
        ("the policy requires shared connections, and 'b' is not `shared: true`", "false"),
        ("the policy requires shared connections, and 'c' is not `shared: true`", "type"),
    ]


def test_attempts(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "policy: {max_attempts: 2}\n",
        C: BASE.format("https://a.test") + "retry: {attempts: 4}\n",
        W: "defaults: {retry: {attempts: 5}}\nactions:\n  - {id: a, request: {url: 'https://a.test'}, retry: {attempts: 3}}\n"
        "  - {id: b, request: {url: 'https://a.test'}, retry: {attempts: 2}}\n"
        "  - {id: c, request: {url: 'https://a.test'}, retry: {on: [503]}}\n",
    }
    assert [item[1] for item in said(tmp_path, "policy-max-attempts", files)] == ["4", "5", "3"]


@pytest.mark.parametrize(
    ("ref", "fits"),
    [
        ("vault://secret/support/a#b", True),
        ("vault://secret/support/a/b?version=2#b", True),
        ("vault://secret/billing/a#b", False),
        ("vault://secret/supported/a#b", False),
        ("env://TOKEN", True),
        ("vault://secret/{{ vars.team }}/a#b", True),
        ("vault://secret/{{ vars.other }}/a#b", False),
        ("vault://secret/{{ vars.unknown }}/a#b", True),
        ("vault://kv/{{ environment }}/a#b", False),
    ],
)
def test_secrets(ref: str, fits: bool, tmp_path: Path) -> None:
    files = {
        "runner.yaml": "vars: {team: support, other: billing}\npolicy: {secrets: {'c*': ['secret/support/*']}}\nenvironments: {e: {vars: {unknown: x}}}\n",
        C: f"type: bearer\nbase_url: https://a.test\nshared: true\nauth: {{token: '{ref}'}}\ntest: {{path: /}}\n",
    }
    found = said(tmp_path, "policy-secrets", files)
    assert [item[1] for item in found] == ([] if fits else [f"'{ref}'"])


def test_personal_secrets_and_those_of_workflows(tmp_path: Path) -> None:
    clauses = {"mine": ["secret/users/*/desk"], "workflow:w": ["secret/w/*"]}
    personal = "type: bearer\nbase_url: https://a.test\nauth: {token: 'vault://secret/%s/{{ user }}/desk#t'}\ntest: {path: /}\n"
    files = {
        "runner.yaml": f"policy: {{secrets: {json.dumps(clauses)}}}\n",
        "connections.d/mine.yaml": personal % "users",
        "connections.d/theirs.yaml": personal % "users",
        W: "secrets: {a: 'vault://secret/w/x#a', b: 'vault://secret/x/x#b'}\nactions: [{id: a, set: {v: '{{ (secrets.a ~ secrets.b) | sha256 }}'}}]\n",
    }
    assert [item[0] for item in said(tmp_path, "policy-secrets", files)] == [
        "the policy does not permit 'theirs' to name 'secret/users/{{ user }}/desk'",
        "the policy does not permit 'workflow:w' to name 'secret/x/x'",
    ]
    files["connections.d/mine.yaml"] = personal % "people"
    assert len(said(tmp_path, "policy-secrets", files)) == 3


def test_every_clause_has_a_rule() -> None:
    rules = {
        name.removeprefix("policy-").replace("-", "_")
        for name in registry.names("rules")
        if "policy-" in name
    }
    assert rules == set(POLICY["properties"])


def test_an_environment_s_policy_counts(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "policy: {hosts: ['a.test']}\nenvironments: {dev: {policy: {hosts: ['b.test']}}}\n",
        C: BASE.format("https://b.test"),
    }
    assert len(said(tmp_path, "policy-hosts", files)) == 1
    assert [
        item for item in findings(tmp_path, files, environment="dev") if item.rule == "policy-hosts"
    ] == []


DEPRECATED = {
    "properties": {
        "old": {"deprecated": True, "description": "write `new`"},
        "list": {"items": {"$ref": "#/$defs/item"}},
        "auth": {},
        "map": {"additionalProperties": {"properties": {"old": {"deprecated": True}}}},
        "type": {},
    },
    "allOf": [
        {
            "if": {"properties": {"type": {"const": "x"}}, "required": ["type"]},
            "then": {"properties": {"auth": {"properties": {"gone": {"deprecated": True}}}}},
        }
    ],
    "$defs": {"item": {"properties": {"old": {"deprecated": True}, "fine": {"deprecated": False}}}},
}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("old: 1\n", [(1, 1)]),
        ("'old': |\n  text\n", [(1, 1)]),
        ('{new: 1, "old": 2}\n', [(1, 10)]),
        ("list:\n  - fine: 1\n  - {fine: 1, old: 2}\n", [(3, 15)]),
        ("map: {any: {old: 1}, old: {new: 1}}\n", [(1, 13)]),
        ("type: x\nauth: {gone: 1}\n", [(2, 8)]),
        ("type: y\nauth: {gone: 1}\n", []),
        ("new: {old: 1}\nlist: 5\nmap: []\n", []),
    ],
)
def test_deprecated_keys(text: str, places: list[tuple[int, int]]) -> None:
    document, _ = parse(text, "connections.d/c.yaml")
    assert document is not None
    found = list(registry.load("rules", "deprecated").found(DEPRECATED, document))
    assert [(item.primary.span.start.line, item.primary.span.start.column) for item in found] == places
    assert all(item.message.endswith("is deprecated: a later version will refuse it") for item in found)


def test_no_key_of_this_version_is_deprecated(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "vars: {a: 1}\n",
        C: BASE.format("https://a.test"),
        W: "actions: [{id: a, set: {v: 1}}]\n",
    }
    assert said(tmp_path, "deprecated", files) == []
