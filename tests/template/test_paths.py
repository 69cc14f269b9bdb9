"""Values in paths stay in their segment."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import FailureError, FailureKind
from runner.template import Mode
from tests.template.maker import CONTEXT, made


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
