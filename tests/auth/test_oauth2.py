"""`type: oauth2` with a token endpoint that is a function: what is sent, what odd answers mean, one call for many."""

import asyncio
import base64
import dataclasses
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path as FilePath
from typing import Any
from urllib.parse import parse_qs, parse_qsl

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from runner.auth import FieldError, Message, Outgoing, Refused, Reply
from runner.auth.oauth2 import page, stored
from runner.auth.oauth2.holder import Holder
from runner.errors import Failure, FailureError, FailureKind
from runner.sensitive import Secret
from tests.auth.means import Lent, Path
from tests.projects import make, request, run
from tests.rules.projects import loaded

SECRET = "the+client/secret=1"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
OK = {"access_token": "access-token-1", "expires_in": 3600}


def reply(body: Any, status: int = 200, kind: str = "application/json") -> Reply:
    text = body if isinstance(body, str) else json.dumps(body)
    return Reply(status, {"content-type": kind}, text.encode())


@pytest.fixture
def root(tmp_path: FilePath) -> FilePath:
    return tmp_path


def bound(root: FilePath, auth: Mapping[str, Any], **keys: Any) -> Any:
    """Bind an `auth` as a project does."""
    made = {"type": "oauth2", "base_url": "https://api.test", "shared": True, "auth": dict(auth), **keys}
    project = loaded(root, {"connections.d/api.yaml": json.dumps(made)})
    assert project.diagnostics == [] or not project.diagnostics, project.diagnostics
    return project.connections["api"].auth


CLIENT: dict[str, Any] = {
    "grant": "client_credentials",
    "token_url": "https://auth.test/token",
    "client_id": "runner",
    "client_secret": "env://SECRET",
}


def holder(
    root: FilePath,
    means: Lent,
    auth: Mapping[str, Any],
    tls: Mapping[str, str] | None = None,
    **secrets: str,
) -> Holder:
    given = {"client_secret": SECRET, **secrets}
    config = bound(root, auth, **({"tls": tls} if tls else {}))
    fields = {
        name: Secret(given[name], name)
        for name in ("client_secret", "private_key", "refresh_token", "access_token")
        if getattr(config, name) is not None
    }
    return Holder(config, fields, means)


def sent(made: Holder, times: int = 1) -> list[tuple[str, str]]:
    """Prepare and apply; gives the headers that were added."""

    async def go() -> list[tuple[str, str]]:
        request = Outgoing("GET", "https://api.test/x", [])
        for _ in range(times):
            await made.prepare()
        await made.apply(request)
        await made.close()
        return request.headers

    return asyncio.run(go())


def failed(made: Holder) -> Failure:
    with pytest.raises(FailureError) as caught:
        sent(made)
    return caught.value.failure


def form(message: Message) -> dict[str, str]:
    return dict(parse_qsl((message.body or b"").decode(), keep_blank_values=True))


def test_what_is_asked_for_and_how_it_is_sent(root: FilePath) -> None:
    means = Lent(lambda _: reply(OK))
    auth = {**CLIENT, "scopes": ["a", "b"], "audience": "https://api.test", "extra": {"account_id": 7}}
    assert sent(holder(root, means, auth)) == [("Authorization", "Bearer access-token-1")]
    (message,) = means.sent
    assert (message.method, message.url) == ("POST", "https://auth.test/token")
    assert form(message) == {
        "grant_type": "client_credentials",
        "scope": "a b",
        "audience": "https://api.test",
        "account_id": "7",
        "client_id": "runner",
        "client_secret": SECRET,
    }
    assert means.registered["access-token-1"] == "an access token"


def test_a_client_of_a_certificate_sends_its_name_and_no_secret(root: FilePath) -> None:
    means = Lent(lambda _: reply(OK))
    auth = {name: item for name, item in CLIENT.items() if name != "client_secret"}
    tls = {"cert": "env://CERT"}
    assert sent(holder(root, means, {**auth, "client_auth": "tls_client_auth"}, tls=tls))
    assert sent(holder(root, means, {**CLIENT, "certificate_bound": True}, tls=tls))
    assert sent(holder(root, means, CLIENT, tls=tls))
    assert [(message.certificate, "client_secret" in form(message)) for message in means.sent] == [
        (True, False),
        (True, True),
        (False, True),
    ]
    assert form(means.sent[0]) == {"grant_type": "client_credentials", "client_id": "runner"}


