"""What one connection bounds over all actions of a run, what its API says of waiting, and keys that make writes repeatable."""

import asyncio
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from runner import idempotency
from runner.language_traffic import RATE_LIMIT
from runner.perform import perform
from runner.plan import describe
from runner.sensitive import Redactor
from runner.session import Session
from runner.waits import UNITS, until_reset
from tests.projects import Clock, bench, finished, planned, request, run, simple, tries
from tests.servers.faults import faults
from tests.servers.http import Answer, Request, Response, Server, reply

NOW = 1_772_000_000.0
LIMITED = {"statuses": [403], "remaining": "X-Left"}


def answering(*answers: Response) -> Server:
    left = list(answers)

    def handler(_: Request) -> Answer:
        return left.pop(0) if len(left) > 1 else left[0]

    return Server({"* /x": handler})


@pytest.mark.parametrize(
    ("unit", "value", "wait"),
    [
        ("delta_s", "42", 42.0),
        ("delta_s", " 0.5 ", 0.5),
        ("delta_s", "-3", 0.25),
        ("delta_s", "1e3", 0.25),
        ("delta_s", "٣", 0.25),
        ("epoch_s", "1772000030", 30.0),
        ("epoch_s", "1772000030.5", 30.5),
        ("epoch_s", "1771999000", 0.25),
        ("epoch_ms", "1772000030000", 30.0),
        ("epoch_us", "1772000030000000", 30.0),
        ("epoch_ms", "", 0.25),
        ("rfc3339", "2026-02-25T06:13:50Z", 30.0),
        ("rfc3339", "2026-02-25T07:13:50+01:00", 30.0),
        ("rfc3339", "2026-02-25T06:13:50", 30.0),
        ("rfc3339", "tomorrow", 0.25),
        ("duration", "1m30s", 90.0),
        ("duration", "20ms", 0.02),
        ("duration", "90", 0.25),
    ],
)
def test_a_reset_header_is_read_by_its_unit(unit: str, value: str, wait: float, tmp_path: Path) -> None:
    reset = {"rate_limit": {"reset": {"header": "x-reset", "unit": unit}}}
    header = {"X-Reset": value.encode().decode("latin-1")}
    with answering(Response(429, headers=header), reply({})) as server:
        project = simple(tmp_path, [request("one", "POST", "/x")], url=server.url, connection=reset)
        work = bench(project, clock=Clock(NOW), jitter=lambda: 0.25)
        assert work.perform("one")["status"] == "succeeded"
    assert work.clock.waits == pytest.approx([wait])


def test_every_unit_of_the_language_can_be_read() -> None:
    assert set(RATE_LIMIT["properties"]["reset"]["properties"]["unit"]["enum"]) == set(UNITS)
    assert all(until_reset("9" * 101, unit, NOW) is None for unit in UNITS)


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (403, {"X-Left": "0", "X-Reset": "9"}, (2, [9.0])),
        (403, {"X-Left": "12", "X-Reset": "9"}, (1, [])),
        (403, {"X-Reset": "9"}, (1, [])),
        (403, {"Retry-After": "3"}, (2, [3.0])),
        (429, {"X-Left": "0", "X-Reset": "9", "Retry-After": "3"}, (2, [3.0])),
        (429, {"X-Left": "0", "X-Reset": "9", "Retry-After": "soon"}, (2, [9.0])),
        (
            503,
            {"X-Left": "0", "X-Reset": "9"},
            (2, [1.0]),
        ),  # the header stands on every answer of such an API
        (404, {"X-Left": "0", "X-Reset": "9"}, (1, [])),
        (403, {"X-Left": "0", "X-Reset": "121"}, (1, [])),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_counts_as_too_many_requests(
    status: int, headers: dict[str, str], expected: tuple[int, list[float]], method: str, tmp_path: Path
) -> None:
    limit = {**LIMITED, "reset": {"header": "X-Reset", "unit": "delta_s"}}
    with answering(Response(status, headers=headers), reply({})) as server:
        project = simple(
            tmp_path, [request("one", method, "/x")], url=server.url, connection={"rate_limit": limit}
        )
        work = bench(project)
        result = work.perform("one")
        assert (server.count(), work.clock.waits) == expected
    if headers.get("X-Reset") == "121":
        assert result["error"]["kind"] == "rate-limited"
        assert "`limits.retry_after`" in result["error"]["help"]


