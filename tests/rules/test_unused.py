"""What is declared and used nowhere: inputs, secrets, outputs, connections; and connections without a test."""

from pathlib import Path

import pytest

from tests.rules.exact import only_place, said
from tests.rules.projects import TICKETS, findings

W = "workflows.d/w.yaml"
BEARER = "type: bearer\nbase_url: https://a.example.com\nshared: true\nauth: {token: 'vault://s/a#b'}\n"
USES = "actions:\n  - {id: a, connection: c, request: {path: /}}\n"


@pytest.mark.parametrize(
    "inputs",
    [
        "inputs:\n  days: {type: integer}\n",
        "inputs:\n  'days': {type: integer}\n",
        'inputs: {"days": {type: integer}}\n',
        "inputs: {used: {type: string}, days: {}}\n",
    ],
)
def test_the_name_of_an_unused_input_is_underlined(inputs: str, tmp_path: Path) -> None:
    text = inputs + "actions:\n  - {id: a, set: {v: '{{ inputs.used | default(1) }}'}}\n" * ("used" in inputs)
    text += "actions:\n  - {id: a, set: {v: 1}}\n" * ("used" not in inputs)
    marked = next(word for word in ("'days'", '"days"', "days") if word in inputs)
    found = only_place(tmp_path, "unused-input", W, text, marked)
    assert found.message == "the input 'days' is used nowhere"


@pytest.mark.parametrize("kind", ["inputs", "secrets"])
@pytest.mark.parametrize(
    "template",
    [
        "{{ ROOT.x }}",
        "{{ ROOT['x'] }}",
        "{{ ROOT | to_json }}",
        "{{ ROOT[vars.a] }}",
        "{% if ROOT.x %}1{% endif %}",
        "{{ ROOT.y }}",  # perhaps a misspelling of it
        "{{ ROOT.x",  # nobody knows what it uses
    ],
)
def test_what_may_be_used_is_not_reported(kind: str, template: str, tmp_path: Path) -> None:
    value = "{type: string}" if kind == "inputs" else "vault://s/a#b"
    text = f'{kind}:\n  x: {value}\nactions:\n  - id: a\n    sensitive: true\n    set: {{v: "{template.replace("ROOT", kind)}"}}\n'
    assert said(tmp_path, f"unused-{kind[:-1]}", {W: text}) == []


@pytest.mark.parametrize(
    "where",
    [
        "outputs: {o: '{{ inputs.x }}'}",
        "vars: {v: '{{ inputs.x }}'}",
        "finally: [{id: f, set: {v: '{{ inputs.x }}'}}]",
    ],
)
def test_an_input_may_be_used_anywhere(where: str, tmp_path: Path) -> None:
    text = f"inputs: {{x: {{type: string}}}}\nactions:\n  - {{id: a, set: {{v: 1}}}}\n{where}\n"
    assert said(tmp_path, "unused-input", {W: text}) == []


def test_nothing_is_said_of_a_file_with_errors(tmp_path: Path) -> None:
    text = "inputs: {x: {type: string}}\nsecrets: {s: 'vault://a/b#c'}\nactions:\n  - {id: a, sett: {v: 1}}\n"
    assert {item.rule for item in findings(tmp_path, {W: text})} == {"unknown-key", "action-kind"}


@pytest.mark.parametrize("key", ["token", "'token'", '"token"'])
def test_the_name_of_an_unused_secret_is_underlined(key: str, tmp_path: Path) -> None:
    text = f"secrets:\n  {key}: vault://s/a#b\nactions:\n  - {{id: a, set: {{v: 1}}}}\n"
    found = only_place(tmp_path, "unused-secret", W, text, key)
    assert found.message == "the secret 'token' is used nowhere"


READ = "actions:\n  - id: read\n    request: {url: 'https://a.example.com'}\n    output: %s\n"


def test_an_unused_output(tmp_path: Path) -> None:
    text = READ % "'{{ response.body.x }}'" + "  - {id: b, set: {v: '{{ actions.read.status }}'}}\n"
    assert said(tmp_path, "unused-output", {W: text}) == [("the output of 'read' is used nowhere", "output")]


@pytest.mark.parametrize(
    "more",
    [
        "outputs: {o: '{{ actions.read.output }}'}",
        "outputs: {o: '{{ actions.read.output.x[0] }}'}",
        "outputs: {o: '{{ actions.read }}'}",
        "outputs: {o: '{{ actions[environment].output }}'}",
        "outputs: {o: '{{ actions.raed.output }}'}",
        "finally: [{id: f, set: {v: '{{ actions.read.output | default(1) }}'}}]",
    ],
)
def test_an_output_that_is_used(more: str, tmp_path: Path) -> None:
    text = READ % "'{{ response.body.x }}'" + more + "\n"
    assert said(tmp_path, "unused-output", {W: text}) == []


@pytest.mark.parametrize("output", ["null", "done", "{a: 1}", "[]"])
def test_an_output_without_a_template_keeps_an_answer_out_of_the_report(output: str, tmp_path: Path) -> None:
    assert said(tmp_path, "unused-output", {W: READ % output}) == []


def test_an_unused_connection(tmp_path: Path) -> None:
    files = {"connections.d/c.yaml": TICKETS, "connections.d/eu/old.yaml": f"# old\n{TICKETS}", W: USES}
    assert said(tmp_path, "unused-connection", files) == [
        ("no workflow uses the connection 'eu/old'", "type")
    ]


@pytest.mark.parametrize(
    "files",
    [
        {"connections.d/old.yaml": TICKETS},
        {"connections.d/old.yaml": TICKETS, "connections.d/c.yaml": "extends: old\n", W: USES},
        {"connections.d/c.yaml": TICKETS, "connections.d/old.yaml": TICKETS, W: USES.replace(" c,", " odl,")},
        {"connections.d/old.yaml": TICKETS, W: "actions: 5\n"},
        {"connections.d/old.yaml": TICKETS, W: "actions: [\n"},
        {"connections.d/old.yaml": TICKETS, "connections.d/c.yaml": "type: 1\n", W: USES},
        {
            "connections.d/old.yaml": TICKETS,
            W: "defaults: {connection: old}\nactions: [{id: a, request: {path: /}}]\n",
        },
    ],
)
def test_a_connection_that_may_be_used(files: dict[str, str], tmp_path: Path) -> None:
    assert said(tmp_path, "unused-connection", files) == []


def test_a_connection_with_credentials_and_no_test(tmp_path: Path) -> None:
    files = {"connections.d/c.yaml": f"# the desk\n{BEARER}"}
    assert said(tmp_path, "missing-test-endpoint", files) == [
        ("the connection 'c' has no `test`: nothing tells whether its credentials work", "type")
    ]
    header = f"{TICKETS}shared: true\nheaders: {{X-Key: 'vault://s/a#b'}}\n"
    assert len(said(tmp_path, "missing-test-endpoint", {"connections.d/c.yaml": header})) == 1


@pytest.mark.parametrize(
    "files",
    [
        {"connections.d/c.yaml": TICKETS},
        {"connections.d/c.yaml": f"{BEARER}test: {{path: /me}}\n"},
        {"connections.d/a.yaml": f"{BEARER}test: {{path: /me}}\n", "connections.d/c.yaml": "extends: a\n"},
        {"connections.d/c.yaml": f"{TICKETS}shared: true\ntls: {{ca: 'vault://s/ca#pem'}}\n"},
    ],
)
def test_a_connection_that_needs_no_test(files: dict[str, str], tmp_path: Path) -> None:
    assert said(tmp_path, "missing-test-endpoint", files) == []