def test_a_client_in_a_header_a_json_body_and_names_of_their_own(root: FilePath) -> None:
    answer = {"ok": True, "authed_user": {"access_token": "user-token-1"}}
    means = Lent(lambda _: reply(answer))
    auth = {
        **CLIENT,
        "client_id": "a:b",
        "client_auth": "basic",
        "token_format": "json",
        "grant_type": "account_credentials",
        "scopes": ["a", "b"],
        "scope_separator": ",",
        "token_field": "authed_user.access_token",
        "header": "X-Token",
    }
    assert sent(holder(root, means, auth)) == [("X-Token", "user-token-1")]
    (message,) = means.sent
    assert json.loads(message.body or b"") == {"grant_type": "account_credentials", "scope": "a,b"}
    headers = dict(message.headers)
    assert headers["Content-Type"] == "application/json"
    pair = base64.b64encode(b"a%3Ab:the%2Bclient%2Fsecret%3D1").decode()
    assert headers["Authorization"] == f"Basic {pair}"
    assert pair in means.registered


def test_a_prefix_of_its_own(root: FilePath) -> None:
    auth = {**CLIENT, "prefix": "Zoho-oauthtoken"}
    made = holder(root, Lent(lambda _: reply(OK)), auth)
    assert sent(made) == [("Authorization", "Zoho-oauthtoken access-token-1")]


@pytest.mark.parametrize(
    ("answer", "message", "kind"),
    [
        (
            reply({"error": "invalid_client", "error_description": "No\x1b such\nclient"}, 401),
            "the token endpoint at auth.test answered 401: invalid_client: No such client",
            FailureKind.UNAUTHORIZED,
        ),
        (
            reply({"error": "invalid_scope"}),
            "the token endpoint at auth.test answered 200: invalid_scope",
            FailureKind.UNAUTHORIZED,
        ),
        (
            reply({"ok": False, "error": "invalid_auth"}),
            "the token endpoint at auth.test answered 200: invalid_auth",
            FailureKind.UNAUTHORIZED,
        ),
        (
            reply({"error": {"code": 190, "message": "Expired"}}, 400),
            "the token endpoint at auth.test answered 400: 190: Expired",
            FailureKind.UNAUTHORIZED,
        ),
        (
            reply(
                "error=bad_verification_code&error_description=No", 200, "application/x-www-form-urlencoded"
            ),
            "the token endpoint at auth.test answered 200: bad_verification_code: No",
            FailureKind.UNAUTHORIZED,
        ),
        (
            reply({"token": "secret-in-another-place", "type": "x"}),
            "the token endpoint at auth.test answered 200 without 'access_token'",
            FailureKind.UNAUTHORIZED,
        ),
        (
            reply("<html>", 502, "text/html; charset=utf-8"),
            "the token endpoint at auth.test answered 502 with no JSON (text/html)",
            FailureKind.UNEXPECTED_STATUS,
        ),
        (
            reply("", 302, "text/html"),
            "the token endpoint at auth.test answered 302, a redirect, which would carry credentials elsewhere",
            FailureKind.UNAUTHORIZED,
        ),
        (
            reply({"message": "slow down"}, 429),
            "the token endpoint at auth.test answered 429: slow down",
            FailureKind.RATE_LIMITED,
        ),
    ],
)
def test_what_an_answer_without_a_token_means(
    answer: Reply, message: str, kind: FailureKind, root: FilePath
) -> None:
    means = Lent(lambda _: answer)
    made = holder(root, means, CLIENT)
    failure = failed(made)
    assert (failure.message, failure.kind) == (message, kind)
    assert failure.help
    assert "secret-in-another-place" not in failure.message + failure.help
    failed(made)
    # A refusal is final for the run; what may pass is asked for again.
    assert len(means.sent) == (1 if kind is FailureKind.UNAUTHORIZED else 2)


