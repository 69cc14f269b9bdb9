"""Sensitive outputs are in the memory of the session only."""

from pathlib import Path
from typing import Any

import pytest

from runner.sensitive import MASK, Redactor
from runner.session import Session
from tests.projects import planned, request, run, simple
from tests.servers.http import Server, reply
from tests.session.opened import opened


@pytest.mark.parametrize(
    "value",
    ["a token", {"t": "a token"}, ["x", {"deep": ["a token"]}], {"n": 12345678, "t": "a token"}],
)
def test_texts_of_a_sensitive_output_are_searched_for(value: Any, tmp_path: Path) -> None:
    project = simple(tmp_path, [request("one")])
    redactor = Redactor()

    async def keep(session: Session) -> None:
        session.keep_sensitive("login", value)
        assert session.sensitive["login"] == value

    opened(project, keep, redactor=redactor)
    assert redactor.text("has a token") == f"has {MASK}"
    if "n" in value and isinstance(value, dict):
        assert redactor.data({"id": 12345678, "other": True}) == {"id": MASK, "other": True}


def test_a_pin_that_is_a_number_is_searched_for(tmp_path: Path) -> None:
    with Server({"* /**": lambda _: reply({"pin": 87654321})}) as server:
        actions = [request("pin", more={"sensitive": True}), request("leak")]
        ran = run(simple(tmp_path, actions, url=server.url))
    assert ran.failure == ("secret-in-output", "the output of 'leak' holds a secret")


def test_the_sensitive_outputs_of_items_are_one_list_until_one_of_them_changes(tmp_path: Path) -> None:
    project = simple(tmp_path, [{"id": "a", "set": {"x": 1}}])
    session = Session(
        project, planned(project), project.workflows["main"], environ={}, redactor=Redactor(), warn=print
    )
    assert session.sensitive_output("sync[0]/t", 0) == []
    session.keep_sensitive("sync[0]/t[1]", "second-value")
    session.keep_sensitive("sync[0]/u[0]", "other-value")
    listed = session.sensitive_output("sync[0]/t", 2)
    assert listed == [None, "second-value"]
    assert session.sensitive_output("sync[0]/t", 2) is listed
    session.keep_sensitive("sync[0]/t[0]", "first-value")
    assert session.sensitive_output("sync[0]/t", 2) == ["first-value", "second-value"]
    assert session.sensitive_output("sync[0]/t", 1) == ["first-value"]
