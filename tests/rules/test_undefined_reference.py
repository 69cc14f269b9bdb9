"""Names that exist nowhere, or not yet: every kind of name, every field, every style, exact to the column."""

from pathlib import Path

import pytest

from runner.diagnostics import Diagnostic
from tests.rules.projects import TICKETS, brief, underlined
from tests.rules.projects import spine as findings
from tests.rules.styles import STYLES, action

HEAD = "inputs:\n  days: {type: integer, default: 1}\nvars: {site: eu}\nactions:\n"


def only(root: Path, files: dict[str, str]) -> Diagnostic:
    found = list(findings(root, files))
    assert [item.rule for item in found] == ["undefined-reference"], brief(root, found)
    return found[0]


def in_set(root: Path, template: str, **files: str) -> Diagnostic:
    text = f'{HEAD}  - id: first\n    set: {{found: 1}}\n  - id: shown\n    set: {{text: "{template}"}}\n'
    return only(root, {"workflows.d/w.yaml": text})


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ("{{ actions.serch.output }}", "actions.serch"),
        ("{{inputs.dais}}", "inputs.dais"),
        ("{{ 1 + (inputs . dais) | int }}", "inputs . dais"),
        ("{% if vars.siet %}x{% endif %}", "vars.siet"),
        ("{{ inputz.days }}", "inputz"),
        ("{{- run.started -}}", "run.started"),
    ],
)
def test_the_wrong_part_is_underlined_in_every_style(
    style: str, template: str, marked: str, tmp_path: Path
) -> None:
    text = HEAD + action(style, template)
    found = only(tmp_path, {"workflows.d/w.yaml": text})
    assert underlined(tmp_path, found.primary.span) == marked
    assert text.count(marked) == 1
    before = text[: text.index(marked)]
    assert found.primary.span.start.line == before.count("\n") + 1
    assert found.primary.span.start.column == len(before) - before.rfind("\n")


@pytest.mark.parametrize(
    ("template", "marked", "message", "remedy"),
    [
        ("{{ inputs.day }}", "inputs.day", "no input 'day'", "did you mean 'inputs.days'?"),
        ("{{ inputs.zzz }}", "inputs.zzz", "no input 'zzz'", "inputs: days"),
        ("{{ inputs['day'] }}", "inputs['day']", "no input 'day'", "did you mean 'inputs.days'?"),
        ("{{ vars.sites }}", "vars.sites", "no variable 'sites'", "did you mean 'vars.site'?"),
        (
            "{{ secrets.x }}",
            "secrets.x",
            "no secret 'x'",
            "this workflow declares no secrets: add it under `secrets`",
        ),
        (
            "{{ actions.frist.output }}",
            "actions.frist",
            "no action 'frist' before this one",
            "did you mean 'actions.first'?",
        ),
        (
            "{{ actions.zzz.output }}",
            "actions.zzz",
            "no action 'zzz' before this one",
            "actions before this one: first",
        ),
        (
            "{{ actions.first.outputs }}",
            "actions.first.outputs",
            "'actions.first' has no 'outputs'",
            "did you mean 'actions.first.output'?",
        ),
        (
            "{{ actions.first.response.body }}",
            "actions.first.response.body",
            "'actions.first.response' has no 'body'",
            "names in 'actions.first.response': headers, status",
        ),
        (
            "{{ actions.first.output.fund.x }}",
            "actions.first.output.fund",
            "'actions.first.output' has no 'fund'",
            "did you mean 'actions.first.output.found'?",
        ),
        (
            "{{ run.started.year }}",
            "run.started",
            "'run' has no 'started'",
            "did you mean 'run.started_at'?",
        ),
        (
            "{{ environment.name }}",
            "environment.name",
            "'environment' is text: it has no 'name'",
            "write {{ environment }} for its name",
        ),
        ("{{ steps.first.output }}", "steps", "there is no 'steps' in templates", "did you mean 'actions'?"),
        ("{{ input.days }}", "input", "there is no 'input' in templates", "did you mean 'inputs'?"),
        ("{{ now() }}", "now", "there is no 'now' in templates", None),
        ("{{ inputs.day | default(1) }}", "inputs.day", "no input 'day'", "did you mean 'inputs.days'?"),
    ],
)
def test_each_kind_of_name(
    template: str, marked: str, message: str, remedy: str | None, tmp_path: Path
) -> None:
    found = in_set(tmp_path, template)
    assert underlined(tmp_path, found.primary.span) == marked
    assert found.message == message
    assert remedy is None or found.help == remedy
    assert found.help


