"""A workflow of one request: what arrives, or why nothing was sent."""

from pathlib import Path
from typing import Any

from runner.errors import JsonObject
from tests.projects import request, run, simple
from tests.servers.http import Request, Server


def arrived(
    api: Server,
    root: Path,
    *,
    method: str = "POST",
    path: str = "/x",
    base: str = "",
    connection: JsonObject | None = None,
    inputs: JsonObject | None = None,
    **fields: Any,
) -> Request:
    """Run a workflow of one request, whose inputs may be anything; gives what arrived."""
    given = inputs or {}
    project = simple(
        root,
        [request("one", method, path, **fields)],
        url=api.url + base,
        connection=connection,
        inputs={name: {} for name in given},
    )
    ran = run(project, input_file=given)
    assert ran.result.exit_code == 0, ran.result.error
    (only,) = api.requests
    return only


def refused(api: Server, root: Path, **parts: Any) -> tuple[str, str, str | None]:
    """Run a request that must not be sent; gives kind, message and help."""
    given = parts.pop("inputs", {})
    connection = parts.pop("connection", None)
    url = parts.pop("base", api.url)
    project = simple(
        root,
        [request("one", parts.pop("method", "POST"), parts.pop("path", "/x"), **parts)],
        url=url,
        connection=connection,
        inputs={name: {} for name in given},
    )
    ran = run(project, input_file=given)
    assert api.requests == ()
    error = ran.result.error
    assert error is not None
    assert error.span is not None
    return error.kind.value, error.message, error.help
