"""What a Vault would answer, from the small HTTP server of the tests: for moments that a real one cannot be put into."""

from collections.abc import Mapping

from tests.servers.http import Answer, Handler, Request, reply

TOKEN = "s.token-of-the-stub"


def routes(replaced: Mapping[str, Handler] | None = None) -> dict[str, Handler]:
    """Answer a login by AppRole, the look-up of mounts, `secret/app#a` and the revocation; some replaced or added."""
    answers: dict[str, Handler] = {
        "POST /v1/auth/approle/login": logged_in,
        "GET /v1/auth/token/lookup-self": lambda _: reply({"data": {"ttl": 0, "renewable": False}}),
        "GET /v1/sys/internal/ui/mounts/secret/app": mounted,
        "GET /v1/secret/data/app": stored,
        "POST /v1/auth/token/revoke-self": lambda _: reply({}),
    }
    return {
        **(replaced or {}),
        **{route: answer for route, answer in answers.items() if route not in (replaced or {})},
    }


def logged_in(_: Request) -> Answer:
    return reply({"auth": {"client_token": TOKEN, "lease_duration": 600, "renewable": False}})


def mounted(_: Request) -> Answer:
    return reply({"data": {"path": "secret/", "type": "kv", "options": {"version": "2"}}})


def stored(_: Request) -> Answer:
    return reply({"data": {"data": {"a": "of the stub"}, "metadata": {"version": 1}}})


def in_turn(*handlers: Handler) -> Handler:
    """Answer with one handler after the other; the last one stays."""
    left = list(handlers)

    def answer(request: Request) -> Answer:
        return (left.pop(0) if len(left) > 1 else left[0])(request)

    return answer
