"""The runner is killed at every point of a step; a server that counts is the witness of what is done twice, or not at all."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.project import load
from tests.crashing import POINTS
from tests.e2e.program import Ended, Program
from tests.histories import asked, resumed
from tests.projects import request
from tests.servers.http import Request, Response, Server, reply

ROOT = Path(__file__).parents[2]


class Witness:
    """Counts, and takes its time as it likes."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.server = Server({"* /**": self._answer})
        self.slowest = 0.02

    def _answer(self, asked: Request) -> Response:
        import time

        time.sleep(self._chance.random() * self.slowest)
        return reply({"path": asked.path, "items": ["a", "b", "c"]})

    @property
    def counts(self) -> Counter[str]:
        return Counter(f"{each.method} {each.path}" for each in self.server.requests)


@pytest.fixture
def witness() -> Iterator[Witness]:
    made = Witness(7)
    with made.server:
        yield made


ACTIONS: list[dict[str, Any]] = [
    request("list", path="/list", more={"output": "{{ response.body['items'] }}"}),
    request("write", "POST", "/write"),
    {
        **request("each", "POST", "/each/{{ item }}"),
        "for_each": "{{ actions.list.output }}",
        "concurrency": 2,
        "output": "{{ item }}",
    },
    {**request("put", "PUT", "/put"), "needs": ["write"]},
    {
        "id": "sync",
        "needs": ["each", "put"],
        "workflow": "inner",
        "with": {"items": "{{ actions.list.output }}"},
    },
    request("last", "POST", "/last", json={"n": "{{ actions.sync.output.n }}"}),
]
INNER = {
    "inputs": {"items": {"type": "array"}},
    "actions": [
        request("in", "POST", "/in", more={"output": "{{ inputs['items'] | length }}"}),
        request("then", "POST", "/then"),
    ],
    "finally": [request("out", "POST", "/out")],
    "outputs": {"n": "{{ actions.in.output }}"},
}
WORKFLOW = {
    "actions": ACTIONS,
    "finally": [request("bye", "POST", "/bye")],
    "outputs": {"each": "{{ actions.each.output }}"},
}


def project(directory: Path, url: str) -> Program:
    program = Program(directory, {"PATH": os.defpath, "PYTHONPATH": str(ROOT)})
    connection = {"type": "none", "base_url": url, "shared": True}
    program.write("connections.d/api.yaml", json.dumps(connection))
    program.write("workflows.d/main.yaml", json.dumps(WORKFLOW))
    program.write("workflows.d/inner.yaml", json.dumps(INNER))
    return program


def crash(program: Program, point: str, key: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crashing", point, key, *arguments],
        cwd=program.directory,
        env=dict(program.environ),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9, done.stderr.decode()


def the_run(program: Program) -> dict[str, Any]:
    found = program.run("runs", "--format", "json")
    run: dict[str, Any] = json.loads(found.out)["runs"][0]
    return run


def resume(program: Program, run: str, *more: str) -> Ended:
    return program.run("runs", "resume", run, *more)


CASES = [
    *((point, "write") for point in POINTS),
    ("answered", "list"),
    *((point, "each[1]") for point in POINTS[1:]),
    ("answered", "put"),
    ("answered", "sync/then"),
    ("done", "sync/then"),
    ("answered", "sync/finally/out"),
    ("done", "sync/finally/out"),
    *((point, "finally/bye") for point in POINTS[1:]),
]
BESIDE = {"each[1]": {"each[0]", "each[2]"}, "put": {"each[0]", "each[1]", "each[2]"}}
"""What may be in flight at the same time, and then has no known end either."""

NAMES = {
    "list": "GET /list", "write": "POST /write", "put": "PUT /put", "last": "POST /last", "finally/bye": "POST /bye",
    "sync/in": "POST /in", "sync/then": "POST /then", "sync/finally/out": "POST /out",
    **{f"each[{at}]": f"POST /each/{item}" for at, item in enumerate("abc")},
}  # fmt: skip


EXPECTED = set(NAMES.values())


@pytest.mark.parametrize(("point", "key"), CASES)
def test_killed_at_any_point(point: str, key: str, witness: Witness, tmp_path: Path) -> None:
    program = project(tmp_path, witness.server.url)
    crash(program, point, key, "run", "main")
    state = tmp_path / ".runner"
    assert asked(state, lambda _, run: run.status) == "crashed"
    unknown: set[str] = asked(
        state,
        lambda history, run: {
            step.key for step in history.steps(run.number, "started", "unknown") if step.unknown
        },
    )
    beside = BESIDE.get(key, set())
    writes = key not in ("list", "put")
    assert unknown - beside == ({key} if writes and point in ("begun", "answered") else set())
    after = resumed(load(tmp_path), state)
    assert after.result.status.value == "succeeded", after.result.error
    assert after.result.outputs == {"each": ["a", "b", "c"]}
    counts = witness.counts
    assert set(counts) == EXPECTED, "nothing is lost"
    twice = {name for name, count in counts.items() if count > 1}
    repeatable = {NAMES["put"]} if beside else {NAMES[key]} if key == "list" else set()
    assert twice <= {NAMES[each] for each in unknown} | repeatable, "nothing that succeeded is done twice"
    if not beside:
        assert twice == ({NAMES[key]} if point == "answered" else set())


def test_nothing_is_left_to_do_after_it_succeeded(witness: Witness, tmp_path: Path) -> None:
    program = project(tmp_path, witness.server.url)
    assert program.run("run", "main").code == 0
    before = witness.counts
    again = resume(program, the_run(program)["run"])
    assert (again.code, again.out) == (0, "")
    assert "has succeeded: nothing is left to do" in again.err
    assert witness.counts == before


def test_killed_again_and_again_at_any_time(witness: Witness, tmp_path: Path) -> None:
    """`make soak` does this 200 times."""
    from tests.soak import ordeal

    ordeal(project(tmp_path, witness.server.url), random.Random(1), lambda: witness.counts, NAMES)
