"""`wait`: how long is computed by the action, the waiting is the interpreter's."""

import json
from pathlib import Path
from typing import Any

import pytest

from runner.check import check
from tests.projects import Clock, bench, make, run
from tests.rules.projects import loaded

NOW = Clock().now()


def waited(root: Path, wait: Any, **inputs: Any) -> dict[str, Any]:
    workflow = {"inputs": {name: {} for name in inputs}, "actions": [{"id": "pause", "wait": wait}]}
    project = make(root, {"workflows.d/main.yaml": workflow})
    result: dict[str, Any] = bench(project, inputs=inputs).perform("pause")
    return result


@pytest.mark.parametrize(
    ("wait", "inputs", "seconds"),
    [
        ("30s", {}, 30.0),
        ("1h30m", {}, 5400.0),
        ("500ms", {}, 0.5),
        ("{{ inputs.n }}s", {"n": 7}, 7.0),
        ({"until": "2023-11-14T22:14:20Z"}, {}, 60.0),
        ({"until": "{{ inputs.at }}"}, {"at": "2023-11-14T23:14:20+01:00"}, 60.0),
        ({"until": "2020-01-01T00:00:00Z"}, {}, 0.0),
    ],
)
def test_how_long(wait: Any, inputs: dict[str, Any], seconds: float, tmp_path: Path) -> None:
    assert NOW == 1_700_000_000  # 2023-11-14T22:13:20Z
    result = waited(tmp_path, wait, **inputs)
    assert result["output"] == {"seconds": seconds}


@pytest.mark.parametrize(
    ("wait", "value", "message"),
    [
        ("{{ inputs.x }}", "soon", "`wait` gives no duration"),
        ("{{ inputs.x }}", -5, "`wait` gives no duration"),
        ({"until": "{{ inputs.x }}"}, "tomorrow", "`until` gives no time"),
    ],
)
def test_what_gives_no_time(wait: Any, value: Any, message: str, tmp_path: Path) -> None:
    result = waited(tmp_path, wait, x=value)
    assert result["error"]["kind"] == "render"
    assert result["error"]["message"].startswith(message)
    assert result["error"]["file"] == "workflows.d/main.yaml"


@pytest.mark.parametrize(
    ("wait", "message", "pointer"),
    [
        ("soon", "'soon' is not a duration", "soon"),
        ({"until": "tomorrow"}, "`until` gives no time", "tomorrow"),
        ({"until": "2026-13-01T00:00:00Z"}, "`until` gives no time", "2026-13-01T00:00:00Z"),
    ],
)
def test_what_is_written_out_is_checked_before_a_run(
    wait: Any, message: str, pointer: str, tmp_path: Path
) -> None:
    text = json.dumps({"actions": [{"id": "pause", "wait": wait}]})
    project = loaded(tmp_path, {"workflows.d/main.yaml": text})
    (found,) = check(project)
    assert found.message.startswith(message)
    assert text[found.primary.span.start.column - 1 :].startswith(f'"{pointer}"')


def test_a_run_waits_and_goes_on(tmp_path: Path) -> None:
    actions = [{"id": "pause", "wait": "20ms"}, {"id": "after", "set": {"x": "{{ actions.pause.status }}"}}]
    ran = run(make(tmp_path, {"workflows.d/main.yaml": {"actions": actions}}))
    assert ran.result.duration >= 0.02
    assert ran.action("pause").output is None
    assert ran.action("pause").record["duration"] >= 0.02
    assert ran.action("after").output == {"x": "succeeded"}


def test_the_timeout_of_the_run_ends_a_wait(tmp_path: Path) -> None:
    actions = [{"id": "pause", "wait": "1h"}, {"id": "after", "set": {"x": 1}}]
    workflow = {"timeout": "50ms", "actions": actions, "finally": [{"id": "clean", "set": {"x": 1}}]}
    ran = run(make(tmp_path, {"workflows.d/main.yaml": workflow}))
    assert ran.result.status == "timed-out"
    assert ran.statuses == {"pause": "failed", "after": "skipped", "finally/clean": "succeeded"}
