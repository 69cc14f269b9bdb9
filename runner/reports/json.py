"""JSON for programs. Every document names its form and version under `format`; keys are added, never changed.

- `runner.d/diagnostics/1`: `{"format", "diagnostics": [...], "errors": n, "warnings": n, "files": n}`. A diagnostic has
  `rule`, `severity` (`error`, `warning`), `message`, `file`, `line`, `column`, `end_line`, `end_column` (from 1, the end
  exclusive), and where there are any `help` and `related` (a list of places, each with a `message`). `files` counts
  the files that were checked. `flows` is a list of which secret can reach which host, known from the files alone: each
  has `secret` (the reference as written, `inputs.NAME` or `actions.ID.output`), `of` (the connection or workflow whose
  it is), `host` (with its port unless that is the usual one), `channel` (`auth.token`, `request.headers.X-Key`),
  `file`, `line`, and where they apply `connection`, `workflow` and `action`.
- `runner.d/plan/1`: as `runner.plan.describe` gives it.
- `runner.d/diff/1`: as `runner.compare` gives it.
- `runner.d/run/1`: as `RunResult.to_json` gives it.
- `runner.d/connection-tests/1`: `{"format", "connections": [...]}`. An entry has `connection` and `classification`, and
  where they apply `message`, `help`, `file`, `line`, `method`, `url`, `status` and `duration` (seconds).
"""

import math
import re
from collections.abc import Sequence
from typing import Any

from runner import exact_json
from runner.errors import JsonObject
from runner.reports import Findings
from runner.result import RunResult

# What JSON lets through and terminals and readers act on: C1 controls, bidirectional overrides, line separators.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def dumps(value: Any) -> str:
    """Write JSON data in the form that all commands and reports share: indented, keys in their order."""
    try:
        text = exact_json.dumps(value, indent=2)
    except ValueError:
        text = exact_json.dumps(_finite(value), indent=2)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n"


def diagnostics(findings: Findings) -> str:
    """Give the findings as `runner.d/diagnostics/1`."""
    return dumps(
        {
            "format": "runner.d/diagnostics/1",
            "diagnostics": [item.to_json() for item in findings.diagnostics],
            "errors": findings.errors,
            "warnings": findings.warnings,
            "files": findings.files,
            **({} if findings.flows is None else {"flows": list(findings.flows)}),
        }
    )


def plan(plan: JsonObject) -> str:
    """Give a described plan as `runner.d/plan/1`."""
    return dumps(plan)


def diff(compared: JsonObject) -> str:
    """Give a comparison as `runner.d/diff/1`."""
    return dumps(compared)


def run(result: RunResult) -> str:
    """Give a run as `runner.d/run/1`."""
    return dumps(result.to_json())


def connection_tests(results: Sequence[JsonObject]) -> str:
    """Give the tests of connections as `runner.d/connection-tests/1`."""
    return dumps({"format": "runner.d/connection-tests/1", "connections": list(results)})


def _finite(value: Any) -> Any:
    """Put null where a number is one that JSON cannot write."""
    if isinstance(value, float):
        return value if math.isfinite(value) or isinstance(value, exact_json.Number) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
