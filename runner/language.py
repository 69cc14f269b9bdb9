"""What the JSON Schemas are made of, and the files that hold them.

`python -m runner.language` composes them (`runner.language_files`) and writes them to `schemas/`; everything else reads
those files, so that a start imports no type it does not need.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner import duration

Json = dict[str, Any]

NAMES = ("connection", "workflow", "project", "users")
BASE = "https://runner.d/schemas"
_FOLDERS = (Path(__file__).parent / "schemas", Path(__file__).parent.parent / "schemas")

ID_PATTERN = "^[a-z][a-z0-9_]*$"
NAME_PATTERN = "^[A-Za-z_][A-Za-z0-9_-]*$"


def text(description: str, **more: Any) -> Json:
    """Describe a key that takes text, templates included where the field allows them."""
    return {"type": "string", "description": description, **more}


def secret(description: str) -> Json:
    """Describe a key that takes a secret reference and nothing else."""
    return {
        "type": "string",
        "description": f"{description} A secret reference: vault://MOUNT/PATH#FIELD, or env://NAME for development.",
        "pattern": "^(vault|env)://",
        "x-secret": True,
        "examples": ["vault://secret/support/tickets#api_token"],
    }


def time_span(description: str, example: str) -> Json:
    """Describe a key that takes a duration."""
    return text(
        description,
        pattern=duration.PATTERN,
        examples=[example],
        **{"x-message": "a duration such as 30s, 5m or 1h30m"},
    )


def closed(properties: Json, *, required: tuple[str, ...] = (), description: str = "", **more: Any) -> Json:
    """Describe a mapping that has no other keys than these."""
    schema: Json = {"type": "object", "additionalProperties": False, "properties": properties, **more}
    if required:
        schema["required"] = list(required)
    if description:
        schema["description"] = description
    return schema


def scalar(description: str) -> Json:
    """Describe a value that is written into a query or form: text, number or boolean; null leaves it out."""
    return {"type": ["string", "number", "boolean", "null"], "description": description}


def file_schema(name: str, description: str, properties: Json, **more: Any) -> Json:
    """Describe a kind of files."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{BASE}/{name}.schema.json",
        "title": f"runner.d {name}",
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {"^x-": {"description": "Ignored: a home for anchors."}},
        "properties": properties,
        **more,
    }


