"""A server that misbehaves on purpose: every fault is a path, so a test says in its workflow what goes wrong.

    with faults() as server:
        server.url + "/flaky/2/503/mine"      # 503, 503, then 200

`HANDLERS`, `COUNTING` and `bodies.HANDLERS` are the list of what there is. Paths that count (`flaky`) do so per server and per name, from zero.
Redirects take their target from `?to=`, so one handler does same host, other host and http to https.
"""

import base64
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

from tests.servers import bodies
from tests.servers.http import Answer, Connection, Handler, Request, Response, Server, Takeover, reply

RETRY_AFTER: dict[str, Callable[[str], str]] = {
    "seconds": lambda value: value,
    "date": lambda value: formatdate(time.time() + float(value), usegmt=True),
    "malformed": lambda _: "soon, perhaps",
    "negative": lambda value: f"-{value}",
    "long": lambda _: "86400",
}


class Counts:
    """How often each name was asked for, one per server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counter: Counter[str] = Counter()

    def next(self, name: str) -> int:
        """Count one more and give how many that makes."""
        with self._lock:
            self._counter[name] += 1
            return self._counter[name]


# statuses ---------------------------------------------------------------------------------------------------


def status(request: Request) -> Answer:
    """`/status/503`."""
    code = int(request.arguments[0])
    return reply({"status": code}, code)


def retry_after(request: Request) -> Answer:
    """`/retry-after/429/seconds/1`: always that status, with a Retry-After in one of the forms."""
    code, form, value = request.arguments
    return reply({"status": int(code)}, int(code), {"Retry-After": RETRY_AFTER[form](value)})


def flaky(counts: Counts) -> Handler:
    """`/flaky/2/503/NAME`: fails twice, then 200 with the number of the attempt; `?after=1` adds Retry-After."""

    def handler(request: Request) -> Answer:
        times, code, name = request.arguments
        attempt = counts.next(f"flaky {name}")
        if attempt > int(times):
            return reply({"attempt": attempt})
        after = request.parameter("after")
        form, _, value = (after or "").rpartition(":")
        headers = {"Retry-After": RETRY_AFTER[form or "seconds"](value)} if after else {}
        return reply({"attempt": attempt, "status": int(code)}, int(code), headers)

    return handler


def drops_first(counts: Counts) -> Handler:
    """`/drops-first/2/NAME`: closes without an answer twice, then 200."""

    def handler(request: Request) -> Answer:
        times, name = request.arguments
        attempt = counts.next(f"drops {name}")
        return reply({"attempt": attempt}) if attempt > int(times) else Takeover(_nothing)

    return handler


def unauthorized_first(counts: Counts) -> Handler:
    """`/unauthorized-first/1/NAME`: as when a token has just expired."""

    def handler(request: Request) -> Answer:
        times, name = request.arguments
        attempt = counts.next(f"unauthorized {name}")
        return reply({"attempt": attempt}) if attempt > int(times) else _unauthorized("Bearer")

    return handler


# broken connections -----------------------------------------------------------------------------------------


def _nothing(_: Connection) -> None:
    """Close without a byte."""


def close(_: Request) -> Answer:
    """Close before the first byte of an answer."""
    return Takeover(_nothing)


def reset(_: Request) -> Answer:
    """The same, with a TCP reset."""
    return Takeover(lambda connection: connection.reset())


def truncated(request: Request) -> Answer:
    """`/truncated/length` or `/truncated/chunked`: close in the middle of the body."""
    framing = "Content-Length: 1000" if request.arguments[0] == "length" else "Transfer-Encoding: chunked"
    start = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
    body = '{"half":' if request.arguments[0] == "length" else '8\r\n{"half":\r\n'
    return Takeover(lambda connection: connection.send((start + body).encode()))


def half_head(_: Request) -> Answer:
    """Close in the middle of the response's head."""
    return Takeover(lambda connection: connection.send(b"HTTP/1.1 200 OK\r\nContent-Ty"))


def not_http(_: Request) -> Answer:
    """Answer with bytes that are no HTTP."""
    return Takeover(lambda connection: connection.send(b"SSH-2.0-OpenSSH_9.6\r\n"))


def hold(_: Request) -> Answer:
    """Never answer: hold the connection until the client closes it."""
    return Takeover(lambda connection: connection.hold())


def hold_body(_: Request) -> Answer:
    """Send the head and half of the body, then nothing."""

    def act(connection: Connection) -> None:
        connection.send(
            b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"half":'
        )
        connection.hold()

    return Takeover(act)


def drip(request: Request) -> Answer:
    """`/drip/20/0.1`: a JSON body of 20 spaces and `{}`, a byte each tenth of a second."""
    count, seconds = int(request.arguments[0]), float(request.arguments[1])
    body = b" " * (count - 2) + b"{}"

    def act(connection: Connection) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.send(head.encode())
        for byte in body:
            if not connection.pause(seconds):
                return
            connection.send(bytes([byte]))

    return Takeover(act)


def slow(request: Request) -> Answer:
    """`/slow/0.5`: the whole answer, after that many seconds."""
    seconds = float(request.arguments[0])

    def act(connection: Connection) -> None:
        if connection.pause(seconds):
            body = b'{"slow": true}'
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.send(head.encode() + body)

    return Takeover(act)


# redirects --------------------------------------------------------------------------------------------------