@pytest.mark.parametrize(
    "template",
    [
        "{{ inputs.days }} {{ inputs['days'] }} {{ inputs }}",
        "{{ vars.site }} {{ vars.region }}",
        "{{ vars.only_in_some_environment | default('x') }}",
        "{{ actions.first.output.found }} {{ actions.first.status }} {{ actions.first.error.message }}",
        "{{ actions['first'].output }} {{ actions[inputs.days].output }}",
        "{{ actions.first.response.headers['x-y'] }} {{ actions.first.response.status }}",
        "{% set total = 1 %}{% for one in [1] %}{{ one + total + loop.index }}{% endfor %}",
        "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1) }}",
        "{{ environment }} {{ run.id }} {{ run.user }} {{ run.workflow }} {{ run.started_at }}",
        "{{ inputs.days.anything.below }}",
        "{{ range(3) | list }} {{ null }} {{ true }} {{ none }}",
        "{{ actions.first.output.items() | list }}",
    ],
)
def test_what_is_known_gives_nothing(template: str, tmp_path: Path) -> None:
    text = f'{HEAD}  - id: first\n    set: {{found: 1}}\n  - id: shown\n    set: {{text: "{template}"}}\n'
    assert findings(tmp_path, {"workflows.d/w.yaml": text, "runner.yaml": "vars: {region: x}\n"}) == []


SECTIONS = """\
actions:
  - id: one
    set: {a: "%(actions)s"}
  - id: two
    set: {a: 1}
on_failure:
  - id: three
    set: {a: "%(on_failure)s"}
  - id: four
    set: {a: 1}
finally:
  - id: five
    set: {a: "%(finally)s"}
  - id: six
    set: {a: 1}
outputs: {o: "%(outputs)s"}
"""


@pytest.mark.parametrize(
    ("section", "name", "message"),
    [
        ("actions", "one", "action 'one' is this one: it has no output yet"),
        ("actions", "two", "action 'two' stands after this one"),
        ("actions", "three", "action 'three' stands in `on_failure`, which runs after this one"),
        ("actions", "five", "action 'five' stands in `finally`, which runs after this one"),
        ("on_failure", "one", None),
        ("on_failure", "two", None),
        ("on_failure", "four", "action 'four' stands after this one"),
        ("on_failure", "five", "action 'five' stands in `finally`, which runs after this one"),
        ("finally", "two", None),
        ("finally", "four", None),
        ("finally", "five", "action 'five' is this one: it has no output yet"),
        ("finally", "six", "action 'six' stands after this one"),
        ("outputs", "one", None),
        ("outputs", "two", None),
        ("outputs", "three", "action 'three' stands in `on_failure`, which runs after the outputs are made"),
        ("outputs", "six", "action 'six' stands in `finally`, which runs after the outputs are made"),
        ("outputs", "seven", "no action 'seven'"),
        ("actions", "seven", "no action 'seven' before this one"),
    ],
)
def test_an_action_sees_what_has_run(section: str, name: str, message: str | None, tmp_path: Path) -> None:
    holes = dict.fromkeys(("actions", "on_failure", "finally", "outputs"), "x")
    holes[section] = f"{{{{ actions.{name}.output }}}}"
    files = {"workflows.d/w.yaml": SECTIONS % holes}
    if message is None:
        assert findings(tmp_path, files) == []
        return
    found = only(tmp_path, files)
    assert found.message == message
    assert underlined(tmp_path, found.primary.span) == f"actions.{name}"
    if "stands" in message:
        assert [underlined(tmp_path, label.span) for label in found.related] == [name]


FIELDS = {
    "request.url": 'request: {url: "https://example.com/X"}',
    "request.query": 'request: {url: "https://example.com", query: {a: ["X"]}}',
    "request.headers": 'request: {url: "https://example.com", headers: {A: "X"}}',
    "request.json": 'request: {url: "https://example.com", method: POST, json: {a: [{b: "X"}]}}',
    "request.form": 'request: {url: "https://example.com", method: POST, form: {a: "X"}}',
    "request.body": 'request: {url: "https://example.com", method: POST, body: "X"}',
    "request.path": 'connection: tickets\n    request: {path: "/X"}',
    "if": 'if: "X"\n    set: {a: 1}',
    "expect.that": 'request: {url: "https://example.com"}\n    expect: {that: ["X"]}',
    "expect.headers": 'request: {url: "https://example.com"}\n    expect: {headers: {A: "X"}}',
    "output": 'request: {url: "https://example.com"}\n    output: {a: "X"}',
    "set": 'set: {a: {b: ["X"]}}',
    "wait": 'wait: "X"',
    "wait.until": 'wait: {until: "X"}',
    "fail": 'fail: "X"',
}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("section", ["actions", "on_failure", "finally"])
def test_every_field_of_an_action_is_checked(field: str, section: str, tmp_path: Path) -> None:
    text = f"{section}:\n  - id: it\n    {FIELDS[field].replace('X', '{{ inputs.missing }}')}\n"
    if section != "actions":
        text += "actions:\n  - id: other\n    set: {a: 1}\n"
    found = only(tmp_path, {"workflows.d/w.yaml": text, "connections.d/tickets.yaml": TICKETS})
    assert underlined(tmp_path, found.primary.span) == "inputs.missing"


