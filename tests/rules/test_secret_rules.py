"""Rules about where secrets go: other hosts, URLs, outputs."""

from pathlib import Path

import pytest

from runner.diagnostics import Severity
from tests.rules.exact import of_rule, only_place, quoted, said
from tests.rules.projects import underlined
from tests.rules.styles import STYLES, action

W = "workflows.d/w.yaml"
OTHER = "secret-to-other-host"


def connection(host: str, ref: str = "vault://s/a#t", *lines: str) -> str:
    text = f"type: bearer\nbase_url: https://{host}\nshared: true\nauth:\n  token: {ref}\ntest: {{path: /}}\n"
    return text + "".join(f"{line}\n" for line in lines)


def two(first: str, second: str) -> dict[str, str]:
    return {"connections.d/a.yaml": first, "connections.d/b.yaml": second}


def test_one_reference_in_two_connections(tmp_path: Path) -> None:
    files = two(connection("a.example.com"), connection("b.example.com", "vault://s/a?version=3#t"))
    (found,) = of_rule(tmp_path, OTHER, files)
    assert (found.message, found.severity) == (
        "a secret of a.example.com goes to b.example.com",
        Severity.ERROR,
    )
    assert found.primary.span.path == "connections.d/b.yaml"
    assert underlined(tmp_path, found.primary.span) == "vault://s/a?version=3#t"
    assert [(label.span.path, label.message) for label in found.related] == [
        ("connections.d/a.yaml", "it belongs to a.example.com")
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (connection("a.example.com"), connection("b.example.com", "vault://s/a#other")),
        (connection("a.example.com"), connection("b.example.com", "vault://s/b#t")),
        (connection("a.example.com/v1"), connection("A.example.com:443/v2")),
        (connection("localhost:8001"), connection("localhost:8002")),
        (connection("a.example.com"), connection("{{ vars.host }}")),
        (connection("a.example.com"), "extends: a\ntimeout: 5s\n"),
        (
            connection("a.example.com"),
            "extends: a\nbase_url: https://b.example.com\nauth: {token: 'vault://s/b#t'}\n",
        ),
    ],
)
def test_connections_that_may_stand_together(first: str, second: str, tmp_path: Path) -> None:
    assert said(tmp_path, OTHER, two(first, second)) == []


def test_an_inherited_secret_belongs_to_the_parent(tmp_path: Path) -> None:
    files = {
        "connections.d/zz.yaml": connection("a.example.com"),
        "connections.d/b.yaml": "extends: zz\nbase_url: https://b.example.com\n",
    }
    (found,) = of_rule(tmp_path, OTHER, files)
    assert found.primary.span.path == "connections.d/b.yaml"
    assert underlined(tmp_path, found.primary.span) == "https://b.example.com"


def test_in_an_environment(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "environments: {dev: {connections: {b: {base_url: 'https://a.example.com'}}}, test: {}}\n",
        **two(connection("a.example.com"), connection("b.example.com")),
    }
    assert len(said(tmp_path, OTHER, files, environment="test")) == 1
    assert said(tmp_path, OTHER, files, environment="dev") == []


LOGIN = (
    "inputs: {pw: {type: string, secret: true}, host: {type: string, default: a}}\nsecrets: {k: 'vault://s/w#k'}\nactions:\n"
    "  - id: login\n    request: {method: POST, url: 'https://auth.example.com/login', json: {p: '{{ inputs.pw }}'}}\n"
    "    sensitive: true\n"
)


def send(template: str, host: str = "api.example.com", *, before: str = "", id: str = "send") -> str:
    return f'{before}  - id: {id}\n    request:\n      url: https://{host}/x\n      headers: {{X-A: "{template}"}}\n'


@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ("Bearer {{ actions.login.output.token }}", "actions.login.output.token"),
        ("{{ actions['login'].output | to_json }}", "actions['login'].output"),
        ("{{ actions.login | to_json }}", "actions.login"),
    ],
)
def test_what_a_sensitive_request_gave(template: str, marked: str, tmp_path: Path) -> None:
    text = LOGIN + send(template)
    message = "'actions.login.output' is a secret of auth.example.com and goes to api.example.com"
    assert (message, marked) in said(tmp_path, OTHER, {W: text})
    assert said(tmp_path, OTHER, {W: LOGIN + send(template, "auth.example.com")}) == []


