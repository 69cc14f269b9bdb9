"""Options of the whole suite, and the servers that tests of several folders share."""

from collections.abc import Iterator

import pytest

from tests.servers.faults import faults
from tests.servers.http import Server
from tests.servers.temporal import Temporal


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the commands of tests/golden print now as what is expected; read the diff",
    )


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Temporal]:
    """A Temporal server."""
    with Temporal(tmp_path_factory.mktemp("temporal")) as server:
        yield server


@pytest.fixture(scope="module")
def _faults() -> Iterator[Server]:
    with faults() as server:
        yield server


@pytest.fixture
def api(_faults: Server) -> Server:
    """A server that answers, or misbehaves, as the path says: tests/servers/faults.py. What came before is forgotten."""
    _faults.clear()
    return _faults
