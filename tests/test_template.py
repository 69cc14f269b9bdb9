"""Templates: values and types, paths, what is undefined, bounds, both faces."""

import resource
import time
import traceback
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import FailureError, FailureKind
from runner.reference import Reference
from runner.template import Mode, Template, render, render_both, render_shown, templates
from tests.template_maker import made

CONTEXT: dict[str, Any] = {
    "inputs": {
        "n": 3,
        "zero": 0,
        "f": 1.5,
        "s": "a/b",
        "t": True,
        "no": False,
        "none": None,
        "empty": "",
        "list": [1, "two", None],
        "items": [5],
        "map": {"items": 7, "x-y": 1, "0": "zero"},
        "seven": "007",
        "braces": "{{ inputs.n }}",
        "lines": "a\nb\n",
        "html": "<b> & \"q\" 'p'",
    },
    "actions": {
        "ran": {"status": "succeeded", "output": {"a": None, "rows": [{"id": 1}, {"id": 2}]}},
        "skipped": {"status": "skipped"},
        "broken": {"status": "failed", "error": {"kind": "timeout", "message": "late"}},
    },
    "run": {"id": "r1", "started_at": "2026-01-02T03:04:05Z"},
    "environment": "dev",
}


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


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/a/{{ inputs.s }}", "/a/a%2Fb"),
        ("/a/{{ 'x y' }}", "/a/x%20y"),
        ("/a/{{ 'x y' | upper }}", "/a/X%20Y"),
        ("/a/{{ inputs.n }}/é", "/a/3/é"),
        ("/a/{{ 'é?#&=%+;:@' }}", "/a/%C3%A9%3F%23%26%3D%25%2B%3B%3A%40"),
        ("/a/{{ inputs.s | raw }}", "/a/a/b"),
        ("/a/{{ inputs.t }}", "/a/true"),
        ("/a/{{ inputs.list }}", "/a/%5B1%2C%22two%22%2Cnull%5D"),
        ("/a?q={{ inputs.s }}", "/a?q=a%2Fb"),
        ("/a?q={{ inputs.empty }}&z=1", "/a?q=&z=1"),
        ("/a{{ inputs.empty }}", "/a"),
        ("/a/x{{ inputs.empty }}y", "/a/xy"),
        ("/{{ '...' }}", "/..."),
        ("/{{ '.hidden' }}", "/.hidden"),
        ("/a/{{ '\\\\' }}", "/a/%5C"),
        ("/a/{{ '\\n' }}", "/a/%0A"),
        ("/a/{{ '\\0' }}", "/a/%00"),
        ("/{% if inputs.t %}{{ inputs.s }}{% endif %}", "/a%2Fb"),
        ("/plain/path", "/plain/path"),
        ("/{{ inputs.n }}", "/3"),
    ],
)
def test_what_is_put_into_a_path_stays_in_its_segment(text: str, path: str) -> None:
    assert made(text, Mode.PATH).render(CONTEXT) == path


