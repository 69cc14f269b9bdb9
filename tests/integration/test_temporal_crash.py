"""Workers are killed in each phase of a run on Temporal; a server that counts is the witness, as for the history.

Each case has timings of its own, before and after: the server answers as quickly as a seed says.
"""

import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.project import Project
from runner.result import RunResult
from tests.engines import RUNNER, Cluster
from tests.history.test_crash import EXPECTED, INNER, NAMES, WORKFLOW, Witness
from tests.projects import make
from tests.servers.temporal import Temporal

CASES = [
    ("before", "write"),
    ("answered", "write"),
    ("answered", "list"),
    ("answered", "each[1]"),
    ("answered", "sync/then"),
    ("before", "last"),
    ("answered", "finally/bye"),
]
BESIDE = {"each[1]": {"each[0]", "each[2]", "put"}}
"""What may be in flight at the same time, and then has no known end either."""


@dataclass(frozen=True)
class Killed:
    """What came of a run whose worker was killed: at first, of what nobody knew the outcome, and after a resume."""

    first: RunResult
    unknown: set[str]
    last: RunResult
    counts: Counter[str]


def killed(server: Temporal, root: Path, seed: int, point: str, key: str) -> Killed:
    witness = Witness(seed)
    with witness.server, Cluster(server) as cluster:
        project = the_project(root, witness.server.url)
        worker = cluster.worker((point, key))
        run_id = cluster.submit(project)
        assert worker.process.wait(60) == -9
        cluster.worker()
        first = cluster.follow(run_id)
        unknown = set(cluster.ask(lambda found: found.state(run_id))["unknown"])
        if (point, key) == ("answered", "write"):
            asked: list[str | Path] = [RUNNER, "runs", "resume", run_id, "--engine", cluster.url]
            done = subprocess.run(
                asked, capture_output=True, encoding="utf-8", stdin=subprocess.DEVNULL, check=False
            )
            assert (
                done.returncode,
                "1 write may or may not have reached the server when the run ended: 'write'" in done.stderr,
            ) == (2, True)
        last = first if first.status == "succeeded" else cluster.resume(run_id)
        return Killed(first, unknown, last, witness.counts)


def the_project(root: Path, url: str) -> Project:
    api = {"type": "none", "base_url": url, "shared": True}
    return make(
        root,
        {"connections.d/api.yaml": api, "workflows.d/main.yaml": WORKFLOW, "workflows.d/inner.yaml": INNER},
    )


@pytest.fixture(scope="module")
def endings(
    temporal: Temporal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[tuple[str, str], Killed]]:
    """Runs all cases at once: most of their time is that after which a worker is taken for dead."""
    root = tmp_path_factory.mktemp("killed")
    with ThreadPoolExecutor(len(CASES)) as pool:
        going = {
            case: pool.submit(killed, temporal, root / str(seed), seed, *case)
            for seed, case in enumerate(CASES)
        }
        yield {case: each.result() for case, each in going.items()}


@pytest.mark.parametrize(("point", "key"), CASES)
def test_killed_in_each_phase(point: str, key: str, endings: Mapping[tuple[str, str], Killed]) -> None:
    ended = endings[point, key]
    assert ended.last.status == "succeeded", ended.last.error
    assert ended.last.outputs == {"each": ["a", "b", "c"]}
    assert set(ended.counts) == EXPECTED, "nothing is lost"
    beside = BESIDE.get(key, set())
    in_flight = key != "list"
    assert ended.unknown - beside == ({key} if in_flight else set())
    assert (ended.first.status == "failed") == in_flight
    twice = {name for name, count in ended.counts.items() if count > 1}
    certain = {NAMES[key]} if point == "answered" else set()
    if in_flight and key != "finally/bye":
        certain |= {NAMES["finally/bye"]}  # each end of the run has its own
    if key.startswith("sync/") and in_flight:
        certain |= {NAMES["sync/finally/out"]}
    assert certain <= twice <= certain | {NAMES[each] for each in beside}, "what succeeded is not done twice"
