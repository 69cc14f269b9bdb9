"""What is blanked in messages and comparisons knows every field of every auth type that is no secret."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runner import registry
from runner.compare import conceal as compared
from runner.reports.text import conceal as printed


def plain_fields(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, described in schema["properties"].items():
        if described is False or "x-secret" in described:
            continue
        yield (*path, name)
        if described.get("additionalProperties") is False:
            yield from plain_fields(described, (*path, name))


def test_plain_fields_are_known_as_such() -> None:
    secret: set[str] = set()
    plain: set[tuple[str, ...]] = set()
    for name in registry.names("auth"):
        module = registry.load("auth", name)
        secret |= module.SECRET_FIELDS
        plain |= set(plain_fields(module.SCHEMA)) if module.SCHEMA else set()
    outer = {path[0] for path in plain} - secret
    assert outer - printed._PLAIN_FIELDS == set()
    scalars = {
        path for path in plain if not any(other[: len(path)] == path and other != path for other in plain)
    }
    judged = {path[-1] for path in scalars if not compared._FREE_FIELDS & set(path)} - secret
    assert judged - compared._PLAIN_FIELDS == set()


LOOK = """
import json, sys
from pathlib import Path
from runner.check import require
from runner.project import load
require(load(Path()))
print(json.dumps(sorted(sys.modules)))
"""


def test_checking_imports_nothing_that_only_a_run_needs(tmp_path: Path) -> None:
    for folder in ("connections.d", "workflows.d"):
        (tmp_path / folder).mkdir()
    for name in registry.names("auth"):
        example = registry.load("auth", name).EXAMPLE
        (tmp_path / "connections.d" / f"{name}.yaml").write_text(example, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=tmp_path, capture_output=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "runner.auth.session" in loaded
    heavy = (
        "jwt",
        "cryptography",
        "asyncio",
        "ssl",
        "secrets",
        "http.client",
        "httptools",
        "httpx",
    )
    assert loaded & set(heavy) == set()


SEND = """
import asyncio, json, sys
from pathlib import Path
from runner.connection_test import send_tests
from runner.project import load
from runner.sensitive import Redactor
asyncio.run(send_tests(load(Path()), ["api"], environ={"T": "the-token"}, redactor=Redactor(), warn=print))
print(json.dumps(sorted(sys.modules)))
"""


def test_a_run_imports_the_auth_type_that_it_uses_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "connections.d").mkdir()
    api = {
        "type": "bearer",
        "base_url": "http://127.0.0.1:9",
        "auth": {"token": "env://T"},
        "test": {"path": "/"},
    }
    (tmp_path / "connections.d" / "api.yaml").write_text(json.dumps(api), encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", SEND], cwd=tmp_path, capture_output=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert {name for name in loaded if name.startswith("runner.auth.")} == {"runner.auth.bearer"}
    assert loaded & {"jwt", "cryptography", "hvac", "requests", "httpx"} == set()