def test_through_a_set(tmp_path: Path) -> None:
    middle = (
        "  - id: made\n    set: {h: 'Bearer {{ actions.login.output.token }}', n: 1}\n    sensitive: true\n"
    )
    text = LOGIN + send("{{ actions.made.output.h }}", before=middle)
    assert [item[1] for item in said(tmp_path, OTHER, {W: text})] == ["actions.made.output.h"]
    text = LOGIN + send("{{ actions.made.output.n }}", before=middle)
    assert said(tmp_path, OTHER, {W: text}) == []


@pytest.mark.parametrize(
    "template",
    [
        "{{ actions.login.output.token | sha256 }}",
        "{{ 'body' | hmac_sha256(actions.login.output.token) }}",
        "{{ actions.login.output.token | length }}",
        "{{ 'yes' if actions.login.output.token == 'x' else 'no' }}",
        "{{ actions.login.status }}",
        "{{ actions.login.response.status }}",
    ],
)
def test_what_tells_nothing_of_it(template: str, tmp_path: Path) -> None:
    assert said(tmp_path, OTHER, {W: LOGIN + send(template)}) == []


def test_a_secret_of_a_workflow_belongs_to_the_first_host(tmp_path: Path) -> None:
    text = (
        LOGIN
        + send("{{ secrets.k }}", "one.example.com")
        + send("{{ secrets.k }}", "two.example.com", id="b")
    )
    (found,) = of_rule(tmp_path, OTHER, {W: text})
    assert found.message == "a secret of one.example.com goes to two.example.com"
    assert found.primary.span.start.line > found.related[0].span.start.line


def test_a_secret_of_a_workflow_that_a_connection_names(tmp_path: Path) -> None:
    files = {
        "connections.d/a.yaml": connection("one.example.com", "vault://s/w#k"),
        W: LOGIN + send("{{ secrets.k }}", "two.example.com"),
    }
    (found,) = of_rule(tmp_path, OTHER, files)
    assert (found.primary.span.path, underlined(tmp_path, found.primary.span)) == (W, "secrets.k")


def test_two_workflows_with_one_secret(tmp_path: Path) -> None:
    files = {
        "workflows.d/a.yaml": LOGIN + send("{{ secrets.k }}", "one.example.com"),
        "workflows.d/b.yaml": LOGIN + send("{{ secrets.k }}", "two.example.com"),
    }
    (found,) = of_rule(tmp_path, OTHER, files)
    assert found.primary.span.path == "workflows.d/b.yaml"


def test_a_secret_input_for_two_hosts_is_a_warning(tmp_path: Path) -> None:
    (found,) = of_rule(tmp_path, OTHER, {W: LOGIN + send("{{ inputs.pw }}")})
    assert (found.severity, found.message) == (
        Severity.WARNING,
        "the secret input goes to auth.example.com and to api.example.com",
    )


def test_a_host_that_an_input_names(tmp_path: Path) -> None:
    text = LOGIN + send("{{ secrets.k }}", "{{ inputs.host }}")
    assert said(tmp_path, OTHER, {W: text}) == [
        ("the secret goes to whatever host 'inputs.host' names", "secrets.k")
    ]
    text = LOGIN + send("{{ secrets.k }}", "one.example.com/{{ inputs.host }}")
    assert said(tmp_path, OTHER, {W: text}) == []
    text = LOGIN + send("{{ secrets.k }}", "{{ vars.host | default('a') }}")
    assert said(tmp_path, OTHER, {W: text}) == []


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ("{{ secrets.k }}", "secrets.k"),
        ("{{ 'Bearer ' ~ inputs['pw'] }}", "inputs['pw']"),
        ("{{ actions.login.output.token | b64encode }}", "actions.login.output"),
        ("{% if inputs.host %}{{ secrets.k | upper }}{% endif %}", "secrets.k"),
    ],
)
def test_outputs_made_of_secrets_in_every_style(
    style: str, template: str, marked: str, tmp_path: Path
) -> None:
    text = LOGIN + action(style, template)
    found = only_place(tmp_path, "secret-in-output", W, text, quoted(style, marked))
    assert (found.message, found.severity) == (
        "the output of 'shown' is made of a secret: the action fails, or shows it",
        Severity.ERROR,
    )


