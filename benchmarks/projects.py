"""Projects that are made to be measured: a chain of requests, an item each, a page each."""

import json
from pathlib import Path

from runner.errors import JsonObject

MOST_PAGES = 20_000
_SUMMED = {"count": "{{ actions.ask.output | length }}", "sum": "{{ actions.ask.output | sum }}"}


def write(directory: Path, address: str, workflow: JsonObject, *, reference: str = "env://API_TOKEN") -> Path:
    """Write a project of this workflow `main` and one connection; gives its directory."""
    connection = {
        "type": "bearer",
        "base_url": address,
        "shared": True,
        "auth": {"token": reference},
        "test": {"path": "/item/0"},
    }
    # JSON is YAML.
    for name, value in (("connections.d/api.yaml", connection), ("workflows.d/main.yaml", workflow)):
        (directory / name).parent.mkdir(parents=True)
        (directory / name).write_text(json.dumps(value, indent=1), encoding="utf-8")
    return directory


def chain(requests: int) -> JsonObject:
    """Make a workflow whose requests each use the answer of the one before."""
    actions = [
        {
            "id": f"a{number}",
            "connection": "api",
            "request": {
                "path": f"/item/{{{{ actions.a{number - 1}.output.next }}}}" if number else "/item/0"
            },
        }
        for number in range(requests)
    ]
    return {"actions": actions, "outputs": {"last": f"{{{{ actions.a{requests - 1}.output.next }}}}"}}


def items(concurrency: int) -> JsonObject:
    """Make a workflow of one action that is done for so many items as its input `count` says."""
    action = {
        "id": "ask",
        "for_each": "{{ range(inputs.count) | list }}",
        "concurrency": concurrency,
        "connection": "api",
        "request": {"path": "/item/{{ item }}"},
        "output": "{{ response.body.next }}",
    }
    return {"inputs": {"count": {"type": "integer"}}, "actions": [action], "outputs": _SUMMED}


def pages() -> JsonObject:
    """Make a workflow that reads a list of so many pages as its input `count` says, with one item each."""
    paginate = {
        "style": "next_url",
        "next": "/item/{{ response.body.next }}",
        "more": "{{ response.body.next < vars.count }}",
        "items": "{{ [response.body.next] }}",
    }
    return {
        "inputs": {"count": {"type": "integer"}},
        "vars": {"count": "{{ inputs.count }}"},
        "limits": {"pages": MOST_PAGES},
        "actions": [{"id": "ask", "connection": "api", "request": {"path": "/item/0", "paginate": paginate}}],
        "outputs": _SUMMED,
    }