@pytest.mark.parametrize(
    ("more", "lifetime", "calls"),
    [
        ({"expires_in": 3600}, None, [0, 1, 1, 2]),
        ({"expires_in": "3600"}, None, [0, 1, 1, 2]),
        ({}, None, [0, 1, 1, 1]),
        ({}, "1h", [0, 1, 1, 2]),
        ({"expires_in": 0}, "1h", [0, 1, 1, 2]),
    ],
)
def test_a_token_is_renewed_before_it_ends(
    more: dict[str, Any], lifetime: str | None, calls: list[int], root: FilePath
) -> None:
    means = Lent(lambda _: reply({"access_token": "access-token-1", **more}))
    made = holder(root, means, {**CLIENT, **({"lifetime": lifetime} if lifetime else {})})

    async def go() -> list[int]:
        seen = [len(means.sent)]
        for seconds in (0, 3500, 50):
            means.time += seconds
            await asyncio.gather(*(made.prepare() for _ in range(5)))
            seen.append(len(means.sent))
        return seen

    assert asyncio.run(go()) == calls


def test_a_refused_token_is_replaced_once_however_many_requests_it_was_in(root: FilePath) -> None:
    count = iter(range(1, 100))
    means = Lent(lambda _: reply({**OK, "access_token": f"access-token-{next(count)}"}))
    made = holder(root, means, CLIENT)

    async def used() -> Outgoing:
        request = Outgoing("GET", "https://api.test", [])
        await made.prepare()
        await made.apply(request)
        return request

    async def go() -> None:
        first = [await used() for _ in range(3)]
        assert [await made.refresh(Refused(each)) for each in first] == [True] * 3
        assert len(means.sent) == 2
        # The new one is refused as well: another would be, too.
        assert await made.refresh(Refused(await used())) is False
        assert len(means.sent) == 2
        means.time += 61
        assert await made.refresh(Refused(await used())) is True
        assert len(means.sent) == 3

    asyncio.run(go())


JWT: dict[str, Any] = {
    "grant": "jwt_bearer",
    "token_url": "https://auth.test/token",
    "private_key": "env://KEY",
}
GOOGLE = json.dumps(
    {
        "type": "service_account",
        "client_email": "robot@example.com",
        "private_key": PEM,
        "private_key_id": "kid-1",
        "token_uri": "https://elsewhere.test/token",
    }
)


