"""Secret references: what is one, what is none and why, and what fills their holes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.secret_ref import MalformedReferenceError, ResolvedRef, looks_like_reference, parse
from runner.source import whole_file

SPAN = whole_file("c.yaml")


@pytest.mark.parametrize(
    ("text", "path", "field", "version"),
    [
        ("vault://secret/support/tickets#api_token", "secret/support/tickets", "api_token", None),
        ("vault://secret/a#b", "secret/a", "b", None),
        ("vault://secret/a?version=3#b", "secret/a", "b", 3),
        ("vault://kv-v2/team/a.b@c+d_e/x#Client-Secret", "kv-v2/team/a.b@c+d_e/x", "Client-Secret", None),
        ("vault://database/creds/readonly#password", "database/creds/readonly", "password", None),
        ("vault://secret/users/{{ user }}/t#b", "secret/users/{{ user }}/t", "b", None),
        (
            "vault://secret/{{environment}}-{{ vars.site }}/t#b",
            "secret/{{environment}}-{{ vars.site }}/t",
            "b",
            None,
        ),
        ("vault://secret/with%20space#b", "secret/with space", "b", None),
        ("vault://secret/d/data#b", "secret/d/data", "b", None),
        ("vault://secret/data#b", "secret/data", "b", None),
        ("vault://secret/a#b.c:d/e", "secret/a", "b.c:d/e", None),
    ],
)
def test_references(text: str, path: str, field: str, version: int | None) -> None:
    made = parse(text, SPAN)
    assert (made.scheme, made.path, made.field, made.version, made.text) == (
        "vault",
        path,
        field,
        version,
        text,
    )


def test_the_environment() -> None:
    made = parse("env://TICKETS_TOKEN", SPAN)
    assert (made.scheme, made.path, made.field) == ("env", "TICKETS_TOKEN", "")
    assert made.resolve(user=None, environment=None, variables={}).label == "env TICKETS_TOKEN"


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("vault://", None),
        ("vault://secret", None),
        ("vault://secret/a", "vault://secret/a"),
        ("vault://secret/a#", "vault://secret/a#"),
        ("vault://#b", None),
        ("vault:///a#b", None),
        ("vault://secret/#b", None),
        ("vault://secret//a#b", None),
        ("vault://secret/a/#b", None),
        ("vault://secret/../a#b", ".."),
        ("vault://secret/./a#b", "."),
        ("vault://secret/%2e%2e/a#b", "%2e%2e"),
        ("vault://secret/a%2f..%2fb#c", "a%2f..%2fb"),
        ("vault://secret/a%2Fb#c", "a%2Fb"),
        ("vault://secret/a%00b#c", "a%00b"),
        ("vault://secret/a%0ab#c", "a%0ab"),
        ("vault://secret/a..b#c", "a..b"),
        ("vault://secret/data/a#b", "data/"),
        ("vault://secret/a#b c", "b c"),
        ("vault://secret/a#b#c", "b#c"),
        ("vault://secret/a#{{ user }}", "{{ user }}"),
        ("vault://secret/a?version=0#b", "?version=0"),
        ("vault://secret/a?version=x#b", "?version=x"),
        ("vault://secret/a?version=#b", "?version="),
        ("vault://secret/a?v=1#b", "?v=1"),
        ("vault://secret/a?version=1&x=2#b", "?version=1&x=2"),
        ("vault://secret/{{ inputs.x }}#b", "{{ inputs.x }}"),
        ("vault://secret/{{ user | lower }}#b", "{{ user | lower }}"),
        ("vault://secret/{{ user#b", "{{ user"),
        ("vault://secret/a\\b#c", "a\\b"),
        ("vault://secret/a;b#c", "a;b"),
        ("vault://secret/~#c", "~"),
        ("env://", None),
        ("env://1A", None),
        ("env://A B", None),
        ("env://A#b", None),
        ("env://{{ user }}", None),
        ("VAULT://secret/a#b", None),
        ("https://vault/secret#a", None),
        (" vault://secret/a#b", None),
        ("vault://secret/a#b\n", None),
        ("", None),
    ],
)
def test_what_is_none(text: str, marked: str | None) -> None:
    with pytest.raises(MalformedReferenceError) as caught:
        parse(text, SPAN)
    problem = caught.value
    assert problem.help
    end = None if problem.length is None else problem.offset + problem.length
    if marked is not None:
        assert text[problem.offset : end] == marked


@pytest.mark.parametrize(
    ("text", "expected"),
    [("vault://x", True), (" Vault: x", True), ("env://X", True), ("ref+vault://a", True), ("env", False), ("a vault://x", False), ("environment: x", False), ("", False)],
)  # fmt: skip
def test_what_was_meant_as_one(text: str, expected: bool) -> None:
    assert looks_like_reference(text) is expected


def test_holes_are_filled() -> None:
    made = parse("vault://secret/{{ environment }}/{{user}}/{{ vars.site }}?version=2#b", SPAN)
    assert made.holes == ("environment", "user", "vars.site")
    assert made.personal
    filled = made.resolve(user="ann@example.com", environment="dev", variables={"site": "eu/west"})
    assert filled == ResolvedRef(
        scheme="vault", path="secret/dev/ann@example.com/eu/west", field="b", version=2
    )
    assert filled.label == "secret/dev/ann@example.com/eu/west?version=2#b"


@pytest.mark.parametrize(
    ("hole", "value", "remedy"),
    [
        ("user", None, "--as USER"),
        ("user", "", "--as USER"),
        ("user", "../x", "user names match"),
        ("user", "a/b", "user names match"),
        ("user", ".a", "user names match"),
        ("user", "a b", "user names match"),
        ("user", "a\n", "user names match"),
        ("user", "é", "user names match"),
        ("user", "a..b", "letters"),
        ("environment", None, "--env"),
        ("environment", "a..b", "letters"),
        ("vars.x", None, "vars.x"),
        ("vars.x", 7, "vars.x"),
        ("vars.x", "a//b", "letters"),
        ("vars.x", "/a", "letters"),
        ("vars.x", "../a", "letters"),
        ("vars.x", "a?version=1", "letters"),
        ("vars.x", "a#b", "letters"),
        ("vars.x", "%2e%2e", "letters"),
        ("vars.x", "{{ user }}", "letters"),
    ],
)
def test_no_value_changes_the_shape_of_a_path(hole: str, value: object, remedy: str) -> None:
    made = parse(f"vault://secret/{{{{ {hole} }}}}/t#b", SPAN)
    user = value if hole == "user" else "ann"
    environment = value if hole == "environment" else "dev"
    with pytest.raises(MalformedReferenceError) as caught:
        made.resolve(user=user, environment=environment, variables={"x": value})  # type: ignore[arg-type]
    assert remedy in caught.value.help


@given(st.text(max_size=20))
def test_a_user_never_walks_a_path(user: str) -> None:
    made = parse("vault://secret/users/{{ user }}/t#b", SPAN)
    try:
        filled = made.resolve(user=user, environment=None, variables={})
    except MalformedReferenceError:
        return
    assert filled.path.split("/") == ["secret", "users", user, "t"]
    assert user.isascii()
    assert ".." not in user


@given(st.text("vault:/se.%2#?{} ueranm=1\n", max_size=30))
def test_any_text_is_a_reference_or_an_explained_mistake(text: str) -> None:
    for candidate in (text, f"vault://{text}", f"vault://a/{text}#b", f"env://{text}"):
        try:
            made = parse(candidate, SPAN)
        except MalformedReferenceError as problem:
            offset = problem.offset
        else:
            offset = 0
            assert ".." not in made.path
            assert "//" not in made.path.replace("{{", "").replace("}}", "")
        assert 0 <= offset <= len(candidate)
