"""The order of actions: what waits for what, and random graphs run by the interpreter and by a simple model of it."""

import asyncio
import heapq
import json
import tracemalloc
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.engine import Interpreter
from runner.errors import Failure, FailureKind
from runner.model import Workflow
from runner.order import Order
from tests.interpreter.script import RUN, Script, step
from tests.projects import make, planned
from tests.rules.projects import loaded

JsonObject = dict[str, Any]


def workflow_of(root: Path, **lists: list[JsonObject]) -> Workflow:
    return loaded(root, {"workflows.d/main.yaml": json.dumps(lists)}).workflows["main"]


def test_what_waits_for_what(tmp_path: Path) -> None:
    actions = [step("a"), step("b"), step("c", needs=[]), step("d", needs=["c", "a"]), step("e")]
    workflow = workflow_of(tmp_path, **{"actions": actions, "finally": [step("f"), step("g", needs=["b"])]})
    order = Order(workflow)
    direct = {action.id: order.direct(action) for action in workflow.every_action}
    assert direct == {"a": (), "b": ("a",), "c": (), "d": ("c", "a"), "e": ("d",), "f": (), "g": ()}
    ids = [action.id for action in workflow.every_action]
    before = {
        action.id: {name for name in ids if order.is_before(name, action)} for action in workflow.every_action
    }
    assert before["d"] == {"a", "c"}
    assert before["e"] == {"a", "c", "d"}
    assert before["f"] == before["g"] == set("abcde")


def test_every_cycle_is_found_once_and_as_short_as_it_is(tmp_path: Path) -> None:
    actions = [
        step("a", needs=["c"]),
        step("b", needs=["a"]),
        step("c", needs=["b", "d"]),
        step("d", needs=[]),
        step("e", needs=["e"]),
        step("f", needs=["g"]),
        step("g"),
    ]
    cycles = [
        [action.id for action in cycle] for cycle in Order(workflow_of(tmp_path, actions=actions)).cycles()
    ]
    assert cycles == [["a", "c", "b"], ["e"], ["f", "g"]]
    order = Order(workflow_of(tmp_path, actions=actions))
    assert [action.id for action in order.sequence()] == ["d", "a", "b", "c", "e", "f", "g"]


def test_thousands_of_actions_take_little_time_and_memory(tmp_path: Path) -> None:
    """A file may hold 20,000 of them: what each waits for is not listed for each."""
    count = 3000
    actions = [step("a0"), *(step(f"a{at}", needs=[f"a{at - 1}"]) for at in range(1, count))]
    workflow = workflow_of(tmp_path, actions=actions)
    tracemalloc.start()
    try:
        order = Order(workflow)
        assert list(order.cycles()) == []
        assert [action.id for action in order.sequence()] == [f"a{at}" for at in range(count)]
        assert order.is_before("a0", workflow.actions[-1])
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


# --- random graphs against a model


@dataclass(frozen=True)
class Node:
    """An action of a random graph: `needs` None waits for the one before; `takes` is in turns of a made-up clock."""

    name: str
    needs: tuple[str, ...] | None
    takes: int
    outcome: str  # ok, fails, handled, skipped

    def action(self) -> JsonObject:
        more: JsonObject = {} if self.needs is None else {"needs": list(self.needs)}
        if self.outcome == "skipped":
            more["if"] = False
        if self.outcome == "handled":
            more["on_error"] = "continue"
        return step(self.name, **more)


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    """Draw a graph without a circle, written in any order."""
    count = draw(st.integers(1, 9))
    names = [f"n{number}" for number in range(count)]
    nodes: list[Node] = []
    for at, name in enumerate(names):
        needs = (
            draw(st.none() | st.lists(st.sampled_from(names[:at]), unique=True).map(tuple)) if at else None
        )
        outcome = draw(st.sampled_from(["ok", "ok", "ok", "ok", "fails", "handled", "skipped"]))
        nodes.append(Node(name, needs, draw(st.integers(1, 5)), outcome))
    if all(node.needs is not None for node in nodes[1:]):
        return draw(st.permutations([Node(nodes[0].name, (), nodes[0].takes, nodes[0].outcome), *nodes[1:]]))
    return nodes


def model(nodes: list[Node]) -> tuple[list[str], dict[str, str]]:
    """Say in which order actions start and end, and what comes of each: a simulation without tasks."""
    needs = {
        node.name: node.needs if node.needs is not None else tuple(n.name for n in nodes[max(at - 1, 0) : at])
        for at, node in enumerate(nodes)
    }
    log: list[str] = []
    status: dict[str, str] = {}
    queued: set[str] = set()
    ready: deque[Node] = deque()
    running: list[tuple[int, int, Node]] = []
    now, failed = 0, False

    def look() -> None:
        if not failed:
            for node in nodes:
                if node.name not in queued and all(need in status for need in needs[node.name]):
                    queued.add(node.name)
                    ready.append(node)

    look()
    while ready or running:
        while ready:
            node = ready.popleft()
            if node.outcome == "skipped":
                status[node.name] = "skipped"
                look()
            else:
                log.append(f"start {node.name}")
                heapq.heappush(running, (now + node.takes, len(log), node))
        if running:
            now, _, node = heapq.heappop(running)
            log.append(f"end {node.name}")
            status[node.name] = "succeeded" if node.outcome == "ok" else "failed"
            failed = failed or node.outcome == "fails"
            look()
    return log, {node.name: status.get(node.name, "skipped") for node in nodes}


@dataclass
class Clocked(Script):
    """A scope whose steps end by a clock that goes on when nothing else can."""

    nodes: dict[str, Node] = field(default_factory=dict)
    now: int = 0
    flying: list[tuple[int, int, "asyncio.Future[None]"]] = field(default_factory=list)

    async def step(self, key: str, ref: JsonObject) -> JsonObject:
        node = self.nodes[key]
        self.log.append(f"start {key}")
        landed = asyncio.get_running_loop().create_future()
        heapq.heappush(self.flying, (self.now + node.takes, len(self.log), landed))
        await landed
        self.log.append(f"end {key}")
        if node.outcome == "ok":
            return {"status": "succeeded", "output": key, "record": {}}
        failure = Failure(kind=FailureKind.CONNECTION, message=key)
        return {"status": "failed", "error": failure.to_json(), "record": {}}

    async def clock(self) -> None:
        while True:
            for _ in range(12):  # whoever can go on does
                await asyncio.sleep(0)
            if self.flying:
                self.now, _, landed = heapq.heappop(self.flying)
                landed.set_result(None)


_NUMBER: Iterator[int] = iter(range(1_000_000))


@given(graphs())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_graphs_run_as_the_model_says(tmp_path: Path, nodes: list[Node]) -> None:
    root = tmp_path / str(next(_NUMBER))
    project = make(root, {"workflows.d/main.yaml": {"actions": [node.action() for node in nodes]}})
    scope = Clocked(nodes={node.name: node for node in nodes})

    async def whole() -> Any:
        clock = asyncio.create_task(scope.clock())
        try:
            plan = planned(project)
            workflow = project.workflows["main"]
            return await Interpreter(project, workflow, plan, dict(RUN), scope).interpret()
        finally:
            clock.cancel()

    outcome = asyncio.run(whole())
    log, statuses = model(nodes)
    assert scope.log == log
    assert {result.id: result.status.value for result in outcome.results} == statuses
    assert [result.id for result in outcome.results] == [node.name for node in nodes]
    assert (outcome.error is not None) == any(
        node.outcome == "fails" and statuses[node.name] == "failed" for node in nodes
    )
