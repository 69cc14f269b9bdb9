"""Runs on many machines, through Temporal (https://docs.temporal.io).

The interpreter is a Temporal workflow, a step is an activity, called workflows are child workflows, so are the items of a
`for_each` in slices, waits are timers. What travels is the text of the files, references and redacted results: secrets are read by the worker
that performs a step, and never leave it. temporalio is imported here and nowhere else.
"""

import hashlib

RUN = "runner.d run"
SLICE = "runner.d slice"
CALL = "runner.d call"
LOCK = "runner.d lock"
LIMIT = "runner.d limit"
TRIGGER = "runner.d trigger"
"""Names of the workflows in Temporal: what people see in its lists."""

PERFORM = "perform"
PREPARE = "prepare"
RELEASE = "release"
"""Names of the activities."""

LOST_AFTER = 10.0
"""Seconds after which a worker that says nothing is dead, unless `runner worker --lost-after` says otherwise."""

KEPT_OPEN = 7 * 24 * 3600.0
"""Seconds for which a run that did not succeed can be resumed; then its execution ends as failed."""

_LONGEST_NAME = 500


def named(key: str) -> str:
    """Give the name that a step or a child has in Temporal, which takes up to 1,000 characters: its key, or how that begins."""
    if len(key) <= _LONGEST_NAME:
        return key
    return f"{key[:_LONGEST_NAME]}~{hashlib.sha256(key.encode()).hexdigest()[:32]}"
