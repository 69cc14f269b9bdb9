"""Rules about what expressions come to: dynamic-reference, constant-condition, type-mismatch, unknown-property."""

import json
from pathlib import Path

import pytest

from runner.diagnostics import Severity
from tests.rules.exact import SCALARS, of_rule, only_place, quoted, said, styled
from tests.rules.styles import STYLES, action

W = "workflows.d/w.yaml"
HEAD = (
    "inputs:\n"
    "  text: {type: string, default: a, enum: [a, b]}\n"
    "  days: {type: integer, default: 1}\n"
    "  rate: {type: number, default: 1}\n"
    "  on: {type: boolean, default: false}\n"
    "  many: {type: array, default: []}\n"
    "  map: {type: object, default: {}}\n"
    "  any: {default: 1}\n"
    "  pin: {type: integer, secret: true}\n"
    "actions:\n"
)


@pytest.mark.parametrize("style", STYLES)
def test_a_computed_name_is_underlined_in_every_style(style: str, tmp_path: Path) -> None:
    text = "actions:\n" + action(style, "{{ vars[environment].x }}")
    found = only_place(tmp_path, "dynamic-reference", W, text, "vars")
    assert found.message == "which of `vars` this is, is known at run time only: it cannot be checked"


@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ("{{ actions | length }}", "actions"),
        ("{{ secrets | length }}", "secrets"),
        ("{{ secrets[inputs.text] | length }}", "secrets"),
        ("{{ actions[inputs.text].output }}", "actions"),
        ("{{ inputs[vars.x] }}", "inputs"),
        ("{{ inputs | length }}", None),
        ("{{ vars | to_json }}", None),
        ("{{ inputs.map[inputs.text] }}", None),
        ("{{ actions.first.output[inputs.text] }}", None),
        ("{{ actions['first'].status }}", None),
        ("{{ response[environment] }}", None),
    ],
)
def test_what_is_dynamic(template: str, marked: str | None, tmp_path: Path) -> None:
    text = (
        HEAD
        + f'  - {{id: first, set: {{x: 1}}}}\n  - id: b\n    sensitive: true\n    set: {{v: "{template}"}}\n'
    )
    found = said(tmp_path, "dynamic-reference", {W: text})
    assert [item[1] for item in found] == ([marked] if marked else [])


CONDITIONS = [
    ("inputs.text == 'eu'", "true", "put braces around the whole of it"),
    ("actions.first.status", "true", "put braces around the whole of it"),
    ("{{ inputs.text == 'eu' or 'us' }}", "true", "compare on both sides"),
    ("{{ inputs.on and false }}", "false", "compare on both sides"),
    ("{{ inputs.on }} and {{ inputs.days }}", "true", "one pair of braces"),
    ("{{ inputs.text }} == eu", "true", "one pair of braces"),
    ("{{ 1 == 2 }}", "false", "use a value that can differ"),
    ("{{ true }}", "true", "use a value that can differ"),
    ("{{ '' }}", "false", "use a value that can differ"),
    ("yes", "true", "leave it out"),
]


@pytest.mark.parametrize(
    "style", ["plain", "single quoted", "double quoted", "literal block", "folded block"]
)
@pytest.mark.parametrize(("condition", "verdict", "remedy"), CONDITIONS)
def test_constant_conditions_in_every_style(
    style: str, condition: str, verdict: str, remedy: str, tmp_path: Path
) -> None:
    if style == "plain" and condition.startswith("{"):
        style = "double quoted"
    text = (
        HEAD
        + f"  - {{id: first, set: {{x: 1}}}}\n  - id: b\n    if: {styled(style, condition, 8)}\n    set: {{v: 1}}\n"
    )
    (found,) = of_rule(tmp_path, "constant-condition", {W: text})
    assert found.message.startswith(f"the condition is always {verdict}")
    assert remedy in (found.help or "")
    line = text.split("\n").index(next(each for each in text.split("\n") if each.startswith("    if:"))) + 1
    assert found.primary.span.start.line == line
    assert found.primary.span.start.column == 9


def test_a_condition_in_flow_style(tmp_path: Path) -> None:
    text = "actions: [{id: a, if: true, set: {v: 1}}, {id: b, if: 'no', set: {v: 1}}]\n"
    assert [item[1] for item in said(tmp_path, "constant-condition", {W: text})] == ["true", "'no'"]


