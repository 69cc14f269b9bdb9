"""The repository's own connections and workflows, in the cases that the demo does not show."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.demo import PROGRAM, copy_project, store_secrets
from tests.servers.openbao import OpenBao
from tests.servers.tickets import SupportDesk

TOKEN, KEY = "tkt_example/1", "key-example-1"


class Example:
    """A copy of the project, its servers, and `runner run` in it."""

    def __init__(self, project: Path, vault: OpenBao, desk: SupportDesk) -> None:
        self.desk = desk
        self.vault = vault
        self._project = project
        self._reader = store_secrets(vault, TOKEN, KEY)
        copy_project(project, desk.addresses)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.defpath, "VAULT_ADDR": self.vault.address, "VAULT_TOKEN": self._reader}
        return subprocess.run(
            [PROGRAM, "run", *arguments],
            cwd=self._project,
            env=environ | {"HOME": str(self._project)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    def outputs(self, *arguments: str) -> Any:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenBao]:
    with OpenBao.development(tmp_path_factory.mktemp("openbao")) as server:
        yield server


@pytest.fixture
def example(tmp_path: Path, vault: OpenBao) -> Iterator[Example]:
    with SupportDesk(TOKEN, KEY) as desk:
        yield Example(tmp_path / "project", vault, desk)


def test_the_report_without_and_with_details(example: Example) -> None:
    assert example.outputs("ticket-report") == {"report": {"count": 5, "subject": "not asked for"}}
    detailed = example.outputs("ticket-report", "-i", "details=true", "-i", "query=export")
    assert detailed == {"report": {"count": 1, "subject": "Export stops at 10,000 rows"}}
    assert example.desk.tickets_server.count("GET", "/api/v2/tickets/*") == 1


def test_a_second_escalation_pages_nobody_again(example: Example) -> None:
    first, second = example.outputs("escalate"), example.outputs("escalate")
    assert first == second == {"ticket": 1412, "incident": "P001", "watched": False}
    statuses = [status for _, status in example.desk.pager_server.exchanges]
    assert statuses == [201, 409]
    assert len(example.desk.pager.incidents) == 1


def test_nothing_idle_means_nothing_sent(example: Example) -> None:
    assert example.outputs("escalate", "-i", "days=1000") == {
        "ticket": None,
        "incident": None,
        "watched": False,
    }
    assert example.desk.pager_server.count() == 0
    assert [line["page"] for line in example.desk.tickets.audit] == ["skipped"]


def test_an_escalation_that_fails_says_so_and_still_writes_the_audit_line(example: Example) -> None:
    example.vault.ask("POST", "secret/data/demo/pager", {"data": {"api_key": "the-wrong-key"}})
    done = example.run("escalate")
    assert done.returncode == 1
    assert "401" in done.stderr
    assert "the-wrong-key" not in done.stdout + done.stderr
    sent = [(request.method, status) for request, status in example.desk.pager_server.exchanges]
    assert sent == [("POST", 401), ("POST", 401)], "the page itself, and the one of on_failure"
    assert example.desk.tickets.ticket(1412)["priority"] == "normal", "nothing starts after the failure"
    assert [line["page"] for line in example.desk.tickets.audit] == ["failed"]
