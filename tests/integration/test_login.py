"""`runner connections login` and `logout` on real servers: consent, values, the test before the write, what is left."""

import argparse
import asyncio
import contextlib
import json
import os
import pty
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from runner.auth.oauth2 import device
from runner.cli import connections_login, connections_logout
from runner.cli.output import Output
from runner.errors import FailureError, JsonObject, SecretsError, UsageError
from runner.login import Login
from runner.project import load
from runner.sensitive import Redactor
from runner.settings import Settings
from tests.e2e.program import RUNNER, Program, free_of
from tests.integration.test_oauth import PATH, Desk, calls, more
from tests.integration.vault_workspace import Workspace
from tests.oidc.server import CLIENT_SECRET, OAuthServer
from tests.servers.http import Request, Server, reply

GOOD, BAD = "good-token-0123456789", "bad-token-0123456789"


@pytest.fixture
def desk(vault: Workspace, oauth: OAuthServer) -> Desk:
    made = Desk(vault, oauth)
    vault.policy("logins", "secret/data/crm/*:create,read,update,delete", "secret/metadata/crm/*:read,update")
    made.environ = {"VAULT_TOKEN": vault.token("logins")}
    return made


class Person:
    """Somebody who does what a page asks for."""

    def __init__(self, visits: Callable[[str], None], *, pastes: bool = False, answer: str = "") -> None:
        self.visits = visits
        self.pastes = pastes
        self.answer = answer
        self.told: list[str] = []

    def say(self, text: str) -> None:
        self.told.append(text)

    def ask(self, question: str, *, secret: bool) -> str:
        assert secret
        return self.answer

    def visit(self, url: str) -> None:
        self.visits(url)


def consent(desk: Desk, person: Person) -> JsonObject:
    """Log in as the command does; gives the result of the test."""
    redactor, warnings = Redactor(), list[str]()

    async def go() -> JsonObject:
        login = Login.of(
            load(desk.program.directory),
            "api",
            environ={**desk.program.environ, **desk.environ},
            redactor=redactor,
            warn=warnings.append,
            user=None,
        )
        try:
            await login.open()
            await login.obtain({}, person)
            result = await login.test()
            _ = [line async for line in login.store()]
            return result
        finally:
            await login.close()

    return asyncio.run(go())


def page(desk: Desk, **auth: Any) -> None:
    desk.stored(grant="authorization_code", authorize_url=f"{desk.oauth.address}/auth", scopes=["openid", "read"],
                revocation_url=f"{desk.oauth.address}/token/revocation", **auth)  # fmt: skip


def browsing(desk: Desk) -> Callable[[str], None]:
    return lambda url: threading.Thread(target=desk.oauth.browse, args=(url,), daemon=True).start()


def test_a_consent_by_a_page_is_tested_stored_and_used(desk: Desk) -> None:
    page(desk)
    before = calls(desk)
    assert desk.program.run("run", "job", **desk.environ).code == 4  # nothing is stored yet
    assert consent(desk, Person(browsing(desk)))["classification"] == "ok"
    ended = desk.run()
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == {"account": "jo"}
    # The access token of the consent serves the run: no other was asked for.
    assert more(before, calls(desk)) == {"authorization_code": 1}
    metadata = desk.vault.ask("GET", "secret/metadata/crm/oauth")["data"]
    assert metadata["custom_metadata"]["runner_host"] == desk.oauth.address.removeprefix("http://")
    assert metadata["max_versions"] == 3


def test_a_consent_is_pasted_where_the_provider_refuses_this_machine(desk: Desk) -> None:
    page(desk, client_id="public", client_secret=None)

    def visits(url: str) -> None:
        person.answer = desk.oauth.address_after(url)

    person = Person(visits, pastes=True)
    assert consent(desk, person)["classification"] == "ok"
    assert desk.run().code == 0
    # An address of another login is refused, and what is stored stays.
    stored = desk.state
    person.visits = lambda _: None
    for answer in (person.answer, "http://[no address"):
        person.answer = answer
        with pytest.raises(FailureError, match="does not belong to this login"):
            consent(desk, person)
    assert desk.state == stored


def test_a_person_who_declines(desk: Desk) -> None:
    page(desk)
    desk.oauth.set(decline=True)
    with pytest.raises(FailureError, match="gave no consent: access_denied: the person said no"):
        consent(desk, Person(browsing(desk)))


