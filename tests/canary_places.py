"""Every place that a secret can have: how files say it, and where in a request the server finds it."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from tests.canary import AWKWARD, fits_a_header, value
from tests.servers.http import Answer, Request, Response, Server, Takeover, reply

JsonObject = dict[str, Any]
NUMBERS = range(2, 99)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place. `VAR` in its values becomes the name of the variable that holds the secret.

    `request` and `more` are parts of the action; `auth` of the connection; `found` gives what the server received.
    """

    found: Callable[[Request], str | None]
    auth: JsonObject = field(default_factory=dict)
    request: JsonObject = field(default_factory=dict)
    more: JsonObject = field(default_factory=dict)
    header: bool = False
    never: str = ""
    """What it cannot carry, beside what no header can."""
    source: str = "connection"


def _basic(request: Request) -> list[str]:
    encoded = (request.header("Authorization") or " ").split()[1]
    return base64.b64decode(encoded).decode().split(":", 1)


def _after(prefix: str) -> Callable[[Request], str | None]:
    return lambda request: (request.header("Authorization") or "").removeprefix(prefix)


def _cookie(request: Request) -> str:
    """Read a cookie: as it is where cookies can hold it, percent-encoded otherwise."""
    given = request.cookie("sid") or ""
    return given if given in values("key_cookie").values() else unquote(given)


def _segment(request: Request) -> str:
    return unquote(request.path.split("/")[2])


_SENT = "{{ secrets.s }}"
_INPUT = "{{ inputs.s }}"
_OUTPUT = "{{ actions.login_VAR.output.token }}"

PLACES: Mapping[str, Place] = {
    "bearer": Place(
        auth={"type": "bearer", "auth": {"token": "env://VAR"}}, found=_after("Bearer "), header=True
    ),
    "prefix": Place(
        auth={"type": "bearer", "auth": {"token": "env://VAR", "prefix": "Token token="}},
        found=_after("Token token="),
        header=True,
    ),
    "basic": Place(
        auth={"type": "basic", "auth": {"username": "robot", "password": "env://VAR"}},
        found=lambda request: _basic(request)[1],
    ),
    "user": Place(
        auth={"type": "basic", "auth": {"username": "env://VAR"}}, found=lambda request: _basic(request)[0],
        never=":",
    ),
    "key_header": Place(
        auth={"type": "api_key", "auth": {"key": "env://VAR", "name": "X-Key", "in": "header"}},
        found=lambda request: request.header("X-Key"),
        header=True,
    ),
    "key_query": Place(
        auth={"type": "api_key", "auth": {"key": "env://VAR", "name": "key", "in": "query"}},
        found=lambda request: request.parameter("key"),
        never="\n",
    ),
    "key_cookie": Place(
        auth={"type": "api_key", "auth": {"key": "env://VAR", "name": "sid", "in": "cookie"}},
        found=_cookie,
        never="\n",
    ),
    "header": Place(
        auth={"type": "none", "headers": {"X-Key": "env://VAR"}},
        found=lambda request: request.header("X-Key"),
        header=True,
    ),
    "query": Place(
        auth={"type": "none", "query": {"key": "env://VAR"}}, found=lambda request: request.parameter("key")
    ),
    "client_secret": Place(
        auth={"type": "oauth2", "auth": {
            "grant": "client_credentials", "token_url": "BASE/token/VAR", "client_id": "c", "client_secret": "env://VAR",
        }},
        found=_after("Bearer "),
        header=True,
    ),
    "token": Place(
        auth={"type": "oauth2", "auth": {
            "grant": "client_credentials", "token_url": "BASE/token/VAR", "client_id": "c",
        }},
        found=_after("Bearer "),
        header=True,
    ),
    "own_header": Place(
        request={"headers": {"X-Key": _SENT}}, found=lambda request: request.header("X-Key"), header=True,
        source="secrets",
    ),
    "own_query": Place(
        request={"query": {"key": _SENT}}, found=lambda request: request.parameter("key"), source="secrets"
    ),
    "json": Place(
        request={"method": "POST", "json": {"a": [_SENT]}}, found=lambda request: request.json()["a"][0],
        source="secrets",
    ),
    "form": Place(
        request={"method": "POST", "form": {"a": _SENT}},
        found=lambda request: dict(parse_qsl(request.body.decode()))["a"],
        source="secrets",
    ),
    "body": Place(
        request={"method": "PUT", "body": _SENT}, found=lambda request: request.body.decode(), source="secrets"
    ),
    "path": Place(request={"path": f"/ACTION/{_SENT}"}, found=_segment, source="secrets"),
    "url": Place(
        request={"url": "BASE/ACTION/{{ secrets.s | url_quote }}"}, found=_segment, source="secrets"
    ),
    "url_header": Place(
        request={"url": "BASE/ACTION/x", "headers": {"Authorization": f"Key {_SENT}"}},
        found=_after("Key "),
        header=True,
        source="secrets",
    ),
    "input": Place(
        request={"method": "POST", "json": {"a": [_INPUT]}}, found=lambda request: request.json()["a"][0],
        source="inputs",
    ),
    "input_header": Place(
        request={"headers": {"X-Key": _INPUT}}, found=lambda request: request.header("X-Key"), header=True,
        source="inputs",
    ),
    "output": Place(
        request={"method": "POST", "json": {"a": [_OUTPUT]}}, found=lambda request: request.json()["a"][0],
        source="output",
    ),
    "output_header": Place(
        request={"headers": {"X-Key": _OUTPUT}}, found=lambda request: request.header("X-Key"), header=True,
        source="output",
    ),
}  # fmt: skip

