"""Auth types that sign, log in, or ask for tokens, through whole runs; judged by servers that were not written here where there is one."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from runner.connection_test import send_tests
from runner.sensitive import Redactor
from tests.projects import Ran, finished, make, request, run, simple
from tests.servers.foreign import Aws, Foreign, httpbin
from tests.servers.http import Answer, Request, Response, Server, reply

JsonObject = dict[str, Any]


def ran(root: Path, url: str, kind: str, auth: JsonObject | None, actions: list[JsonObject], **environ: str) -> Ran:  # fmt: skip
    connection: JsonObject = {"type": kind, **({"auth": auth} if auth else {})}
    return run(simple(root, actions, url=url, connection=connection), environ=environ)


# --- AWS Signature Version 4, checked by moto


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with Aws() as server:
        yield server


SIGV4 = {
    "access_key_id": "env://ID",
    "secret_access_key": "env://KEY",
    "region": "us-east-1",
    "service": "s3",
}
AWKWARD = "/box/a%20b/%C3%BC+x~(1)!'*.txt"


def test_aws_takes_what_is_signed(aws: Aws, tmp_path: Path) -> None:
    done = ran(
        tmp_path, aws.url, "aws_sigv4", SIGV4,
        [
            request("bucket", "PUT", "/box"),
            request("put", "PUT", AWKWARD, body="hello \u00fc", headers={"Content-Type": "text/plain", "x-amz-meta-a": "x  y"}),
            request("list", path="/box", query={"list-type": 2, "prefix": "a b/\u00fc+", "max-keys": 5}),
            request("get", path=AWKWARD),
            request("delete", "DELETE", AWKWARD),
        ],
        ID=aws.key_id, KEY=aws.key,
    )  # fmt: skip
    assert done.result.exit_code == 0, done.result.error
    assert "<KeyCount>1</KeyCount>" in done.action("list").output
    assert done.action("get").output == "hello \u00fc"


def test_aws_refuses_another_key_and_takes_temporary_ones(aws: Aws, tmp_path: Path) -> None:
    wrong = ran(tmp_path / "a", aws.url, "aws_sigv4", SIGV4, [request("x")], ID=aws.key_id, KEY="another-key")
    assert wrong.failure == ("unexpected-status", "the server answered 403 Forbidden")
    given = aws.temporary
    auth = {**SIGV4, "session_token": "env://TOKEN"}
    values = {"ID": given["AccessKeyId"], "KEY": given["SecretAccessKey"], "TOKEN": given["SessionToken"]}
    assert ran(tmp_path / "b", aws.url, "aws_sigv4", auth, [request("x")], **values).result.exit_code == 0
    values["TOKEN"] = "another-token"
    assert ran(tmp_path / "c", aws.url, "aws_sigv4", auth, [request("x")], **values).result.exit_code == 1


def test_the_preset_proves_its_keys_at_sts(aws: Aws, tmp_path: Path) -> None:
    fields = {"type": "sts", "access_key_id": "env://ID", "secret_access_key": "env://KEY"}
    given = aws.temporary
    temporary = {
        **fields,
        "access_key_id": "env://T_ID",
        "secret_access_key": "env://T_KEY",
        "session_token": "env://T",
    }
    # moto would hash the query in place of a body that is not there; the hash of nothing is what AWS itself works out.
    empty = {"X-Amz-Content-SHA256": hashlib.sha256().hexdigest()}
    files = {
        f"connections.d/{name}.yaml": {
            "type": "aws", "shared": True, "base_url": aws.url, "variables": {"region": "eu-central-1"}, "auth": auth, "headers": empty
        }
        for name, auth in (("keys", fields), ("temporary", temporary), ("wrong", {**fields, "secret_access_key": "env://WRONG"}))
    }  # fmt: skip
    environ = {
        "ID": aws.key_id, "KEY": aws.key, "WRONG": "another-key-0123456789",
        "T_ID": given["AccessKeyId"], "T_KEY": given["SecretAccessKey"], "T": given["SessionToken"],
    }  # fmt: skip
    project = make(tmp_path, files)
    own = dict(files["connections.d/keys.yaml"])
    del own["base_url"]
    vendor = make(tmp_path / "own", {"connections.d/a.yaml": own}).connections["a"]
    assert vendor.base_url.text == "https://sts.eu-central-1.amazonaws.com"
    names = ["keys", "temporary", "wrong"]
    told = finished(send_tests(project, names, environ=environ, redactor=Redactor(), warn=lambda _: None))
    assert [each["classification"] for each in told] == ["ok", "ok", "forbidden"], told
    assert told[0]["url"] == f"{aws.url}/?Action=GetCallerIdentity&Version=2011-06-15"
    assert "AWS answers 403 to keys that it does not know" in told[2]["help"]


# --- digest, basic, bearer, cookies, checked by httpbin


@pytest.fixture(scope="module")
def bin_() -> Iterator[Foreign]:
    with httpbin() as server:
        yield server


def test_httpbin_takes_digest_in_each_algorithm(bin_: Foreign, tmp_path: Path) -> None:
    auth = {"username": "robot", "password": "env://P"}
    for kind in ("MD5", "SHA-256"):
        action = request("x", path=f"/digest-auth/auth/robot/pass-word/{kind}")
        done = ran(tmp_path / kind, bin_.url, "digest", auth, [action, {**action, "id": "y"}], P="pass-word")
        assert done.action("x").output == {"authenticated": True, "user": "robot"}
        assert [attempt["status"] for attempt in done.action("x").record["attempts"]] == [401, 200]
        assert [attempt["status"] for attempt in done.action("y").record["attempts"]] == [200]
    action = request("x", path="/digest-auth/auth/robot/pass-word/SHA-512")
    unknown = ran(tmp_path / "unknown", bin_.url, "digest", auth, [action], P="pass-word")
    assert "cannot be answered" in unknown.failure[1]


@pytest.mark.parametrize("kind", ["MD5", "SHA-256"])
def test_httpbin_takes_digest_over_the_body(kind: str, bin_: Foreign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    (tmp_path / "streamed.bin").write_bytes(b"\x00\xff" * 50_000)
    monkeypatch.chdir(tmp_path)
    auth = {"username": "robot", "password": "env://P"}
    path = f"/digest-auth/auth-int/robot/pass-word/{kind}"
    bodies: list[JsonObject] = [
        {},
        {"body": "text \u00fc"},
        {"json": {"a": 1}},
        {"body": {"file": "streamed.bin"}},
    ]
    actions = [request(f"x{number}", path=path, **body) for number, body in enumerate(bodies)]
    done = ran(tmp_path / "p", bin_.url, "digest", auth, actions, P="pass-word")
    assert done.result.exit_code == 0, done.result.error
    statuses = [[attempt["status"] for attempt in each.record["attempts"]] for each in done.result.actions]
    assert statuses == [[401, 200], [200], [200], [200]]


def test_httpbin_refuses_another_password_after_one_try(bin_: Foreign, tmp_path: Path) -> None:
    auth = {"username": "robot", "password": "env://P"}
    done = ran(
        tmp_path,
        bin_.url,
        "digest",
        auth,
        [request("x", path="/digest-auth/auth/robot/right")],
        P="wrong-one",
    )
    assert done.failure == ("unexpected-status", "the server answered 401 Unauthorized")
    assert [attempt["status"] for attempt in done.action("x").record["attempts"]] == [401, 401]


@pytest.mark.parametrize(
    ("kind", "auth", "path", "expected"),
    [
        ("basic", {"username": "robot", "password": "env://S"}, "/basic-auth/robot/the-secret", {"authenticated": True, "user": "robot"}),
        ("basic", {"username": "robot", "password": "env://S"}, "/hidden-basic-auth/robot/the-secret", {"authenticated": True, "user": "robot"}),
        ("bearer", {"token": "env://S"}, "/bearer", "authenticated"),
        ("api_key", {"key": "env://S", "name": "sid", "in": "cookie"}, "/cookies", "sid"),
    ],
)  # fmt: skip
def test_httpbin_takes_what_is_sent(kind: str, auth: JsonObject, path: str, expected: Any, bin_: Foreign, tmp_path: Path) -> None:  # fmt: skip
    output = {
        "bearer": "{{ 'authenticated' if response.body.authenticated and response.body.token | length == 10 }}",
        "api_key": "{{ response.body.cookies | list | join }}",
    }.get(kind, "{{ response.body }}")
    action = request("x", path=path, more={"output": output})
    assert ran(tmp_path, bin_.url, kind, auth, [action], S="the-secret").action("x").output == expected


# --- HMAC and digest over what is really sent, on every attempt and redirect


def test_every_attempt_and_redirect_is_signed_anew(tmp_path: Path) -> None:
    statuses = iter([503, 200, 200])

    def check(received: Request) -> str:
        text = f"{received.header('X-Time')}|{received.method}|{received.target}|{received.header('Host')}|"
        proof = hmac.new(b"the-key", text.encode() + received.body, hashlib.sha256).hexdigest()
        return "right" if proof == received.header("X-Sign") else "wrong"

    def old(received: Request) -> Answer:
        assert check(received) == "right"
        status = next(statuses)
        return Response(307, b"", {"Location": "/x y/../new%2F|"}) if status == 200 else Response(status)

    def new(received: Request) -> Answer:
        return reply({"proof": check(received)})

    auth = {
        "key": "env://K", "header": "X-Sign", "timestamp": {"header": "X-Time", "unit": "nanoseconds"},
        "string_to_sign": "{{ request.timestamp }}|{{ request.method }}|{{ request.target }}|{{ request.host }}|{{ request.body }}",
    }  # fmt: skip
    with Server({"PUT /old": old, "PUT /**": new}) as server:
        action = request(
            "x",
            "PUT",
            "/old",
            json={"a": "\u00fc"},
            query={"q": "a/ b"},
            more={"retry": {"backoff": {"first": "1ms"}}},
        )
        done = ran(tmp_path, server.url, "hmac", auth, [action], K="the-key")
        received = server.requests
    assert done.action("x").output == {"proof": "right"}, done.result.error
    assert [each.target for each in received] == ["/old?q=a%2F%20b"] * 2 + ["/new%2F|"]
    assert len({each.header("X-Time") for each in received}) == 3


def test_every_page_is_signed(tmp_path: Path) -> None:
    def page(received: Request) -> Answer:
        proof = hmac.new(b"the-key", received.target.encode(), hashlib.sha256).hexdigest()
        if received.header("X-Sign") != proof:
            return Response(403)
        number = int(received.parameter("after") or 0)
        return reply({"items": [number], "next": number + 1 if number < 3 else None})

    auth = {"key": "env://K", "header": "X-Sign", "string_to_sign": "{{ request.target }}"}
    pages = {
        "style": "cursor",
        "param": "after",
        "next": "{{ response.body.next }}",
        "items": "{{ response.body.items }}",
    }
    with Server({"GET /pages": page}) as server:
        action = request("x", path="/pages", query={"q": "a b"}, paginate=pages)
        done = ran(tmp_path, server.url, "hmac", auth, [action], K="the-key")
    assert done.action("x").output == [0, 1, 2, 3], done.result.error


def test_digest_repeats_a_body_and_takes_a_new_nonce_in_the_middle(tmp_path: Path) -> None:
    nonces = iter(["n1", "n1", "n1", "n2", "n2"])

    def answer(received: Request) -> Answer:
        given = received.header("Authorization") or ""
        fresh = next(nonces)
        if f'nonce="{fresh}"' in given:
            return reply({"got": received.body.decode()})
        stale = ", stale=true" if given else ""
        return Response(
            401, b"", {"WWW-Authenticate": f'Digest realm="r", nonce="{fresh}", qop="auth"{stale}'}
        )

    auth = {"username": "robot", "password": "env://P"}
    actions = [request(name, "POST", "/", json={"n": name}) for name in ("one", "two", "three")]
    with Server({"POST /": answer}) as server:
        done = ran(tmp_path, server.url, "digest", auth, actions, P="the-password")
        sent = [
            (each.json()["n"], "nc=00000001" in (each.header("Authorization") or ""))
            for each in server.requests
        ]
    assert done.result.exit_code == 0, done.result.error
    assert sent == [("one", False), ("one", True), ("two", False), ("three", False), ("three", True)]


# --- sessions, GitHub Apps, tokens signed here


class Desk:
    """An API with sessions: three requests on each, then it is over."""

    def __init__(self) -> None:
        self.logins = 0
        self.used = 0
        self._lock = threading.Lock()

    def log_in(self, received: Request) -> Answer:
        if received.json() != {"username": "robot", "password": "the-password"}:
            return Response(401, b"no: the-password")
        with self._lock:
            self.logins += 1
            self.used = 0
            return reply({"id": f"session-{self.logins}"})

    def work(self, received: Request) -> Answer:
        with self._lock:
            self.used += 1
            if received.header("X-Session") != f"session-{self.logins}" or self.used > 3:
                return Response(401)
        return reply({"you": "robot", "by": received.header("X-Session")})

    def log_out(self, received: Request) -> Answer:
        return Response(204 if received.header("X-Session") == f"session-{self.logins}" else 400)


SESSION: JsonObject = {
    "username": "robot", "password": "env://P", "token": "{{ response.body.id }}", "name": "X-Session",
    "login": {"path": "/session", "json": {"username": "{{ auth.username }}", "password": "{{ auth.password }}"}},
    "logout": {"method": "DELETE", "path": "/session"},
}  # fmt: skip


def test_a_session_is_renewed_in_the_middle_and_ended(tmp_path: Path) -> None:
    desk = Desk()
    routes = {"POST /session": desk.log_in, "DELETE /session": desk.log_out, "GET /work": desk.work}
    with Server(routes) as server:
        actions = [
            request(f"w{n}", path="/work", more={"output": "{{ response.body.you }}"}) for n in range(5)
        ]
        done = ran(tmp_path, server.url, "session", SESSION, actions, P="the-password")
        assert done.result.exit_code == 0, done.result.error
        assert server.count("POST", "/session") == 2
        assert server.count("GET", "/work") == 6
        assert [status for each, status in server.exchanges if each.method == "DELETE"] == [204]
        leaking = ran(
            tmp_path / "b", server.url, "session", SESSION, [request("x", path="/work")], P="the-password"
        )
    assert leaking.failure == ("secret-in-output", "the output of 'x' holds a secret")
    assert "session-" not in json.dumps(done.result.to_json())


def test_a_login_that_is_refused(tmp_path: Path) -> None:
    desk = Desk()
    with Server({"POST /session": desk.log_in, "GET /work": desk.work}) as server:
        done = ran(
            tmp_path, server.url, "session", SESSION, [request("x", path="/work")], P="not-the-password"
        )
        assert (server.count("POST"), server.count("GET")) == (1, 0)
    assert done.failure == (
        "unauthorized",
        "the login of the connection 'api' (POST /session) was answered with status 401",
    )
    assert done.result.error is not None
    assert done.result.error.span is not None
    assert done.result.error.span.path == "connections.d/api.yaml"


KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
PUBLIC = KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
).decode()  # fmt: skip


def test_a_github_app_at_an_enterprise_server(tmp_path: Path) -> None:
    given: list[str] = []

    def token(received: Request) -> Answer:
        signed = (received.header("Authorization") or "").removeprefix("Bearer ")
        claims = jwt.decode(signed, PUBLIC, algorithms=["RS256"])
        assert claims["iss"] == "12"
        given.append(f"ghs_token_{len(given)}")
        ends = datetime.fromtimestamp(time.time() + 3600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return reply({"token": given[-1], "expires_at": ends}, status=201)

    def repo(received: Request) -> Answer:
        newest = len(given) == 2 and received.header("Authorization") == f"Bearer {given[-1]}"
        return reply({"ok": True}) if newest else Response(401)

    routes = {"POST /api/v3/app/installations/34/access_tokens": token, "GET /api/v3/repo": repo}
    auth = {"app_id": "12", "installation_id": "34", "private_key": "env://K"}
    with Server(routes) as server:
        actions = [request(name, path="/repo") for name in ("one", "two")]
        done = ran(tmp_path, f"{server.url}/api/v3", "github_app", auth, actions, K=PEM.replace("\n", "\\n"))
        assert done.result.exit_code == 0, done.result.error
        assert [each.method for each in server.requests] == ["POST", "GET", "POST", "GET", "GET"]


def test_a_token_signed_here_is_read_by_the_server(tmp_path: Path) -> None:
    def answer(received: Request) -> Answer:
        token = (received.header("Authorization") or "").removeprefix("Bearer ")
        return reply({"who": jwt.decode(token, PUBLIC, algorithms=["RS256"], audience="desk")["sub"]})

    auth = {"key": "env://K", "algorithm": "RS256", "claims": {"sub": "robot", "aud": "desk"}}
    with Server({"GET /": answer}) as server:
        done = ran(tmp_path, server.url, "jwt", auth, [request("x")], K=PEM)
    assert done.action("x").output == {"who": "robot"}


@pytest.mark.parametrize(
    ("kind", "auth", "name", "value", "message"),
    [
        ("jwt", {"key": "env://K", "algorithm": "RS256", "claims": {}}, "key", PUBLIC, "is a public key, not a private key"),
        ("jwt", {"key": "env://K", "algorithm": "HS256", "claims": {}}, "key", "short-key", "has 9 bytes"),
        ("github_app", {"app_id": "1", "installation_id": "2", "private_key": "env://K"}, "private_key", PEM[:900], "is cut off"),
        ("hmac", {"key": "env://K", "key_encoding": "hex", "header": "X", "string_to_sign": "x"}, "key", "not-hex-at-all", "is not hex"),
        ("session", {**SESSION, "password": "env://K"}, "password", "  ", "is empty"),
        ("aws_sigv4", {**SIGV4, "access_key_id": "env://OTHER", "secret_access_key": "env://K"}, "secret_access_key", "key-with\nbreak", "holds a line break"),
    ],
)  # fmt: skip
def test_a_secret_that_cannot_be_used(
    kind: str, auth: JsonObject, name: str, value: str, message: str, tmp_path: Path
) -> None:
    with Server({"* /**": lambda _: reply({})}) as server:
        done = ran(tmp_path, server.url, kind, auth, [request("x")], K=value, OTHER="another-value")
        assert server.connections == 0
    error = done.result.error
    assert error is not None
    assert error.kind.value == "secret-unavailable"
    assert error.message.startswith(f"the secret for auth.{name} of the connection 'api' {message}")
    assert error.help
    assert error.span is not None
    assert error.span.path == "connections.d/api.yaml"
    assert done.result.exit_code == 4
