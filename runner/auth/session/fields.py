"""The fields of a session: their schema, and a file to start from."""

from runner.language import HEADERS, QUERY, Json, closed, scalar, secret, text, time_span

_METHOD = ["POST", "GET", "PUT", "DELETE"]


def _request(description: str, example: Json, method: str) -> Json:
    return closed(
        {
            "method": text(f"Method. Default {method}.", enum=_METHOD, examples=[method]),
            "path": text(
                "Path below base_url.",
                pattern="^/",
                examples=[example["path"]],
                **{"x-message": "a path that starts with '/'"},
            ),
            "query": QUERY,
            "headers": {**HEADERS, "description": "Headers of this request: text or templates."},
            "json": {
                "description": "JSON body; templates see `auth.username` and `auth.password`.",
                "examples": [{"user": "{{ auth.username }}", "password": "{{ auth.password }}"}],
            },
            "form": {
                "type": "object",
                "description": "Form body; templates see `auth.username` and `auth.password`.",
                "additionalProperties": scalar("The value of one field."),
                "examples": [{"user": "{{ auth.username }}", "password": "{{ auth.password }}"}],
            },
        },
        required=("path",),
        description=description,
        examples=[example],
        dependentSchemas={"json": {"properties": {"form": False}}},
    )


SCHEMA = closed(
    {
        "username": text(
            "Who logs in: text, or a secret reference. `auth.username` in `login`.",
            examples=["robot@example.com"],
        ),
        "password": secret("The password, or whatever the login takes. `auth.password` in `login`."),
        "login": _request(
            "The request that logs in.",
            {
                "path": "/api/session",
                "json": {"user": "{{ auth.username }}", "password": "{{ auth.password }}"},
            },
            "POST",
        ),
        "token": text(
            "Template over `response` that gives the token. `response` has `body`, `headers`, `cookies` and `status`.",
            minLength=1,
            examples=["{{ response.body.token }}"],
        ),
        "in": text(
            "Where the token is sent. Default header.",
            enum=["header", "query", "cookie"],
            examples=["header"],
        ),
        "name": text(
            "Name of the header, parameter or cookie. Default Authorization.",
            minLength=1,
            examples=["X-Metabase-Session"],
        ),
        "prefix": text(
            "Text before the token. Default `Bearer ` in Authorization, else nothing. In a header one word is followed by a space.",
            examples=["Splunk"],
        ),
        "lifetime": time_span(
            "How long a session lasts, if that is known: a new one begins before. Default: until a 401.", "8h"
        ),
        "logout": _request(
            "The request that ends the session, sent with its token at the end of the run. Default none.",
            {"method": "DELETE", "path": "/api/session"},
            "POST",
        ),
    },
    required=("password", "login", "token"),
    description="Log in by a request; the token from its answer goes with every other.",
    examples=[
        {
            "username": "robot@example.com",
            "password": "vault://secret/metabase#password",
            "login": {
                "path": "/api/session",
                "json": {"username": "{{ auth.username }}", "password": "{{ auth.password }}"},
            },
            "token": "{{ response.body.id }}",
            "name": "X-Metabase-Session",
        }
    ],
    **{
        "if": {"properties": {"in": {"enum": ["query", "cookie"]}}, "required": ["in"]},
        "then": {
            "required": ["name"],
            "properties": {
                "name": {
                    "description": "Name of the query parameter or cookie that carries the token.",
                    "examples": ["session"],
                }
            },
        },
    },
)
EXAMPLE = """\
type: session
description: Metabase
base_url: https://metabase.example.com
shared: true
auth:
  username: robot@example.com
  password: vault://secret/metabase#password
  login:
    path: /api/session
    json: {username: "{{ auth.username }}", password: "{{ auth.password }}"}
  token: "{{ response.body.id }}"
  name: X-Metabase-Session
  logout: {method: DELETE, path: /api/session}
test: {path: /api/user/current}
"""