@pytest.mark.parametrize(
    "text",
    [
        "/a/{{ '..' }}",
        "/a/{{ '.' }}/b",
        "/a/{{ '../x' | raw }}",
        "/a/{{ '..' | raw }}/b",
        "/a/{{ '%2e%2e' | raw }}/b",
        "/a/{{ '.%2E' | raw }}/b",
        "/a/{{ '..%2fb' | raw }}",
        "/a/{{ 'x/../y' | raw }}",
        "/a/{{ '..\\\\x' | raw }}",
        "/a/{{ '.' }}{{ '.' }}/b",
        "/a/.{{ '.' }}/b",
        "/a/{{ inputs.empty }}",
        "/a/{{ inputs.empty }}/b",
        "/a/{{ inputs.none }}/b",
        "/a/{{ inputs.empty }}{{ inputs.none }}/b",
        "/a/{{ '' | upper }}/b",
        "/a/{{ '..;x' | raw }}",
    ],
)
def test_a_value_cannot_leave_its_place_in_a_path(text: str) -> None:
    with pytest.raises(FailureError) as caught:
        made(text, Mode.PATH).render(CONTEXT)
    assert caught.value.failure.kind is FailureKind.RENDER
    assert caught.value.failure.help
    assert caught.value.failure.span is not None


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
@settings(max_examples=300, deadline=None)
def test_no_value_adds_a_segment_a_query_or_a_fragment(value: str) -> None:
    template = made("/a/{{ inputs.s }}/b", Mode.PATH)
    try:
        path = template.render({"inputs": {"s": value}})
    except FailureError:
        assert value in ("", ".", "..")
        return
    assert path.count("/") == 3
    assert not set(path) & set("?#\\ \n\r")
    assert path.isascii()


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


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''|attr('__class__') }}",
    "{{ ''|attr('__cla' ~ 'ss__') }}",
    "{{ inputs['__class__'] }}",
    "{{ ''['__cl' ~ 'ass__'] }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ [].append.__self__ }}",
    "{{ inputs.s.upper.__func__ }}",
    "{{ range.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ cycler('a').next.__globals__ }}",
    "{{ joiner.__init__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{% set n = namespace() %}{{ n.__class__ }}",
    "{% set n = namespace() %}{% set n.__class__ = 1 %}{{ n }}",
    "{{ dict.__bases__ }}",
    "{{ self }}",
    "{{ self._TemplateReference__context }}",
    "{{ self.__init__ }}",
    "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
    "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "{{ '{0.__class__}'.format(inputs) }}",
    "{{ '{x.__class__.__mro__}'.format(x=inputs) }}",
    "{{ '{0[__class__]}'.format(inputs) }}",
    "{{ '{0.__class__}'.format_map({'0': 1}) }}",
    "{{ '%s' | format(inputs.__class__) }}",
    "{{ inputs.list | map(attribute='__class__') | list }}",
    "{{ inputs.list | map('attr', '__class__') | list }}",
    "{{ inputs.list | selectattr('__class__') | list }}",
    "{{ inputs.list | groupby('__class__') | list }}",
    "{{ inputs.list | sort(attribute='__class__.__name__') }}",
    "{{ inputs.list | sum(attribute='__class__') }}",
    "{{ inputs.list | unique(attribute='__class__') | list }}",
    "{{ inputs.list.append(1) }}",
    "{{ inputs.list.clear() }}",
    "{{ inputs.map.update({'a': 1}) }}",
    "{{ inputs.map.pop('items') }}",
    "{{ inputs.map.setdefault('a', 1) }}",
    "{% do inputs.list.append(1) %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
    "{% block a %}{% endblock %}",
    "{{ lipsum() }}",
    "{{ lipsum.__globals__ }}",
    "{{ get_flashed_messages() }}",
    "{{ request }}",
    "{{ open('/etc/passwd') }}",
    "{{ ''.encode.__objclass__ }}",
    "{{ (1).__class__ }}",
    "{{ 1.0.real.__class__ }}",
    "{{ run.started_at | to_datetime | attr('__reduce__') }}",
    "{{ (run.started_at | to_datetime).__class__ }}",
    "{{ inputs.items.__iter__ }}",
    "{{ ().__class__.__base__ }}",
    "{{ (inputs.list | map('upper')).gi_frame }}",
    "{{ (inputs.list | map('string')) | attr('gi_code') }}",
    "{{ loop.__class__ }}",
    "{% for i in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{% for i in [1] %}{{ loop._iterator }}{% endfor %}",
    "{{ inputs.s._x }}",
    "{{ _steps }}",
    "{{ inputs | _steps }}",
    "{{ inputs | pprint }}",
    "{{ inputs | random }}",
]  # fmt: skip


