"""`type: session`: log in once for all requests, again when the token is refused, and out at the end."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from runner.auth import Message, Outgoing, Refused, Reply
from runner.auth.session import Authenticator
from runner.errors import FailureError
from tests.auth.bound import authenticator, shown
from tests.auth.means import Lent

AUTH = {
    "username": "robot",
    "password": "env://P",
    "login": {"path": "/session", "json": {"user": "{{ auth.username }}", "pw": ["{{ auth.password }}"]}},
    "token": "{{ response.body.id }}",
}
Answer = Callable[[Message], Reply]


def made(means: Lent, **more: Any) -> Authenticator:
    auth = {name: item for name, item in {**AUTH, **more}.items() if item is not None}
    done = authenticator("session", auth, {"P": 'pass"\u00fc'}, means)
    assert isinstance(done, Authenticator)
    return done


def counted() -> Lent:
    means = Lent()

    def answer(message: Message) -> Reply:
        number = len([sent for sent in means.sent if sent.url.endswith("/session") and sent.method == "POST"])
        return Reply(
            200, {"token": f"h-{number}"}, json.dumps({"id": f"t-{number}"}).encode(), {"sid": f"c {number}"}
        )

    means.answer = answer
    return means


async def sent(which: Authenticator) -> Outgoing:
    request = Outgoing("GET", "https://api.test/x", [])
    await which.prepare()
    await which.apply(request)
    return request


def test_one_login_for_all_and_one_more_for_all_that_are_refused() -> None:
    means = counted()

    async def play() -> None:
        which = made(means)
        first = await asyncio.gather(*(sent(which) for _ in range(6)))
        assert {request.headers[0] for request in first} == {("Authorization", "Bearer t-1")}
        assert all(await asyncio.gather(*(which.refresh(Refused(request)) for request in first)))
        assert (await sent(which)).headers == [("Authorization", "Bearer t-2")]
        await which.close()

    asyncio.run(play())
    assert len(means.sent) == 2
    message = means.sent[0]
    assert (message.method, message.url) == ("POST", "https://api.test/session")
    assert dict(message.headers) == {"Content-Type": "application/json"}
    assert json.loads(message.body or b"") == {"user": "robot", "pw": ['pass"\u00fc']}
    assert not message.harmless
    assert set(means.registered) == {"t-1", "t-2", "Bearer t-1", "Bearer t-2"}


@pytest.mark.parametrize(
    ("more", "headers", "query"),
    [
        ({"name": "X-Session"}, [("X-Session", "t-1")], []),
        ({"prefix": "Splunk"}, [("Authorization", "Splunk t-1")], []),
        ({"token": "{{ response.headers.Token }}", "name": "Authorization", "prefix": ""}, [("Authorization", "h-1")], []),
        ({"token": "{{ response.cookies.sid }}", "in": "cookie", "name": "sid"}, [("Cookie", "sid=c%201")], []),
        ({"in": "query", "name": "sid"}, [], [("sid", "t-1")]),
        ({"token": "{{ response.status }}", "name": "X-S"}, [("X-S", "200")], []),
    ],
)  # fmt: skip
def test_where_the_token_comes_from_and_goes(
    more: dict[str, Any], headers: list[tuple[str, str]], query: list[tuple[str, str]]
) -> None:
    request = asyncio.run(sent(made(counted(), **more)))
    assert (request.headers, request.query) == (headers, query)


def test_form_query_headers_and_logout() -> None:
    means = counted()
    login = {
        "path": "/session", "query": {"mode": ["json", "x"], "n": 1, "no": None}, "headers": {"X-User": "{{ auth.username }}"},
        "form": {"u": "{{ auth.username }}", "p": "{{ auth.password }}"},
    }  # fmt: skip
    logout = {"method": "DELETE", "path": "/session"}

    async def play() -> None:
        which = made(means, login=login, logout=logout, name="X-S")
        await sent(which)
        await which.close()
        await which.close()

    means.answer = lambda _: Reply(200, {}, b'{"id": "t-1"}')
    asyncio.run(play())
    first, last = means.sent
    assert first.url == "https://api.test/session?mode=json&mode=x&n=1"
    assert first.body == b"u=robot&p=pass%22%C3%BC"
    assert dict(first.headers) == {"X-User": "robot", "Content-Type": "application/x-www-form-urlencoded"}
    assert (last.method, last.url, last.headers, last.body) == (
        "DELETE", "https://api.test/session", (("X-S", "t-1"),), None,
    )  # fmt: skip
    assert means.warnings == []


def test_a_logout_that_fails_is_a_warning() -> None:
    for status, expected in (
        (500, ["the session of the connection 'api' was not ended: status 500"]),
        (401, []),
    ):

        def answer(message: Message, status: int = status) -> Reply:
            return Reply(200 if message.body else status, {}, b'{"id": "t-1"}')

        means = Lent(answer)
        which = made(means, logout={"path": "/logout"})

        async def play(which: Authenticator = which) -> None:
            await which.close()
            await sent(which)
            await which.close()

        asyncio.run(play())
        assert means.warnings == expected


def test_a_session_of_known_length_is_renewed_before_its_end() -> None:
    means = counted()

    async def play() -> None:
        which = made(means, lifetime="1h")
        await sent(which)
        means.time += 3539
        assert (await sent(which)).headers[0][1] == "Bearer t-1"
        means.time += 2
        assert (await sent(which)).headers[0][1] == "Bearer t-2"

    asyncio.run(play())


@pytest.mark.parametrize(
    ("reply", "message", "remedy"),
    [
        (Reply(401, {}, b"{}"), "was answered with status 401", "check auth.username and auth.password"),
        (Reply(404, {}, b""), "was answered with status 404", "check `auth.login`"),
        (Reply(200, {}, b'{"id": ""}'), "was answered without the token", "compare `auth.token`"),
        (Reply(200, {}, b'{"id": null}'), "was answered without the token", "compare `auth.token`"),
        (Reply(200, {}, b'{"id": "a\\nb"}'), "gave a token with a line break", "add `| trim`"),
    ],
)
def test_logins_that_give_nothing(reply: Reply, message: str, remedy: str) -> None:
    with pytest.raises(FailureError) as caught:
        asyncio.run(made(Lent(lambda _: reply)).prepare())
    failure = caught.value.failure
    assert failure.message.startswith(f"the login of the connection 'api' (POST /session) {message}")
    assert str(failure.help).startswith(remedy)
    assert failure.span is not None


def test_an_answer_without_what_the_template_names() -> None:
    with pytest.raises(FailureError, match=r"'response\.body'"):
        asyncio.run(made(Lent(lambda _: Reply(200, {}, b'{"other": "x"}'))).prepare())


def test_plan() -> None:
    token = "‹token from POST /session, with ‹secret env://P››"
    assert shown("session", AUTH).headers == {"Authorization": f"Bearer {token}"}
    assert shown("session", {**AUTH, "in": "query", "name": "sid"}).query == {"sid": token}
    cookie = shown("session", {**AUTH, "in": "cookie", "name": "sid"})
    assert cookie.headers == {"Cookie": f"sid={token}"}
