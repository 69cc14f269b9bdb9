"""`request`: one HTTP exchange, with retry, expectations and output."""

from dataclasses import dataclass, field
from typing import Any

from runner import paginators
from runner.bind import SEND_ROOTS, Binder
from runner.document import Pointer
from runner.language import HEADERS, QUERY, closed, text
from runner.model import Action, Paginate
from runner.perform import Performance
from runner.plan import View
from runner.template import Mode, Template, Tree

SUMMARY = "one HTTP request"
BODIES = ("json", "form", "body")
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
SCHEMA: dict[str, Any] = closed(
    {
        "method": text("HTTP method. Default GET.", enum=METHODS, examples=["POST"]),
        "path": text(
            "Path added to the base URL of the connection. What is put in is percent-encoded and cannot leave its segment.",
            pattern="^/",
            examples=["/tickets/{{ inputs.ticket }}"],
            **{"x-message": "a path that starts with '/'"},
        ),
        "url": text(
            "Absolute URL, for a request without a connection.", examples=["https://example.com/status"]
        ),
        "query": QUERY,
        "headers": HEADERS,
        "json": {
            "description": "Body sent as JSON: any value with templates.",
            "examples": [{"title": "Ticket {{ inputs.ticket }} is idle"}],
        },
        "form": {
            "type": "object",
            "description": "Body sent as an HTML form (application/x-www-form-urlencoded). A list repeats its field.",
            "examples": [{"name": "{{ inputs.name }}"}],
            "additionalProperties": {"type": ["string", "number", "boolean", "null", "array"]},
        },
        "body": text(
            "Body sent as it is; say what it is with the header Content-Type.",
            examples=["id,name\n1,{{ inputs.name }}\n"],
        ),
        "redirects": text(
            "What happens on a redirect: same_host (default) follows to the same host only, follow to any host without credentials, never takes it as the answer.",
            enum=["follow", "same_host", "never"],
            examples=["never"],
        ),
        "paginate": {
            "$ref": "#/$defs/paginate",
            "description": "Read all pages of the answer; false: one request, whatever the connection says.",
            "examples": [{"style": "link", "items": "{{ response.body }}"}, False],
        },
    },
    description="One HTTP exchange. `path` with a connection, or `url` without; at most one of json, form, body.",
    examples=[{"method": "POST", "path": "/tickets", "json": {"title": "{{ inputs.title }}"}}],
    minProperties=1,
)
MODIFIERS = frozenset(
    {"connection", "expect", "output", "sensitive", "retry", "timeout", "idempotent", "repeat"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The request as written; `body_kind` says which of json, form, body holds its body."""

    method: str
    path: Template | None
    url: Template | None
    query: dict[str, Tree] = field(default_factory=dict)
    headers: dict[str, Template] = field(default_factory=dict)
    body_kind: str | None = None
    body: Tree = None
    redirects: str = "same_host"
    paginate: Paginate | bool | None = None


def bind(value: dict[str, Any], pointer: Pointer, binder: Binder) -> Config:
    """Bind the request and report what the schema cannot say: two bodies, path and url together."""
    from runner.diagnostics import error

    bodies = [kind for kind in BODIES if kind in value]
    if len(bodies) > 1:
        message = f"a request has one body, this one has {' and '.join(bodies)}"
        binder.diagnostics.append(
            error(
                "invalid-value",
                message,
                binder.span((*pointer, bodies[1]), key=True),
                help="keep one of them",
            )
        )
    if ("path" in value) == ("url" in value):
        message = "a request has either `path` (with a connection) or `url` (without)"
        key = "url" if "url" in value else "method"
        binder.diagnostics.append(
            error(
                "missing-key" if "url" not in value else "invalid-value",
                message,
                binder.span((*pointer, key), key=True),
            )
        )
    body_kind = bodies[0] if bodies else None
    return Config(
        method=value.get("method", "GET"),
        path=binder.template(value["path"], (*pointer, "path"), SEND_ROOTS, mode=Mode.PATH)
        if "path" in value
        else None,
        url=binder.template(value["url"], (*pointer, "url"), SEND_ROOTS, mode=Mode.TEXT)
        if "url" in value
        else None,
        query={
            key: binder.tree(item, (*pointer, "query", key), SEND_ROOTS)
            for key, item in value.get("query", {}).items()
        },
        headers={
            key: binder.template(item, (*pointer, "headers", key), SEND_ROOTS)
            for key, item in value.get("headers", {}).items()
        },
        body_kind=body_kind,
        body=binder.tree(value[body_kind], (*pointer, body_kind), SEND_ROOTS) if body_kind else None,
        redirects=value.get("redirects", "same_host"),
        paginate=paginators.bind(value.get("paginate"), (*pointer, "paginate"), binder),
    )


def describe(action: Action, view: View) -> dict[str, Any]:
    """Show the request that a run would send."""
    from runner.request import describe as describe_request

    return {"request": describe_request(action, view)}


async def perform(action: Action, performance: Performance) -> Any:
    """Send the request until it succeeds or retry ends; gives the output."""
    from runner.request import send

    return await send(action, performance)
