"""A response as actions see it: status, headers, parsed body; and whether it is what was expected."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from runner import body_format
from runner.errors import Failure, FailureError, FailureKind, JsonObject
from runner.frozen import dataclass
from runner.model import Action, Connection, Expect
from runner.perform import Headers
from runner.template_text import holds

if TYPE_CHECKING:
    from runner.client import Answer
    from runner.perform import Performance

SHOWN_HEADERS = frozenset(
    {"content-type", "content-length", "date", "retry-after", "x-request-id", "request-id", "x-correlation-id",
     "etag", "server", "allow", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit",
     "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"}
)  # fmt: skip
"""Response headers that are recorded (SPEC 7)."""

_KEPT_FROM_TEMPLATES = frozenset({"set-cookie", "authorization", "proxy-authenticate", "www-authenticate"})
LARGEST_RECORDED_BODY = 8 * 1024


@dataclass(slots=True, repr=False)
class Response:
    """A response: what templates call `response`. `fault` says that the body is not the JSON it claims to be.

    `pages` counts the pages of the request so far, this one included.
    """

    status: int
    headers: Headers
    body: Any
    url: str
    elapsed: float
    text: str
    fault: str | None = None
    pages: int = 1

    def context(self) -> dict[str, Any]:
        """Give what templates see."""
        return {
            "status": self.status,
            "headers": self.headers,
            "body": self.body,
            "url": self.url,
            "elapsed": self.elapsed,
            "pages": self.pages,
        }

    def for_actions(self) -> JsonObject:
        """Give what later actions see as `actions.ID.response`: no header that is a credential."""
        kept = {name: value for name, value in self.headers.items() if name not in _KEPT_FROM_TEMPLATES}
        return {"status": self.status, "headers": kept}


def read(answer: "Answer") -> Response:
    """Parse a body by its content type."""
    headers = Headers()
    for name, value in answer.headers:
        lower = name.lower()
        headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
    read_body = body_format.read(answer.body, headers.get("content-type", ""))
    return Response(
        answer.status,
        headers,
        read_body.value,
        answer.url,
        answer.elapsed,
        read_body.text,
        read_body.fault,
    )


def status_expected(expect: Expect, status: int) -> bool:
    """Tell whether a status is a success: the listed ones, or by default 2xx, and 3xx that were not followed."""
    if expect.status is None:
        return 200 <= status < 400
    return str(status) in expect.status or f"{status // 100}xx" in expect.status


def judge(
    action: Action, connection: Connection | None, response: Response, performance: "Performance"
) -> None:
    """Raise FailureError where a response is not what the action or its connection expects."""
    expect = action.expect
    where = performance.workflow.document
    if not status_expected(expect, response.status):
        wanted = ", ".join(expect.status) if expect.status else "2xx"
        said = _error_message(connection, response, performance)
        if not said and action.config.body_kind == "graphql":
            said = _graphql_errors(response, performance) or ""
        raise FailureError(
            Failure(
                kind=FailureKind.UNEXPECTED_STATUS,
                message=f"the server answered {named(response.status)}{said}",
                help=f"expected {wanted}; {_STATUS_HELP.get(response.status, _SEE)}",
                span=where.span(
                    (*action.pointer, "expect", "status") if expect.status else (*action.pointer, action.kind)
                ),
            )
        )
    if response.fault:
        raise FailureError(
            Failure(
                kind=FailureKind.PROTOCOL,
                message=f"the response {response.fault}",
                help=f"the API is broken, or something between answered in its place; {_SEE}",
                span=where.span((*action.pointer, action.kind)),
            )
        )
    if connection and connection.fail_when is not None:
        failed = performance.render_for(connection.fail_when, response=response.context())
        if holds(failed):
            said = _error_message(connection, response, performance)
            raise FailureError(
                Failure(
                    kind=FailureKind.EXPECTATION,
                    message=f"the server answered {response.status}, but it is an error{said}",
                    help=f"`fail_when` of the connection '{connection.name}' is true",
                    span=connection.fail_when.span,
                )
            )
    if action.config.body_kind == "graphql":
        _judge_graphql(action, response, performance)
    _judge_headers(expect, response, performance)
    _judge_body(action, expect, response, performance)


def _judge_graphql(action: Action, response: Response, performance: "Performance") -> None:
    """Fail for errors in the answer, also beside data (GraphQL over HTTP), and for what is no answer of GraphQL."""
    said = _graphql_errors(response, performance)
    if said is None and isinstance(response.body, dict) and "data" in response.body:
        return
    what = f"it holds errors{said}" if said is not None else "its body is no answer of GraphQL"
    raise FailureError(
        Failure(
            kind=FailureKind.EXPECTATION,
            message=f"the server answered {response.status}, but {what}",
            help=_SEE,
            span=performance.workflow.document.span((*action.pointer, action.kind, "graphql"), key=True),
        )
    )


def _graphql_errors(response: Response, performance: "Performance") -> str | None:
    """Give the messages of GraphQL errors, cleaned and cut; None where there are none."""
    errors = response.body.get("errors") if isinstance(response.body, dict) else None
    if not errors:
        return None
    messages = [
        str(each.get("message")) if isinstance(each, dict) and each.get("message") else "no message"
        for each in (errors if isinstance(errors, list) else [errors])
    ]
    told = _line("; ".join(messages[:3]), performance)
    more = f" (and {len(messages) - 3} more)" if len(messages) > 3 else ""
    return f": {told[:300]}{more}"


def named(status: int) -> str:
    """Write a status with its name."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


