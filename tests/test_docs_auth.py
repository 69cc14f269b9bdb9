"""docs/auth.md is made from the auth types, and the example of each is a file that one can start from."""

from pathlib import Path

import pytest

from runner import registry
from runner.auth import Shown
from runner.check import check
from runner.project import load
from tests.auth_page import filled

PAGE = Path(__file__).parents[1] / "docs" / "auth.md"
USE = "actions:\n  - {id: x, connection: api, request: {path: /}}\n"


def test_the_page_says_what_the_files_say(request: pytest.FixtureRequest) -> None:
    """`pytest --update-golden tests/test_docs_auth.py` writes it anew."""
    text = PAGE.read_text(encoding="utf-8")
    if request.config.getoption("--update-golden"):
        PAGE.write_text(filled(text), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == filled(text)


@pytest.mark.parametrize("name", registry.names("auth"))
def test_the_example_of_a_type_is_a_valid_file(name: str, tmp_path: Path) -> None:
    module = registry.load("auth", name)
    for path, text in {"connections.d/api.yaml": module.EXAMPLE, "workflows.d/w.yaml": USE}.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text, encoding="utf-8")
    project = load(tmp_path)
    assert check(project) == []
    connection = project.connections["api"]
    assert connection.type == name
    labels = {field: f"‹secret {ref.text}›" for field, ref in connection.auth_secrets.items()}
    shown: Shown = module.shown(connection.auth, labels)
    text = str({**shown.headers, **shown.query})
    assert ("‹" in text) == (name != "none"), "a plan says where the secret goes"