def redirect(request: Request) -> Answer:
    """`/redirect/307?to=URL`; without `to`, to `/echo` here."""
    return Response(int(request.arguments[0]), b"", {"Location": request.parameter("to") or "/echo"})


def redirect_loop(request: Request) -> Answer:
    """`/redirect-loop/302`: to itself."""
    return Response(int(request.arguments[0]), b"", {"Location": request.target})


def redirect_chain(request: Request) -> Answer:
    """`/redirect-chain/302/5?to=URL`: five hops here, then to `to` or `/echo`."""
    code, hops = int(request.arguments[0]), int(request.arguments[1])
    to = request.parameter("to")
    following = f"/redirect-chain/{code}/{hops - 1}" + (f"?to={quote(to, safe='')}" if to else "")
    return Response(code, b"", {"Location": following if hops > 1 else (to or "/echo")})


def redirect_nowhere(request: Request) -> Answer:
    """`/redirect-nowhere/302`: without a Location."""
    return Response(int(request.arguments[0]))


# echoes -----------------------------------------------------------------------------------------------------


def echo(request: Request) -> Answer:
    """The request as JSON: a careless server that shows credentials and all."""
    return reply(_described(request))


def echo_authorization(request: Request) -> Answer:
    """The Authorization header, in the body and in response headers."""
    given = request.header("Authorization") or ""
    return reply({"authorization": given}, 200, {"X-Echo-Authorization": given, "X-Request-Id": "echo-1"})


def echo_error(request: Request) -> Answer:
    """`/echo-error/500`: the request in an error's body, as frameworks do in debug mode."""
    return reply({"error": "it failed", "request": _described(request)}, int(request.arguments[0]))


def echo_redirect(request: Request) -> Answer:
    """Send credentials on in a Location, as careless gateways do: `?to=URL`."""
    given = quote(request.header("Authorization") or "", safe="")
    return Response(302, b"", {"Location": f"{request.parameter('to') or '/echo'}?authorization={given}"})


def _described(request: Request) -> dict[str, Any]:
    text = request.body.decode("utf-8", "backslashreplace")
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    return {
        "method": request.method,
        "target": request.target,
        "path": request.path,
        "query": [list(pair) for pair in request.query],
        "headers": {name.lower(): value for name, value in request.headers},
        "body": text,
        "json": parsed,
    }


# credentials ------------------------------------------------------------------------------------------------


def _unauthorized(challenge: str) -> Response:
    return reply({"error": "invalid credentials"}, 401, {"WWW-Authenticate": f'{challenge} realm="tests"'})


def basic(request: Request) -> Answer:
    """`/basic/USER/PASSWORD`."""
    expected = base64.b64encode(":".join(request.arguments).encode()).decode()
    right = request.header("Authorization") == f"Basic {expected}"
    return reply({"authenticated": True}) if right else _unauthorized("Basic")


def bearer(request: Request) -> Answer:
    """`/bearer/TOKEN`."""
    right = request.header("Authorization") == f"Bearer {request.arguments[0]}"
    return reply({"authenticated": True}) if right else _unauthorized("Bearer")


def api_key(request: Request) -> Answer:
    """`/key/header/NAME/VALUE`, `/key/query/NAME/VALUE`, `/key/cookie/NAME/VALUE`."""
    place, name, value = request.arguments
    given = {"header": request.header, "query": request.parameter, "cookie": request.cookie}[place](name)
    return reply({"authenticated": True}) if given == value else reply({"error": "invalid key"}, 401)


def set_cookies(request: Request) -> Answer:
    """`/cookies/set?a=1&b=2`: a Set-Cookie for each."""
    cookies = (("Set-Cookie", f"{name}={value}; Path=/") for name, value in request.query)
    return Response(200, b"{}", (("Content-Type", "application/json"), *cookies))


HANDLERS: dict[str, Handler] = {
    "* /status/*": status,
    "* /retry-after/*/*/*": retry_after,
    "* /close": close,
    "* /reset": reset,
    "* /truncated/*": truncated,
    "* /half-head": half_head,
    "* /not-http": not_http,
    "* /hold": hold,
    "* /hold-body": hold_body,
    "* /drip/*/*": drip,
    "* /slow/*": slow,
    "* /redirect/*": redirect,
    "* /redirect-loop/*": redirect_loop,
    "* /redirect-chain/*/*": redirect_chain,
    "* /redirect-nowhere/*": redirect_nowhere,
    "* /echo": echo,
    "* /echo/**": echo,
    "* /echo-authorization": echo_authorization,
    "* /echo-error/*": echo_error,
    "* /echo-redirect": echo_redirect,
    "* /basic/*/*": basic,
    "* /bearer/*": bearer,
    "* /key/*/*/*": api_key,
    "* /cookies/set": set_cookies,
}
COUNTING: dict[str, Callable[[Counts], Handler]] = {
    "* /flaky/*/*/*": flaky,
    "* /drops-first/*/*": drops_first,
    "* /unauthorized-first/*/*": unauthorized_first,
}


def faults(*, tls: ssl.SSLContext | None = None) -> Server:
    """Make the server, not started: use it in a `with`, or call `start` and `stop`."""
    counts = Counts()
    return Server(
        HANDLERS | bodies.HANDLERS | {route: make(counts) for route, make in COUNTING.items()}, tls=tls
    )
