"""What the end-to-end tests share: a project, and a server that misbehaves when asked to."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import TOKEN, Program
from tests.servers.faults import faults
from tests.servers.http import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with faults() as running:
        yield running


@pytest.fixture
def program(tmp_path: Path, server: Server) -> Program:
    """A project with a connection to the server, and a workflow that asks for the answer it gives."""
    made = Program(tmp_path, {"PATH": os.defpath, "API_TOKEN": TOKEN})
    made.connection(server.url)
    made.workflow(
        "id: ask, connection: api, request: {path: /body/json}",
        more='outputs: {items: "{{ actions.ask.output.items }}"}\n',
    )
    return made