@pytest.mark.parametrize(
    "template",
    [
        "{{ secrets.k | sha256 }}",
        "{{ secrets.k | b64encode | sha256 }}",
        "{{ inputs.host | hmac_sha256(secrets.k) }}",
        "{{ secrets.k | length > 5 }}",
        "{{ secrets.k == 'x' }}",
        "{{ inputs.host }}",
        "{{ actions.login.status }}",
    ],
)
def test_outputs_that_tell_no_secret(template: str, tmp_path: Path) -> None:
    assert said(tmp_path, "secret-in-output", {W: LOGIN + action("double quoted", template)}) == []


def test_a_sensitive_output_may_hold_a_secret(tmp_path: Path) -> None:
    text = LOGIN + "  - {id: made, sensitive: true, set: {h: '{{ secrets.k }}'}}\n"
    assert said(tmp_path, "secret-in-output", {W: text}) == []


def test_the_output_of_a_request(tmp_path: Path) -> None:
    text = LOGIN + send("x") + "    output: {pw: '{{ inputs.pw }}', id: '{{ response.body.id }}'}\n"
    assert [item[1] for item in said(tmp_path, "secret-in-output", {W: text})] == ["inputs.pw"]


def test_the_outputs_of_a_workflow_are_masked(tmp_path: Path) -> None:
    text = (
        LOGIN
        + "outputs: {a: '{{ inputs.pw | sha256 }}', b: '{{ actions.login.output.token }}', c: '{{ inputs.host }}'}\n"
    )
    found = of_rule(tmp_path, "secret-in-output", {W: text})
    assert [(item.severity.value, underlined(tmp_path, item.primary.span)) for item in found] == [
        ("warning", "inputs.pw"),
        ("warning", "actions.login.output"),
    ]


@pytest.mark.parametrize(
    ("request_", "marked", "where"),
    [
        ("url: 'https://a.example.com/{{ secrets.k }}'", "secrets.k", "the URL"),
        ("url: https://a.example.com\n      query: {key: '{{ secrets.k }}'}", "secrets.k", "the query parameter 'key'"),
        ("url: https://a.example.com\n      query:\n        key: >-\n          {{ inputs.pw }}", "inputs.pw", "the query parameter 'key'"),
        ('url: https://a.example.com\n      query: {a: [1, "x{{ secrets.k }}"]}', "secrets.k", "the query parameter 'a'"),
        ("url: https://a.example.com\n      headers: {X-K: '{{ secrets.k }}'}", None, None),
        ("url: https://a.example.com\n      query: {sig: \"{{ 'x' | hmac_sha256(secrets.k) }}\"}", None, None),
    ],
)  # fmt: skip
def test_secrets_in_urls(request_: str, marked: str | None, where: str | None, tmp_path: Path) -> None:
    text = "inputs: {pw: {type: string, secret: true}}\nsecrets: {k: 'vault://s/w#k'}\nactions:\n  - id: a\n    request:\n"
    found = said(tmp_path, "secret-in-url", {W: f"{text}      {request_}\n"})
    message = f"a secret in {where}: servers and proxies write URLs into their logs"
    assert found == ([(message, marked)] if marked else [])


def test_a_secret_in_the_query_of_a_connection(tmp_path: Path) -> None:
    text = connection("a.example.com", "vault://s/a#t", "query: {key: 'vault://s/a#q'}")
    assert said(tmp_path, "secret-in-url", {"connections.d/a.yaml": text}) == [
        (
            "a secret in the query parameter 'key': servers and proxies write URLs into their logs",
            "'vault://s/a#q'",
        )
    ]
    text = "type: api_key\nbase_url: https://a.example.com\nshared: true\nauth: {key: 'vault://s/a#q', name: k, in: query}\n"
    assert said(tmp_path, "secret-in-url", {"connections.d/a.yaml": text}) == []