@pytest.mark.parametrize(
    "condition",
    [
        "{{ inputs.on }}",
        "  {{ inputs.on }}  ",
        "{{ inputs.on or inputs.days }}",
        "{{ inputs.on == true }}",
        "{{ inputs.text == 'a' or inputs.text == 'b' }}",
        "{{ not (inputs.on and inputs.days) }}",
        "{{ inputs.text or false }}",
        "{% if inputs.on %}1{% endif %}",
        "{{ environment == 'production' }}",
        "{{ vars.x | default(false) }}",
        "{{ inputs.on",
        "{{ 1 / 0 }}",
    ],
)
def test_conditions_that_depend_on_something(condition: str, tmp_path: Path) -> None:
    text = HEAD + f'  - id: b\n    if: "{condition}"\n    set: {{v: 1}}\n'
    assert said(tmp_path, "constant-condition", {W: text}) == []


def test_expectations_and_connections(tmp_path: Path) -> None:
    files = {
        W: "actions:\n  - {id: a, request: {url: 'https://a.example.com'}, expect: {that: ['response.body.ok', '{{ response.body.ok }}']}}\n",
        "connections.d/c.yaml": "type: none\nbase_url: https://a.example.com\nfail_when: not response.body.ok\n"
        "test: {path: /, expect: {that: ['{{ response.status }} == 200']}}\n",
    }
    assert [item[1] for item in said(tmp_path, "constant-condition", files)] == [
        "not response.body.ok",
        "'{{ response.status }} == 200'",
        "'response.body.ok'",
    ]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("template", "marked", "message"),
    [
        (
            "{{ 1 + (inputs.days + 'd') }}",
            "inputs.days + 'd'",
            "'+' does not work on a whole number and text",
        ),
        ("{{ inputs['text'] >= -1.5 }}", "inputs['text'] >= -1.5", "'>=' does not work on text and a number"),
        (
            "{{ inputs.rate | length }}",
            "inputs.rate",
            "'inputs.rate' is a number: it does not fit the filter 'length'",
        ),
        ("{{ inputs.on.value }}", "inputs.on.value", "the input 'on' is true or false: it has no 'value'"),
    ],
)
def test_type_mismatches_in_every_style(
    style: str, template: str, marked: str, message: str, tmp_path: Path
) -> None:
    found = only_place(tmp_path, "type-mismatch", W, HEAD + action(style, template), quoted(style, marked))
    assert (found.message, found.severity) == (message, Severity.ERROR)


FAILING = [
    "inputs.text + 1", "inputs.text - 1", "inputs.text / inputs.days", "inputs.days + inputs.text", "1 < inputs.text",
    "inputs.many + 1", "inputs.map * 2", "inputs.on < 'a'", "inputs.days | first", "inputs.on | list",
    "inputs.text | abs", "inputs.text | items", "inputs.days[0]", "inputs.text.size", "inputs.rate ** 'a'",
    "inputs.many < 3", "inputs.days < null",
]  # fmt: skip
NEVER = [
    "inputs.days == '1'", "'true' == inputs.on", "inputs.days != 'a'", "inputs.text == 1", "inputs.text == 'c'",
    "inputs.text == none", "inputs.many == 1", "inputs.rate == inputs.text", "inputs.text != 'B'",
]  # fmt: skip
FINE = [
    "inputs.days + 1", "inputs.days + 1.5", "inputs.text + 'x'", "inputs.text ~ inputs.days", "inputs.text * 2",
    "inputs.days == true", "inputs.on == 1", "inputs.days < inputs.rate", "inputs.days | string == '1'",
    "inputs.text | int < 3", "inputs.text | length", "inputs.many | length", "inputs.map | items | list",
    "inputs.any + 'x'", "inputs.any == none", "inputs.pin == '1234'", "inputs.pin | length", "inputs.text.upper()",
    "inputs.text[0]", "inputs.map.key", "inputs.many[0]", "inputs.text == 'a'", "inputs.days == 1.0",
    "inputs.many + [1]", "inputs.text in ['c']", "inputs.days | default(1) + 1", "inputs.text % 3", "-inputs.days < 3",
    "inputs.days | round", "inputs.days | upper", "inputs.text < 'b'", "inputs.many == []",
]  # fmt: skip


def mismatch(root: Path, expression: str) -> list[str]:
    text = HEAD + f'  - id: b\n    sensitive: true\n    set: {{v: "{{{{ {expression} }}}}"}}\n'
    return [item.severity.value for item in of_rule(root, "type-mismatch", {W: text})]


@pytest.mark.parametrize("expression", FAILING)
def test_what_fails_in_every_run(expression: str, tmp_path: Path) -> None:
    assert mismatch(tmp_path, expression) == ["error"]


@pytest.mark.parametrize("expression", NEVER)
def test_what_is_never_equal(expression: str, tmp_path: Path) -> None:
    assert mismatch(tmp_path, expression) == ["warning"]


