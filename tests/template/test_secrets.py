"""Two faces: the shown one has placeholders for secrets; messages show no value."""

import traceback
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import FailureError
from runner.template import Mode, render, render_both, render_shown, templates
from tests.template.maker import CANARY, CONTEXT, hide, made


@pytest.mark.parametrize(
    "text",
    [
        "{{ inputs.secret + 1 }}",
        "{{ inputs.secret | int / 0 }}",
        "{{ inputs.secret.missing }}",
        "{{ inputs.secret[99] }}",
        "{{ inputs.map[inputs.secret] }}",
        "{{ inputs[inputs.secret] }}",
        "{{ inputs.secret | from_json }}",
        "{{ inputs.secret | to_datetime }}",
        "{{ inputs.secret | b64decode }}",
        "{{ inputs.secret | jmespath(inputs.secret) }}",
        "{{ 'a' | regex_search(inputs.secret ~ '(') }}",
        "{{ 'a' | jmespath(inputs.secret ~ '[') }}",
        "{{ run.started_at | shift(inputs.secret) }}",
        "{{ run.started_at | format_datetime('%Y', inputs.secret) }}",
        "{{ inputs.secret() }}",
        "{{ inputs.secret | format(1, 2) }}",
        "{{ inputs.secret % 1 }}",
        "{{ {inputs.secret: 1}[1] }}",
        "{{ dict(a=1)[inputs.secret] }}",
        "{{ inputs.secret | hmac_sha256('x', inputs.secret) }}",
        "{{ [1, inputs.secret] | sum }}",
        "{{ [1, inputs.secret] | sort }}",
        "{{ inputs.secret | round }}",
        "{{ inputs.secret | dictsort }}",
        "{{ inputs | attr(inputs.secret) }}",
        "{{ [inputs] | map(inputs.secret) | list }}",
        "{{ [inputs] | map(attribute=inputs.secret) | list }}",
        "{{ [inputs] | selectattr('n', inputs.secret) | list }}",
        "{{ inputs.secret.format_map(1) }}",
        "{{ '{x}'.format(inputs.secret) }}",
        "{{ inputs.secret.index('zz') }}",
        "{{ inputs.list.index(inputs.secret) }}",
        "{{ inputs.secret.encode('idna') }}",
        "{{ inputs.secret.encode(inputs.secret) }}",
    ],
)
def test_no_message_shows_a_value(text: str) -> None:
    context = {**CONTEXT, "inputs": {**CONTEXT["inputs"], "secret": CANARY}}
    try:
        made(text).render(context)
    except FailureError as problem:
        shown = f"{problem.failure} {problem!r} {''.join(traceback.format_exception(problem))}"
    else:
        return
    assert CANARY not in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{ secrets.t }}", "‹secret x›"),
        ("Bearer {{ secrets.t }} {{ inputs.n }}", "Bearer ‹secret x› 3"),
        ("Bearer {{ secrets.t }}{{ inputs.none }}{{ inputs.t }}", "Bearer ‹secret x›true"),
        ("{{ secrets.t | b64encode }}-{{ inputs.n + 1 }}", "‹secret x›-4"),
        ("{{ (inputs.s ~ ':' ~ secrets.t) | b64encode }}", "‹secret x›"),
        ("{{ secrets['t'] }}{{ inputs.n }}", "‹secret x›3"),
        ("{% if secrets.t %}x{% endif %}{{ inputs.n }}", "‹secret x›"),
        ("{% set z = secrets.t %}{{ z }}", "‹secret x›"),
        ("{% for c in secrets.t %}{{ c }}.{% endfor %}", "‹secret x›"),
        ("{{ inputs.n }}", 3),
        ("{{ {'a': secrets.t} }}", "‹secret x›"),
    ],
)
@pytest.mark.parametrize("mode", [Mode.VALUE, Mode.TEXT])
def test_the_shown_face_has_placeholders(text: str, shown: Any, mode: Mode) -> None:
    context = {**CONTEXT, "secrets": {"t": CANARY}}
    template = made(text, mode)
    assert template.uses(hide) == ("secrets" in text)
    found = template.render_shown(context, hide)
    assert found == (str(shown) if mode is Mode.TEXT else shown)
    assert CANARY not in str(found)
    # What is hidden is not evaluated: it need not even be there.
    assert template.render_shown(CONTEXT, hide) == found


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "{{ secrets.t }}",
                "{{ inputs.n }}",
                "{{ secrets.t | upper }}",
                "{% if inputs.t %}",
                "{% endif %}",
                "{{ secrets.t ~ inputs.s }}",
                "{% set q = secrets.t %}{{ q }}",
                "{{ q | default('') }}",
                "{% for c in [secrets] %}{{ c.t }}{% endfor %}",
                "{{ secrets }}",
                "{{ secrets[inputs.k] }}",
                "{% macro m(x) %}{{ x }}{{ secrets.t }}{% endmacro %}{{ m(1) }}",
                "{% filter upper %}{{ secrets.t }}{% endfilter %}",
                "{% with w = secrets.t %}{{ w }}{% endwith %}",
            ]
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=300, deadline=None)
def test_no_arrangement_shows_a_secret(pieces: list[str]) -> None:
    template = made("".join(pieces))
    context = {**CONTEXT, "inputs": {**CONTEXT["inputs"], "k": "t"}, "secrets": {"t": CANARY}}
    try:
        found = str(template.render_shown(context, hide))
    except FailureError as problem:
        found = str(problem.failure)
    assert CANARY not in found
    assert CANARY.upper() not in found


def test_trees() -> None:
    tree: Any = {"a": [made("{{ inputs.n }}"), 1, None], "b": {"c": made("{{ secrets.t }}")}, "d": True}
    context = {**CONTEXT, "secrets": {"t": CANARY}}
    assert render(tree, context) == {"a": [3, 1, None], "b": {"c": CANARY}, "d": True}
    assert render_shown(tree, context, hide) == {"a": [3, 1, None], "b": {"c": "‹secret x›"}, "d": True}
    both = render_both(tree, context, hide)
    assert CANARY not in f"{both} {both!r} {both:>3}"
    assert both.wire["b"]["c"] == CANARY
    assert [template.text for template in templates(tree)] == ["{{ inputs.n }}", "{{ secrets.t }}"]
    same = render_both({"a": made("{{ inputs.n }}")}, context, hide)
    assert same.wire is same.shown
