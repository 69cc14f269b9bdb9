"""The JSON Schemas of the three kinds of files: what every file may hold, and the fragments of the types beside it."""

from functools import cache
from typing import Any

from runner import registry
from runner.language import (
    BASE,
    DESCRIPTION,
    EXPECT,
    HEADERS,
    ID_PATTERN,
    LIMITS,
    MODIFIERS,
    NAME_PATTERN,
    QUERY,
    RETRY,
    TIMEOUT,
    Json,
    closed,
    secret,
    text,
    time_span,
)

_CONNECTION_KEYS: Json = {
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

_ACTIONS: Json = {"type": "array", "items": {"$ref": "#/$defs/action"}}
_WORKFLOW_KEYS: Json = {
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
    "actions": {**_ACTIONS, "minItems": 1, "description": "What is done, in this order."},
    "outputs": {
        "type": "object",
        "description": "What the workflow gives: printed as JSON, and what a calling workflow gets.",
        "propertyNames": {"pattern": NAME_PATTERN, "x-message": "letters, digits, _ and -"},
    },
    "finally": {
        **_ACTIONS,
        "description": "Done at the end in any case, also after a failure, a timeout or a signal.",
    },
    "on_failure": {
        **_ACTIONS,
        "description": "Done when the run failed, before `finally`; `error` says why.",
    },
    "timeout": time_span("Longest time of the whole run. Default 60m.", "10m"),
    "limits": LIMITS,
    "defaults": closed(
        {"connection": text("Connection of actions that name none."), "retry": RETRY, "timeout": TIMEOUT},
        description="Defaults for the actions of this workflow.",
    ),
}


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
    chosen_type = text(
        "How requests prove who sends them; `runner types` lists all.",
        enum=list(types),
        examples=["bearer"],
    )
    return _schema(
        "connection",
        "A connection: an API, how to reach it, and where its credentials are.",
        {"type": chosen_type, **_CONNECTION_KEYS},
        allOf=[
            *branches,
            {"if": {"not": {"required": ["extends"]}}, "then": {"required": ["type", "base_url"]}},
        ],
    )


@cache
def workflow() -> Json:
    """Compose the schema of a file in `workflows.d/`."""
    return _schema(
        "workflow",
        "A workflow: inputs, actions, outputs.",
        _WORKFLOW_KEYS,
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
        "policy": POLICY,
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
        "$id": f"{BASE}/{name}.schema.json",
        "title": f"runner.d {name}",
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {"^x-": {"description": "Ignored: a home for anchors."}},
        "properties": properties,
        **more,
    }
