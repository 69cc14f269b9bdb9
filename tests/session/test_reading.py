"""Which secrets are read: those that the workflow reaches, each once."""

from pathlib import Path
from typing import Any

from runner.sensitive import MASK, Redactor
from runner.session import Session
from tests.projects import make, request, simple
from tests.session.opened import Source, bearer, nothing, opened


def test_only_what_the_workflow_reaches_is_read_each_reference_once(tmp_path: Path) -> None:
    project = make(
        tmp_path,
        {
            "connections.d/used.yaml": {
                **bearer("vault://secret/a#t"),
                "headers": {"X-Key": "vault://secret/a#k"},
            },
            "connections.d/same.yaml": bearer("vault://secret/a#t"),
            "connections.d/late.yaml": bearer("vault://secret/late#t"),
            "connections.d/unused.yaml": bearer("vault://secret/unused#t"),
            "workflows.d/main.yaml": {
                "secrets": {"own": "vault://secret/own#t"},
                "actions": [
                    {"id": "a", "connection": "used", "request": {"path": "/"}},
                    {"id": "b", "connection": "same", "request": {"path": "/"}},
                ],
                "finally": [{"id": "c", "connection": "late", "request": {"path": "/"}}],
            },
        },
    )
    values = {f"secret/{name}": f"value of {name}" for name in ("a#t", "a#k", "own#t", "late#t")}
    source = Source(values)
    opened(project, nothing, source=source)
    (asked,) = source.asked
    assert sorted(asked) == sorted(values)
    assert source.closed == 1


def test_without_secrets_no_source_is_made(tmp_path: Path) -> None:
    project = simple(tmp_path, [{"id": "one", "set": {"x": 1}}])

    async def look(session: Session) -> tuple[Any, Any]:
        return dict(session._sources), session._client

    assert opened(project, look) == ({}, None)


def test_each_value_is_searched_for_from_the_moment_it_is_read(tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one")], connection=bearer("vault://secret/a#t"))
    redactor = Redactor()
    opened(project, nothing, source=Source({"secret/a#t": "value of a"}), redactor=redactor)
    assert redactor.text("has the value of a") == f"has the {MASK}"


def test_a_short_secret_is_warned_of(tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one")], connection=bearer("vault://secret/a#t"))
    warnings: list[str] = []
    opened(project, nothing, source=Source({"secret/a#t": "12345"}), warnings=warnings)
    assert warnings == ["the secret secret/a#t has under 6 characters: it is not searched for in output"]
