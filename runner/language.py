"""The JSON Schemas of the three kinds of files, composed from what stands here and from the types' own fragments.

`python -m runner.language` writes them to `schemas/`; everything else reads those files, so that a start imports no
type it does not need.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from runner import duration, registry

Json = dict[str, Any]

NAMES = ("connection", "workflow", "project")
_BASE = "https://runner.d/schemas"
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
            "additionalProperties": {"type": ["string", "boolean"]},
        },
        "schema": {
            "type": ["object", "boolean"],
            "description": "JSON Schema (2020-12) that the response's body must satisfy.",
        },
        "that": {
            "type": "array",
            "description": "Templates over `response` that must all be true.",
            "items": {"type": "string"},
            "examples": [["{{ response.body.ok }}"]],
        },
    },
    description="What the response must be. A response that is not ends the action as failed.",
)
RETRY: Json = closed(
    {
        "attempts": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "Attempts in all, the first included. Default 3.",
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
                "factor": {"type": "number", "minimum": 1, "description": "Growth of the wait. Default 2."},
                "limit": time_span("Longest single wait. Default 30s.", "30s"),
            },
            description="Waits are drawn between zero and first x factor^n, at most limit.",
        ),
    },
    description="When a request is sent again. Default: 3 attempts on 429, 502, 503, 504, timeout and connection.",
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
    },
    description="Limits raised for this workflow (or, in runner.yaml, for the project).",
)
DESCRIPTION = text("What it is for, for people.")


@cache
def connection() -> Json:
    """Compose the schema of a file in `connections.d/`."""
    branches: list[Json] = []
    types = registry.names("auth")
    for name in types:
        module = registry.load("auth", name)
        chosen = {"properties": {"type": {"const": name}}, "required": ["type"]}
        if module.SCHEMA is None:
            then: Json = {"properties": {"auth": False}}
        else:
            then = {"properties": {"auth": module.SCHEMA}, "required": ["auth"]}
        branches.append({"if": chosen, "then": then})
    properties: Json = {
        "type": text(
            "How requests prove who sends them; `runner types` lists all.",
            enum=list(types),
            examples=["bearer"],
        ),
        "description": DESCRIPTION,
        "base_url": text(
            "Absolute http(s) URL that action paths are added to; `vars` and `environment` may stand in it.",
            examples=["https://example.com/api/v2"],
        ),
        "shared": {
            "type": "boolean",
            "description": "true: one credential for the team. false (default): each user has their own.",
        },
        "auth": {"description": "The fields of the type. Secret fields take secret references only."},
        "headers": {
            **HEADERS,
            "description": "Sent with every request. Values: text, templates, secret references.",
        },
        "query": {
            **QUERY,
            "description": "Sent with every request. Values: text, templates, secret references.",
        },
        "test": closed(
            {
                "method": text("Method of the test request. Default GET.", enum=["GET", "HEAD", "POST"]),
                "path": text("Path of the test request.", examples=["/me"]),
                "query": QUERY,
                "json": {"description": "JSON body of the test request."},
                "expect": EXPECT,
            },
            required=("path",),
            description="A harmless request that proves the credentials: `runner connections test`.",
        ),
        "fail_when": text(
            "Template over `response`: true when a success is in truth an error.",
            examples=["{{ not response.body.ok }}"],
        ),
        "error_message": text(
            "Template over `response`: the API's own error text.", examples=["{{ response.body.error }}"]
        ),
        "retry": RETRY,
        "timeout": TIMEOUT,
        "allow": {
            "type": "array",
            "description": "What workflows may do through it: METHOD and a path pattern with *.",
            "items": {
                "type": "string",
                "pattern": r"^(\*|[A-Z]+) (/\S*|\*)$",
                "x-message": "a method and a path pattern such as 'GET *' or 'POST /tickets/*'",
            },
            "examples": [["GET *", "POST /tickets/*"]],
        },
        "tls": closed(
            {
                "verify": {
                    "type": "boolean",
                    "description": "false accepts any certificate. Never for production.",
                },
                "ca": text(
                    "File with the CA certificates to trust, relative to the project, or a secret reference to PEM text."
                ),
            },
            description="TLS of this connection.",
        ),
        "proxy": text(
            "URL of the proxy; default from the environment.", examples=["http://proxy.example.com:3128"]
        ),
        "allow_http": {
            "type": "boolean",
            "description": "true permits http:// to a host that is not this machine.",
        },
        "extends": text(
            "Name of another connection whose keys this one takes; keys given here replace its keys."
        ),
    }
    return _schema(
        "connection",
        "A connection: an API, how to reach it, and where its credentials are.",
        properties,
        allOf=[
            *branches,
            {"if": {"not": {"required": ["extends"]}}, "then": {"required": ["type", "base_url"]}},
        ],
    )


@cache
def workflow() -> Json:
    """Compose the schema of a file in `workflows.d/`."""
    actions = {"type": "array", "items": {"$ref": "#/$defs/action"}}
    properties: Json = {
        "description": DESCRIPTION,
        "inputs": {
            "type": "object",
            "description": "Inputs by name, each a JSON Schema; without `default` an input is required.",
            "propertyNames": {"pattern": ID_PATTERN, "x-message": "lower-case letters, digits and _"},
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "type": {
                        "enum": ["string", "integer", "number", "boolean", "array", "object"],
                        "description": "Type of the input.",
                    },
                    "description": DESCRIPTION,
                    "default": {"description": "Value when none is given."},
                    "secret": {
                        "type": "boolean",
                        "description": "true: masked everywhere; never given on the command line.",
                    },
                },
            },
            "examples": [{"days": {"type": "integer", "default": 14, "minimum": 1}}],
        },
        "vars": {
            "type": "object",
            "description": "Values for templates, `vars.NAME`. They may use `inputs`, `environment`, `run` and the project's vars.",
            "propertyNames": {"pattern": NAME_PATTERN, "x-message": "letters, digits, _ and -"},
        },
        "secrets": {
            "type": "object",
            "description": "Secret references by name, `secrets.NAME`, for requests without a connection.",
            "propertyNames": {"pattern": NAME_PATTERN, "x-message": "letters, digits, _ and -"},
            "additionalProperties": secret("The secret."),
        },
        "actions": {**actions, "minItems": 1, "description": "What is done, in this order."},
        "outputs": {
            "type": "object",
            "description": "What the workflow gives: printed as JSON, and what a calling workflow gets.",
            "propertyNames": {"pattern": NAME_PATTERN, "x-message": "letters, digits, _ and -"},
        },
        "finally": {
            **actions,
            "description": "Done at the end in any case, also after a failure, a timeout or a signal.",
        },
        "on_failure": {
            **actions,
            "description": "Done when the run failed, before `finally`; `error` says why.",
        },
        "timeout": time_span("Longest time of the whole run. Default 60m.", "10m"),
        "limits": LIMITS,
        "defaults": closed(
            {"connection": text("Connection of actions that name none."), "retry": RETRY, "timeout": TIMEOUT},
            description="Defaults for the actions of this workflow.",
        ),
    }
    return _schema(
        "workflow",
        "A workflow: inputs, actions, outputs.",
        properties,
        required=["actions"],
        **{"$defs": {"action": _action()}},
    )


def _action() -> Json:
    kinds = registry.names("actions")
    properties: Json = {
        "id": text(
            "Name of the action in templates, `actions.ID`.",
            pattern=ID_PATTERN,
            **{"x-message": "lower-case letters, digits and _, a letter first"},
        ),
        "name": text("Title for people."),
        "if": {
            "type": ["string", "boolean"],
            "description": "The action is skipped when this template is false.",
        },
        "connection": text("Name of the connection that the request uses."),
        "expect": EXPECT,
        "output": {
            "description": "What the action gives, a template over `response`. Default: the parsed body."
        },
        "sensitive": {
            "type": "boolean",
            "description": "true: the output is a secret, masked everywhere and kept nowhere.",
        },
        "retry": RETRY,
        "timeout": TIMEOUT,
        "on_error": text(
            "`continue`: a failure does not end the run. Default fail.", enum=["fail", "continue"]
        ),
        "idempotent": {"type": "boolean", "description": "true: repeating this POST or PATCH is harmless."},
    }
    branches: list[Json] = []
    for kind in kinds:
        module = registry.load("actions", kind)
        properties[kind] = module.SCHEMA
        unfit = dict.fromkeys(sorted(MODIFIERS - module.MODIFIERS), False)
        if unfit:
            branches.append({"if": {"required": [kind]}, "then": {"properties": unfit}})
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": ["id"],
        "oneOf": [{"required": [kind]} for kind in kinds],
        "x-message": f"exactly one kind: {', '.join(kinds)}",
        "allOf": branches,
    }


MODIFIERS = frozenset({"connection", "expect", "output", "sensitive", "retry", "timeout", "idempotent"})
"""Modifiers that fit some kinds of actions only; `id`, `name`, `if` and `on_error` fit every kind."""


@cache
def project() -> Json:
    """Compose the schema of `runner.yaml`."""
    from runner.secrets.vault.config_schema import CONFIG_SCHEMA

    properties: Json = {
        "vault": CONFIG_SCHEMA,
        "vars": {
            "type": "object",
            "description": "Values for templates of connections and workflows, `vars.NAME`.",
            "propertyNames": {"pattern": NAME_PATTERN, "x-message": "letters, digits, _ and -"},
        },
        "limits": LIMITS,
    }
    override = {key: value for key, value in connection()["properties"].items() if key != "extends"}
    environments = {
        "type": "object",
        "description": "Chosen with --env NAME; the same keys, merged over those of the top level.",
        "propertyNames": {
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$",
            "x-message": "letters, digits, . _ and -",
        },
        "additionalProperties": closed(
            {
                **properties,
                "connections": {
                    "type": "object",
                    "description": "Keys of connections that are others in this environment.",
                    "additionalProperties": closed(override),
                },
            }
        ),
    }
    return _schema("project", "Settings of a project.", {**properties, "environments": environments})


def _schema(name: str, description: str, properties: Json, **more: Any) -> Json:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{_BASE}/{name}.schema.json",
        "title": f"runner.d {name}",
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {"^x-": {"description": "Ignored: a home for anchors."}},
        "properties": properties,
        **more,
    }


def schema_text(name: str) -> str:
    """Read the shipped schema of `connection`, `workflow` or `project`."""
    for folder in _FOLDERS:
        path = folder / f"{name}.schema.json"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(f"{name}.schema.json is missing from the installation")


def composed_text(name: str) -> str:
    """Compose a schema anew, as text."""
    made = {"connection": connection, "workflow": workflow, "project": project}[name]()
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> None:
    """Write the three schemas to a folder."""
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        (folder / f"{name}.schema.json").write_text(composed_text(name), encoding="utf-8")


if __name__ == "__main__":
    write(_FOLDERS[1])
