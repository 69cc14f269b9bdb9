"""Values keep their types, text is text; plain names give what Jinja gives."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import FailureError
from runner.template import Mode, Template
from tests.template.maker import CONTEXT, made


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ inputs.n }}", 3),
        ("{{inputs.n}}", 3),
        ("{{- inputs.n -}}", 3),
        ("{{ inputs.n }}\n", 3),
        ("{{ inputs.f }}", 1.5),
        ("{{ inputs.t }}", True),
        ("{{ inputs.none }}", None),
        ("{{ inputs.list }}", [1, "two", None]),
        ("{{ inputs.map }}", {"items": 7, "x-y": 1, "0": "zero"}),
        ("{{ inputs.map.items }}", 7),
        ("{{ inputs.map['x-y'] }}", 1),
        ("{{ inputs.items }}", [5]),
        ("{{ inputs.list[1] }}", "two"),
        ("{{ inputs.list.1 }}", "two"),
        ("{{ inputs.list | length > 1 }}", True),
        ("{{ inputs.seven }}", "007"),
        ("{{ inputs.braces }}", "{{ inputs.n }}"),
        ("{{ inputs.lines }}", "a\nb\n"),
        ("{{ null }}", None),
        ("{{ none }}", None),
        ("{{ true }}", True),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ inputs.map.items() | list }}", None),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ {1: 2} }}", {"1": 2}),
        ("{{ actions.ran.output.rows | map(attribute='id') }}", [1, 2]),
        ("{{ run.started_at | to_datetime | shift('-1d') }}", "2026-01-01T03:04:05Z"),
        ("n={{ inputs.n }}", "n=3"),
        (" {{ inputs.n }}", " 3"),
        ("{{ inputs.n }}{{ inputs.n }}", "33"),
        ("{{ inputs.n }} ", "3 "),
        ("x{{ inputs.none }}y", "xy"),
        ("x{{ inputs.t }}{{ inputs.no }}", "xtruefalse"),
        ("x{{ inputs.f }}", "x1.5"),
        ("{{ inputs.list | join(', ') }}", "1, two, "),
        ("{{ [true, none, [1]] | join('-') }}", "true--[1]"),
        ("{{ actions.ran.output.rows | join(',', attribute='id') }}", "1,2"),
        ("{{ '-'.join(['a', 'b']) }}", "a-b"),
        ("{{ '-'.join(['a', 'b'] | map('upper')) }}", "A-B"),
        ("{{ inputs.map | tojson }}", '{"items":7,"x-y":1,"0":"zero"}'),
        ("{{ inputs.html | tojson }}", '"<b> & \\"q\\" \'p\'"'),
        ("x{{ inputs.list }}", 'x[1,"two",null]'),
        ("x{{ inputs.map }}", 'x{"items":7,"x-y":1,"0":"zero"}'),
        ("x{{ inputs.html }}", "x<b> & \"q\" 'p'"),
        ("{{ inputs.s ~ inputs.n ~ true ~ none }}", "a/b3true"),
        ("{% for i in inputs.list %}{{ i }},{% endfor %}", "1,two,,"),
        ("{% if inputs.t %}yes{% endif %}", "yes"),
        ("{% set a = 1 %}{{ a }}", "1"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{# note #}a", "a"),
        ("a }} b", "a }} b"),
        ("a { b } c", "a { b } c"),
        ("{{ '{{' }}", "{{"),
        ("plain", "plain"),
        ("007", "007"),
    ],
)
def test_values_and_types(text: str, value: Any) -> None:
    if "items() " in text:
        with pytest.raises(FailureError):  # `items` is data here, and data is not called
            made(text).render(CONTEXT)
        return
    found = made(text).render(CONTEXT)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["{{ inputs.n }}", "{{ inputs.n + 0 }}", "{{ inputs.list[0] + 2 }}"])
def test_text_mode_gives_text(text: str) -> None:
    assert made(text, Mode.TEXT).render(CONTEXT) == "3"


NAMES = st.sampled_from(
    ["inputs", "run", "n", "s", "t", "none", "list", "map", "items", "keys", "get", "x", "_p", "0", "missing"]
)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text("a/é{ }%\n", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)


@given(
    context=st.dictionaries(st.sampled_from(["inputs", "run"]), st.dictionaries(NAMES, VALUES, max_size=5)),
    path=st.lists(NAMES.filter(lambda name: name.isidentifier()), min_size=1, max_size=4),
    around=st.tuples(st.sampled_from(["", "a", "/a/", "é "]), st.sampled_from(["", "b", "\n", "/b"])),
    mode=st.sampled_from(list(Mode)),
)
@settings(max_examples=1500, deadline=None)
def test_plain_names_render_as_jinja_renders_them(
    context: dict[str, Any], path: list[str], around: tuple[str, str], mode: Mode
) -> None:
    text = f"{around[0]}{{{{ {'.'.join(path)} }}}}{around[1]}"
    slow = made(text, mode)
    slow._parts = None

    def outcome(template: Template) -> tuple[str, Any, Any]:
        try:
            value = template.render(context)
        except FailureError as problem:
            return ("failure", problem.failure.message, problem.failure.span)
        return ("value", type(value), value)

    assert outcome(made(text, mode)) == outcome(slow)
    names = [(ref.root, ref.path, ref.start, ref.end) for ref in made(text, mode).references]
    assert names == [(ref.root, ref.path, ref.start, ref.end) for ref in slow.references]