@pytest.mark.parametrize("expression", FINE)
def test_what_fits(expression: str, tmp_path: Path) -> None:
    assert mismatch(tmp_path, expression) == []


@pytest.mark.parametrize("expression", [*FAILING, *NEVER])
def test_the_rule_is_right_about_what_a_run_would_do(expression: str, tmp_path: Path) -> None:
    """Render with values of the declared types: errors fail, warnings give what they say."""
    from runner.errors import FailureError
    from runner.project import load
    from tests.rules.projects import write

    text = HEAD + f'  - id: b\n    set: {{v: "{{{{ {expression} }}}}"}}\n'
    (found,) = of_rule(tmp_path, "type-mismatch", {W: text})
    template = load(write(tmp_path, {W: text})).workflows["w"].actions[0].config["v"]
    for one in ("a", "b"):
        values = {"text": one, "days": 3, "rate": 2.5, "on": True, "many": [1], "map": {"k": 1}}
        if found.severity is Severity.ERROR:
            with pytest.raises(FailureError):
                template.render({"inputs": values})
        else:
            assert template.render({"inputs": values}) is ("always true" in found.message)


def test_going_through_a_number(tmp_path: Path) -> None:
    text = HEAD + '  - id: b\n    set: {v: "{% for x in inputs.days %}{{ x }}{% endfor %}"}\n'
    assert said(tmp_path, "type-mismatch", {W: text}) == [
        ("'inputs.days' is a whole number: it cannot be gone through", "inputs.days")
    ]


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "count": {"type": "integer"},
        "open": {"type": "object"},
        "items": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": {}}, "additionalProperties": False},
        },
        "either": {"anyOf": [{"type": "object", "additionalProperties": False}, {"type": "object"}]},
    },
    "patternProperties": {"^x-": {}},
}


def read(schema: object = SCHEMA, *more: str) -> str:
    text = "actions:\n  - id: read\n    request: {url: 'https://a.example.com'}\n"
    return text + f"    expect: {{schema: {json.dumps(schema)}}}\n" + "".join(more)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ("{{ actions.read.output.total }}", "actions.read.output.total"),
        ("{{ actions.read.output['items'][0].name.first }}", "actions.read.output['items'][0].name"),
    ],
)
def test_properties_that_are_ruled_out_in_every_style(
    style: str, template: str, marked: str, tmp_path: Path
) -> None:
    found = only_place(
        tmp_path, "unknown-property", W, read() + action(style, template), quoted(style, marked)
    )
    assert found.message.startswith("`expect.schema` of 'read' rules out '")


def test_output_and_expectations_of_the_action_itself(tmp_path: Path) -> None:
    text = read(SCHEMA).replace("expect: {", "expect: {that: ['{{ response.body.totl }}'], ")
    text += "    output: '{{ response.body.cuont }}'\noutputs: {o: '{{ actions.read.output.anything }}'}\n"
    assert said(tmp_path, "unknown-property", {W: text}) == [
        ("`expect.schema` of 'read' rules out 'totl' in 'response.body'", "response.body.totl"),
        ("`expect.schema` of 'read' rules out 'cuont' in 'response.body'", "response.body.cuont"),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "count",
        "x-y",
        "open.anything",
        "either.foo",
        "items.0",
        "items[0].id",
        "items[0].id.x",
        "keys()",
        "count.x",
    ],
)
def test_properties_that_may_be_there(path: str, tmp_path: Path) -> None:
    path = path.replace("x-y", "['x-y']")
    template = f"{{{{ actions.read.output.{path} }}}}".replace(".[", "[")
    assert said(tmp_path, "unknown-property", {W: read() + f'outputs: {{o: "{template}"}}\n'}) == []


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"properties": {"a": {}}},
        {"properties": {"a": {}}, "additionalProperties": False},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": {}},
        {"type": "object", "$ref": "#/$defs/x", "$defs": {"x": {}}, "additionalProperties": False},
        {"type": "object", "allOf": [{}], "additionalProperties": False},
    ],
)
def test_schemas_that_rule_nothing_out(schema: object, tmp_path: Path) -> None:
    assert (
        said(tmp_path, "unknown-property", {W: read(schema, "outputs: {o: '{{ actions.read.output.b }}'}\n")})
        == []
    )


def test_default_guards_a_property(tmp_path: Path) -> None:
    text = read(SCHEMA, "outputs: {o: '{{ actions.read.output.b | default(1) }}'}\n")
    assert said(tmp_path, "unknown-property", {W: text}) == []


def test_every_style_is_there() -> None:
    assert set(SCALARS) >= {"plain", "single quoted", "double quoted", "literal block", "folded block"}
