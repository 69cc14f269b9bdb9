"""Names of the language where they do not exist, and secrets where they may not decide."""

from pathlib import Path

import pytest

from tests.rules.projects import brief, underlined
from tests.rules.projects import spine as findings
from tests.rules.styles import STYLES, action


@pytest.mark.parametrize("style", STYLES)
def test_the_root_is_underlined_in_every_style(style: str, tmp_path: Path) -> None:
    text = "actions:\n" + action(style, "{{ 'response' ~ response.body.id }}")
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [item.rule for item in found] == ["unavailable-root"]
    assert underlined(tmp_path, found[0].primary.span) == "response"
    line = text[: text.index("~ response") + 2]
    assert found[0].primary.span.start.column == len(line) - line.rfind("\n")


ANSWER = "only where there is an answer: `output`, `expect.that`, `fail_when` and `error_message` of a connection, `token` of a session"
REQUEST = 'actions:\n  - id: it\n    request: {url: "https://example.com/%s"}\n'


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        (
            REQUEST % "{{ response.body }}",
            "'response' is not available in `request.url`",
            f"{ANSWER}; names here: actions, environment, inputs, run, secrets, vars",
        ),
        (
            REQUEST % "{{ error.message }}",
            "'error' is not available in `request.url`",
            "only in `on_failure` and `finally`; names here: actions, environment, inputs, run, secrets, vars",
        ),
        (
            "actions:\n  - {id: it, set: {a: 1}}\nvars: {a: '{{ actions.it.output }}'}\n",
            "'actions' is not available in `vars.a`",
            "only in actions and `outputs` of a workflow; names here: environment, inputs, run, vars",
        ),
        (
            "secrets: {t: env://T}\nactions:\n  - {id: it, if: '{{ secrets.t }}', set: {a: 1}}\n",
            "'secrets' is not available in `if`",
            "only in what a request sends; names here: actions, environment, inputs, run, vars",
        ),
        (
            "secrets: {t: env://T}\nactions:\n  - {id: it, fail: 'x {{ secrets.t }}'}\n",
            "'secrets' is not available in `fail`",
            "only in what a request sends; names here: actions, environment, inputs, run, vars",
        ),
    ],
)
def test_what_is_said(text: str, message: str, remedy: str, tmp_path: Path) -> None:
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [(item.rule, item.message, item.help) for item in found] == [("unavailable-root", message, remedy)]


@pytest.mark.parametrize(
    ("line", "root"),
    [
        ("base_url: https://{{ inputs.host }}/", "inputs"),
        ("base_url: https://{{ run.user }}/", "run"),
        ("base_url: https://x.example.com\nheaders: {A: '{{ actions.a.output }}'}", "actions"),
        ("base_url: https://x.example.com\nheaders: {A: '{{ response.body }}'}", "response"),
        ("base_url: https://x.example.com\nfail_when: '{{ inputs.a }}'", "inputs"),
    ],
)
def test_a_connection_does_not_know_the_workflow(line: str, root: str, tmp_path: Path) -> None:
    found = findings(tmp_path, {"connections.d/c.yaml": f"type: none\n{line}\n"})
    assert [item.rule for item in found] == ["unavailable-root"]
    assert underlined(tmp_path, found[0].primary.span) == root


def test_error_is_known_where_something_failed(tmp_path: Path) -> None:
    text = (
        "actions:\n  - {id: a, set: {a: 1}}\n"
        "on_failure:\n  - {id: b, set: {a: '{{ error.message }} {{ error.kind }} {{ error.action }}'}}\n"
        "finally:\n  - {id: c, if: '{{ error is defined }}', set: {a: 1}}\n"
    )
    assert findings(tmp_path, {"workflows.d/w.yaml": text}) == []


SECRET = """\
inputs:
  password: {type: string, secret: true}
  name: {type: string}
vars: {greeting: "%(vars)s"}
actions:
  - id: login
    request: {url: https://example.com/login, method: POST, json: {p: "{{ inputs.password }}"}}
    sensitive: true
  - id: next
    if: "%(if)s"
    request:
      url: https://example.com/x
      headers: {Authorization: "Bearer {{ actions.login.output.token }}"}
outputs: {done: "{{ actions.next.status }}"}
"""


@pytest.mark.parametrize(
    ("field", "template", "marked", "message"),
    [
        (
            "if",
            "{{ inputs.password }}",
            "inputs.password",
            "'inputs.password' is secret: a condition cannot depend on it",
        ),
        (
            "if",
            "{{ inputs['password'] | length > 3 }}",
            "inputs['password']",
            "'inputs.password' is secret: a condition cannot depend on it",
        ),
        (
            "if",
            "{{ actions.login.output.token }}",
            "actions.login.output",
            "the output of 'login' is sensitive: a condition cannot depend on it",
        ),
        (
            "if",
            "{{ actions.login }}",
            "actions.login",
            "the output of 'login' is sensitive: a condition cannot depend on it",
        ),
        (
            "vars",
            "Hi {{ inputs.password }}",
            "inputs.password",
            "'inputs.password' is secret: `vars` cannot hold it",
        ),
        ("if", "{{ actions.login.status == 'succeeded' and inputs.name }}", None, None),
        ("vars", "Hi {{ inputs.name }}", None, None),
    ],
)
def test_no_secret_decides(
    field: str, template: str, marked: str | None, message: str | None, tmp_path: Path
) -> None:
    text = SECRET % {"vars": "x", "if": "{{ inputs.name }}", field: template}
    found = brief(tmp_path, findings(tmp_path, {"workflows.d/w.yaml": text}))
    assert found == ([("unavailable-root", message, marked)] if message else [])
