"""What the last test of each connection found, kept in the state directory: one small file for each, replaced as a whole.

So any number of processes may test at once, and a reader never sees half of a result. A result holds no answer and no
message: `connection`, `classification`, `at` (UTC, ISO 8601), and where there is one `user` and `status`.
"""

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from runner.errors import JsonObject
from runner.history.state import prepare

FORMAT = "runner.d/last-test/1"
_FOLDER = "tests"
_NO_ENVIRONMENT = "_"


def keep(
    state: Path, environment: str | None, user: str | None, results: Iterable[JsonObject], now: float
) -> None:
    """Keep results of `connections test`; raises OSError or HistoryError."""
    folder = _folder(state, environment)
    prepare(state)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    for result in results:
        kept = {
            "format": FORMAT,
            "connection": result["connection"],
            "classification": result["classification"],
        }
        kept |= {"at": at} | ({"user": user} if user else {})
        kept |= {"status": result["status"]} if "status" in result else {}
        _replace(folder / f"{quote(str(result['connection']), safe='')}.json", json.dumps(kept))


def read(state: Path, environment: str | None) -> dict[str, JsonObject]:
    """Give the last result of each connection, by name; what cannot be read counts as not there."""
    found: dict[str, JsonObject] = {}
    try:
        paths = sorted(_folder(state, environment).glob("*.json"))
    except OSError:
        return found
    for path in paths:
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(value, dict) and value.get("format") == FORMAT:
            found[unquote(path.stem)] = value
    return found


def _folder(state: Path, environment: str | None) -> Path:
    return state / _FOLDER / (_NO_ENVIRONMENT if environment is None else quote(environment, safe=""))


def _replace(path: Path, text: str) -> None:
    """Write a file beside its place and move it there: readers see the old one or the new one."""
    import tempfile

    number, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