def test_a_403_that_means_too_many_says_so(tmp_path: Path) -> None:
    with answering(Response(403, headers={"X-Left": "0"})) as server:
        project = simple(
            tmp_path, [request("one", path="/x")], url=server.url, connection={"rate_limit": LIMITED}
        )
        error = bench(project).perform("one")["error"]
    assert error["message"] == "the server answered 403 Forbidden (after 3 attempts)"
    assert error["help"] == "too many requests in too short a time, as the API says it"


def test_limits_raise_what_is_obeyed(tmp_path: Path) -> None:
    limits = {"retry_after": "10m", "retrying": "15m"}
    with faults() as server:
        action = request("one", path="/flaky/9/503/r?after=500", more={"retry": {"attempts": 9}})
        work = bench(simple(tmp_path, [action], url=server.url, limits=limits))
        result = work.perform("one")
    assert work.clock.waits == [500.0]
    assert "(after 2 attempts; the time for retries, 15m, is used up)" in result["error"]["message"]
    assert "`limits.retrying`" in result["error"]["help"]


# --- rate limit and concurrency of a run


def test_the_rate_holds_over_actions_and_attempts(tmp_path: Path) -> None:
    at: list[float] = []
    clock = Clock()

    def handler(_: Request) -> Answer:
        at.append(clock.seconds - 1_700_000_000.0)
        return reply({}, 503 if len(at) == 2 else 200)

    actions = [request(f"step{number}", path="/x") for number in range(4)]
    limit = {"rate_limit": {"requests": 2, "per": "10s"}, "retry": {"backoff": {"first": "1s"}}}
    with Server({"GET /x": handler}) as server:
        work = bench(simple(tmp_path, actions, url=server.url, connection=limit), clock=clock)
        results = work.perform(*(f"step{number}" for number in range(4)))
    assert at == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert [result["status"] for result in results] == ["succeeded"] * 4


def test_the_wait_for_a_turn_is_told_and_counts_into_no_time(tmp_path: Path) -> None:
    actions = [request(f"step{number}", path="/status/200", more={"timeout": "5s"}) for number in range(2)]
    limit = {"rate_limit": {"requests": 1, "per": "10m"}}
    with faults() as server:
        work = bench(simple(tmp_path, actions, url=server.url, connection=limit))
        first, second = work.perform("step0", "step1")
        assert server.count() == 2
    assert work.clock.waits == [600.0]
    assert second["record"]["attempts"][0]["duration"] < 5
    assert work.queues == [{"key": "step1", "wait": 600.0, "connection": "api"}]
    assert first["status"] == second["status"] == "succeeded"


def test_the_wait_for_a_turn_is_no_time_for_retries(tmp_path: Path) -> None:
    limit = {"rate_limit": {"requests": 1, "per": "10m"}}
    with faults() as server:
        project = simple(tmp_path, [request("one", path="/flaky/2/503/q")], url=server.url, connection=limit)
        work = bench(project)
        assert work.perform("one")["output"] == {"attempt": 3}
    assert work.clock.waits == [1.0, 599.0, 2.0, 598.0]


def test_the_rate_is_kept_by_the_real_clock(tmp_path: Path) -> None:
    actions = [request(f"step{number}", path="/x") for number in range(6)]
    limit = {"rate_limit": {"requests": 20, "per": "1s"}}
    with answering(reply({})) as server:
        ran = run(simple(tmp_path, actions, url=server.url, connection=limit))
        at = [item.at for item in server.requests]
    assert set(ran.statuses.values()) == {"succeeded"}
    # What lies between is the network's: only the whole is exact.
    assert at[-1] - at[0] >= 0.2


def test_no_more_requests_than_places_are_on_their_way(tmp_path: Path) -> None:
    busy: list[int] = [0, 0]

    def handler(_: Request) -> Answer:
        busy[0] += 1
        busy[1] = max(busy)
        time.sleep(0.02)
        busy[0] -= 1
        return reply({})

    with Server({"GET /x": handler}) as server:
        project = simple(tmp_path, [request("one", path="/x")], url=server.url, connection={"concurrency": 3})
        results = finished(_together(project, 12))
    assert {result["status"] for result in results} == {"succeeded"}
    assert busy[1] == 3


async def _together(project: Any, count: int) -> list[Any]:
    plan = planned(project)
    session = Session(
        project, plan, project.workflows["main"], environ={}, redactor=Redactor(), warn=lambda _: None
    )
    ref = {"action": "one", "inputs": {}, "vars": {}, "actions": {}, "run": {"id": "r"}}
    await session.open()
    try:
        return await asyncio.gather(*(perform(dict(ref), session) for _ in range(count)))
    finally:
        await session.close()


