"""What is closed at the end, whatever happened."""

import asyncio
from pathlib import Path

import pytest

from runner.client import Client
from runner.errors import SecretProblem
from runner.session import Session
from tests.projects import request, simple
from tests.session.opened import Source, bearer, opened, problems


def test_sources_are_closed_even_where_the_client_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that the run obtained is revoked there."""
    project = simple(tmp_path, [request("one")], connection=bearer("vault://secret/a#t"))
    source = Source({"secret/a#t": "value of a"})

    async def broken(_: Client) -> None:
        raise OSError("closing failed")

    monkeypatch.setattr(Client, "close", broken)

    async def use(session: Session) -> None:
        assert session.client is session.client

    with pytest.raises(OSError, match="closing failed"):
        opened(project, use, source=source)
    assert source.closed == 1


def test_sources_are_closed_where_opening_failed(tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one")], connection=bearer("vault://secret/a#t"))
    source = Source({}, [SecretProblem(reference="secret/a#t", message="no")])
    problems(project, source=source)
    assert source.closed == 1


def test_nothing_waits_for_a_session_that_is_closed(tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one")])

    async def use(session: Session) -> None:
        assert asyncio.all_tasks() == {asyncio.current_task()}
        del session

    opened(project, use)
