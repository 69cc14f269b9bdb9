"""What is missing is told all at once, each with its places."""

from pathlib import Path

import pytest

from runner.errors import SecretProblem
from tests.projects import make, request, simple
from tests.session.opened import Source, bearer, problems


def test_all_problems_come_at_once_with_their_places(tmp_path: Path) -> None:
    project = make(
        tmp_path,
        {
            "connections.d/api.yaml": "type: bearer\nbase_url: https://x.test\nshared: true\nauth:\n  token: env://ONE\nheaders:\n  X-Key: env://TWO\n",
            "workflows.d/main.yaml": "secrets:\n  own: env://ONE\nactions:\n  - {id: a, connection: api, request: {path: /}}\n",
        },
    )
    found = problems(project, environ={"TWO": ""})
    assert found == [
        (
            "env ONE",
            "the environment variable is not set",
            ["connections.d/api.yaml:5:10", "workflows.d/main.yaml:2:8"],
        ),
        ("env TWO", "the environment variable is empty", ["connections.d/api.yaml:7:10"]),
    ]


def test_problems_of_several_sources_come_together(tmp_path: Path) -> None:
    project = simple(
        tmp_path, [request("one")], connection=bearer("vault://secret/a#t"), secrets={"own": "env://NONE"}
    )
    source = Source({}, [SecretProblem(reference="secret/a#t", message="Vault is sealed")])
    assert [message for _, message, _ in problems(project, source=source)] == [
        "the environment variable is not set",
        "Vault is sealed",
    ]


def test_a_problem_points_at_its_own_reference_and_at_no_longer_one(tmp_path: Path) -> None:
    project = simple(
        tmp_path,
        [request("one")],
        connection=bearer("vault://secret/a#token"),
        secrets={"own": "vault://secret/a#tok"},
    )
    source = Source({}, [SecretProblem(reference="secret/a#token", message="no such field")])
    ((_, _, places),) = problems(project, source=source)
    assert len(places) == 1
    assert places[0].startswith("connections.d/api.yaml")


@pytest.mark.parametrize(("names", "places"), [("secret/a#t, secret/own#t", 2), ("secret/a#t and 2 more", 3)])
def test_a_problem_of_the_whole_server_points_at_every_reference(
    names: str, places: int, tmp_path: Path
) -> None:
    project = simple(
        tmp_path,
        [request("one")],
        connection={**bearer("vault://secret/a#t"), "headers": {"X-K": "vault://secret/b#t"}},
        secrets={"own": "vault://secret/own#t", "other": "env://THERE"},
    )
    source = Source({}, [SecretProblem(reference=names, message="Vault is sealed")])
    ((_, _, found),) = problems(project, source=source, environ={"THERE": "a value"})
    assert len(found) == places


def test_a_reference_whose_holes_cannot_be_filled(tmp_path: Path) -> None:
    project = simple(
        tmp_path, [request("one")], connection=bearer("vault://secret/{{ vars.team }}/{{ environment }}#t")
    )
    ((_, message, places),) = problems(project)
    assert "has no value" in message
    assert places
