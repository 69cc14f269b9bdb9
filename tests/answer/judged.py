"""One request, and what became of its answer."""

from pathlib import Path
from typing import Any

from runner.client import Answer
from runner.errors import JsonObject
from tests.projects import bench, request, simple

SECRET = "a-Secret/of the+test"


def result_of(
    url: str,
    root: Path,
    path: str,
    *,
    method: str = "GET",
    connection: JsonObject | None = None,
    workflow: JsonObject | None = None,
    environ: JsonObject | None = None,
    request_fields: JsonObject | None = None,
    **more: Any,
) -> JsonObject:
    action = request("one", method, path, more={"retry": {"attempts": 1}, **more}, **(request_fields or {}))
    project = simple(root, [action], url=url, connection=connection, **(workflow or {}))
    result: JsonObject = bench(project, environ=environ or {}).perform("one")
    return result


def answer(body: bytes, content_type: str = "application/json", **headers: str) -> Answer:
    pairs = (
        ("Content-Type", content_type),
        *((name.replace("_", "-"), value) for name, value in headers.items()),
    )
    return Answer(200, pairs, body, "http://x/", 0.1, "HTTP/1.1")