ENDS = ("ok", "secret", "error", "reset", "hold", "invalid", "elsewhere", "leak", "loop")
"""How the server answers; each is a path `/NAME/...`, and what makes it an error is in `server`."""


EVERYWHERE = ("plain", "quotes", "short", "unicode")
"""Secrets that are sent to every end; the others to those that give them back."""
TELLING = ("error", "secret", "leak")


def ends_of(name: str) -> tuple[str, ...]:
    return ENDS if name in EVERYWHERE else TELLING


def method(place: str) -> str:
    return str(PLACES[place].request.get("method", "GET"))


def number(place: str) -> int:
    return NUMBERS[list(PLACES).index(place)]


def values(place: str) -> dict[str, str]:
    """Give the secrets of a place by name."""
    return {name: value(name, number(place)) for name in AWKWARD}


def fitting(place: str) -> dict[str, str]:
    """Give those that the place can carry."""
    return {
        name: secret
        for name, secret in values(place).items()
        if not (PLACES[place].header and not fits_a_header(secret))
        and not set(PLACES[place].never) & set(secret)
    }


def variable(place: str, name: str) -> str:
    return f"{place}_{name}"


def _filled(part: Any, words: Mapping[str, str]) -> Any:
    text = json.dumps(part)
    for word, instead in words.items():
        text = text.replace(word, instead)
    return json.loads(text)


def files(
    place: str, base: str, *, ends: tuple[str, ...] | None = None, names: Iterable[str] = AWKWARD
) -> JsonObject:
    """Write a project whose workflow `main` sends the secrets of a place to every end of the server."""
    made: JsonObject = {
        "connections.d/plain.yaml": {"type": "none", "base_url": base, "shared": True},
    }
    workflow: JsonObject = {"inputs": {}, "secrets": {}, "actions": [], "outputs": {}}
    for name in names:
        _add(place, name, base, ends or ends_of(name), made, workflow)
    made["workflows.d/main.yaml"] = {key: item for key, item in workflow.items() if item}
    return made


def _add(
    place: str, name: str, base: str, ends: tuple[str, ...], made: JsonObject, workflow: JsonObject
) -> None:
    chosen, var = PLACES[place], variable(place, name)
    words = {"VAR": var, "BASE": base, "secrets.s": f"secrets.{var}", "inputs.s": f"inputs.{var}"}
    connection = "plain"
    if chosen.auth:
        connection = var
        made[f"connections.d/{var}.yaml"] = {
            "base_url": base, "shared": True, "error_message": "{{ response.body.error }}",
            "test": {"path": "/test/x"},
            **_filled(chosen.auth, words),
        }  # fmt: skip
    elif chosen.source == "secrets":
        workflow["secrets"][var] = f"env://{var}"
    elif chosen.source == "inputs":
        workflow["inputs"][var] = {"type": "string", "secret": True}
    else:
        login = {"path": f"/login/{place}/{name}"}
        workflow["actions"].append(
            {"id": f"login_{var}", "connection": "plain", "request": login, "sensitive": True}
        )
        workflow["outputs"][f"whole_{var}"] = f"{{{{ actions.login_{var}.output }}}}"
    for end in ends:
        request = {"path": f"/{end}/x", **_filled(chosen.request, {**words, "ACTION": end})}
        if "url" in request:
            del request["path"]
        action: JsonObject = {
            "id": f"{end}_{var}",
            "request": {**request, "redirects": "follow"},
            "retry": {"attempts": 1 if end == "hold" else 2, "backoff": {"first": "1ms"}},
            "timeout": "30ms" if end == "hold" else "10s",
            "on_error": "continue",
            "expect": {"that": ["{{ response.body.fine | default(true) }}"]},
        }
        if "path" in request:
            action["connection"] = connection
        workflow["actions"].append(action)


