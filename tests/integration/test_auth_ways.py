"""The exchanges of auth types themselves (logins, tokens, their ends) go the way of their connection: its certificate,
its CA, its socket, its proxy; and none of it to another host than the one that it is for."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from runner import flow, registry
from runner.check import check
from runner.means import ConnectionMeans
from runner.plan import describe
from runner.project import Project
from runner.sensitive import Redactor
from runner.session import Session
from tests.oidc.server import CLIENT_SECRET, OAuthServer
from tests.projects import Ran, finished, planned, request, run, simple
from tests.rules.projects import loaded
from tests.servers.certificates import Authority
from tests.servers.http import Request, Response, Server, Takeover, reply
from tests.servers.relays import Tunnel, UnixSocket, short_directory

JsonObject = dict[str, Any]
APP_KEY = rsa.generate_private_key(65537, 2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
TLS = {"ca": "env://CA", "cert": "env://CERT", "key": "env://KEY"}
CLIENT = {"grant": "client_credentials", "client_id": "c", "client_secret": "env://PASSWORD"}


def answer(asked: Request) -> Response:
    """Give a token of each kind, and say nothing of anything else."""
    if asked.path == "/x":
        return reply({})
    given = {"token": "ghs_0123456789", "expires_at": "2126-01-01T00:00:00Z", "access_token": "at-0123456789"}
    return reply(given, 201 if "installations" in asked.path else 200)


@pytest.fixture(scope="module")
def strict(authority: Authority) -> Iterator[Server]:
    """A server that lets nobody in without a certificate."""
    with Server({"* /**": answer}, tls=authority.server_context(require_client=True)) as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(strict: Server) -> None:
    strict.clear()


@pytest.fixture
def environ(authority: Authority) -> dict[str, str]:
    files = authority.client("robot")
    return {
        "CA": authority.ca_file.read_text(),
        "CERT": files.certificate.read_text(),
        "KEY": files.key.read_text(),
        "PASSWORD": "the-password-0123",
        "APP": APP_KEY.decode(),
    }


def of_type(name: str, url: str) -> JsonObject:
    ways: dict[str, JsonObject] = {
        "session": {
            "username": "robot",
            "password": "env://PASSWORD",
            "login": {"path": "/login", "json": {"p": "{{ auth.password }}"}},
            "token": "{{ response.body.token }}",
            "logout": {"path": "/logout"},
        },
        "github_app": {"app_id": "Iv1", "installation_id": 7, "private_key": "env://APP"},
        "oauth2": {**CLIENT, "token_url": f"{url}/token"},
    }
    return {"type": name, "auth": ways[name]}


EXCHANGES = {
    "session": ["/login", "/x", "/logout"],
    "github_app": ["/app/installations/7/access_tokens", "/x"],
    "oauth2": ["/token", "/x"],
}


def ran(root: Path, url: str, environ: dict[str, str], **connection: Any) -> Ran:
    action = request("one", path="/x", more={"retry": {"attempts": 1}})
    return run(simple(root, [action], url=url, connection=connection), environ=environ)


@pytest.mark.parametrize("kind", EXCHANGES)
def test_they_present_the_certificate_to_the_host_of_the_connection(
    kind: str, strict: Server, environ: dict[str, str], tmp_path: Path
) -> None:
    done = ran(tmp_path, strict.url, environ, tls=TLS, **of_type(kind, strict.url))
    assert done.result.exit_code == 0, done.result.error
    assert not done.watched.warnings
    assert [(each.path, each.client) for each in strict.requests] == [
        (path, "robot") for path in EXCHANGES[kind]
    ]


@pytest.mark.parametrize("kind", EXCHANGES)
def test_they_go_through_the_socket_of_the_connection(
    kind: str, environ: dict[str, str], tmp_path: Path
) -> None:
    with short_directory(tmp_path) as short, Server({"* /**": answer}) as server:
        with UnixSocket(tmp_path / "s", server.port):
            done = ran(
                tmp_path / "p",
                "http://localhost",
                environ,
                socket=str(short / "s"),
                **of_type(kind, "http://localhost"),
            )
        assert done.result.exit_code == 0, done.result.error
        assert [each.path for each in server.requests] == EXCHANGES[kind]


def test_they_go_through_the_proxy_under_the_ca_of_the_connection(
    authority: Authority, environ: dict[str, str], tmp_path: Path
) -> None:
    context = authority.server_context("login.test", "api.test", require_client=True)
    with Server({"* /**": answer}, tls=context) as server, Tunnel(server.port) as proxy:
        auth = {**of_type("oauth2", "https://login.test")["auth"], "certificate_bound": True}
        done = ran(tmp_path, "https://api.test", environ, type="oauth2", auth=auth, tls=TLS, proxy=proxy.url)
        assert done.result.exit_code == 0, done.result.error
        assert [(each.path, each.client) for each in server.requests] == [
            ("/token", "robot"),
            ("/x", "robot"),
        ]
    assert proxy.targets == ["login.test:443", "api.test:443"]


def test_another_host_gets_neither_certificate_nor_socket(
    strict: Server, authority: Authority, environ: dict[str, str], tmp_path: Path
) -> None:
    asking = authority.server_context()
    asking.load_verify_locations(authority.ca_file)
    asking.verify_mode = ssl.CERT_OPTIONAL
    with Server({"* /**": answer}, tls=asking) as login:
        done = ran(tmp_path / "1", strict.url, environ, tls=TLS, **of_type("oauth2", login.url))
        assert done.result.exit_code == 0, done.result.error
        assert [each.client for each in login.requests] == [None]
        assert [each.client for each in strict.requests] == ["robot"]
        login.clear()
        with short_directory(tmp_path) as short, Server({"* /**": answer}) as api:
            with UnixSocket(tmp_path / "s", api.port):
                made = of_type("oauth2", login.url)
                done = ran(
                    tmp_path / "2", "http://localhost", environ, tls=TLS, socket=str(short / "s"), **made
                )
            assert done.result.exit_code == 0, done.result.error
            assert ([each.path for each in login.requests], [each.path for each in api.requests]) == (
                ["/token"],
                ["/x"],
            )


def test_a_token_endpoint_elsewhere_that_demands_one_is_told_with_what_helps(
    strict: Server, authority: Authority, environ: dict[str, str], tmp_path: Path
) -> None:
    with Server({"* /**": answer}, tls=authority.server_context()) as api:
        done = ran(tmp_path, api.url, environ, tls=TLS, **of_type("oauth2", strict.url))
    assert done.result.error is not None
    assert done.result.error.kind.value in ("tls", "connection")
    assert "`client_auth: tls_client_auth` or `certificate_bound: true`" in str(done.result.error.help)
    assert not strict.requests


def test_one_that_is_slow_names_the_timeout_that_holds_for_it(
    environ: dict[str, str], tmp_path: Path
) -> None:
    with Server({"* /**": lambda _: Takeover(lambda connection: connection.hold())}) as server:
        done = ran(tmp_path, server.url, environ, timeout="100ms", **of_type("oauth2", server.url))
    assert done.result.error is not None
    assert done.result.error.help == "if the server is only slow, raise `timeout` of the connection"


def by_certificate(**auth: Any) -> JsonObject:
    """Write a client that has nothing but its certificate."""
    return {
        "grant": "client_credentials",
        "client_id": "certified",
        "client_auth": "tls_client_auth",
        "scopes": ["read"],
        **auth,
    }


@pytest.mark.parametrize(
    "auth",
    [
        by_certificate(),
        {**CLIENT, "client_id": "bound", "client_secret": "env://SECRET", "certificate_bound": True},
    ],
    ids=["tls_client_auth", "certificate_bound"],
)
def test_a_provider_takes_the_certificate_and_binds_its_tokens_to_it(
    auth: JsonObject, oauth: OAuthServer, environ: dict[str, str], tmp_path: Path
) -> None:
    """The provider listens at two addresses: as another host than the API, `localhost` in place of 127.0.0.1."""
    elsewhere = oauth.secure.replace("127.0.0.1", "localhost")
    oauth.set(lifetime=3600, token_answer=None, delay=0)
    environ["SECRET"] = CLIENT_SECRET
    auth = {**auth, "token_url": f"{elsewhere}/token"}
    given = {"type": "oauth2", "auth": auth, "test": {"path": "/api/me"}}
    action = request("one", path="/api/me", more={"retry": {"attempts": 1}})
    project = simple(tmp_path / "1", [action], url=oauth.secure, connection={**given, "tls": TLS})
    done = run(project, environ=environ)
    assert done.result.exit_code == 0, done.result.error
    assert done.action("one").output == {"ok": True, "client": auth["client_id"], "account": None}
    hosts = {(each.channel, each.host) for each in flow.compute(project) if each.channel.startswith("tls.")}
    place, other = oauth.secure.removeprefix("https://"), elsewhere.removeprefix("https://")
    assert hosts == {(f"tls.{part}", host) for part in ("cert", "key") for host in (place, other)}
    shown = describe(project, planned(project))["secrets"]
    assert {each["host"] for each in shown if each["field"] == "tls.key"} == {place, other}
    # Another certificate of the same authority is another client's, or cannot use the token.
    files = Authority(tmp_path / "other").client("robot")
    environ |= {"CERT": files.certificate.read_text(), "KEY": files.key.read_text()}
    done = run(project, environ=environ)
    if auth["client_id"] == "certified":
        assert done.failure[0] == "unauthorized"
        assert "invalid_client" in done.failure[1]
        assert "tls_client_auth" in str(done.result.error and done.result.error.help)


def test_a_revocation_presents_it_too(oauth: OAuthServer, environ: dict[str, str], tmp_path: Path) -> None:
    tokens = oauth.consented("certified")
    elsewhere = oauth.secure.replace("127.0.0.1", "localhost")
    auth = by_certificate(
        grant="refresh_token",
        token_url=f"{elsewhere}/token",
        revocation_url=f"{elsewhere}/token/revocation",
        refresh_token="env://REFRESH",
        rotates=False,
    )
    project = simple(
        tmp_path, [request("one")], url=oauth.secure, connection={"type": "oauth2", "auth": auth, "tls": TLS}
    )
    environ["REFRESH"] = tokens["refresh_token"]
    assert oauth.alive(tokens["refresh_token"])
    assert finished(revoked(project, environ))
    assert not oauth.alive(tokens["refresh_token"])


async def revoked(project: Project, environ: dict[str, str]) -> bool:
    plan = planned(project)
    session = Session(
        project, plan, project.workflows["main"], environ=environ, redactor=Redactor(), warn=lambda _: None
    )
    try:
        await session.open()
        connection = project.connections["api"]
        means = ConnectionMeans(session, connection)
        module = registry.load("auth", "oauth2")
        ended: bool = await module.revoke(connection.auth, session.auth_fields(connection), means)
        return ended
    finally:
        await session.close()


def test_a_client_of_a_certificate_needs_one_and_takes_no_secret(tmp_path: Path) -> None:
    def errors(tls: JsonObject, **auth: Any) -> list[str]:
        made = {
            "type": "oauth2",
            "base_url": "https://api.test",
            "shared": True,
            "tls": tls,
            "auth": by_certificate(token_url="https://login.test/token", **auth),
        }
        return [
            item.message
            for item in check(loaded(tmp_path, {"connections.d/api.yaml": json.dumps(made)}))
            if item.severity.value == "error"
        ]

    assert errors({"cert": "env://CERT"}) == []
    assert errors({"ca": "env://CA"}) == [
        "`auth` presents the client certificate of `tls.cert`, which is missing"
    ]
    assert errors({}, client_auth="body", certificate_bound=True) == [
        "`auth` presents the client certificate of `tls.cert`, which is missing"
    ]
    [unfit] = errors({"cert": "env://CERT"}, client_secret="env://SECRET")
    assert "client_secret" in unfit
