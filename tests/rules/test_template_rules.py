"""`template-syntax` and `unknown-filter`: what is said, and where, in every style."""

from pathlib import Path

import pytest

from tests.rules.projects import brief
from tests.rules.projects import spine as findings
from tests.rules.styles import STYLES, action

FAULTS = [
    ("{{ inputs.a | uper }}", "unknown-filter", "no filter 'uper'", "uper", "did you mean 'upper'?"),
    ("{{ inputs.a is defned }}", "unknown-filter", "no test 'defned'", "defned", "did you mean 'defined'?"),
    ("{{ inputs.uper | uper }}", "unknown-filter", "no filter 'uper'", "uper", "did you mean 'upper'?"),
    (
        "{{ inputs.a.__class__ }}",
        "template-syntax",
        "'__class__' is not available: no attribute that starts with '__'",
        "__class__",
        None,
    ),
    (
        "{% include 'x' %}",
        "template-syntax",
        "'include' is not available: a template reads no other file",
        None,
        None,
    ),
]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("template", "rule", "message", "marked", "remedy"), FAULTS)
def test_faults_in_every_style(
    style: str, template: str, rule: str, message: str, marked: str | None, remedy: str | None, tmp_path: Path
) -> None:
    text = "inputs: {a: {type: string}, uper: {type: string}}\nactions:\n" + action(style, template)
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [(item.rule, item.message, item.help) for item in found] == [(rule, message, remedy)]
    if marked:
        before = text[: text.rindex(marked)]
        start = found[0].primary.span.start
        assert (start.line, start.column) == (before.count("\n") + 1, len(before) - before.rfind("\n"))
        assert brief(tmp_path, found)[0][2] == marked


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    "template",
    [
        "{{ inputs.a",
        "{{ inputs.a }",
        "{{ }}",
        "{{ 1 + }}",
        "{% if %}",
        "{% if inputs.a %}",
        "{{ inputs.a | }}",
        "{# open",
    ],
)
def test_syntax_errors_stand_in_the_template(style: str, template: str, tmp_path: Path) -> None:
    text = "inputs: {a: {type: string}}\nactions:\n" + action(style, template)
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [item.rule for item in found] == ["template-syntax"]
    span = found[0].primary.span
    lines = text.split("\n")
    first = next(number for number, line in enumerate(lines, 1) if line.lstrip().startswith("text:"))
    assert first <= span.start.line <= len(lines)
    assert span.start < span.end
    assert "\n" not in found[0].message
    assert found[0].message.islower() or "'" in found[0].message


def test_several_faults_of_one_template_are_all_reported(tmp_path: Path) -> None:
    text = "actions:\n" + action("plain", "{{ 1 | a1 | b2 }} {{ 2 | c3 }}")
    found = findings(tmp_path, {"workflows.d/w.yaml": text})
    assert [line[2] for line in brief(tmp_path, found)] == ["a1", "b2", "c3"]


def test_connections_are_checked(tmp_path: Path) -> None:
    text = (
        "type: none\nbase_url: https://{{ environment | nope }}.example.com\nfail_when: '{{ response.body'\n"
    )
    found = findings(tmp_path, {"connections.d/c.yaml": text})
    assert [item.rule for item in found] == ["unknown-filter", "template-syntax"]