@pytest.mark.parametrize(
    "line",
    [
        'base_url: "https://X.example.com"',
        'headers: {A: "X"}',
        'query: {a: "X"}',
        'test: {path: "/X"}',
        'test: {path: /, query: {a: "X"}}',
        'test: {path: /, method: POST, json: {a: "X"}}',
        'test: {path: /, expect: {that: ["X"]}}',
        'fail_when: "X"',
        'error_message: "X"',
        'proxy: "http://X:3128"',
    ],
)
def test_every_field_of_a_connection_is_checked(line: str, tmp_path: Path) -> None:
    text = "type: none\n" + line.replace("X", "{{ vars.missing }}") + "\n"
    if "base_url" not in line:
        text += "base_url: https://example.com\n"
    found = only(tmp_path, {"connections.d/c.yaml": text})
    assert underlined(tmp_path, found.primary.span) == "vars.missing"
    assert found.help == "there are none: declare it under `vars` in runner.yaml"


def test_workflow_vars_and_outputs_are_checked(tmp_path: Path) -> None:
    text = (
        'vars: {a: "{{ inputs.x }}", b: "{{ vars.a }}"}\nactions:\n  - id: it\n    set: {a: 1}\n'
        'outputs: {o: "{{ vars.c }}"}\n'
    )
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert brief(tmp_path, found) == [
        ("undefined-reference", "no input 'x'", "inputs.x"),
        (
            "undefined-reference",
            "'vars.a' is not known here: `vars` see those of runner.yaml only",
            "vars.a",
        ),
        ("undefined-reference", "no variable 'c'", "vars.c"),
    ]


def test_the_vars_of_every_environment_count_until_one_is_chosen(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "vars: {a: x}\nenvironments:\n  one: {vars: {b: x}}\n  two: {vars: {c: x}}\n",
        "workflows.d/w.yaml": 'actions:\n  - id: it\n    set: {a: "{{ vars.a }}{{ vars.b }}{{ vars.c }}"}\n',
    }
    assert findings(tmp_path, files) == []
    found = findings(tmp_path, files, environment="one")
    assert [item.message for item in found] == ["no variable 'c'"]


def test_names_of_a_broken_runner_yaml_are_not_guessed(tmp_path: Path) -> None:
    files = {
        "runner.yaml": "vars: {a: x}\nwars: {}\n",
        "workflows.d/w.yaml": 'actions:\n  - id: it\n    set: {a: "{{ vars.a }}{{ inputs.b }}"}\n',
    }
    assert [item.rule for item in findings(tmp_path, files)] == ["unknown-key", "undefined-reference"]


def test_a_broken_action_is_known_by_its_id_and_hides_no_other_mistake(tmp_path: Path) -> None:
    text = (
        "actions:\n  - id: search\n    requst: {url: https://example.com}\n"
        '  - id: next\n    set: {a: "{{ actions.search.output }}", b: "{{ actions.serch.output }}"}\n'
    )
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [item.rule for item in found if item.rule == "undefined-reference"] == ["undefined-reference"]
    wrong = next(item for item in found if item.rule == "undefined-reference")
    assert underlined(tmp_path, wrong.primary.span) == "actions.serch"
    assert wrong.help == "did you mean 'actions.search'?"


def test_a_broken_action_without_an_id_could_be_any(tmp_path: Path) -> None:
    text = "actions:\n  - request: {url: https://example.com}\n" + action(
        "plain", "{{ actions.search.output }}"
    )
    assert [item.rule for item in findings(tmp_path, {"workflows.d/w.yaml": text})] == ["missing-key"]


def test_a_broken_input_is_known_by_its_name(tmp_path: Path) -> None:
    text = (
        "inputs:\n  days: {type: integr}\n  weeks: {type: integer}\n"
        'actions:\n  - id: it\n    set: {a: "{{ inputs.days }}{{ inputs.weeks }}{{ inputs.dayz }}"}\n'
    )
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [item.rule for item in found] == ["invalid-value", "undefined-reference"]
    assert underlined(tmp_path, found[1].primary.span) == "inputs.dayz"


def test_a_mistake_in_an_extended_connection_is_reported_once(tmp_path: Path) -> None:
    files = {
        "connections.d/a.yaml": "type: none\nbase_url: https://{{ vars.nope }}.example.com\n",
        "connections.d/b.yaml": "extends: a\ntimeout: 5s\n",
    }
    found = only(tmp_path, files)
    assert found.primary.span.path == "connections.d/a.yaml"