def test_a_listener_hears_nobody_but_the_page_of_this_login(desk: Desk) -> None:
    page(desk)

    def visits(url: str) -> None:
        def browse() -> None:
            from urllib.parse import parse_qs, urlsplit

            redirect = parse_qs(urlsplit(url).query)["redirect_uri"][0]
            assert "does not belong" in desk.oauth.browse(f"{redirect}?code=x&state=forged")
            assert "nothing here" in desk.oauth.browse(redirect.replace("/callback", "/else"))
            with socket.create_connection(("127.0.0.1", urlsplit(redirect).port)) as connection:
                connection.sendall(b"GET //[ HTTP/1.1\r\n\r\n")
                assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
            desk.oauth.browse(url)

        threading.Thread(target=browse, daemon=True).start()

    assert consent(desk, Person(visits))["classification"] == "ok"


def test_a_consent_by_a_code_on_another_device(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "INTERVAL", 0.05)
    desk.stored(
        grant="device_code", device_url=f"{desk.oauth.address}/device/auth", scopes=["openid", "read"]
    )
    before = calls(desk)

    def later(deny: str) -> Callable[[str], None]:
        def visits(_: str) -> None:
            code = person.told[-1].partition("type the code ")[2].partition(";")[0]

            def approve() -> None:
                while "authorization_pending" not in more(before, calls(desk)):
                    pass
                desk.oauth.control("device", user_code=code, **({"deny": deny} if deny else {}))

            threading.Thread(target=approve, daemon=True).start()

        return visits

    person = Person(later(""))
    assert consent(desk, person)["classification"] == "ok"
    assert desk.run().code == 0
    before = calls(desk)
    person = Person(later("yes"))
    with pytest.raises(FailureError, match="access_denied"):
        consent(desk, person)


def test_a_consent_is_not_begun_where_it_could_not_be_stored(desk: Desk) -> None:
    page(desk)
    desk.vault.policy("reads", "secret/data/crm/*", "secret/metadata/crm/*")
    desk.environ = {"VAULT_TOKEN": desk.vault.token("reads")}
    with pytest.raises(SecretsError, match="do not allow to create 'secret/data/crm/oauth'"):
        consent(desk, Person(lambda _: pytest.fail("nobody should be asked")))


def test_a_consent_is_stored_also_where_a_run_was_faster(desk: Desk) -> None:
    """The provider has given it: it is lost where it is not stored. Fields of others stay."""
    page(desk)
    desk.consent()

    def visits(url: str) -> None:
        desk.vault.put(PATH, {"refresh_token": "of-a-run-0123456789", "claim": {"by": "it"}, "other": "new"})
        browsing(desk)(url)

    assert consent(desk, Person(visits))["classification"] == "ok"
    state = desk.state
    assert (state["other"], "kept" in state, "claim" in state) == ("new", False, False)
    assert desk.oauth.alive(state["refresh_token"])


def test_a_login_again_takes_another_client_secret(desk: Desk) -> None:
    page(desk)
    desk.vault.put("secret/crm/app", {"client_secret": "of-last-year-0123456789", "key": "k"})
    given = json.dumps({"client_secret": CLIENT_SECRET})
    with desk.program.start(
        "connections", "login", "api", "--yes", "--from", "/dev/stdin", **desk.environ
    ) as empty:
        assert "/dev/stdin is empty" in empty.communicate(timeout=30)[1]
    desk.program.write("values.json", given)
    started = desk.program.start(
        "connections", "login", "api", "--yes", "--from", "values.json", **desk.environ
    )
    with started as process:
        assert process.stderr is not None
        told = ""
        while "/auth?" not in told:
            told += process.stderr.readline()
        desk.oauth.browse(told.split()[-1])
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, told + out + err
    assert "values   auth.client_secret" not in told, "it is not asked for"
    assert "store    secret/crm/app: client_secret (replaces version 2; key there stay as they are)" in told
    assert desk.vault.ask("GET", "secret/data/crm/app")["data"]["data"] == {
        "client_secret": CLIENT_SECRET,
        "key": "k",
    }
    assert free_of([CLIENT_SECRET], told, out, err)


