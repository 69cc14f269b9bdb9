"""Waits between attempts, and what is remembered of each."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.answer import Response
from runner.client import Client
from runner.model import Limits, RateLimit, Reset
from runner.perform import Headers
from runner.session import Session
from runner.waits import asked, retry_after
from tests.projects import Clock, bench, request, simple, tries

Answer = Callable[[httpx.Request], httpx.Response]


def mocked(answer: Answer) -> Callable[[], Client]:
    return lambda: Client(environ={}, transport=httpx.MockTransport(answer))


def unavailable(_: httpx.Request) -> httpx.Response:
    return httpx.Response(503)


@pytest.mark.parametrize("jitter", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize(
    ("backoff", "longest"),
    [
        ({}, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]),
        ({"first": "10s", "factor": 1, "limit": "15s"}, [10.0] * 6),
        ({"first": "10s", "factor": 10, "limit": "15s"}, [10.0] + [15.0] * 5),
        ({"first": "1m"}, [30.0] * 6),
        ({"first": "100ms", "factor": 1.5}, [0.1, 0.15, 0.225, 0.3375, 0.50625, 0.759375]),
    ],
)
def test_waits_are_drawn_between_zero_and_the_backoff(
    jitter: float, backoff: dict[str, Any], longest: list[float], tmp_path: Path
) -> None:
    action = request("one", more={"retry": {"attempts": 7, "backoff": backoff}})
    work = bench(simple(tmp_path, [action]), jitter=lambda: jitter, client=mocked(unavailable))
    result = work.perform("one")
    assert work.clock.waits == pytest.approx([wait * jitter for wait in longest])
    assert [entry.get("wait") for entry in result["record"]["attempts"]] == pytest.approx(
        [wait * jitter for wait in longest] + [None], abs=0.0006
    )


def test_the_jitter_of_a_run_is_a_number_between_0_and_1() -> None:
    assert Session.__init__.__kwdefaults__ is not None
    assert Session.__init__.__kwdefaults__["jitter"] == random.random


def test_a_hundred_attempts_do_not_overflow_the_factor(tmp_path: Path) -> None:
    retry = {"attempts": 100, "backoff": {"first": "1ms", "factor": 10000, "limit": "1ms"}}
    work = bench(simple(tmp_path, [request("one", more={"retry": retry})]), client=mocked(unavailable))
    assert tries(work.perform("one")) == 100


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("30", 30.0),
        (" 30 ", 30.0),
        ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0),
        ("Tue, 14 Nov 2023 22:13:10 GMT", -10.0),
        ("30s", None),
        ("", None),
        (None, None),
        (30, None),
        ("Tue, 99 Nov 2023 22:13:30 GMT", None),
        ("Tue, 14 Nov 99999 22:13:30 GMT", None),
    ],
)
def test_retry_after(value: Any, expected: float | None) -> None:
    assert retry_after(value, Clock().now()) == expected


@given(
    st.text(max_size=60) | st.from_regex(r"[A-Z][a-z]{2}, [0-9]+ [A-Z][a-z]{2} [0-9]+ [0-9:]+ [-+A-Z0-9]+")
)
def test_no_retry_after_is_an_error(text: str) -> None:
    assert retry_after(text, 0.0) is None or isinstance(retry_after(text, 0.0), float)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"date": "Tue, 14 Nov 2023 20:13:20 GMT", "retry-after": "Tue, 14 Nov 2023 20:13:30 GMT"}, 10.0),
        ({"date": "Tue, 14 Nov 2023 20:13:20 GMT", "x-reset": "1699992805"}, 5.0),
        ({"date": "no date", "retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10.0),
        ({"date": "Tue, 14 Nov 2023 20:13:20 GMT", "retry-after": "7"}, 7.0),
    ],
)
def test_times_that_a_server_names_are_times_of_its_clock(headers: dict[str, str], wait: float) -> None:
    """The clock of the runner is two hours ahead of the server's in three of these."""
    rate = RateLimit(reset=Reset(header="x-reset", unit="epoch_s"))
    response = Response(status=429, headers=Headers(headers), body=None, url="", elapsed=0.0, text="")
    assert asked(response, rate, Clock().now()) == wait


@given(st.integers(min_value=0))
def test_seconds_are_read_whatever_their_size(seconds: int) -> None:
    wait = retry_after(str(seconds), 0.0)
    assert wait is not None
    assert (wait > Limits().retry_after) == (seconds > Limits().retry_after)


def test_each_attempt_is_recorded_with_what_came_of_it(tmp_path: Path) -> None:
    answers: list[httpx.Response | Exception] = [
        httpx.Response(503),
        httpx.ConnectError("text of a library"),
        httpx.Response(200, json={"a": 1}),
    ]

    def answer(_: httpx.Request) -> httpx.Response:
        given = answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    work = bench(simple(tmp_path, [request("one", "POST", json={})]), client=mocked(answer))
    result = work.perform("one")
    assert result["output"] == {"a": 1}
    first, second, third = result["record"]["attempts"]
    assert (first["number"], first["status"], first["error"]["kind"]) == (1, 503, "unexpected-status")
    assert (second["number"], second["error"]["kind"]) == (2, "connection")
    assert "status" not in second
    assert (third["number"], third["status"], "error" in third) == (3, 200, False)
    assert all(entry["duration"] >= 0 for entry in (first, second, third))
    assert "text of a library" not in repr(result)


def test_the_last_failure_is_the_one_of_the_action(tmp_path: Path) -> None:
    statuses = [503, 502, 404]
    work = bench(
        simple(tmp_path, [request("one")]),
        client=mocked(lambda _: httpx.Response(statuses.pop(0))),
    )
    result = work.perform("one")
    assert result["error"]["message"] == "the server answered 404 Not Found (after 3 attempts)"
    assert "the path is wrong" in result["error"]["help"]
