"""The JSON Schemas of the three kinds of files: what every file may hold, and the fragments of the types beside it."""

from functools import cache
from typing import Any

from runner import registry
from runner.language import (
    BASE,
    COURSE,
    DESCRIPTION,
    EXPECT,
    HEADERS,
    ID_PATTERN,
    LIMITS,
    MODIFIERS,
    NAME_PATTERN,
    POLICY,
    QUERY,
    RETRY,
    TIMEOUT,
    Json,
    closed,
    secret,
    text,
    time_span,
)
from runner.language_traffic import CONCURRENCY, IDEMPOTENCY, RATE_LIMIT

_CONNECTION_KEYS: Json = {
    "description": DESCRIPTION,
    "base_url": text(
        "Absolute http(s) URL that action paths are added to; `vars` and `environment` may stand in it.",
        examples=["https://example.com/api/v2"],
    ),
    "shared": {
        "type": "boolean",
        "description": "true: one credential for the team. false (default): each user has their own.",
        "examples": [True],
    },
    "auth": {
        "description": "The fields of the type. Secret fields take secret references only.",
        "examples": [{"token": "vault://secret/support/tickets#api_token"}],
    },
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
            "method": text(
                "Method of the test request. Default GET.", enum=["GET", "HEAD", "POST"], examples=["HEAD"]
            ),
            "path": text("Path of the test request.", examples=["/me"]),
            "query": QUERY,
            "json": {
                "description": "JSON body of the test request.",
                "examples": [{"query": "{ me { id } }"}],
            },
            "expect": EXPECT,
        },
        required=("path",),
        description="A harmless request that proves the credentials: `runner connections test`.",
        examples=[{"path": "/me"}],
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
    "rate_limit": RATE_LIMIT,
    "concurrency": CONCURRENCY,
    "idempotency": IDEMPOTENCY,
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
                "examples": [True],
            },
            "ca": text(
                "File with the CA certificates to trust, relative to the project, or a secret reference to PEM text.",
                examples=["ca.pem", "vault://secret/tls/internal#ca"],
            ),
        },
        description="TLS of this connection.",
        examples=[{"ca": "ca.pem"}],
    ),
    "proxy": text(
        "URL of the proxy; default from the environment.", examples=["http://proxy.example.com:3128"]
    ),
    "allow_http": {
        "type": "boolean",
        "description": "true permits http:// to a host that is not this machine.",
        "examples": [True],
    },
    "variables": {
        "type": "object",
        "description": "What a preset leaves open: its site, region or account. `runner types NAME` lists them.",
        "examples": [{"subdomain": "acme"}],
    },
    "extends": text(
        "Name of another connection whose keys this one takes; keys given here replace its keys.",
        examples=["eu/zendesk"],
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
                    "examples": ["integer"],
                },
                "description": DESCRIPTION,
                "default": {"description": "Value when none is given.", "examples": [14]},
                "secret": {
                    "type": "boolean",
                    "description": "true: masked everywhere; never given on the command line.",
                    "examples": [True],
                },
            },
        },
        "examples": [{"days": {"type": "integer", "default": 14, "minimum": 1}}],
    },
    "vars": {
        "type": "object",
        "description": "Values for templates, `vars.NAME`. They may use `inputs`, `environment`, `run` and the project's vars.",
        "examples": [{"idle_before": "{{ run.started_at | shift('-14d') }}"}],
        "propertyNames": {"pattern": NAME_PATTERN, "x-message": "letters, digits, _ and -"},
    },
    "secrets": {
        "type": "object",
        "description": "Secret references by name, `secrets.NAME`, for requests without a connection.",
        "examples": [{"webhook": "vault://secret/chat/webhook#url"}],
        "propertyNames": {"pattern": NAME_PATTERN, "x-message": "letters, digits, _ and -"},
        "additionalProperties": secret("The secret."),
    },
    "actions": {
        **_ACTIONS,
        "minItems": 1,
        "description": "What is done, in this order.",
        "examples": [[{"id": "search", "connection": "tickets", "request": {"path": "/search"}}]],
    },
    "outputs": {
        "type": "object",
        "description": "What the workflow gives: printed as JSON, and what a calling workflow gets.",
        "examples": [{"found": "{{ actions.search.output | length }}"}],
        "propertyNames": {"pattern": NAME_PATTERN, "x-message": "letters, digits, _ and -"},
    },
    "finally": {
        **_ACTIONS,
        "description": "Done at the end in any case, also after a failure, a timeout or a signal.",
        "examples": [
            [{"id": "unlock", "connection": "tickets", "request": {"method": "DELETE", "path": "/lock"}}]
        ],
    },
    "on_failure": {
        **_ACTIONS,
        "description": "Done when the run failed, before `finally`; `error` says why.",
        "examples": [
            [
                {
                    "id": "tell",
                    "connection": "chat",
                    "request": {
                        "method": "POST",
                        "path": "/messages",
                        "json": {"text": "{{ error.message }}"},
                    },
                }
            ]
        ],
    },
    "timeout": time_span("Longest time of the whole run. Default 60m.", "10m"),
    "triggers": {
        "type": "array",
        "description": "When it is started without anybody: entries for the scheduler that you have, `runner schedules`.",
        "items": closed(
            {
                "schedule": text(
                    "When: minute, hour, day of the month, month, day of the week, as in a crontab.",
                    examples=["0 7 * * 1-5"],
                ),
                "timezone": text(
                    "Time zone of the schedule, a name of the tz database. Default UTC.",
                    examples=["Europe/Berlin"],
                ),
                "overlap": text(
                    "What happens at a time at which the run before still goes on: skip (default), queue, allow.",
                    enum=["skip", "queue", "allow"],
                    examples=["skip"],
                ),
                "catch_up": time_span(
                    "How late a time that was missed is made up for. Default: not at all.", "1h"
                ),
                "environment": text("An environment of runner.yaml, as with --env.", examples=["staging"]),
                "inputs": {
                    "type": "object",
                    "description": "Inputs of the run, by name.",
                    "examples": [{"days": 30}],
                },
            },
            required=("schedule",),
        ),
        "examples": [[{"schedule": "0 7 * * 1-5", "timezone": "Europe/Berlin", "catch_up": "1h"}]],
    },
    "limits": LIMITS,
    "defaults": closed(
        {
            "connection": text("Connection of actions that name none.", examples=["tickets"]),
            "retry": RETRY,
            "timeout": TIMEOUT,
        },
        description="Defaults for the actions of this workflow.",
        examples=[{"connection": "tickets", "timeout": "10s"}],
    ),
}


