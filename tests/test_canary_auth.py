"""The canary suite over every auth type: neither its secrets, nor what it makes of them, nor the tokens it is given show anywhere."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from runner import registry, reports
from runner.connection_test import send_tests
from runner.sensitive import Redactor
from tests.canary import Search
from tests.projects import finished, make, run
from tests.servers.http import Answer, Request, Response, Server, reply
from tests.test_canary import sinks

JsonObject = dict[str, Any]
RUNNER = Path(sys.executable).with_name("runner")

PEM = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    .decode()
)
AWKWARD = "p\u00e4ss/w+ord=\"&'\\%25 <x>-of the type and long enough"
GIVEN = "t0k+en/of=\"a'session&\\%2B"
INSTALLATION = "ghs_t0ken+of/an-installation=="
REPLACED = "r3fresh/token+that=replaces 'another'"
"""What servers of this suite give."""

LOGIN = {"path": "/login", "json": {"u": "{{ auth.username }}", "p": "{{ auth.password }}"}}
AUTH: Mapping[str, JsonObject] = {
    "none": {},
    "basic": {"username": "robot", "password": "env://SECRET"},
    "bearer": {"token": "env://HEADER"},
    "api_key": {"keys": [
        {"key": "env://HEADER", "name": "X-Key", "in": "header"}, {"key": "env://SECRET", "name": "k", "in": "query"},
        {"key": "env://SECRET", "name": "c", "in": "cookie"},
    ]},
    "aws_sigv4": {
        "access_key_id": "env://ID", "secret_access_key": "env://HEADER", "session_token": "env://TOKEN", "region": "r",
        "service": "s3",
    },
    "digest": {"username": "robot", "password": "env://SECRET"},
    "hmac": {
        "key": "env://SECRET", "string_to_sign": "{{ request.target }}", "header": "X-Sign", "prefix": "v1=",
        "encoding": "base64",
    },
    "jwt": {"key": "env://SECRET", "algorithm": "HS256", "claims": {"iss": "robot"}},
    "github_app": {"app_id": "1", "installation_id": "2", "private_key": "env://PEM"},
    "oauth2": {
        "grant": "client_credentials", "token_url": "URL/token", "client_id": "robot", "client_secret": "env://SECRET",
    },
    "oauth2_assertion": {
        "grant": "jwt_bearer", "token_url": "URL/token", "issuer": "robot", "private_key": "env://PEM", "scopes": ["a"],
    },
    "oauth2_refresh": {
        "grant": "refresh_token", "token_url": "URL/token", "client_id": "robot", "client_secret": "env://SECRET",
        "client_auth": "basic", "refresh_token": "env://TOKEN", "rotates": False,
    },
    "session": {
        "username": "robot", "password": "env://SECRET", "login": LOGIN, "token": "{{ response.body.id }}", "in": "cookie",
        "name": "sid", "logout": {"path": "/login"},
    },
}  # fmt: skip
"""A connection of each type, and of other grants of one. A new type has to be added here."""
KINDS = sorted(AUTH)

ENVIRON = {
    "SECRET": AWKWARD,
    "HEADER": "tok/en+with=\"all'&\\%25 <x>",
    "TOKEN": "the/session+token==of-aws",
    "ID": "AKIDEXAMPLEEXAMPLE",
    "PEM": PEM.replace("\n", "\\n"),
}
_PROOF = re.compile(r"(?:Signature=|response=\"|v1=|(?:Bearer|Basic) )([^\",]+)")


def _echo(received: Request) -> JsonObject:
    return {
        "headers": dict(received.headers), "query": list(received.query), "target": received.target,
        "body": received.body.decode("utf-8", "replace"),
    }  # fmt: skip


def _error(received: Request) -> Answer:
    shown = json.dumps({"error": f"no: {_echo(received)}", **_echo(received)})
    return Response(
        503, shown.encode(), {"Content-Type": "application/json", "X-Echo": "x", "ETag": _text(received)}
    )


def _text(received: Request) -> str:
    return received.header("Authorization") or received.header("X-Sign") or received.header("Cookie") or "x"


def _challenge(received: Request) -> Answer | None:
    if "digest" in received.path and not received.header("Authorization"):
        return Response(401, b"", {"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})
    return None


def _log_in(received: Request) -> Answer:
    return reply({"id": GIVEN, "echo": _echo(received)})


def _token(received: Request) -> Answer:
    return reply(
        {
            "access_token": INSTALLATION, "token_type": "Bearer", "expires_in": 3600, "refresh_token": REPLACED,
            "authed_user": {"access_token": f"{REPLACED}-for-nobody"}, "echo": _echo(received),
        }
    )  # fmt: skip


def _installation(received: Request) -> Answer:
    ends = datetime.now(UTC).replace(year=2099).strftime("%Y-%m-%dT%H:%M:%SZ")
    return reply({"token": INSTALLATION, "expires_at": ends, "echo": _echo(received)}, status=201)


@pytest.fixture
def api() -> Iterator[Server]:
    routes = {
        "POST /login": _log_in,
        "POST /token": _token,
        "POST /app/installations/2/access_tokens": _installation,
        "* /*/echo": lambda received: _challenge(received) or reply(_echo(received)),
        "* /*/error": lambda received: _challenge(received) or _error(received),
        "* /*/refused": lambda received: Response(401, json.dumps(_echo(received)).encode()),
        "* /*/away": lambda received: _challenge(received) or Response(302, b"", {"Location": f"http://127.0.0.2:9/?x={_text(received)}"}),
    }  # fmt: skip
    with Server(routes) as server:
        yield server


def project_of(kinds: list[str], url: str) -> JsonObject:
    made: JsonObject = {}
    actions: list[JsonObject] = []
    for kind in kinds:
        made[f"connections.d/{kind}.yaml"] = {
            "type": kind.partition("_")[0] if kind.startswith("oauth2") else kind, "base_url": url, "shared": True, "error_message": "{{ response.body.error }}",
            "test": {"path": f"/{kind}/error"}, **({"auth": json.loads(json.dumps(AUTH[kind]).replace("URL", url))} if AUTH[kind] else {}),
        }  # fmt: skip
        actions += [
            {
                "id": f"{kind}_{end}", "connection": kind, "on_error": "continue",
                "request": {"method": method, "path": f"/{kind}/{end}", "redirects": "follow", **body},
                "retry": {"attempts": 2, "backoff": {"first": "1ms"}},
            }
            for end, method, body in (
                ("echo", "GET", {}), ("error", "PUT", {"json": {"a": 1}}), ("refused", "GET", {}), ("away", "GET", {})
            )
        ]  # fmt: skip
    made["workflows.d/main.yaml"] = {"actions": actions}
    return made


def everything_secret(api: Server) -> set[str]:
    """Give the secrets, what the server gave, and each proof that the server was sent."""
    found = {*ENVIRON.values(), GIVEN, INSTALLATION, REPLACED}
    for received in api.requests:
        for name, value in received.headers:
            if name.lower() in ("authorization", "x-sign"):
                proofs = _PROOF.findall(value)
                assert proofs or value in found, value
                found.update(proofs)
    return found


def test_every_type_is_here() -> None:
    assert {*registry.names("auth")} <= {*AUTH}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_a_type_shows(
    kind: str, api: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    project = make(tmp_path, project_of([kind], api.url))
    ran = run(project, environ=ENVIRON)
    warnings: list[str] = []
    tests = finished(send_tests(project, [kind], environ=ENVIRON, redactor=Redactor(), warn=warnings.append))
    shown = sinks(ran, project) | {
        "tests": json.dumps(tests), "warnings": "\n".join(warnings), "streams": "".join(capfd.readouterr()),
        **{f"tests as {form}": reports.render(form, "connection_tests", tests) for form in reports.formats("connection_tests")},
    }  # fmt: skip
    search = Search(everything_secret(api))
    assert {name: leaks for name, text in shown.items() if (leaks := search.leaks(text))} == {}

    # And each end did what it is there for.
    errors = {action.key: action.error.kind.value if action.error else None for action in ran.result.actions}
    echoed = None if kind == "none" else "secret-in-output"
    assert errors[f"{kind}_echo"] == echoed
    assert errors[f"{kind}_error"] == "unexpected-status"
    assert api.count("*", f"/{kind}/error") >= 3


def test_no_credential_follows_to_another_host(tmp_path: Path) -> None:
    """Of no type: neither what stands in a header nor what stands in the query, there and on the way back."""

    def leave(received: Request) -> Answer:
        return _challenge(received) or Response(302, b"", {"Location": f"{other.url}{received.path}?seen=1"})

    def back(received: Request) -> Answer:
        return Response(307, b"", {"Location": f"{api.url}{received.path.replace('leave', 'back')}"})

    routes = {
        "POST /login": _log_in, "POST /token": _token, "POST /app/installations/2/access_tokens": _installation,
        "* /*/leave": leave, "* /*/back": lambda _: reply({}),
    }  # fmt: skip
    with Server({"* /*/leave": back}) as other, Server(routes) as api:
        files = project_of(sorted(AUTH), api.url)
        files["workflows.d/main.yaml"]["actions"] = [
            {**action, "request": {**action["request"], "path": f"/{action['connection']}/leave"}}
            for action in files["workflows.d/main.yaml"]["actions"]
            if action["id"].endswith("_echo")
        ]
        ran = run(make(tmp_path, files), environ=ENVIRON)
        assert {action.key: action.error for action in ran.result.actions if action.error} == {}
        search = Search(everything_secret(api))
        returned = [received for received in api.requests if received.path.endswith("/back")]
        assert len(other.requests) == len(returned) == len(AUTH)
        for received in (*other.requests, *returned):
            assert search.leaks(received.head, received.body) == []
            names = {name.lower() for name, _ in received.headers}
            assert names.isdisjoint({"authorization", "cookie", "x-key", "x-sign", "x-amz-security-token"})


def test_nothing_shows_at_the_highest_verbosity(api: Server, tmp_path: Path) -> None:
    make(tmp_path, project_of(sorted(AUTH), api.url))
    arguments = ["run", "main", "-vv", "--report", "json=r.json", "--report", "junit=r.xml"]
    done = subprocess.run(
        [RUNNER, *arguments], cwd=tmp_path, env={"PATH": os.defpath, **ENVIRON}, capture_output=True, timeout=100,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    kept = [path.read_bytes() for path in (tmp_path / ".runner").rglob("*") if path.is_file()]
    assert kept
    written = b"\n".join([(tmp_path / "r.json").read_bytes(), (tmp_path / "r.xml").read_bytes(), *kept])
    assert Search(everything_secret(api)).leaks(done.stdout + done.stderr + written) == []
    assert b"***" in written


@pytest.mark.parametrize("kind", sorted(set(AUTH) - {"none"}))
def test_without_the_redactor_it_does(
    kind: str, api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The suite can fail, for each type: what is made of its secrets is found in what the server gives back."""
    monkeypatch.setattr(Redactor, "text", lambda _, text: text)
    monkeypatch.setattr(Redactor, "data", lambda _, data: data)
    monkeypatch.setattr(Redactor, "found_in", lambda _self, _data: False)
    project = make(tmp_path, project_of([kind], api.url))
    ran = run(project, environ=ENVIRON)
    leaks = Search(everything_secret(api) - set(ENVIRON.values())).leaks(json.dumps(ran.result.to_json()))
    assert leaks or kind in ("api_key", "bearer")