@pytest.mark.parametrize(
    ("rate", "rule", "message"),
    [
        ({"requests": 5}, "missing-key", "the key 'per' is missing beside 'requests' in 'rate_limit'"),
        ({"per": "1m"}, "missing-key", "the key 'requests' is missing beside 'per' in 'rate_limit'"),
        ({"burst": 2}, "missing-key", "the key 'requests' is missing beside 'burst' in 'rate_limit'"),
        (
            {"requests": 5, "per": "1m", "burst": 6},
            "invalid-value",
            "'rate_limit.burst' must be at most 'rate_limit.requests'",
        ),
        ({"requests": 5, "per": "0s"}, "invalid-value", "'rate_limit.per' must be more than 0s"),
    ],
)
def test_half_a_rate_is_an_error(rate: dict[str, Any], rule: str, message: str, tmp_path: Path) -> None:
    from tests.rules.projects import findings

    api = f"type: none\nbase_url: https://example.com\nshared: true\nrate_limit: {rate}\n".replace("'", "")
    files = {"connections.d/api.yaml": api}
    assert (rule, message) in [(item.rule, item.message) for item in findings(tmp_path, files)]


# --- idempotency keys

KEYED = {"idempotency": {"header": "X-Key"}}


@pytest.mark.parametrize("path", ["/reset", "/status/502", "/hold", "/status/503"])
def test_a_key_makes_a_post_repeatable_and_stays_the_same(path: str, tmp_path: Path) -> None:
    more = {"timeout": "40ms" if path == "/hold" else "5s"}
    with faults() as server:
        actions = [request("one", "POST", path, more=more), request("two", "PATCH", path, more=more)]
        work = bench(simple(tmp_path, actions, url=server.url, connection=KEYED))
        first, _ = work.perform("one", "two")
        keys = [item.header("X-Key") for item in server.requests]
    assert tries(first) == 3
    assert keys == [idempotency.key("run-1", "one")] * 3 + [idempotency.key("run-1", "two")] * 3
    assert str(UUID(keys[0])) == keys[0] != keys[3]
    assert first["record"]["request"]["headers"]["X-Key"] == keys[0]


def test_who_carries_a_key_and_whose(tmp_path: Path) -> None:
    inputs = {"inputs": {"none": {"default": None}}}
    with faults() as server:
        actions = [
            request("get", "GET", "/status/502"),
            request("put", "PUT", "/status/502"),
            request("own", "POST", "/status/502", headers={"x-key": "{{ run.id }}-mine"}),
            request("left_out", "POST", "/status/502", headers={"X-KEY": "{{ inputs.none }}"}),
        ]
        project = simple(tmp_path, actions, url=server.url, connection=KEYED, **inputs)
        work = bench(project)
        results = work.perform("get", "put", "own", "left_out")
        keys = {item.header("X-Key") for item in server.requests}
    assert keys == {None, "run-1-mine"}
    assert [tries(result) for result in results] == [3, 3, 3, 1]


def test_a_key_belongs_to_run_and_step() -> None:
    keys = {
        idempotency.key("run", "page"),
        idempotency.key("run", "page[1]"),
        idempotency.key("run", "page[11]"),
        idempotency.key("run2", "page"),
    }
    assert len(keys) == 4
    assert idempotency.key("run", "page[1]") == "6f1607b4-c2da-5c12-8f21-e57dda10a802"


def test_a_plan_shows_the_key(tmp_path: Path) -> None:
    actions = [request("one", "POST", "/x"), request("two", path="/x")]
    project = simple(tmp_path, actions, connection=KEYED)
    one, two = describe(project, planned(project))["actions"]
    assert one["request"]["headers"] == {"X-Key": "‹idempotency key›"}
    assert two["request"]["headers"] == {}


def test_items_have_keys_of_their_own_and_share_the_rate(tmp_path: Path) -> None:
    action = {**request("one", "POST", "/status/200"), "for_each": [1, 2, 3, 4, 5], "concurrency": 5}
    limit = {**KEYED, "rate_limit": {"requests": 25, "per": "1s"}}
    with faults() as server:
        ran = run(simple(tmp_path, [action], url=server.url, connection=limit))
        keys = [item.header("X-Key") for item in server.requests]
        at = sorted(item.at for item in server.requests)
    assert ran.statuses == {"one": "succeeded"}
    wanted = {idempotency.key(ran.result.run_id, f"one[{index}]") for index in range(5)}
    assert set(keys) == wanted
    assert len(keys) == 5
    assert at[-1] - at[0] >= 0.12  # four intervals of 40 ms, less what the network moves
