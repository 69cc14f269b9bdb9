"""Which secret reaches which host: channels, flows through `set`, places, the order."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.flow import UNKNOWN_HOST, address, compute
from runner.project import Project
from tests.rules.projects import loaded, underlined

W = "workflows.d/w.yaml"
HEAD = "inputs: {pw: {type: string, secret: true}, n: {type: string, default: a}}\nsecrets: {k: 'vault://s/w#k'}\nactions:\n"


def flows(root: Path, files: dict[str, str], **options: Any) -> list[tuple[str, str, str, str]]:
    project = loaded(root, files, **options)
    return [
        (each.source.text, each.host, each.channel, underlined(root, each.span)) for each in compute(project)
    ]


def test_the_channels_of_a_connection(tmp_path: Path) -> None:
    text = (
        "type: api_key\nbase_url: https://a.test:8443/v1\nshared: true\nheaders: {X-A: 'vault://s/h#a', X-B: b}\n"
        "auth: {keys: [{key: 'vault://s/k#1', name: A, in: header}, {key: 'vault://s/k#2', name: b, in: query}]}\n"
        "query: {q: 'vault://s/q#a'}\ntls: {ca: 'vault://s/ca#pem'}\n"
    )
    assert flows(tmp_path, {"connections.d/c.yaml": text}) == [
        ("vault://s/h#a", "a.test:8443", "headers.X-A", "'vault://s/h#a'"),
        ("vault://s/k#1", "a.test:8443", "auth.keys.0.key", "'vault://s/k#1'"),
        ("vault://s/k#2", "a.test:8443", "auth.keys.1.key", "'vault://s/k#2'"),
        ("vault://s/q#a", "a.test:8443", "query.q", "'vault://s/q#a'"),
    ]


@pytest.mark.parametrize(
    ("lines", "channel", "marked"),
    [
        ("headers: {X-A: 'Bearer {{ secrets.k }}'}", "request.headers.X-A", "secrets.k"),
        ("query: {q: [1, '{{ secrets.k }}']}", "request.query.q", "secrets.k"),
        ("json: {a: {b: ['{{ secrets[\"k\"] }}']}}", "request.json", 'secrets["k"]'),
        ("form: {a: '{{ secrets.k | b64encode }}'}", "request.form", "secrets.k"),
        ("body: |\n        x\n        {{ secrets.k }}", "request.body", "secrets.k"),
    ],
)
def test_the_channels_of_a_request(lines: str, channel: str, marked: str, tmp_path: Path) -> None:
    text = f"{HEAD}  - id: a\n    request:\n      url: https://a.test/x\n      {lines}\n"
    assert flows(tmp_path, {W: text}) == [("vault://s/w#k", "a.test", channel, marked)]


def test_a_path_and_a_url(tmp_path: Path) -> None:
    text = HEAD + "  - {id: a, connection: c, request: {path: '/{{ secrets.k }}'}}\n"
    text += "  - {id: b, request: {url: 'https://b.test/{{ inputs.pw }}'}}\n"
    files = {"connections.d/c.yaml": "type: none\nbase_url: https://c.test\n", W: text}
    assert flows(tmp_path, files) == [
        ("inputs.pw", "b.test", "request.url", "inputs.pw"),
        ("vault://s/w#k", "c.test", "request.path", "secrets.k"),
    ]


def test_through_several_sets_and_by_key(tmp_path: Path) -> None:
    text = HEAD + (
        "  - {id: one, sensitive: true, set: {h: 'B {{ secrets.k }}', p: '{{ inputs.pw }}', n: '{{ inputs.n }}'}}\n"
        "  - {id: two, sensitive: true, set: {h: '{{ actions.one.output.h }}', all: '{{ actions.one.output }}'}}\n"
        "  - id: send\n    request:\n      url: https://a.test\n      headers:\n"
        "        X-H: '{{ actions.two.output.h }}'\n        X-N: '{{ actions.one.output.n }}'\n"
        "        X-P: '{{ actions[\"two\"].output[\"all\"].p }}'\n        X-S: '{{ actions.two.status }}'\n"
    )
    found = flows(tmp_path, {W: text})
    assert [(secret, channel.rpartition(".")[2]) for secret, _, channel, _ in found] == [
        ("inputs.pw", "X-P"),
        ("vault://s/w#k", "X-H"),
        ("vault://s/w#k", "X-P"),
    ]


@pytest.mark.parametrize("root", ["secrets", "actions"])
@pytest.mark.parametrize("form", ["{{ ROOT | to_json }}", "{{ ROOT[inputs.n] }}"])
def test_a_root_as_a_whole_is_all_of_it(root: str, form: str, tmp_path: Path) -> None:
    text = HEAD + "  - {id: one, sensitive: true, set: {h: '{{ secrets.k }}'}}\n"
    text += f"  - {{id: send, request: {{url: 'https://a.test', headers: {{X: '{form.replace('ROOT', root)}'}}}}}}\n"
    assert [each[0] for each in flows(tmp_path, {W: text})] == ["vault://s/w#k"]


@pytest.mark.parametrize(
    "template",
    [
        "{{ secrets.k | sha256 }}",
        "{{ 'x' | hmac_sha256(secrets.k) }}",
        "{{ secrets.k == 'x' }}",
        "{{ secrets.k | length }}",
        "{{ 'a' if secrets.k else 'b' }}",
        "{{ inputs.n }}",
    ],
)
def test_what_lets_no_secret_through(template: str, tmp_path: Path) -> None:
    text = HEAD + f'  - {{id: a, request: {{url: "https://a.test", body: "{template}"}}}}\n'
    assert flows(tmp_path, {W: text}) == []


def test_the_output_of_a_sensitive_request_has_a_home(tmp_path: Path) -> None:
    text = HEAD + (
        "  - {id: login, sensitive: true, request: {url: 'https://a.test/login'}}\n"
        "  - {id: use, request: {url: 'https://b.test', headers: {X: '{{ actions.login.output.t }}'}}}\n"
    )
    (found,) = compute(loaded(tmp_path, {W: text}))
    assert (found.source.text, found.source.home, found.host) == ("actions.login.output", "a.test", "b.test")
    assert (found.workflow, found.action, found.connection) == ("w", "use", None)
    assert found.to_json() == {
        "secret": "actions.login.output",
        "of": "workflow w",
        "host": "b.test",
        "channel": "request.headers.X",
        "workflow": "w",
        "action": "use",
        "file": W,
        "line": 5,
    }


def test_the_order_is_stable_and_each_flow_stands_once(tmp_path: Path) -> None:
    text = HEAD + "  - {id: b, request: {url: 'https://b.test', body: '{{ secrets.k }}{{ secrets.k }}'}}\n"
    text += "  - {id: a, request: {url: 'https://a.test', body: '{{ inputs.pw }}'}}\n"
    project = loaded(tmp_path, {W: text})
    first = [each.to_json() for each in compute(project)]
    assert [each["secret"] for each in first] == ["inputs.pw", "vault://s/w#k", "vault://s/w#k"]
    assert json.dumps(first) == json.dumps([each.to_json() for each in compute(project)])


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://a.test", ("https", "a.test", 443)),
        ("HTTPS://A.Test:443/x", ("https", "a.test", 443)),
        ("http://a.test.:8080?q", ("http", "a.test", 8080)),
        ("https://[::1]:9/x", ("https", "[::1]", 9)),
        ("https://u@a.test#f", ("https", "a.test", 443)),
        ("https://{{ vars.known }}.test/{{ vars.x }}", ("https", "eu.test", 443)),
        ("https://{{ environment }}.test", ("https", "dev.test", 443)),
        ("https://{{ vars.x }}.test", None),
        ("https://{% if vars.known %}a{% endif %}.test", None),
        ("{{ vars.scheme }}://a.test", None),
        ("https://a.test:99999", None),
        ("a.test/x", None),
        ("https://", None),
    ],
)
def test_addresses(url: str, known: tuple[str, str, int] | None, tmp_path: Path) -> None:
    files = {
        "runner.yaml": "vars: {known: eu}\nenvironments: {dev: {}}\n",
        "connections.d/c.yaml": f"type: none\nbase_url: {json.dumps(url)}\n",
    }
    project: Project = loaded(tmp_path, files, environment="dev")
    assert address(project, project.connections["c"].base_url) == known


def test_a_host_that_is_known_at_run_time_only(tmp_path: Path) -> None:
    text = HEAD + "  - {id: a, request: {url: 'https://{{ inputs.n }}.test', body: '{{ secrets.k }}'}}\n"
    text += "  - {id: b, connection: nowhere, request: {path: /, body: '{{ secrets.k }}'}}\n"
    assert [each[1] for each in flows(tmp_path, {W: text})] == [UNKNOWN_HOST, UNKNOWN_HOST]


def test_the_flows_of_the_examples() -> None:
    from runner.project import load

    found = compute(load(Path(__file__).parent.parent))
    assert [(each.source.text, each.host) for each in found] == [
        ("vault://secret/demo/pager#api_key", "pager.example.com"),
        ("vault://secret/demo/tickets#api_token", "tickets.example.com"),
    ]


def test_through_called_workflows_and_in_the_order_of_needs(tmp_path: Path) -> None:
    sub = (
        "inputs: {t: {secret: true}, u: {secret: true}}\nactions:\n"
        "  - {id: s, request: {url: 'https://sub.test', headers: {X-T: '{{ inputs.t }}', X-U: '{{ inputs.u | sha256 }}'}}}\n"
        "  - {id: m, set: {x: 'a{{ inputs.t }}'}, sensitive: true}\n"
        "outputs: {back: '{{ actions.m.output.x }}'}\n"
    )
    main = HEAD + (
        "  - {id: after, needs: [call], request: {url: 'https://main.test', headers: {X-B: '{{ actions.call.output[0].back }}'}}}\n"
        "  - {id: call, needs: [], for_each: [1], sensitive: true, workflow: sub, with: {t: '{{ secrets.k }}', u: '{{ inputs.pw }}'}}\n"
    )
    assert flows(tmp_path, {W: main, "workflows.d/sub.yaml": sub}) == [
        ("inputs.t", "sub.test", "request.headers.X-T", "inputs.t"),
        ("vault://s/w#k", "main.test", "request.headers.X-B", "actions.call.output[0].back"),
        ("vault://s/w#k", "sub.test", "request.headers.X-T", "inputs.t"),
    ]
