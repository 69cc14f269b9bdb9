"""Templates take no more than so much time, memory and output."""

import resource
import time
from pathlib import Path

import pytest

from runner.errors import FailureError
from runner.template import render_both
from tests.template.maker import CONTEXT, hide, made


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


def test_a_limit_that_is_raised_holds_for_the_record_too() -> None:
    text = made("{% for i in range(11) %}{{ inputs.s }}{% endfor %}{{ secrets.t }}")
    context = {"inputs": {"s": "x" * 1_000_000}, "secrets": {"t": "short"}}
    both = render_both(text, context, hide, limit=11_000_005)
    assert both.wire.endswith("xshort")
    assert both.shown.endswith("x‹secret x›")