_SEE = "a run with `--report json=FILE` records the response"
_STATUS_HELP = {
    401: "the credentials are not accepted",
    403: "the credentials are valid but may not do this, or are not accepted",
    404: "the path is wrong, or the credentials may not see it",
    407: "the proxy wants credentials",
}


def _judge_headers(expect: Expect, response: Response, performance: "Performance") -> None:
    for name, wanted in expect.headers.items():
        present = name in response.headers
        if isinstance(wanted, bool):
            if present is not wanted:
                state = "is missing" if wanted else "is there"
                raise FailureError(
                    Failure(kind=FailureKind.EXPECTATION, message=f"the response header '{name}' {state}")
                )
        elif (
            not present
            or response.headers[name] != performance.render(wanted, response=response.context()).wire
        ):
            problem = "is not as expected" if present else "is missing"
            raise FailureError(
                Failure(
                    kind=FailureKind.EXPECTATION,
                    message=f"the response header '{name}' {problem}",
                    span=wanted.span,
                )
            )


def _judge_body(action: Action, expect: Expect, response: Response, performance: "Performance") -> None:
    where = performance.workflow.document
    if expect.schema is not None:
        from runner.schema import problems_of, written

        problems = [
            f"'{written(('body', *place))}' must be {text.removeprefix('must be ')}"
            for place, text in problems_of(expect.schema, response.body)
        ]
        if problems:
            more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
            raise FailureError(
                Failure(
                    kind=FailureKind.EXPECTATION,
                    message=f"the body is not as `expect.schema` says: {'; '.join(problems[:3])}{more}",
                    span=where.span((*action.pointer, "expect", "schema")),
                )
            )
    for index, condition in enumerate(expect.that):
        if not holds(performance.render(condition, response=response.context()).wire):
            raise FailureError(
                Failure(
                    kind=FailureKind.EXPECTATION,
                    message=f"expectation {index + 1} is not true: {condition.text.strip()}",
                    help=_SEE,
                    span=condition.span,
                )
            )


def _error_message(connection: Connection | None, response: Response, performance: "Performance") -> str:
    if connection is None or connection.error_message is None:
        return ""
    try:
        said = performance.render_for(connection.error_message, response=response.context())
    except FailureError:
        return ""
    text = _line(str(said), performance)[:300] if said is not None else ""
    return f": {text}" if text else ""


def _line(text: str, performance: "Performance") -> str:
    """Join a server's text to one line, cleaned before: a secret may hold the spaces that are joined; and after."""
    clean = performance.session.redactor.text
    return clean(" ".join(clean(text).split()))


def recorded(response: Response, performance: "Performance", *, failed: bool) -> JsonObject:
    """Give what is recorded of a response: headers by allow-list, the body on failure only, cleaned and then cut."""
    clean = performance.session.redactor
    names = SHOWN_HEADERS | _limit_headers(performance)
    shown: JsonObject = {
        "status": response.status,
        "headers": clean.data({name: value for name, value in response.headers.items() if name in names}),
    }
    if failed and not performance.action.sensitive:
        text = clean.text(response.text)
        shown["body"] = text[:LARGEST_RECORDED_BODY]
        if len(text) > LARGEST_RECORDED_BODY:
            shown["body_cut"] = True
    return shown


def _limit_headers(performance: "Performance") -> frozenset[str]:
    """Name the headers in which the API of the action's connection tells of its limits."""
    connection = performance.session.project.connections.get(performance.action.connection or "")
    rate = connection.rate_limit if connection else None
    if rate is None:
        return frozenset()
    names = (rate.remaining, rate.reset.header if rate.reset else None)
    return frozenset(name.lower() for name in names if name)