HEADERS: Json = {
    "type": "object",
    "description": "Headers to send. Values are text, templates, or (in a connection) secret references.",
    "additionalProperties": {"type": "string", "x-message": "text; put quotes around numbers and true/false"},
    "propertyNames": {
        "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        "x-message": "a header name (letters, digits and -)",
    },
    "examples": [{"X-Api-Version": "2024-01"}],
}
QUERY: Json = {
    "type": "object",
    "description": "Query parameters. A list repeats its parameter; null leaves it out.",
    "additionalProperties": {"type": ["string", "number", "boolean", "null", "array"]},
    "examples": [{"status": "open", "limit": 100}],
}
EXPECT: Json = closed(
    {
        "status": {
            "description": "Status codes that are a success: numbers or classes such as 2xx. Default: 2xx, and 3xx that are not followed.",
            "type": ["integer", "string", "array"],
            "pattern": "^[1-5]xx$",
            "minimum": 100,
            "maximum": 599,
            "x-message": "a status code (100 to 599) or a class such as 2xx",
            "minItems": 1,
            "items": {
                "type": ["integer", "string"],
                "minimum": 100,
                "maximum": 599,
                "pattern": "^[1-5]xx$",
                "x-message": "a status code (100 to 599) or a class such as 2xx",
            },
            "examples": [[201, 409]],
        },
        "headers": {
            "type": "object",
            "description": "Response headers and the text each must have; true: must be there, false: must not.",
            "examples": [{"Content-Type": "application/json", "X-Debug": False}],
            "additionalProperties": {"type": ["string", "boolean"]},
        },
        "schema": {
            "type": ["object", "boolean"],
            "description": "JSON Schema (2020-12) that the response's body must satisfy.",
            "examples": [{"type": "object", "required": ["id"]}],
        },
        "that": {
            "type": "array",
            "description": "Templates over `response` that must all be true.",
            "items": {"type": "string"},
            "examples": [["{{ response.body.ok }}"]],
        },
    },
    description="What the response must be. A response that is not ends the action as failed.",
    examples=[{"status": [200, 404]}],
)
RETRY: Json = closed(
    {
        "attempts": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "Attempts in all, the first included. Default 3.",
            "examples": [5],
        },
        "on": {
            "type": "array",
            "description": "What is tried again: status codes, `timeout`, `connection`. POST and PATCH keep their own rule.",
            "items": {
                "type": ["integer", "string"],
                "minimum": 400,
                "maximum": 599,
                "enum": [*range(400, 600), "timeout", "connection"],
                "x-message": "a status code from 400 to 599, timeout, or connection",
            },
            "examples": [[429, 503, "timeout"]],
        },
        "backoff": closed(
            {
                "first": time_span("Longest wait before the second attempt. Default 1s.", "1s"),
                "factor": {
                    "type": "number",
                    "minimum": 1,
                    "description": "Growth of the wait. Default 2.",
                    "examples": [3],
                },
                "limit": time_span("Longest single wait. Default 30s.", "30s"),
            },
            description="Waits are drawn between zero and first x factor^n, at most limit.",
            examples=[{"first": "2s", "limit": "1m"}],
        ),
    },
    description="When a request is sent again. Default: 3 attempts on 429, 502, 503, 504, timeout and connection.",
    examples=[{"attempts": 5, "on": [429, 503, "timeout"]}],
)
TIMEOUT = time_span("Longest time of one attempt. Default 30s.", "30s")
LIMITS: Json = closed(
    {
        "body": text(
            "Largest response body. Default 10MiB.",
            pattern="^[1-9][0-9]*(KiB|MiB|GiB)$",
            examples=["50MiB"],
            **{"x-message": "a size such as 512KiB or 50MiB"},
        ),
        "connect": time_span("Longest time to connect. Default 10s.", "10s"),
        "template_output": text(
            "Longest text that a template gives. Default 10MiB.",
            pattern="^[1-9][0-9]*(KiB|MiB|GiB)$",
            examples=["20MiB"],
            **{"x-message": "a size such as 512KiB or 50MiB"},
        ),
        "items": {
            "type": "integer",
            "minimum": 1,
            "description": "Most items of one `for_each`, and of all pages of one request. Default 100000.",
            "examples": [250000],
        },
        "nested_calls": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "Most workflow calls inside of each other. Default 20.",
            "examples": [30],
        },
        "pages": {
            "type": "integer",
            "minimum": 1,
            "description": "Most pages of one request. Default 1000.",
            "examples": [5000],
        },
        "retry_after": time_span("Longest wait that a server may ask for. Default 2m.", "10m"),
        "retrying": time_span(
            "Time after which no further attempt of a request is begun. Default 5m.", "15m"
        ),
    },
    description="Limits raised for this workflow (or, in runner.yaml, for the project).",
    examples=[{"body": "50MiB"}],
)
DESCRIPTION = text(
    "What it is for, for people.", examples=["Page somebody about tickets that nobody touched"]
)


def _patterns(description: str, example: list[str]) -> Json:
    return {
        "type": "array",
        "description": description,
        "items": {"type": "string", "minLength": 1, "description": "A pattern; * stands for anything."},
        "examples": [example],
    }


POLICY: Json = closed(
    {
        "hosts": _patterns(
            "Hosts that any request may reach, redirects included.", ["*.example.com", "api.github.com"]
        ),
        "deny_methods": {
            "type": "array",
            "description": "Methods that no request may use.",
            "items": {
                "type": "string",
                "enum": ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"],
                "description": "An HTTP method.",
                "examples": ["DELETE"],
            },
            "examples": [["DELETE"]],
        },
        "require_https": {
            "type": "boolean",
            "description": "true: no request is plain http, not even to this machine, whatever `allow_http` says.",
            "examples": [True],
        },
        "require_shared": {
            "type": "boolean",
            "description": "true: every connection is `shared: true`.",
            "examples": [True],
        },
        "max_attempts": {
            "type": "integer",
            "minimum": 1,
            "description": "Most attempts of one request.",
            "examples": [3],
        },
        "secrets": {
            "type": "object",
            "description": "Which Vault paths which connection may name: patterns of connection names to patterns of MOUNT/PATH. The secrets of a workflow stand under `workflow:NAME`.",
            "additionalProperties": _patterns("Vault paths.", ["secret/support/*"]),
            "examples": [{"eu/*": ["secret/support/*"]}],
        },
    },
    description="What reviewers permit, whatever connections and workflows say; checked by `validate`, enforced by `run`.",
    examples=[{"hosts": ["*.example.com"], "require_https": True}],
)