@pytest.mark.parametrize(
    ("auth", "key", "claims", "kid"),
    [
        (
            {"scopes": ["a", "b"], "subject": "jo@example.com"},
            GOOGLE,
            {
                "iss": "robot@example.com",
                "sub": "jo@example.com",
                "scope": "a b",
                "aud": "https://auth.test/token",
            },
            "kid-1",
        ),
        (
            {"client_id": "app", "subject": "jo", "audience": "https://login.test", "claims": {"n": 1}},
            PEM.replace("\n", "\\n"),
            {"iss": "app", "sub": "jo", "aud": "https://login.test", "n": "1"},
            None,
        ),
    ],
)
def test_a_signed_assertion_is_traded_for_a_token(
    auth: dict[str, Any], key: str, claims: dict[str, Any], kid: str | None, root: FilePath
) -> None:
    means = Lent(lambda _: reply(OK))
    assert sent(holder(root, means, {**JWT, **auth}, private_key=key)) == [
        ("Authorization", "Bearer access-token-1")
    ]
    asked = form(means.sent[0])
    assert asked["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    assert "client_secret" not in asked
    assertion = asked["assertion"]
    assert assertion in means.registered
    assert jwt.get_unverified_header(assertion).get("kid") == kid
    options: Any = {"verify_exp": False, "verify_aud": False, "verify_iat": False}
    signed = jwt.decode(assertion, KEY.public_key(), algorithms=["RS256"], options=options)
    assert signed["exp"] - signed["iat"] <= 180
    assert {name: item for name, item in signed.items() if name not in ("iat", "exp", "jti")} == claims


@pytest.mark.parametrize(
    ("auth", "key", "message"),
    [
        ({}, PEM, "does not say whose it is"),
        ({"issuer": "x"}, "{broken", "begins as JSON and is none"),
        ({"issuer": "x"}, '{"installed": {}}', "is JSON without the field 'private_key'; it has: installed"),
        ({"issuer": "x"}, "no key", "is not a private key in PEM form"),
    ],
)
def test_a_key_that_cannot_sign_says_why(
    auth: dict[str, Any], key: str, message: str, root: FilePath
) -> None:
    with pytest.raises(FieldError) as caught:
        sent(holder(root, Lent(), {**JWT, **auth}, private_key=key))
    assert (caught.value.name, caught.value.message) == ("private_key", message)


REFRESH: dict[str, Any] = {
    **CLIENT,
    "grant": "refresh_token",
    "refresh_token": "vault://secret/oauth#refresh_token",
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """New tokens are tried to be written a few times only."""
    monkeypatch.setattr(stored, "WRITES", 3)


@pytest.mark.usefixtures("impatient")
def test_a_token_that_is_not_written_is_not_used(root: FilePath) -> None:
    def fails(path: Path) -> None:
        if path.writes:
            raise FailureError(Failure(kind=FailureKind.SECRET_UNAVAILABLE, message="Vault is sealed"))

    means = Lent(lambda _: reply({**OK, "refresh_token": "refresh-token-2"}))
    means.path.fields = {"refresh_token": "refresh-token-1"}
    means.path.before_write = fails
    failure = failed(holder(root, means, REFRESH, refresh_token="refresh-token-1"))
    assert failure.message == "the new tokens could not be written to 'secret/oauth': Vault is sealed"
    assert "runner connections login api" in str(failure.help)
    (warning,) = means.warnings
    assert "are not written to 'secret/oauth' yet" in warning
    assert {"access-token-1", "refresh-token-2"} <= means.registered.keys()


@pytest.mark.parametrize("lost", ["claim", "tokens"])
def test_a_write_whose_answer_was_lost_counts(lost: str, root: FilePath) -> None:
    """The write happened, and its answer did not come."""

    class Loses(Path):
        async def write(self, fields: Mapping[str, Any], version: int) -> int | None:
            done = await super().write(fields, version)
            if len(self.writes) == (1 if lost == "claim" else 2):
                raise FailureError(Failure(kind=FailureKind.SECRET_UNAVAILABLE, message="no answer"))
            return done

    means = Lent(lambda _: reply({**OK, "refresh_token": "refresh-token-2"}), path=Loses())
    means.path.fields = {"refresh_token": "refresh-token-1"}
    sent(holder(root, means, REFRESH, refresh_token="refresh-token-1"))
    assert means.path.fields["refresh_token"] == "refresh-token-2"
    assert "claim" not in means.path.fields
    assert len(means.sent) == 1


def slow(seconds: list[float], means: Lent) -> Any:
    """Let each write take the next of these times, by the clock of the run."""

    def wait(_: Path) -> None:
        means.time += seconds.pop(0) if seconds else 0

    return wait


def claims(means: Lent) -> list[float]:
    """Give how many seconds each claim had left when it was written."""
    ends = [each["claim"]["until"] for each in means.path.writes if "claim" in each]
    return [datetime.fromisoformat(end).timestamp() - Lent.time for end in ends]


@pytest.mark.parametrize(
    ("writes", "ends"),
    [([5.0], [30.0]), ([6.0, 6.0], [30.0, 6 + 15 + 24]), ([30.0, 40.0], [30.0, 30 + 15 + 120])],
)
def test_a_claim_outlasts_a_write_as_slow_as_its_own(
    writes: list[float], ends: list[float], root: FilePath
) -> None:
    """One that Vault took too long for is renewed before anything is spent."""

    def answer(_: Message) -> Reply:
        asked.append(means.time - Lent.time)
        return reply({**OK, "refresh_token": "refresh-token-2"})

    asked: list[float] = []
    means = Lent(answer)
    means.path.fields = {"refresh_token": "refresh-token-1"}
    means.path.before_write = slow(list(writes), means)
    sent(holder(root, means, REFRESH, refresh_token="refresh-token-1"))
    assert claims(means) == ends
    assert asked == [sum(writes)]
    assert "claim" not in means.path.fields


def test_a_vault_that_is_too_slow_for_a_claim_spends_nothing(root: FilePath) -> None:
    means = Lent()
    means.path.fields = {"refresh_token": "refresh-token-1", "own": 1}
    means.path.before_write = slow([31.0], means)
    failure = failed(holder(root, means, REFRESH, refresh_token="refresh-token-1"))
    assert failure.message == "Vault took 31 s to write to 'secret/oauth': too slow to renew tokens there"
    assert "nothing was spent" in str(failure.help)
    assert means.path.fields == {"refresh_token": "refresh-token-1", "own": 1}


@pytest.mark.parametrize("taken_over", [False, True])
def test_new_tokens_are_kept_when_the_claim_has_ended_meanwhile(taken_over: bool, root: FilePath) -> None:
    """Vault does not answer for longer than the claim lasts, and perhaps another run claims in that time."""
    down = [True]

    def before(path: Path) -> None:
        if path.writes and down:
            down.pop()
            means.time += 300
            if taken_over:
                path.fields = {**path.fields, "claim": {"by": "another", "until": "2099-01-01T00:00:00Z"}}
                path.version += 1
            raise FailureError(Failure(kind=FailureKind.SECRET_UNAVAILABLE, message="Vault is away"))

    means = Lent(lambda _: reply({**OK, "refresh_token": "refresh-token-2", "expires_in": 36000}))
    means.path.fields = {"refresh_token": "refresh-token-1"}
    means.path.before_write = before
    sent(holder(root, means, REFRESH, refresh_token="refresh-token-1"))
    assert means.path.fields["refresh_token"] == "refresh-token-2"
    assert "claim" not in means.path.fields


def test_waiting_for_another_run_is_told(root: FilePath) -> None:
    told = asyncio.Event()

    class Later(Lent):
        def jitter(self) -> float:
            self.time += 3
            return 0.0

        def warn(self, text: str) -> None:
            super().warn(text)
            told.set()

    means = Later()
    means.path.fields = {
        "refresh_token": "refresh-token-1",
        "claim": {"by": "another", "until": "2099-01-01T00:00:00Z"},
    }

    def claims_anew(path: Path) -> None:
        raise AssertionError(path)

    means.path.before_write = claims_anew
    made = holder(root, means, REFRESH, refresh_token="refresh-token-1")

    async def go() -> None:
        task = asyncio.create_task(made.prepare())
        await told.wait()
        means.path.fields = {"refresh_token": "refresh-token-2", "access_token": "of-the-other"}
        await task

    asyncio.run(go())
    assert means.warnings == ["another run is renewing the tokens in 'secret/oauth': waiting"]


def test_a_login_during_a_renewal_wins(root: FilePath) -> None:
    """The provider refuses the old refresh token because a person has just logged in anew."""

    def answer(message: Message) -> Reply:
        token = parse_qs((message.body or b"").decode())["refresh_token"][0]
        if token == "refresh-token-1":
            means.path.fields = {"refresh_token": "refresh-token-9"}
            means.path.version += 1
            return reply({"error": "invalid_grant"}, 400)
        return reply({**OK, "refresh_token": "refresh-token-10"})

    means = Lent(answer)
    means.path.fields = {"refresh_token": "refresh-token-1"}
    sent(holder(root, means, REFRESH, refresh_token="refresh-token-1"))
    assert means.path.fields["refresh_token"] == "refresh-token-10"
    assert "dead" not in means.path.fields


def test_an_attempt_that_is_given_up_does_not_lose_the_new_token(root: FilePath) -> None:
    asked = asyncio.Event()

    class Slow(Lent):
        async def send(self, message: Message) -> Reply:
            asked.set()
            await asyncio.sleep(0.05)
            return reply({**OK, "refresh_token": "refresh-token-2"})

    means = Slow()
    means.path.fields = {"refresh_token": "refresh-token-1"}
    made = holder(root, means, REFRESH, refresh_token="refresh-token-1")

    async def go() -> None:
        waiting = asyncio.create_task(made.prepare())
        await asked.wait()
        waiting.cancel()
        await made.close()

    asyncio.run(go())
    assert means.path.fields["refresh_token"] == "refresh-token-2"


def test_a_failure_that_may_pass_gives_the_claim_back(root: FilePath) -> None:
    means = Lent(lambda _: reply("", 503))
    means.path.fields = {"refresh_token": "refresh-token-1", "own": 1}
    assert failed(holder(root, means, REFRESH, refresh_token="refresh-token-1")).retryable
    assert means.path.fields == {"refresh_token": "refresh-token-1", "own": 1}


def test_a_token_that_a_login_stored_is_sent_as_it_is(root: FilePath) -> None:
    auth = {
        **CLIENT,
        "grant": "authorization_code",
        "authorize_url": "https://auth.test/authorize",
        "access_token": "vault://secret/oauth#access_token",
    }
    made = holder(root, Lent(), auth, access_token="stored-token-1")
    assert sent(made) == [("Authorization", "Bearer stored-token-1")]
    request = Outgoing("GET", "https://api.test", [("Authorization", "Bearer stored-token-1")])
    assert asyncio.run(made.refresh(Refused(request))) is False


def test_a_consent_is_stored_in_one_place(root: FilePath) -> None:
    page = {**CLIENT, "grant": "authorization_code", "authorize_url": "https://auth.test/authorize"}
    both = {"refresh_token": "vault://secret/o#r", "access_token": "vault://secret/o#a"}
    for number, (auth, rule, message) in enumerate(
        [
            (page, "missing-key", "the key 'refresh_token' is missing in 'auth'"),
            ({**page, **both}, "unknown-key", "'refresh_token' does not apply here"),
            (
                {**page, "refresh_token": "vault://secret/o#r", "client_id": "vault://secret/o#c"},
                "malformed-secret-ref",
                "`client_id` stands in the address of the page of consent, which is shown: it is no secret",
            ),
        ]
    ):
        made = {"type": "oauth2", "base_url": "https://api.test", "shared": True, "auth": auth}
        (only,) = loaded(root / str(number), {"connections.d/api.yaml": json.dumps(made)}).diagnostics
        assert (only.rule, only.message) == (rule, message)


@pytest.mark.parametrize(
    ("auth", "found"),
    [
        ({**REFRESH, "refresh_token": "env://TOKEN"}, "is in the environment"),
        ({**REFRESH, "refresh_token": "vault://secret/oauth?version=3#t"}, "pins a version"),
    ],
)
def test_a_reference_that_cannot_be_written_back_is_an_error(
    auth: dict[str, Any], found: str, root: FilePath
) -> None:
    made = {"type": "oauth2", "base_url": "https://api.test", "shared": True, "auth": auth}
    project = loaded(root, {"connections.d/api.yaml": json.dumps(made)})
    (only,) = project.diagnostics
    assert (only.rule, found in only.message) == ("malformed-secret-ref", True)
    made["auth"] = {**auth, "rotates": False}
    assert not loaded(root / "b", {"connections.d/api.yaml": json.dumps(made)}).diagnostics


@pytest.mark.parametrize("auth", [{}, {"client_auth": "basic"}])
def test_tokens_never_travel_in_the_clear(auth: dict[str, Any], tmp_path: FilePath) -> None:
    """`allow_http` is for the API: a URL that only the run knows is refused there."""
    url = "http://{{ vars.host }}/token"
    connection = {"type": "oauth2", "base_url": "http://api.test", "shared": True, "allow_http": True,
                  "auth": {**CLIENT, "token_url": url, **auth}}  # fmt: skip
    files = {
        "runner.yaml": {"vars": {"host": "localhost"}},
        "connections.d/api.yaml": connection,
        "workflows.d/main.yaml": {"actions": [request("one")]},
    }
    project = make(tmp_path, files)
    project = dataclasses.replace(project, vars={"host": "api.test"})
    ran = run(project, environ={"SECRET": SECRET})
    assert ran.failure == ("not-allowed", "the URL is plain http to another machine")


def test_the_wait_for_a_browser_ends_with_the_connections_that_say_nothing() -> None:
    async def go() -> bytes:
        async with page._Listener("127.0.0.1", 0) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            while not listener._silent:  # noqa: ASYNC110 - until it is accepted
                await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(reader.read(), 2)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    assert asyncio.run(go()) == b""
