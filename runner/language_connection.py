"""The JSON Schema of a file in `connections.d/`: its keys, and the fragments of the auth types and presets beside it."""

from functools import cache

from runner import language_presets as ready
from runner import paginators, registry
from runner.language import (
    DESCRIPTION,
    EXPECT,
    HEADERS,
    QUERY,
    RETRY,
    TIMEOUT,
    Json,
    closed,
    file_schema,
    secret,
    text,
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
    "paginate": paginators.schema(default=True),
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
            "cert": text(
                "Client certificate with its chain: a PEM file relative to the project, or a secret reference to PEM text.",
                examples=["vault://secret/tls/client#certificate"],
            ),
            "key": text(
                "Its private key, not encrypted: a secret reference to PEM text, or a PEM file. Without it the key stands in `cert`.",
                examples=["vault://secret/tls/client#key"],
            ),
        },
        description="TLS of this connection: whom it trusts, and the certificate that it presents.",
        examples=[{"ca": "ca.pem"}],
    ),
    "proxy": {
        "type": ["string", "object"],
        "description": "Proxy, http://, https://, socks5:// or socks5h://: its URL, or `url` with `username` and `password`. Default: that of the environment; an empty text: none.",
        "additionalProperties": False,
        "properties": {
            "url": text("URL of the proxy.", examples=["http://proxy.example.com:3128"]),
            "username": text("User name for the proxy; text or a secret reference.", examples=["robot"]),
            "password": secret("Password for the proxy."),
        },
        "required": ["url"],
        "examples": [
            "http://proxy.example.com:3128",
            {
                "url": "socks5h://proxy.example.com:1080",
                "username": "robot",
                "password": "vault://secret/proxy#password",
            },
        ],
    },
    "socket": text(
        "Path of a Unix socket that the requests go to, in place of the host of `base_url`.",
        pattern="^(/|\\{\\{)",
        examples=["/run/docker.sock"],
        **{"x-message": "an absolute path"},
    ),
    "http2": {
        "type": "boolean",
        "description": "true: HTTP/2 where the server offers it. Default false: HTTP/1.1. Needs the extra `http2`.",
        "examples": [True],
    },
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
    return file_schema(
        "connection",
        "A connection: an API, how to reach it, and where its credentials are.",
        {"type": chosen_type, **_CONNECTION_KEYS},
        **{"$defs": ready.definitions()},
        allOf=[
            *branches,
            {"if": generic, "then": {"properties": {"variables": False}}},
            *ready.branches(),
            {"if": whole, "then": {"required": ["type"]}},
            {"if": {"allOf": [whole, no_preset]}, "then": {"required": ["base_url"]}},
        ],
    )