@cache
def connection() -> Json:
    """Compose the schema of a file in `connections.d/`."""
    from runner import language_presets as ready

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
    generic = {"properties": {"type": {"enum": list(types)}}, "required": ["type"]}
    whole = {"not": {"required": ["extends"]}}
    no_preset = {"properties": {"type": {"enum": list(types)}}}  # holds without `type` as well
    chosen_type = text(
        "How requests prove who sends them: an auth type, or a preset, which supplies the other keys.",
        enum=[*types, *ready.names()],
        enumDescriptions=[*(registry.load("auth", name).SUMMARY for name in types), *ready.summaries()],
        examples=["bearer", "slack"],
        **{"x-message": "an auth type or a preset; `runner types` lists them"},
    )
    return _schema(
        "connection",
        "A connection: an API, how to reach it, and where its credentials are.",
        {"type": chosen_type, **_CONNECTION_KEYS},
        allOf=[
            *branches,
            {"if": generic, "then": {"properties": {"variables": False}}},
            *ready.branches(),
            {"if": whole, "then": {"required": ["type"]}},
            {"if": {"allOf": [whole, no_preset]}, "then": {"required": ["base_url"]}},
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
            examples=["search"],
            pattern=ID_PATTERN,
            **{"x-message": "lower-case letters, digits and _, a letter first"},
        ),
        "name": text("Title for people.", examples=["Search for idle tickets"]),
        "if": {
            "type": ["string", "boolean"],
            "description": "The action is skipped when this template is false.",
            "examples": ["{{ actions.search.output | length > 0 }}"],
        },
        **COURSE,
        "connection": text(
            "Name of the connection that the request uses.", examples=["tickets", "eu/zendesk"]
        ),
        "expect": EXPECT,
        "output": {
            "description": "What the action gives, a template over `response`. Default: the parsed body.",
            "examples": ["{{ response.body.items }}"],
        },
        "sensitive": {
            "type": "boolean",
            "description": "true: the output is a secret, masked everywhere and kept nowhere.",
            "examples": [True],
        },
        "retry": RETRY,
        "timeout": TIMEOUT,
        "on_error": text(
            "`continue`: a failure does not end the run. Default fail.",
            enum=["fail", "continue"],
            examples=["continue"],
        ),
        "idempotent": {
            "type": "boolean",
            "description": "true: repeating this POST or PATCH is harmless.",
            "examples": [True],
        },
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


@cache
def project() -> Json:
    """Compose the schema of `runner.yaml`."""
    from runner.secrets.vault.config_schema import CONFIG_SCHEMA

    properties: Json = {
        "vault": CONFIG_SCHEMA,
        "vars": {
            "type": "object",
            "description": "Values for templates of connections and workflows, `vars.NAME`.",
            "examples": [{"site": "eu"}],
            "propertyNames": {"pattern": NAME_PATTERN, "x-message": "letters, digits, _ and -"},
        },
        "limits": LIMITS,
        "policy": POLICY,
    }
    override = {key: value for key, value in connection()["properties"].items() if key != "extends"}
    environments = {
        "type": "object",
        "description": "Chosen with --env NAME; the same keys, merged over those of the top level.",
        "examples": [{"staging": {"vars": {"site": "eu-staging"}}}],
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
                    "examples": [{"zendesk": {"base_url": "https://staging.example.com"}}],
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
