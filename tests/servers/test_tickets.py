"""The support desk of the demo: auth, pages, the 429, the 200 that is an error, the 409, and its process."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers.tickets import SupportDesk

ROOT = Path(__file__).parents[2]
IDLE = {"q": "status<solved updated<14days"}


@pytest.fixture
def desk() -> Iterator[SupportDesk]:
    with SupportDesk("t0ken", "k3y") as desk:
        yield desk


@pytest.fixture
def tickets(desk: SupportDesk) -> Iterator[httpx.Client]:
    headers = {"Authorization": "Bearer t0ken"}
    with httpx.Client(base_url=desk.addresses["tickets"] + "/api/v2", headers=headers) as client:
        yield client


def test_both_want_their_credential(desk: SupportDesk, tickets: httpx.Client) -> None:
    assert tickets.get("/me").json()["id"] == 7
    assert tickets.get("/me", headers={"Authorization": "Bearer other"}).status_code == 401
    pager = desk.addresses["pager"]
    assert httpx.get(f"{pager}/whoami").status_code == 401
    assert httpx.get(f"{pager}/whoami", headers={"Authorization": "Token token=k3y"}).status_code == 200


def test_search_waits_once_and_then_gives_pages(tickets: httpx.Client) -> None:
    refused = tickets.get("/search", params=IDLE)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    first = tickets.get("/search", params=IDLE).json()
    assert [ticket["id"] for ticket in first["results"]] == [1412, 1398]
    second = tickets.get("/search", params=IDLE | {"after": first["next"]}).json()
    assert [ticket["id"] for ticket in second["results"]] == [1420, 1433]
    assert second["next"] is None
    assert first["count"] == 4
    assert tickets.get("/search", params={"after": "nonsense"}).status_code == 422
    assert tickets.get("/search", params={"q": "webhook"}).json()["count"] == 1


def test_tickets_change_and_a_200_may_be_an_error(desk: SupportDesk, tickets: httpx.Client) -> None:
    assert tickets.put("/tickets/1398", json={"priority": "urgent", "id": 1}).json()["priority"] == "urgent"
    assert desk.tickets.ticket(1398)["priority"] == "urgent"
    assert tickets.get("/tickets/1398").json()["id"] == 1398
    assert tickets.get("/tickets/9").status_code == 404
    assert tickets.put("/tickets/no", json={}).status_code == 404
    refused = tickets.post("/tickets/1398/watchers", json={"user": 7})
    assert (refused.status_code, refused.json()["ok"]) == (200, False)
    tickets.post("/audit", json={"run": "r1"})
    assert desk.tickets.audit == [{"run": "r1"}]


def test_a_second_incident_for_a_ticket_is_a_conflict(desk: SupportDesk) -> None:
    with httpx.Client(
        base_url=desk.addresses["pager"], headers={"Authorization": "Token token=k3y"}
    ) as pager:
        statuses = [pager.post("/incidents", json={"ticket": number}).status_code for number in (1, 1, 2)]
    assert statuses == [201, 409, 201]
    assert desk.pager_server.count("POST", "/incidents") == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_runs_as_a_process_of_its_own(tmp_path: Path, number: signal.Signals) -> None:
    ports = tmp_path / "ports.json"
    command = [sys.executable, "-m", "tests.servers.tickets", "--port-file", str(ports)]
    environ = os.environ | {"TICKETS_TOKEN": "t0ken", "PAGER_KEY": "k3y"}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not ports.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        addresses = json.loads(ports.read_text())
        assert httpx.get(addresses["tickets"] + "/api/v2/me").status_code == 401
        process.send_signal(number)
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert f"pager: {addresses['pager']}" in out
