"""What is undefined is named, with its place, and takes a default."""

from typing import Any

import pytest

from runner.errors import FailureError, FailureKind
from runner.template import Mode
from tests.template.maker import CONTEXT, made


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("a {{ inputs.missing }}", "'inputs' has no 'missing'", None),
        ("{{ inputs.nn }}", "'inputs' has no 'nn'", None),
        ("{{ inputs.map.item }}", "'inputs.map' has no 'item'", "did you mean 'items'?"),
        ("{{ run.items }}", "'run' has no 'items'", None),  # a key that lacks, and no method
        ("{{ actions.ran.output.rows[0].items | length }}", "'actions.ran.output.rows.0' has no 'items'", None),
        ("{% for key in inputs.map.values %}x{% endfor %}", "'inputs.map' has no 'values'", None),
        ("{{ nope }}", "there is no 'nope' here", None),
        ("{{ inputs.list[7] }}", "'inputs.list' has 3 items, no item 7", None),
        ("{{ inputs.none.x }}", "'inputs.none' is null: it has no 'x'", None),
        ("{{ inputs.n.x }}", "'inputs.n' is a number: it has no 'x'", None),
        ("{{ actions.skipped.output }}", "action 'skipped' was skipped: it has no 'output'", "write {{ actions.skipped.output | default(null) }} where that may happen"),
        ("{{ actions.skipped.output.a.b | upper }}", "action 'skipped' was skipped: it has no 'output'", None),
        ("{{ actions.broken.output }}", "action 'broken' failed: it has no 'output'", None),
        ("{{ [inputs.missing] }}", "'inputs' has no 'missing'", None),
        ("{% if inputs.missing %}x{% endif %}", "'inputs' has no 'missing'", None),
        ("{% for a in inputs.missing %}x{% endfor %}", "'inputs' has no 'missing'", None),
        ("{{ inputs.missing ~ 'x' }}", "'inputs' has no 'missing'", None),
        ("{{ inputs.missing == 1 }}", "'inputs' has no 'missing'", None),
        ("{{ not inputs.missing }}", "'inputs' has no 'missing'", None),
        ("{{ inputs.missing | to_json }}", "'inputs' has no 'missing'", None),
        ("{{ inputs.missing | length }}", "'inputs' has no 'missing'", None),
        ("{{ inputs.missing | b64encode }}", "'inputs' has no 'missing'", None),
    ],
)  # fmt: skip
def test_what_is_undefined_is_named(text: str, message: str, remedy: str | None) -> None:
    for mode in Mode:
        with pytest.raises(FailureError) as caught:
            made(text, mode).render(CONTEXT)
        failure = caught.value.failure
        assert (failure.kind, failure.message) == (FailureKind.RENDER, message)
        assert failure.help
        assert remedy is None or failure.help == remedy
        assert failure.span is not None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ inputs.missing | default(1) }}", 1),
        ("{{ inputs.missing | default }}", None),
        ("{{ inputs.missing.more.and_more | default('x') }}", "x"),
        ("{{ inputs.missing[0]['a'] | default('x') }}", "x"),
        ("{{ actions.skipped.output | default(null) }}", None),
        ("{{ actions.skipped.output.a | d('x') }}", "x"),
        ("{{ actions.ran.output.a | default('x') }}", None),
        ("{{ inputs.empty | default('x', true) }}", "x"),
        ("{{ inputs.missing is defined }}", False),
        ("{{ inputs.n is defined and inputs.n > 2 }}", True),
        ("{{ 1 if inputs.t else inputs.missing }}", 1),
        ("{{ actions.ran.output.items | default([]) }}", []),
        ("{{ actions.ran.output.rows[1].get is defined }}", False),
        ("{{ actions.ran.output.rows | map(attribute='items', default=0) | list }}", [0, 0]),
        ("{{ actions.ran.output.rows[1].get('id', 0) + actions.ran.output.rows[1].keys() | length }}", 3),
        (
            "{% for key, value in actions.ran.output.rows[1].items() %}{{ key }}={{ value }}{% endfor %}",
            "id=2",
        ),
    ],
)
def test_default_and_tests_of_definition(text: str, value: Any) -> None:
    assert made(text).render(CONTEXT) == value


def test_a_failure_stands_in_the_file() -> None:
    template = made('é "q" {{ inputs.missing }} x')
    with pytest.raises(FailureError) as caught:
        template.render(CONTEXT)
    span = caught.value.failure.span
    assert span is not None
    line = template.document.text
    assert line[span.start.column - 1 : span.end.column - 1] == "inputs.missing"