def environ(place: str) -> dict[str, str]:
    """Give the variables that the project of a place reads."""
    if PLACES[place].source == "inputs":
        return {
            f"RUNNER_INPUT_{variable(place, name).upper()}": secret for name, secret in values(place).items()
        }
    return {variable(place, name): secret for name, secret in values(place).items()}


def _echo(request: Request) -> JsonObject:
    """Show all that arrived, as frameworks do in debug mode."""
    basic = ""
    if (request.header("Authorization") or "").startswith("Basic "):
        basic = ":".join(_basic(request))
    return {
        "fine": False,
        "error": f"cannot {request.method} {request.target} as {request.header('Authorization')}",
        "headers": dict(request.headers),
        "query": list(request.query),
        "path": unquote(request.path),
        "body": request.body.decode("utf-8", "replace"),
        "basic": basic,
    }


def server(other: Server) -> Server:
    """Make the server that is told every secret and misbehaves; it tries to give them to `other`."""

    def error(request: Request) -> Answer:
        shown = json.dumps(_echo(request)).replace("<", "\\u003c").replace("&", "\\u0026").encode()
        text = (request.header("Authorization") or request.header("X-Key") or "").replace("\n", " ")
        headers = {
            "Content-Type": "application/json",
            "X-Request-Id": quote(text),
            "ETag": text,
            "X-Echo": text,
        }
        return Response(503, shown, {name: value.strip() for name, value in headers.items()})

    def elsewhere(request: Request) -> Answer:
        code = 302 if request.method == "GET" else 307
        return Response(code, b"", {"Location": f"{other.url}/landed"})

    def leak(request: Request) -> Answer:
        """Send all that arrived on in a Location, as careless gateways do."""
        shown = _echo(request)
        given = [
            *shown["headers"].values(),
            *(text for _, text in shown["query"]),
            shown["body"],
            shown["basic"],
        ]
        query = "&".join(
            f"p{index}={quote(text, safe='')}" for index, text in enumerate(given) if len(text) > 3
        )
        return Response(302, b"", {"Location": f"{other.url}/leaked{quote(request.path)}?{query}"})

    def loop(request: Request) -> Answer:
        return Response(302, b"", {"Location": request.target})

    def login(request: Request) -> Answer:
        place, name = request.arguments
        return reply({"token": values(place)[name], "expires": 3600})

    def token(request: Request) -> Answer:
        """Give a secret as a token: to its own client, or to one that has none."""
        place, _, name = request.arguments[0].rpartition("_")
        given = dict(parse_qsl(request.body.decode())).get("client_secret")
        assert given in (None, values(place)[name])
        return reply({"access_token": values(place)[name]})

    def echo(request: Request) -> Answer:
        return reply({**_echo(request), "fine": True})

    return Server(
        {
            "* /login/*/*": login,
            "* /token/*": token,
            "* /ok/*": lambda _: reply({"fine": True, "items": "two"}),
            "* /test/*": error,
            "* /secret/*": echo,
            "* /error/*": error,
            "* /reset/*": lambda _: Takeover(lambda connection: connection.reset()),
            "* /hold/*": lambda _: Takeover(lambda connection: connection.hold()),
            "* /invalid/*": lambda request: Response(
                200, json.dumps(_echo(request))[:-1].encode(), {"Content-Type": "application/json"}
            ),
            "* /elsewhere/*": elsewhere,
            "* /leak/*": leak,
            "* /loop/*": loop,
        }
    )
