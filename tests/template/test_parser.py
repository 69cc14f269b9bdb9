"""The short way to read a template gives the tree that Jinja gives, or leaves it to Jinja."""

import contextlib
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jinja2 import TemplateSyntaxError, nodes

from runner import template_engine as engine
from runner import template_parser

ENVIRONMENT = engine.Environment(engine.text_of)

COMMON = [
    "{{ a }}",
    "{{a}}{{b}}",
    "text {{ a.b.c }} more\n{{ a['b'][0] }}\n",
    "{{ actions.search.output | length > 0 }}",
    "{{ actions.search.output | map(attribute='id') | list }}",
    "{{ a | default('x', true) | first }}",
    "{{ a if b else c }}",
    "{{ a if b }}",
    "{{ a or b and not c or not not d }}",
    "{{ a == 1 and b != 2.5 or c not in ['x', 'y',] and d in e }}",
    "{{ a < b <= c > d >= e }}",
    "{{ a is defined and a is not none }}",
    "{{ (a is not defined) or b }}",
    "{{ -a | abs + 3 - -2 * b / c // d % e }}",
    "{{ 'it' ~ a ~ \"so\" }}",
    "{{ a.b(1, c=2, d='}}').e | f(g=h) }}",
    "{{ (a + b) * c }}",
    "{{ [] }}",
    "{{ [[1], [2, 3]] }}",
    "{{ f() | g() }}",
    "{{ a | f (1) }}",
    "{{ 'é' }} ü {{ a }}",
    "{{ true }}{{ False }}{{ none }}{{ None }}",
    "}} {{ a }} %} #}",
    "{{ 0 }}{{ 10.25 }}",
]
OTHER = [
    "{% if a %}b{% endif %}",
    "{# a #}{{ b }}",
    "{{- a -}}",
    "{{+ a }}",
    "{{ a }",
    "{{ }}",
    "{{ a b }}",
    "{{ a | }}",
    "{{ a.0 }}",
    "{{ a['b':] }}",
    "{{ {'a': 1} }}",
    "{{ a, b }}",
    "{{ (a, b) }}",
    "{{ () }}",
    "{{ 'a' 'b' }}",
    "{{ 'a\\n' }}",
    "{{ 2 ** 3 }}",
    "{{ 0x1f }}",
    "{{ 012 }}",
    "{{ 1_000 }}",
    "{{ 1e3 }}",
    "{{ if }}",
    "{{ a.in }}",
    "{{ a is divisibleby 3 }}",
    "{{ a is in b }}",
    "{{ f(*a) }}",
    "{{ f(a=1, b) }}",
    "{{ a | f.g }}",
    "{{ größe }}",
    "{{ a not b }}",
    "{{ f(a]) }}",
    "{{ f(a }}",
    "{{ a }}\r\n",
    "{{ --a }}",
    "{{ " + "(" * 200 + "a" + ")" * 200 + " }}",
    "{{ a",
    "{{ 'a }}",
]


def shape(node: Any) -> Any:
    """Everything of a tree that reading it decides, offsets included."""
    if isinstance(node, nodes.Node):
        return (type(node).__name__, node.lineno, [shape(getattr(node, name)) for name in node.fields])
    if isinstance(node, list | tuple):
        return [shape(item) for item in node]
    return (type(node).__name__, node)


def by_jinja(text: str) -> Any:
    return shape(ENVIRONMENT._parse(text, None, None))


@pytest.mark.parametrize("text", COMMON)
def test_the_common_shape_is_read_as_jinja_reads_it(text: str) -> None:
    tree = template_parser.read(text)
    assert tree is not None
    assert shape(tree) == by_jinja(text)


@pytest.mark.parametrize("text", OTHER)
def test_everything_else_is_left_to_jinja(text: str) -> None:
    assert template_parser.read(text) is None


WORDS = [
    "a",
    "b",
    "inputs",
    "actions",
    ".",
    ".b",
    "[",
    "]",
    "(",
    ")",
    "'x'",
    '"y"',
    "0",
    "1",
    "2.5",
    "|",
    "|length",
]
WORDS += [
    "|default(",
    "=",
    "==",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    "/",
    "//",
    "%",
    "~",
    ",",
    "and",
    "or",
    "not",
    "in",
]
WORDS += [
    "is",
    "is not",
    "defined",
    "none",
    "true",
    "if",
    "else",
    "{{",
    "}}",
    "{{ a",
    "}} {{",
    "\n",
    "text",
    "é",
    "**",
]


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from(["", " "]), st.booleans())
@example(["a", "is", "not", "none", "or", "b"], " ", True)
def test_whatever_is_read_is_what_jinja_reads(words: list[str], between: str, enclosed: bool) -> None:
    text = between.join(words)
    _compare(f"{{{{ {text} }}}}" if enclosed else text)


@settings(max_examples=500, deadline=None)
@given(st.text(st.characters(codec="utf-8") | st.sampled_from("{}|.[]()'\"ab01 \n"), max_size=30))
def test_any_text_is_read_as_jinja_reads_it(text: str) -> None:
    _compare(f"{{{{ {text} }}}}")


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "a.b", "a['b']", "1", "2.5", "'x'", "true", "none", "[]"]),
    lambda inner: st.one_of(
        st.tuples(
            inner,
            st.sampled_from([" + ", " - ", "*", " // ", " ~ ", " == ", " in ", " not in ", " and ", " or "]),
            inner,
        ),
        st.tuples(st.sampled_from(["not ", "-", "("]), inner).map(
            lambda pair: (*pair, ")") if pair[0] == "(" else pair
        ),
        st.tuples(
            inner,
            st.sampled_from(
                [" | length", "|default('x')", " is defined", " is not none", ".c", "[0]", "(a, b=1)"]
            ),
        ),
        st.tuples(inner, st.just(" if "), inner, st.just(" else "), inner),
        st.tuples(st.just("["), inner, st.just(", "), inner, st.just("]")),
        st.tuples(st.just("f("), inner, st.just(", key="), inner, st.just(")")),
    ).map("".join),
    max_leaves=8,
)


@settings(max_examples=1000, deadline=None)
@given(EXPRESSIONS)
def test_expressions_are_read_as_jinja_reads_them(text: str) -> None:
    _compare(f"x {{{{ {text} }}}}\n")


def _compare(text: str) -> None:
    tree = template_parser.read(text)
    if tree is not None:
        assert shape(tree) == by_jinja(text)
    else:
        with contextlib.suppress(TemplateSyntaxError, engine.TemplateFault):
            by_jinja(text)