@pytest.mark.parametrize("text", ESCAPES)
@pytest.mark.parametrize("mode", [Mode.VALUE, Mode.TEXT])
def test_the_sandbox_holds(text: str, mode: Mode) -> None:
    before = repr(CONTEXT)
    try:
        value = made(text, mode).render(CONTEXT)
    except FailureError as problem:
        shown = f"{problem.failure.message} {problem.failure.help}"
    else:
        shown = str(value)
    assert repr(CONTEXT) == before
    for trace in (
        "<class",
        "<built-in",
        "<function",
        "object at 0x",
        "root:",
        "<module",
        "<generator",
        "type'",
    ):
        assert trace not in shown, shown


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 10**9 }}",
        "{{ 10**9 * 'a' }}",
        "{{ [0] * 10**9 }}",
        "{{ 10 ** 10 ** 9 }}",
        "{{ (10 ** 1000000) ** 1000000 }}",
        "{{ range(10**9) | list }}",
        "{{ range(100001) }}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% for i in range(100000) %}{% for j in range(1000) %}xxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
        "{{ inputs.s | center(100000000) }}",
        "{{ inputs.s.center(100000000) }}",
        "{{ inputs.s.ljust(100000000) }}",
        "{{ inputs.s.zfill(100000000) }}",
        "{{ '%0999999999d' % 3 }}",
        "{{ '%*d' % (999999999, 3) }}",
        "{{ '%.999999999f' % 3.0 }}",
        "{{ '%0999999999d' | format(3) }}",
        "{{ '{:>99999999}'.format(1) }}",
        "{{ '{:>{}}'.format(1, 99999999) }}",
        "{{ '{:>{w}}'.format(1, w=99999999) }}",
        "{{ ('a' * 10000000).replace('a', 'bbbbbbbbbb') }}",
        "{{ ('a' * 1000000) | replace('a', 'b' * 1000) }}",
        "{{ ('a' * 1000000).join(range(1000) | map('string')) }}",
        "{{ range(100000) | join('a' * 1000000) }}",
        "{{ 'a' | indent(100000000) }}",
        "{{ [1] | batch(100000000, 0) | list }}",
        "{{ [1] | slice(100000000) | list }}",
        "{{ ('a\\n' * 1000000) | indent(1000) }}",
        "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(30) }}",
        "{% set x = namespace(v='aaaaaaaaaa') %}{% for i in range(100) %}{% set x.v = x.v ~ x.v %}{% endfor %}{{ x.v | length }}",
        "{% set x = namespace(v='aaaaaaaaaa') %}{% for i in range(100) %}{% set x.v = x.v + x.v %}{% endfor %}{{ x.v | length }}",
        "{% set x = namespace(v=[1]) %}{% for i in range(100) %}{% set x.v = [x.v, x.v] %}{% endfor %}{{ x.v }}",
        "{% set x = namespace(v=2) %}{% for i in range(100) %}{% set x.v = x.v * x.v %}{% endfor %}{{ x.v }}",
        "{% set x = namespace(v='aaaaaaaaaa') %}{% for i in range(100) %}{% set x.v = x.v.replace('a', 'aaaaaaaaaa') %}{% endfor %}",
        "{% set x = namespace(v='aaaaaaaaaa') %}{% for i in range(100) %}{% set x.v = [x.v, x.v] | join(x.v) %}{% endfor %}",
        "{% set x = namespace(v='aaaaaaaaaa') %}{% for i in range(100) %}{% set x.v = '%s%s' % (x.v, x.v) %}{% endfor %}",
        "{% set x = namespace(v='aaaaaaaaaa') %}{% for i in range(100) %}{% set x.v = '{0}{0}'.format(x.v) %}{% endfor %}",
        "{% set x = namespace(v='aaaaaaaaaa') %}{% for i in range(100) %}{% set x.v %}{{ x.v }}{{ x.v }}{% endset %}{% endfor %}",
        "{{ ('a' * 40 ~ 'b') | regex_search('(a+)+$') }}",
        "{{ ('a' * 40 ~ 'b') | regex_replace('(a|a)*$', '') }}",
        "{{ ('a' * 1000000) | wordwrap(1, wrapstring='b' * 100000) }}",
        "{{ 'x' | urlencode * 100000000 }}",
        "{{ range(99999) | list | tojson(indent=1000) }}",
        "{{ inputs.list | to_json(indent=100000000) }}",
        "{{ 'x'.expandtabs(100000000) }}",
        "{{ 'x\\t'.expandtabs(100000000) }}",
        "{{ ('1' * 1000000) | int }}",
        "{{ [range(1000) | list] * 10000000 }}",
        "{{ range(100000) | map('string') | map('center', 100000) | list | length }}",
    ],
)
def test_a_template_is_bounded(text: str) -> None:
    before = memory(reset=True)
    start = time.monotonic()
    message = ""
    try:
        made(text).render(CONTEXT)
    except FailureError as problem:
        message = problem.failure.message
    assert len(message) < 300
    assert time.monotonic() - start < 12
    grown = memory() - before
    assert grown < 600 * 1024, f"{grown // 1024} MiB"


def memory(*, reset: bool = False) -> int:
    """Give the most memory that this process had since the last reset, in KiB."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:  # no Linux
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(status.partition("VmHWM:")[2].split()[0])


def test_the_output_limit_is_a_choice() -> None:
    text = "{% for i in range(100) %}0123456789{% endfor %}"
    assert len(made(text).render(CONTEXT, limit=1000)) == 1000
    with pytest.raises(FailureError) as caught:
        made(text).render(CONTEXT, limit=999)
    assert caught.value.failure.message == "the template gives more than 999 characters"
    assert caught.value.failure.help == "raise `limits.template_output` in the workflow, or give less"


CANARY = "s3cr3t-c4n4ry-value"


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


def hide(reference: Reference) -> str | None:
    return "‹secret x›" if reference.root == "secrets" else None


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


def test_a_failure_stands_in_the_file() -> None:
    template = made('é "q" {{ inputs.missing }} x')
    with pytest.raises(FailureError) as caught:
        template.render(CONTEXT)
    span = caught.value.failure.span
    assert span is not None
    line = template.document.text
    assert line[span.start.column - 1 : span.end.column - 1] == "inputs.missing"
