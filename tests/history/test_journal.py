"""What is in the file when: before a request that may do harm, after every result, and in how many transactions."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.errors import JsonObject
from runner.history.database import FILE
from runner.history.journal import Journal
from runner.history.runs import History, Run
from runner.sensitive import Redactor
from tests.histories import opened

FACTS: JsonObject = {"user": None, "environment": None, "commit": None, "inputs": {}, "again": []}


class Desk:
    """A journal, its transactions, and what another process reads of it."""

    def __init__(self, history: History) -> None:
        run = Run(number=0, id="r1", workflow="w", status="running", started_at="x", digest="d", facts=FACTS)
        number = history.add(run, {})
        history.begin(number, "x", {})
        self.journal = Journal(history, number, 1, Redactor(), warn=pytest.fail)
        self.transactions: list[int] = []
        self.wrote = asyncio.Event()
        self._file = history.state / FILE
        write = history.database.write

        def counted(changes: list[tuple[str, tuple[object, ...]]]) -> None:
            self.transactions.append(len(changes))
            write(changes)
            self.wrote.set()

        history.database.write = counted  # type: ignore[method-assign,assignment]

    def steps(self) -> dict[str, str]:
        with closing(sqlite3.connect(self._file)) as reader:
            return dict(reader.execute("SELECT key, state FROM step").fetchall())

    def events(self) -> int:
        with closing(sqlite3.connect(self._file)) as reader:
            return int(reader.execute("SELECT count(*) FROM event").fetchone()[0])

    async def act(self, key: str, *, harmless: bool = True) -> None:
        await self.journal.started(key, harmless=harmless)
        await self.journal.ended(key, "done", {"status": "succeeded"}, harmless=harmless)
        self.journal.event({"key": key})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    history = opened(tmp_path / "state")
    yield Desk(history)
    history.close()


def test_what_may_do_harm_is_in_the_file_before_it_begins(desk: Desk) -> None:
    async def begin() -> None:
        await desk.journal.started("post", harmless=False)
        assert desk.steps() == {"post": "started"}

    asyncio.run(begin())


def test_a_result_is_in_the_file_before_it_is_used(desk: Desk) -> None:
    async def end() -> None:
        await desk.act("get")
        assert desk.steps() == {"get": "done"}

    asyncio.run(end())


def test_what_takes_long_shows_while_it_does(desk: Desk) -> None:
    async def begin() -> None:
        await desk.journal.started("get", harmless=True)
        desk.journal.event({"key": "before"})
        await asyncio.wait_for(desk.wrote.wait(), 10)
        assert desk.steps() == {"get": "started"}
        assert desk.events() == 1

    asyncio.run(begin())


def test_a_chain_takes_one_transaction_each(desk: Desk) -> None:
    async def chain() -> None:
        for number in range(5):
            await desk.act(f"get{number}")
        assert desk.transactions == [1, 2, 2, 2, 2]  # an event goes along with the end of the step after it
        for number in range(2):
            await desk.act(f"post{number}", harmless=False)
        assert desk.transactions[5:] == [2, 1, 2, 1]

    asyncio.run(chain())
    desk.journal.flush()
    assert desk.events() == 7


def test_what_ends_in_one_turn_takes_one_transaction(desk: Desk) -> None:
    async def item(key: str, ready: asyncio.Event) -> None:
        await desk.journal.started(key, harmless=True)
        await ready.wait()
        await desk.journal.ended(key, "done", {}, harmless=True)

    async def together() -> None:
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(item(f"each[{number}]", ready))
            group.create_task(item("slow", asyncio.Event())).cancel()
            await asyncio.sleep(0)
            ready.set()

    asyncio.run(together())
    assert [count for count in desk.transactions if count > 1] == [10]
    assert set(desk.steps().values()) == {"done"}


def test_an_end_outlives_what_is_forgotten_before_it(desk: Desk) -> None:
    async def again() -> None:
        await desk.journal.started("call#1/get", harmless=True)
        desk.journal.forget("call#1/")
        await desk.journal.ended("call#1/get", "done", {}, harmless=True)

    asyncio.run(again())
    assert desk.steps() == {"call#1/get": "done"}
