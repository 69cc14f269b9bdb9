"""`request`: one HTTP exchange, with retry, expectations and output."""

from dataclasses import field
from typing import Any

from runner import paginators
from runner.bind import ACTION_ROOTS, SEND_ROOTS, Binder
from runner.document import Pointer
from runner.frozen import dataclass
from runner.language import HEADERS, QUERY, closed, text
from runner.model import Action, Paginate
from runner.perform import Performance
from runner.plan import View
from runner.template import Mode, Template, Tree

SUMMARY = "one HTTP request"
BODIES = ("json", "form", "multipart", "body", "graphql")
_FILE = text(
    "A file below the working directory, or else below the project's, sent by streaming. What is put in cannot leave its segment.",
    examples=["reports/{{ inputs.day }}.csv"],
)
_PART: dict[str, Any] = {
    "type": ["string", "number", "boolean", "null", "object"],
    "description": "A field: text, or a mapping with `file`, or with `value`. null leaves it out.",
    "additionalProperties": False,
    "properties": {
        "file": _FILE,
        "value": {
            "description": "What the field holds; a list or mapping is sent as JSON.",
            "examples": [{"id": 7}],
        },
        "filename": text("Name that the server is told. Default: that of the file.", examples=["report.csv"]),
        "content_type": text("Content type of the part. Default: by the file's name.", examples=["text/csv"]),
    },
    "examples": [{"file": "report.csv", "content_type": "text/csv"}],
}
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
        "multipart": {
            "type": "object",
            "description": "Body sent as multipart/form-data: fields and files. A list repeats its field.",
            "examples": [{"comment": "monthly", "file": {"file": "reports/{{ inputs.month }}.csv"}}],
            "additionalProperties": {
                **_PART,
                "type": [*_PART["type"], "array"],
                "items": _PART,
                "x-message": "text, a mapping with `file` or `value`, or a list of them",
            },
        },
        "body": {
            "type": ["string", "object"],
            "description": "Body sent as it is: text, or a file. Say what it is with the header Content-Type.",
            "additionalProperties": False,
            "properties": {"file": _FILE},
            "required": ["file"],
            "examples": ["id,name\n1,{{ inputs.name }}\n", {"file": "export.csv"}],
        },
        "graphql": closed(
            {
                "query": text(
                    "The GraphQL document. Values belong into `variables`.",
                    minLength=1,
                    examples=["query ($id: ID!) { ticket(id: $id) { title } }"],
                ),
                "variables": {
                    "type": "object",
                    "description": "Values of its variables.",
                    "examples": [{"id": "{{ inputs.ticket }}"}],
                },
                "operation": text(
                    "Name of the operation, where the document has several.", examples=["ticket"]
                ),
            },
            required=("query",),
            description="A GraphQL request, a POST. `errors` in the answer fail the action, also with status 200.",
            examples=[{"query": "{ me { id } }"}],
        ),
        "save_to": text(
            "Saves the body of the answer to this file below the working directory, whole or not at all; the output says where.",
            examples=["invoices/{{ inputs.invoice }}.pdf"],
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
    description="One HTTP exchange. `path` with a connection, or `url` without; at most one body.",
    examples=[{"method": "POST", "path": "/tickets", "json": {"title": "{{ inputs.title }}"}}],
    minProperties=1,
)
MODIFIERS = frozenset(
    {"connection", "expect", "output", "sensitive", "retry", "timeout", "idempotent", "repeat"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The request as written. `body_kind` says what its body is: a key of `BODIES`, or `file` for a `body` with a file."""

    method: str
    path: Template | None
    url: Template | None
    query: dict[str, Tree] = field(default_factory=dict)
    headers: dict[str, Template] = field(default_factory=dict)
    body_kind: str | None = None
    body: Tree = None
    save_to: Template | None = None
    redirects: str = "same_host"
    paginate: Paginate | bool | None = None

    @property
    def body_key(self) -> str | None:
        """The key under which the body stands."""
        return "body" if self.body_kind == "file" else self.body_kind


def bind(value: dict[str, Any], pointer: Pointer, binder: Binder) -> Config:
    """Bind the request and report what the schema cannot say: two bodies, path and url together."""
    bodies = [kind for kind in BODIES if kind in value]
    body_key = bodies[0] if bodies else None
    body_kind = "file" if body_key == "body" and isinstance(value["body"], dict) else body_key
    _report(value, pointer, binder, bodies)
    return Config(
        method=value.get("method", "POST" if body_kind == "graphql" else "GET"),
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
        body=_body(value[body_key], (*pointer, body_key), binder, body_kind) if body_key else None,
        save_to=binder.template(value["save_to"], (*pointer, "save_to"), ACTION_ROOTS, mode=Mode.FILE)
        if "save_to" in value
        else None,
        redirects=value.get("redirects", "same_host"),
        paginate=paginators.bind(value.get("paginate"), (*pointer, "paginate"), binder),
    )


def _report(value: dict[str, Any], pointer: Pointer, binder: Binder, bodies: list[str]) -> None:
    """Report what does not go together."""
    from runner.diagnostics import error

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
    if "save_to" in value and value.get("paginate"):
        binder.diagnostics.append(
            error(
                "invalid-value",
                "an answer is saved to one file, its pages are many answers",
                binder.span((*pointer, "paginate"), key=True),
                help="leave `paginate` out, or save each page by a request of its own",
            )
        )
    if "graphql" in value and value.get("method", "POST") != "POST":
        binder.diagnostics.append(
            error(
                "invalid-value",
                f"a GraphQL request is a POST, not a {value['method']}",
                binder.span((*pointer, "method")),
                help="leave `method` out",
            )
        )


def _body(value: Any, pointer: Pointer, binder: Binder, kind: str | None) -> Tree:
    """Bind a body: paths of files by their own rules, everything else as values."""
    if kind == "file":
        return {"file": binder.template(value["file"], (*pointer, "file"), SEND_ROOTS, mode=Mode.FILE)}
    if kind != "multipart":
        return binder.tree(value, pointer, SEND_ROOTS)
    return {name: _field(item, (*pointer, name), binder) for name, item in value.items()}


def _field(value: Any, pointer: Pointer, binder: Binder) -> Tree:
    from runner.diagnostics import error

    if isinstance(value, list):
        return [_field(item, (*pointer, index), binder) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return binder.tree(value, pointer, SEND_ROOTS)
    if ("file" in value) == ("value" in value):
        message = "a part has either `file` or `value`"
        binder.diagnostics.append(error("invalid-value", message, binder.span(pointer, key=True)))
    return {
        key: binder.template(item, (*pointer, key), SEND_ROOTS, mode=Mode.FILE)
        if key == "file"
        else binder.tree(item, (*pointer, key), SEND_ROOTS)
        for key, item in value.items()
    }


def describe(action: Action, view: View) -> dict[str, Any]:
    """Show the request that a run would send."""
    from runner.request import describe as describe_request

    return {"request": describe_request(action, view)}


async def perform(action: Action, performance: Performance) -> Any:
    """Send the request until it succeeds or retry ends; gives the output."""
    from runner.request import send

    return await send(action, performance)
