"""The JSON Schemas of the three kinds of files: what every file may hold, and the fragments of the types beside it."""

from functools import cache

from runner import paginators, registry
from runner.language import (
    COURSE,
    DESCRIPTION,
    EXPECT,
    ID_PATTERN,
    LIMITS,
    MODIFIERS,
    NAME_PATTERN,
    ONE_AT_A_TIME,
    POLICY,
    RETRY,
    TIMEOUT,
    Json,
    closed,
    file_schema,
    secret,
    text,
    time_span,
)
from runner.language_connection import connection

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
    "concurrency": ONE_AT_A_TIME,
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
def workflow() -> Json:
    """Compose the schema of a file in `workflows.d/`."""
    return file_schema(
        "workflow",
        "A workflow: inputs, actions, outputs.",
        _WORKFLOW_KEYS,
        required=["actions"],
        **{"$defs": {"action": _action(), "paginate": paginators.schema(default=False)}},
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
    return file_schema("project", "Settings of a project.", {**properties, "environments": environments})
