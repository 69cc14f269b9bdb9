"""`type: github_app`: the token of an installation, as GitHub gives it, kept and replaced."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from runner.auth import FieldError, Message, Outgoing, Refused, Reply
from runner.auth.github_app import Authenticator, api_root
from runner.errors import FailureError
from tests.auth.bound import authenticator, shown
from tests.auth.means import Lent

KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
AUTH = {"app_id": "Iv1.abc", "installation_id": 77, "private_key": "env://K"}


class GitHub:
    """Gives tokens for an hour to whoever signs with the app's key."""

    def __init__(self, status: int = 201) -> None:
        self.given = 0
        self.status = status
        self.claims: Mapping[str, Any] = {}
        self.means = Lent(self.answer)

    def answer(self, message: Message) -> Reply:
        assert (message.method, message.url) == (
            "POST",
            "https://api.test/app/installations/77/access_tokens",
        )
        token = dict(message.headers)["Authorization"].removeprefix("Bearer ")
        options: Any = {"verify_exp": False, "verify_iat": False}
        self.claims = jwt.decode(token, KEY.public_key(), algorithms=["RS256"], options=options)
        assert token in self.means.registered
        self.given += 1
        ends = datetime.fromtimestamp(self.means.time + 3600, UTC).isoformat().replace("+00:00", "Z")
        body = json.dumps({"token": f"ghs_{self.given}", "expires_at": ends})
        return Reply(self.status, {}, body.encode())


def made(github: GitHub, **more: Any) -> Authenticator:
    done = authenticator("github_app", {**AUTH, **more}, {"K": PEM.replace("\n", " ")}, github.means)
    assert isinstance(done, Authenticator)
    return done


async def sent(which: Authenticator) -> Outgoing:
    request = Outgoing("GET", "https://api.test/x", [])
    await which.prepare()
    await which.apply(request)
    return request


def token_of(request: Outgoing) -> str:
    return request.headers[0][1]


def test_one_token_serves_many_requests_until_shortly_before_its_end() -> None:
    github = GitHub()

    async def play() -> None:
        which = made(github, permissions={"contents": "read"}, repositories=["site"])
        together = await asyncio.gather(*(sent(which) for _ in range(5)))
        assert {token_of(request) for request in together} == {"Bearer ghs_1"}
        github.means.time += 3600 - 331
        assert token_of(await sent(which)) == "Bearer ghs_1"
        github.means.time += 2
        assert token_of(await sent(which)) == "Bearer ghs_2"

    asyncio.run(play())
    now = int(github.means.time)
    assert github.claims == {"iss": "Iv1.abc", "iat": now - 60, "exp": now + 540}
    assert json.loads(github.means.sent[0].body or b"") == {
        "permissions": {"contents": "read"}, "repositories": ["site"],
    }  # fmt: skip
    assert {"ghs_1", "ghs_2"} <= set(github.means.registered)


def test_refused_requests_share_one_new_token() -> None:
    github = GitHub()

    async def play() -> None:
        which = made(github)
        refused = await asyncio.gather(*(sent(which) for _ in range(5)))
        assert all(await asyncio.gather(*(which.refresh(Refused(request)) for request in refused)))
        assert token_of(await sent(which)) == "Bearer ghs_2"

    asyncio.run(play())
    assert github.given == 2


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (401, "the key must be one of the app 'Iv1.abc'"),
        (404, "'77' must be an installation"),
        (500, "GitHub's status"),
    ],
)
def test_no_token(status: int, remedy: str) -> None:
    with pytest.raises(FailureError, match=rf"api.test gave no token .* \(status {status}\)") as caught:
        asyncio.run(made(GitHub(status)).prepare())
    assert str(caught.value.failure.help).startswith(remedy)


def test_an_answer_that_is_none_and_a_key_that_is_none() -> None:
    means = Lent(lambda _: Reply(201, {}, b"<html>"))
    which = authenticator("github_app", AUTH, {"K": PEM}, means)
    with pytest.raises(FailureError, match="answered the question for a token with something else"):
        asyncio.run(which.prepare())
    with pytest.raises(FieldError, match=r"^is cut off") as caught:
        authenticator("github_app", AUTH, {"K": PEM[:500]}, means)
    assert caught.value.name == "private_key"


def test_roots_of_the_api() -> None:
    cases = {
        "https://api.github.com": "https://api.github.com",
        "https://api.github.com/repos/acme/site": "https://api.github.com",
        "https://git.example.com/api/v3": "https://git.example.com/api/v3",
        "https://git.example.com:8443/api/graphql": "https://git.example.com:8443/api/v3",
        "https://api.acme.ghe.com": "https://api.acme.ghe.com",
    }
    assert {base: api_root(base) for base in cases} == cases


def test_plan() -> None:
    assert shown("github_app", AUTH).headers == {
        "Authorization": "Bearer ‹token of installation 77, asked for with ‹secret env://K››"
    }