COURSE: Json = {
    "needs": {
        "type": "array",
        "description": "Actions of the same list that this one waits for, instead of the one written before it; [] starts at once.",
        "uniqueItems": True,
        "items": {
            "type": "string",
            "pattern": ID_PATTERN,
            "x-message": "the id of an action",
            "description": "The id of an action.",
            "examples": ["search"],
        },
        "examples": [["search", "read"]],
    },
    "for_each": {
        "type": ["string", "array", "object"],
        "description": "Do it once per item of a list or mapping, with `item` and `index`. Of a mapping, `item` has `key` and `value`.",
        "pattern": r"\{\{|\{%",
        "x-message": "a list, a mapping, or a template that gives one",
        "examples": ["{{ actions.search.output }}", ["eu", "us"]],
    },
    "concurrency": {
        "type": "integer",
        "minimum": 1,
        "maximum": 1000,
        "description": "How many items of `for_each` are done at the same time. Default 1.",
        "examples": [8],
    },
    "with": {
        "type": "object",
        "description": "Inputs of the called workflow, by name. A secret one takes a secret of this workflow.",
        "propertyNames": {"pattern": ID_PATTERN, "x-message": "the name of an input"},
        "examples": [{"days": 3, "token": "{{ secrets.token }}"}],
    },
    "repeat": closed(
        {
            "until": text(
                "Template over `response`: the action is done when it is true.",
                examples=["{{ response.body.status == 'ready' }}"],
            ),
            "every": time_span("Wait between two repetitions. Default 10s.", "10s"),
            "at_most": {
                "type": "integer",
                "minimum": 1,
                "maximum": 10000,
                "description": "How often in all, the first time included. Default 30.",
                "examples": [30],
            },
        },
        required=("until",),
        description="Do it again until something is true: polling. A repetition that fails ends the action.",
        examples=[{"until": "{{ response.body.status == 'ready' }}", "every": "10s", "at_most": 30}],
    ),
}
"""When an action is done, and how often."""

MODIFIERS = frozenset(
    {"connection", "expect", "output", "sensitive", "retry", "timeout", "idempotent", "repeat", "with"}
)
"""Modifiers that fit some kinds of actions only; `id`, `name`, `if`, `needs`, `for_each`, `concurrency` and `on_error` fit every kind."""


ONE_AT_A_TIME: Json = closed(
    {
        "key": text(
            "Runs with the same key, of whatever workflow, never go on at the same time on one machine.",
            minLength=1,
            examples=["{{ run.workflow }}-{{ environment }}"],
        ),
        "on_conflict": text(
            "What a run does while another one holds the key: queue (default) waits, skip ends without an error, fail ends with exit code 6.",
            enum=["queue", "skip", "fail"],
            examples=["skip"],
        ),
    },
    required=("key",),
    description="One run at a time: a lock between the processes of one machine, by key.",
    examples=[{"key": "{{ run.workflow }}", "on_conflict": "skip"}],
)


def schema_text(name: str) -> str:
    """Read the shipped schema of `connection`, `workflow`, `project` or `users`."""
    for folder in _FOLDERS:
        path = folder / f"{name}.schema.json"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"{name}.schema.json is missing from the installation")


def composed_text(name: str) -> str:
    """Compose a schema anew, as text."""
    from runner import language_connection, users
    from runner import language_files as files

    compose: dict[str, Callable[[], Json]] = {
        "users": users.schema,
        "connection": language_connection.connection,
        "workflow": files.workflow,
        "project": files.project,
    }
    return json.dumps(compose[name](), indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> None:
    """Write the schemas to a folder."""
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / f"{name}.schema.json").write_text(composed_text(name), encoding="utf-8")


if __name__ == "__main__":
    write(_FOLDERS[1])
