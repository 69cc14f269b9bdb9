"""Templates reach no Python, and change nothing."""

import pytest

from runner.errors import FailureError
from runner.template import Mode
from tests.template.maker import CONTEXT, made

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