def test_logout_ends_nothing_by_halves(desk: Desk) -> None:
    """Where it may not delete, or the tokens are of another provider, nothing is revoked."""
    page(desk)
    tokens = desk.consent()
    desk.vault.policy("few", "secret/data/crm/*:create,read,update")
    ended = desk.program.run("connections", "logout", "api", "--yes", VAULT_TOKEN=desk.vault.token("few"))
    assert (ended.code, "do not allow to delete 'secret/data/crm/oauth'" in ended.err) == (4, True), ended.err
    assert "--> connections.d/api.yaml:1:" in ended.err
    desk.consent(token_host="auth.example.com")
    ended = desk.program.run("connections", "logout", "api", "--yes", **desk.environ)
    assert (ended.code, "are from auth.example.com, and `token_url` names" in ended.err) == (1, True), (
        ended.err
    )
    assert "nothing was deleted" in ended.err
    assert desk.oauth.alive(tokens["refresh_token"])
    assert desk.state["token_host"] == "auth.example.com"


def test_logout_ends_what_is_there_when_it_is_agreed_to(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may renew the tokens while the question stands there."""
    page(desk)
    desk.consent()
    newer = desk.oauth.consented()["refresh_token"]
    monkeypatch.setattr(
        connections_logout, "agree", lambda *_: desk.vault.put(PATH, {"refresh_token": newer})
    )
    monkeypatch.chdir(desk.program.directory)
    settings = Settings({**desk.program.environ, **desk.environ})
    options = argparse.Namespace(name="api", no_revoke=False, yes=False)
    assert connections_logout.run(options, settings, Output()) == 0
    assert not desk.oauth.alive(newer)
    metadata = desk.vault.ask("GET", "secret/metadata/crm/oauth")["data"]["versions"]
    assert metadata["2"]["deletion_time"]


def test_logout_revokes_and_deletes(desk: Desk) -> None:
    page(desk)
    tokens = desk.consent()
    ended = desk.program.run("connections", "logout", "api", **desk.environ)
    assert (ended.code, "--yes does it without asking" in ended.err) == (2, True)
    assert desk.oauth.alive(tokens["refresh_token"])
    ended = desk.program.run("connections", "logout", "api", "--yes", **desk.environ)
    assert ended.code == 0, ended.err
    assert "revoked at the provider" in ended.err
    assert "vault kv undelete -versions=1 secret/crm/oauth" in ended.err
    assert not desk.oauth.alive(tokens["refresh_token"])
    run = desk.run()
    assert run.code == 4
    assert "runner connections login api" in run.err
    assert (
        "nothing is stored" in desk.program.run("connections", "logout", "api", "--yes", **desk.environ).err
    )


# --- credentials that are typed in


@pytest.fixture
def program(vault: Workspace) -> Program:
    vault.policy("logins", "secret/data/app:create,read,update,delete", "secret/metadata/app:read,update")
    environ = {"PATH": os.defpath, **vault.environ(VAULT_TOKEN=vault.token("logins"))}
    return Program(vault.directory / "project", environ)


def accepts(request: Request) -> Any:
    return reply({}, 200 if request.header("Authorization") == f"Bearer {GOOD}" else 401)


def connect(program: Program, url: str, **more: Any) -> None:
    made = {"type": "bearer", "base_url": url, "shared": True, "auth": {"token": "vault://secret/app#token"},
            "test": {"path": "/me"}, **more}  # fmt: skip
    program.write("connections.d/api.yaml", json.dumps(made))


def login(program: Program, text: str, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [RUNNER, "connections", "login", "api", *arguments],
        cwd=program.directory,
        env=program.environ,
        input=text,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert free_of([GOOD, BAD], done.stdout, done.stderr)
    return done.returncode, done.stdout + done.stderr


def value(vault: Workspace) -> Mapping[str, Any]:
    data: Mapping[str, Any] = vault.ask("GET", "secret/data/app")["data"]
    return data


def test_a_value_is_tested_before_it_is_stored(program: Program, vault: Workspace) -> None:
    with Server({"* /**": accepts}) as server, Server({"* /**": accepts}) as other:
        connect(program, server.url)
        code, said = login(program, f"{GOOD}\n", "--from", "-", "--yes")
        assert code == 0, said
        assert "secret/app is stored as version 1" in said
        assert value(vault)["data"] == {"token": GOOD}
        # The stored one is good: that the test fails shows that the new one is what is sent.
        code, said = login(program, BAD, "--from", "-", "--yes")
        assert (code, "nothing was stored" in said, "unauthorized" in said) == (1, True, True), said
        assert value(vault)["data"] == {"token": GOOD}
        code, said = login(program, json.dumps({"tokn": BAD}), "--from", "-", "--yes", "--no-test")
        assert (code, value(vault)["metadata"]["version"]) == (2, 1)
        assert "name fields that are not asked for: tokn" in said
        code, said = login(program, json.dumps({"token": BAD}), "--from", "-", "--yes", "--no-test")
        assert (code, value(vault)["data"]) == (0, {"token": BAD}), said
        # Fields of others stay, and where the host is another now, that is said.
        vault.put("secret/app", {"token": GOOD, "other": "1"})
        connect(program, other.url)
        code, said = login(program, GOOD, "--from", "-", "--yes")
        assert code == 0, said
        assert "log in again" in said
        assert f"was given for {server.url.removeprefix('http://')}, and this connection goes to" in said
        assert value(vault)["data"] == {"token": GOOD, "other": "1"}
        code, said = login(program, GOOD, "--from", "-")
        assert (code, "--yes does it without asking" in said) == (2, True)


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        ("", "standard input is empty: there is no value in it", "asked for: u, p"),
        (" \n", "standard input is empty: there is no value in it", "asked for: u, p"),
        ('{"u": ""}', "the value of 'u' in standard input is empty", 'give {"u": "..."}'),
        ('{"u": 5}', "the value of 'u' in standard input is no text", 'give {"u": "..."}'),
        ('{"x": "1", "y": "2", "u": "3"}', "the values in standard input name fields that are not asked for: x, y", "asked for: u, p"),
        (GOOD, "what is in standard input is no JSON object", 'give {"u": "...", "p": "..."}'),
    ],
)  # fmt: skip
def test_values_that_cannot_be_used_are_said_with_their_place(text: str, message: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        connections_login._values(
            text, {"u": "username", "p": "password"}, ("username", "password"), "-", Output()
        )
    assert (caught.value.message, caught.value.help) == (message, remedy)


def test_what_is_not_stored_and_what_cannot_be_is_said_with_its_place(
    program: Program, vault: Workspace
) -> None:
    connect(program, "http://127.0.0.1:9")
    ended = program.run("connections", "test", "api")
    assert (ended.code, "a login stores it: runner connections login api" in ended.out) == (4, True)
    vault.mount("old", "kv1")
    connect(program, "http://127.0.0.1:9", auth={"token": "vault://old/app#token"})
    for command in ("login", "logout"):
        ended = program.run("connections", command, "api", "--yes", VAULT_TOKEN=vault.server.root_token)
        assert ended.code == 4
        assert "'old/app' cannot be changed: the engine at 'old/' is KV version 1" in ended.err
        assert "--> connections.d/api.yaml:1:" in ended.err


def test_odd_input_is_told_and_never_a_bug(program: Program, tmp_path: Path) -> None:
    connect(program, "http://127.0.0.1:9")
    (tmp_path / "odd").write_bytes(b"\xff\xfe")
    command = f"'{RUNNER}' connections login api --yes --from"
    for given, part in [
        ("- <&-", "standard input is empty"),
        (f"- <'{tmp_path}/odd'", "--from -: it is not UTF-8 text"),
        (f"'{tmp_path}/odd'", "odd: it is not UTF-8 text"),
    ]:
        ended = program.shell(f"{command} {given}")
        assert (ended.code, part in ended.err) == (2, True), ended.err


def test_without_a_test_other_secrets_of_the_connection_may_be_missing(
    program: Program, vault: Workspace
) -> None:
    connect(program, "http://127.0.0.1:9", headers={"X-Key": "vault://secret/later#key"})
    vault.policy("logins", "secret/data/*:create,read,update", "secret/metadata/*:read,update")
    code, said = login(program, GOOD, "--from", "-", "--yes")
    assert (code, "secret/later#key: nothing is stored" in said) == (4, True), said
    code, said = login(program, GOOD, "--from", "-", "--yes", "--no-test")
    assert (code, value(vault)["data"]) == (0, {"token": GOOD}), said


def test_somebody_who_was_first_is_not_overwritten(program: Program, vault: Workspace) -> None:
    def meddles(request: Request) -> Any:
        vault.put("secret/app", {"token": "of somebody else"})
        return accepts(request)

    with Server({"* /**": meddles}) as server:
        connect(program, server.url)
        code, said = login(program, GOOD, "--from", "-", "--yes")
    assert (code, "was changed by somebody else meanwhile" in said) == (4, True), said
    assert value(vault)["data"] == {"token": "of somebody else"}


def test_nothing_to_store_is_said(program: Program) -> None:
    connect(program, "http://127.0.0.1:9", auth={"token": "env://TOKEN"})
    code, said = login(program, GOOD, "--from", "-", "--yes")
    assert (code, "takes its credentials from the environment" in said) == (2, True)
    connect(program, "http://127.0.0.1:9", auth={"token": "vault://secret/app?version=2#token"})
    code, said = login(program, GOOD, "--from", "-", "--yes")
    assert (code, "pinned to version 2" in said) == (2, True)
    connect(
        program, "http://127.0.0.1:9", shared=False, auth={"token": "vault://secret/{{ user }}/app#token"}
    )
    code, said = login(program, GOOD, "--from", "-", "--yes")
    assert (code, "--as USER" in said) == (2, True)
    program.write("users.yaml", "users: {ann: {email: [ann@example.com]}}\n")
    code, said = login(program, GOOD, "--from", "-", "--yes", "--as", "bob@example.com")
    assert (code, "user not found" in said) == (2, True)
    code, said = login(program, GOOD, "--from", "-", "--yes", "--no-test", "--as", "ann@example.com")
    assert (code, "secret/data/ann/app" in said) == (4, True)


def test_a_terminal_shows_nothing_of_what_is_typed(
    program: Program, vault: Workspace, tmp_path: Path
) -> None:
    with Server({"* /**": accepts}) as server:
        connect(program, server.url)
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [RUNNER, "connections", "login", "api"],
            cwd=program.directory,
            env={**program.environ, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as process:
            os.close(theirs)
            seen = _until(ours, "go on? [y/N]")
            os.write(ours, b"y\n")
            seen += _until(ours, "auth.token:")
            os.write(ours, f"{GOOD}\n".encode())
            seen += _until(ours, "is stored as version 1")
            assert process.wait(30) == 0
        os.close(ours)
        assert GOOD not in seen
        assert value(vault)["data"] == {"token": GOOD}
        # What is kept is not written once more, and Ctrl-C at the question says that nothing was.
        code, said = at_terminal(program, ("go on? [y/N]", b"y\n"), ("keep what is stored", b"\n"))
        assert (code, "secret/app stays as it is, version 1" in said) == (0, True), said
        code, said = at_terminal(program, ("go on? [y/N]", b"y\n"), ("keep what is stored", b"\x03"))
        assert (code, said.endswith(": \r\nnothing was stored\r\ninterrupted\r\n")) == (130, True), said
    assert value(vault)["metadata"]["version"] == 1


def at_terminal(program: Program, *steps: tuple[str, bytes]) -> tuple[int, str]:
    """Log in at a terminal of its own, with answers to what is asked; gives the exit code and what was seen."""
    pid, ours = pty.fork()
    if not pid:
        os.chdir(program.directory)
        os.execve(RUNNER, [str(RUNNER), "connections", "login", "api"], {**program.environ, "TERM": "xterm"})
    seen = ""
    for question, typed in steps:
        seen += _until(ours, question)
        os.write(ours, typed)
    with contextlib.suppress(OSError):  # how the end of a terminal looks
        while piece := os.read(ours, 65536):
            seen += piece.decode()
    os.close(ours)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen


def _until(terminal: int, text: str) -> str:
    seen = ""
    while text not in seen:
        seen += os.read(terminal, 65536).decode()
    return seen


def test_a_connection_without_secrets_has_nothing_to_store(desk: Desk) -> None:
    made = {"type": "none", "base_url": "http://127.0.0.1:9", "shared": True}
    desk.program.write("connections.d/api.yaml", json.dumps(made))
    with pytest.raises(UsageError, match="takes its credentials from no secret"):
        consent(desk, Person(lambda _: None))
