"""Sends the test requests of connections, through the same code as a run, and classifies what came of each."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runner import registry
from runner.answer import Response
from runner.bind import limits
from runner.errors import FailureKind, JsonObject, SecretsError
from runner.model import Action, Connection, Retry, Workflow
from runner.perform import Headers, perform
from runner.plan import Plan
from runner.project import Project
from runner.request import TEST_SECTION as SECTION
from runner.secrets import Warn
from runner.sensitive import Redactor
from runner.session import Session
from runner.waits import limited

if TYPE_CHECKING:
    from runner.client import Client

OK = "ok"
SECRET_UNAVAILABLE = "secret unavailable"  # noqa: S105 - a class of results
UNTESTED = "no test endpoint"

_BY_STATUS = {401: "unauthorized", 403: "forbidden", 407: "misconfigured", 429: "rate limited"}
_BY_KIND = {
    FailureKind.CONNECTION: "unreachable",
    FailureKind.TIMEOUT: "unreachable",
    FailureKind.TLS: "tls",
    FailureKind.RATE_LIMITED: "rate limited",
    FailureKind.RENDER: "misconfigured",
    FailureKind.REDIRECT: "misconfigured",
    FailureKind.NOT_ALLOWED: "misconfigured",
    FailureKind.UNAUTHORIZED: "unauthorized",
    FailureKind.SECRET_UNAVAILABLE: SECRET_UNAVAILABLE,
}


async def send_tests(
    project: Project,
    names: Sequence[str],
    *,
    environ: Mapping[str, str],
    redactor: Redactor,
    warn: Warn,
    user: str | None = None,
    client: "Client | None" = None,
) -> list[JsonObject]:
    """Test connections in parallel, each with one request and no retry; gives one result for each name, in order.

    A result holds `connection`, `classification` (ok, unauthorized, forbidden, unreachable, tls, misconfigured, rate
    limited, unexpected, secret unavailable, no test endpoint), and where they apply `message`, `help`, `file`, `line`,
    `method`, `url`, `status`, `duration` (seconds). A connection whose secrets are unavailable does not keep the others
    from being tested.
    """
    results: dict[str, JsonObject] = {}
    testable: list[str] = []
    for name in names:
        if project.connections[name].test is None:
            results[name] = {
                "connection": name,
                "classification": UNTESTED,
                "help": "declare a harmless request under `test` in its file",
            }
        else:
            testable.append(name)
    plan = Plan(workflow="", documents={}, inputs={}, environment=project.environment, user=user)
    session = Session(
        project,
        plan,
        test_workflow(project, testable),
        environ=environ,
        redactor=redactor,
        warn=warn,
        client=client,
        limits=limits(project.limits),
    )
    try:
        results |= await _open(session, project, testable)
        ready = [name for name in testable if name not in results]
        tested = await asyncio.gather(*(send_test(session, project.connections[name]) for name in ready))
        results |= dict(zip(ready, tested, strict=True))
    finally:
        await session.close()
    return [results[name] for name in names]


async def _open(session: Session, project: Project, names: Sequence[str]) -> dict[str, JsonObject]:
    """Read secrets; connections without theirs are taken out, the others are tried again (each path is read once)."""
    failed: dict[str, JsonObject] = {}
    left = list(names)
    while left:
        session.workflow = test_workflow(project, left)
        try:
            await session.open()
        except SecretsError as error:
            found = {
                name: problem for name in left if (problem := _problem_of(project.connections[name], error))
            }
            if not found:
                found = {name: _unavailable(name, error.message, error.help) for name in left}
            failed |= found
            left = [name for name in left if name not in found]
        else:
            break
    return failed


def _problem_of(connection: Connection, error: SecretsError) -> JsonObject | None:
    places = {ref.span for ref in connection.secrets.values()}
    problems = [problem for problem in error.problems if places & set(problem.spans)]
    if not problems:
        return None
    message = "; ".join(f"{problem.reference}: {problem.message}" for problem in problems)
    result = _unavailable(connection.name, message, problems[0].help)
    place = min(places & set(problems[0].spans))
    return {**result, "file": place.path, "line": place.start.line}


def _unavailable(name: str, message: str, remedy: str | None) -> JsonObject:
    result: JsonObject = {"connection": name, "classification": SECRET_UNAVAILABLE, "message": message}
    return {**result, "help": remedy} if remedy else result


def test_workflow(project: Project, names: Sequence[str]) -> Workflow:
    """Make a workflow of one action for each connection: its test request."""
    request = registry.load("actions", "request")
    actions = []
    for index, name in enumerate(names):
        test = project.connections[name].test
        assert test is not None
        config = request.Config(
            method=test.method,
            path=test.path,
            url=None,
            query=dict(test.query),
            body_kind="json" if test.has_json else None,
            body=test.json,
            paginate=False,
        )
        actions.append(
            Action(
                id=name,
                section=SECTION,
                index=index,
                kind="request",
                config=config,
                connection=name,
                expect=test.expect,
                retry=Retry(attempts=1),
                # The answer may be about the holder of the credentials: it is recorded nowhere, and given to nobody.
                sensitive=True,
                has_output=True,
                pointer=("test",),
            )
        )
    document = (
        project.connections[names[0]].base_url.document if names else next(iter(project.documents.values()))
    )
    return Workflow(name="connections test", document=document, actions=tuple(actions))


async def send_test(session: Session, connection: Connection) -> JsonObject:
    """Send the test request of one connection; gives its result, as `send_tests` does."""
    ref: JsonObject = {
        "action": f"{SECTION}/{connection.name}",
        "inputs": {},
        "vars": dict(session.project.vars),
        "actions": {},
        "run": {"id": "test", "workflow": "connections test", "started_at": None, "user": session.plan.user},
    }
    outcome = await perform(ref, session)
    record = outcome["record"]
    result: JsonObject = {"connection": connection.name, "classification": OK, "duration": record["duration"]}
    if "request" in record:
        result |= {"method": record["request"]["method"], "url": record["request"]["url"]}
    status = record.get("response", {}).get("status")
    if status is not None:
        result["status"] = status
    if outcome["status"] == "succeeded":
        return result
    error = outcome["error"]
    kind = FailureKind(error["kind"])
    by_status = _BY_STATUS.get(status) if kind is FailureKind.UNEXPECTED_STATUS else None
    if kind is FailureKind.UNEXPECTED_STATUS and _limited(connection, record.get("response")):
        by_status = "rate limited"
    result["classification"] = by_status or _BY_KIND.get(kind, "unexpected")
    result["message"] = error["message"]
    remedy = _remedy(connection, str(result["classification"])) if status is not None else None
    remedy = remedy or error.get("help")
    if remedy:
        result["help"] = remedy
    if kind in (FailureKind.SECRET_UNAVAILABLE, FailureKind.UNAUTHORIZED) and "file" in error:
        return {**result, "file": error["file"], "line": error["line"]}
    place = connection.locate(("test", "path"))
    return {**result, "file": place.path, "line": place.start.line}


def _remedy(connection: Connection, classification: str) -> str | None:
    known = _REMEDIES.get(classification)
    if classification != "forbidden":
        return known
    return getattr(registry.load("auth", connection.type), "FORBIDDEN", known)


def _limited(connection: Connection, answer: JsonObject | None) -> bool:
    """Tell whether a recorded answer says "too many requests", which some APIs do with a 400 or 403.

    There is none where what was refused is a request of the auth type: a login, or for a token.
    """
    if answer is None:
        return False
    headers = Headers(answer["headers"])
    response = Response(answer["status"], headers, None, "", 0.0, "")
    return limited(response, connection.rate_limit)


_REMEDIES = {
    "unauthorized": "the credentials are not accepted: replace them where they are stored, and check the type and prefix",
    "forbidden": "the credentials are valid but may not do this: check their scopes",
    "rate limited": "try again later; the credentials were not judged",
}
