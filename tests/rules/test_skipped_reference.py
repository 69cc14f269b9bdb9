"""Outputs that may not exist: where they are found, and everything that makes their use right."""

from pathlib import Path

import pytest

from tests.rules.exact import only_place, quoted, said
from tests.rules.styles import STYLES, action

RULE = "skipped-reference"
W = "workflows.d/w.yaml"
IF = "{{ inputs.on }}"
HEAD = "inputs: {on: {type: boolean, default: false}, n: {type: integer, default: 1}}\nactions:\n"
READ = HEAD + '  - id: read\n    if: "{{ inputs.on }}"\n    set: {x: 1}\n'


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("template", "marked"),
    [
        ("{{ actions.read.output.x }}", "actions.read.output"),
        ("{{ 1 + actions['read'].output['x'] }}", "actions['read'].output"),
        ("{% if actions.read.output %}1{% endif %}", "actions.read.output"),
        ("{{ actions.read.response.status }}", "actions.read.response"),
    ],
)
def test_the_output_is_underlined_in_every_style(
    style: str, template: str, marked: str, tmp_path: Path
) -> None:
    found = only_place(tmp_path, RULE, W, READ + action(style, template), quoted(style, marked))
    assert found.message.startswith("'read' may be skipped: then it has no ")
    assert found.related[0].span.start.line == 4


def used(root: Path, template: str, *, condition: str = "", read_if: str = IF, more: str = "") -> list[str]:
    text = HEAD + f'  - id: read\n    if: "{read_if}"\n    set: {{x: 1}}\n{more}  - id: shown\n'
    text += f'    if: "{condition}"\n' if condition else ""
    text += f'    set: {{v: "{template}"}}\n'
    return [message for message, _ in said(root, RULE, {W: text})]


SKIPPED = "'read' may be skipped: then it has no output"


@pytest.mark.parametrize(
    "template",
    [
        "{{ actions.read.output.x | default(1) }}",
        "{{ actions.read.output | d('') }}",
        "{{ actions.read.output is defined }}",
        "{{ actions.read.output is defined and actions.read.output.x > 1 }}",
        "{{ actions.read.output.x if actions.read.status == 'succeeded' else 0 }}",
        "{{ 0 if actions.read.status == 'skipped' else actions.read.output.x }}",
        "{% if actions.read.status == 'succeeded' %}{{ actions.read.output.x }}{% endif %}",
        "{% if actions.read.status == 'skipped' %}-{% else %}{{ actions.read.output.x }}{% endif %}",
        "{{ actions.read.status == 'skipped' or actions.read.output.x > 1 }}",
        "{{ actions.read.output.x if inputs.on else 0 }}",
        "{% if inputs.on and inputs.n %}{{ actions.read.output.x }}{% endif %}",
        "{{ actions.read.status }}",
        "{{ actions.read | to_json }}",
    ],
)
def test_what_makes_it_right_in_the_template(template: str, tmp_path: Path) -> None:
    assert used(tmp_path, template) == []


@pytest.mark.parametrize(
    "template",
    [
        "{{ actions.read.output.x if inputs.n else 0 }}",
        "{{ actions.read.output.x or actions.read.status }}",
        "{{ 0 if inputs.on else actions.read.output.x }}",
        "{{ actions.read.output.x | int }}",
        "{{ inputs.on and 1 or actions.read.output.x }}",
    ],
)
def test_what_does_not(template: str, tmp_path: Path) -> None:
    assert used(tmp_path, template) == [SKIPPED]


@pytest.mark.parametrize(
    "condition",
    [
        "{{ inputs.on }}",
        "{{inputs.on}}",
        "{{ inputs.on and inputs.n > 2 }}",
        "{{ inputs['on'] }}",
        "{{ actions.read.status == 'succeeded' }}",
        "{{ inputs.n > 2 and actions.read.status == 'succeeded' }}",
        "{{ actions.read.output is defined }}",
    ],
)
def test_the_action_s_own_condition(condition: str, tmp_path: Path) -> None:
    assert used(tmp_path, "{{ actions.read.output.x }}", condition=condition) == []


@pytest.mark.parametrize(
    "condition", ["{{ inputs.n > 2 }}", "{{ inputs.on or inputs.n }}", "{{ not inputs.on }}"]
)
def test_another_condition_proves_nothing(condition: str, tmp_path: Path) -> None:
    assert used(tmp_path, "{{ actions.read.output.x }}", condition=condition) == [SKIPPED]


def test_every_part_of_a_condition_must_hold(tmp_path: Path) -> None:
    both = "{{ inputs.on and inputs.n > 2 }}"
    template = "{{ actions.read.output.x }}"
    assert used(tmp_path, template, read_if=both, condition="{{ inputs.n > 2 and inputs.on }}") == []
    assert used(tmp_path, template, read_if=both, condition="{{ inputs.on }}") == [SKIPPED]


def test_a_condition_over_an_action_that_asks_the_same(tmp_path: Path) -> None:
    more = "  - id: next\n    if: \"{{ actions.read.status == 'succeeded' }}\"\n    set: {y: 1}\n"
    condition = "{{ actions.next.status == 'succeeded' }}"
    assert used(tmp_path, "{{ actions.read.output.x }}", condition=condition, more=more) == []


def test_the_condition_itself_is_checked(tmp_path: Path) -> None:
    assert used(tmp_path, "x", condition="{{ actions.read.output.x > 1 }}") == [SKIPPED]


@pytest.mark.parametrize("condition", ["true", '"{{ true }}"', '"{{ 1 == 1 }}"'])
def test_a_condition_that_is_always_true_skips_nothing(condition: str, tmp_path: Path) -> None:
    text = f"actions:\n  - {{id: read, if: {condition}, set: {{x: 1}}}}\n"
    text += "  - {id: b, set: {v: '{{ actions.read.output.x }}'}}\n"
    assert said(tmp_path, RULE, {W: text}) == []


def test_an_action_that_may_fail(tmp_path: Path) -> None:
    text = "actions:\n  - {id: read, request: {url: 'https://a.example.com'}, on_error: continue}\n"
    text += "outputs: {o: '{{ actions.read.output.x }}', p: '{{ actions.read.output.x | default(1) }}'}\n"
    assert said(tmp_path, RULE, {W: text}) == [
        ("'read' may have failed (`on_error: continue`): then it has no output", "actions.read.output")
    ]


@pytest.mark.parametrize("section", ["on_failure", "finally"])
def test_what_was_perhaps_not_reached(section: str, tmp_path: Path) -> None:
    text = "actions:\n  - {id: read, set: {x: 1}}\n" + f"{section}:\n"
    text += "  - {id: a, set: {v: '{{ actions.read.output.x }}'}}\n"
    text += "  - {id: b, if: \"{{ actions.read.status == 'succeeded' }}\", set: {v: '{{ actions.read.output.x }}'}}\n"
    text += "  - {id: c, set: {v: '{{ actions.a.output.v }}'}}\n"
    assert said(tmp_path, RULE, {W: text}) == [
        (f"'read' may not have run when `{section}` does: then it has no output", "actions.read.output")
    ]
