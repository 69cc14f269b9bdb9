"""The life of tokens and leases: one login, each path once, renewal, a token that dies, the farewell."""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from runner.errors import SecretsError
from runner.secrets.vault import VaultSource, client, session
from tests.integration import vault_stub
from tests.integration.vault_workspace import (
    PATIENCE,
    Workspace,
    accessors,
    obtained,
    ref,
    run,
    source_of,
    until,
)
from tests.servers.http import Answer, Connection, Handler, Request, Server, Takeover, reply

LOGIN = "POST /v1/auth/approle/login"
REVOCATION = "POST /v1/auth/token/revoke-self"


@pytest.fixture
def approle(vault: Workspace) -> Workspace:
    """A workspace with an AppRole `runner`, and `secret/app0` to `secret/app9` with a field `a`."""
    vault.ask("POST", "sys/auth/approle", {"type": "approle"})
    vault.ask("POST", "auth/approle/role/runner", {"token_policies": ["reader"]})
    for number in range(10):
        vault.put(f"secret/app{number}", {"a": f"value {number}"})
    return vault


@contextmanager
def by_approle(vault: Workspace, routes: Mapping[str, Handler]) -> Iterator[tuple[Server, VaultSource]]:
    """Serve a stub of Vault that answers so on these routes; gives a source that logs in there."""
    auth = {"method": "approle", "role_id": "r", "secret_id": "env://SECRET_ID"}
    with Server(vault_stub.routes(routes)) as server:
        environ = {"VAULT_ADDR": server.url, "SECRET_ID": "some secret id"}
        yield server, vault.source({"auth": auth}, environ=environ)


def late(asked: threading.Event, may_answer: threading.Event) -> Handler:
    """Make a login that is answered when it may be."""

    def handler(request: Request) -> Answer:
        asked.set()
        assert may_answer.wait(PATIENCE)
        return vault_stub.logged_in(request)

    return handler


# --- one login, each path once


def test_one_login_serves_many_reads_at_once(approle: Workspace) -> None:
    async def work(source: VaultSource) -> None:
        refs = [ref(f"secret/app{number}#a") for number in range(10)]
        halves = await asyncio.gather(source.read(refs), source.read(refs))
        assert [secret.reveal() for secret in halves[0].values()] == [
            f"value {number}" for number in range(10)
        ]

    run(source_of(approle), work)

    assert len(obtained(approle)) == 1


def test_each_mount_is_asked_for_once_and_each_path_read_once(vault: Workspace) -> None:
    with Server(
        vault_stub.routes({"GET /v1/sys/internal/ui/mounts/secret/**": vault_stub.mounted})
    ) as server:
        source = vault.source(environ={"VAULT_ADDR": server.url, "VAULT_TOKEN": "s.any-token"})

        async def work(source: VaultSource) -> None:
            missing = [ref(f"secret/none{number}#a") for number in range(8)]
            with pytest.raises(SecretsError):
                await source.read([*missing, ref("secret/app#a"), ref("secret/app#b")])
            await source.read([ref("secret/app#a")])

        run(source, work)

        assert server.count("GET", "/v1/sys/internal/ui/mounts/**") == 1
        assert server.count("GET", "/v1/secret/data/app") == 1


def test_nobody_is_asked_before_the_first_read(vault: Workspace) -> None:
    with Server({}) as server:
        source = vault.source(environ={"VAULT_ADDR": server.url, "VAULT_TOKEN": "s.any-token"})
        asyncio.run(source.close())

        assert server.connections == 0


def test_no_more_than_eight_requests_at_once(vault: Workspace) -> None:
    running, highest = [0], [0]

    def slow(_: Request) -> Answer:
        def act(connection: Connection) -> None:
            running[0] += 1
            highest[0] = max(highest[0], running[0])
            connection.pause(0.05)
            running[0] -= 1

        return Takeover(act)

    routes = {
        "GET /v1/sys/internal/ui/mounts/secret/**": vault_stub.mounted,
        "GET /v1/secret/data/**": slow,
    }
    with Server(vault_stub.routes(routes)) as server:
        environ = {"VAULT_ADDR": server.url, "VAULT_TOKEN": "s.any-token", "VAULT_MAX_RETRIES": "0"}

        async def work(source: VaultSource) -> None:
            with pytest.raises(SecretsError):
                await source.read([ref(f"secret/p{number}#a") for number in range(24)])

        run(vault.source(environ=environ), work)

    assert highest[0] == 8


# --- a token that dies


def test_a_token_that_dies_in_the_middle_is_replaced_once(approle: Workspace) -> None:
    async def work(source: VaultSource) -> None:
        await source.read([ref("secret/app0#a")])
        (first,) = obtained(approle)
        approle.ask("POST", "auth/token/revoke", {"token": first})
        before = accessors(approle)

        found = await source.read([ref(f"secret/app{number}#a") for number in range(1, 10)])

        assert len(found) == 9
        assert accessors(approle) == before + 1

    run(source_of(approle), work)

    assert len(obtained(approle)) == 2
    assert not any(approle.alive(token) for token in obtained(approle))


def test_a_wrapped_secret_id_serves_the_second_login_too(approle: Workspace) -> None:
    role = "auth/approle/role/runner"
    wrapped = approle.ask("POST", f"{role}/secret-id", {}, headers={"X-Vault-Wrap-TTL": "60s"})
    auth = {
        "method": "approle",
        "role_id": approle.ask("GET", f"{role}/role-id")["data"]["role_id"],
        "secret_id": "env://SECRET_ID",
        "wrapped": True,
    }
    environ = approle.environ(SECRET_ID=wrapped["wrap_info"]["token"])

    async def work(source: VaultSource) -> None:
        await source.read([ref("secret/app0#a")])
        approle.ask("POST", "auth/token/revoke", {"token": obtained(approle)[0]})
        await source.read([ref("secret/app1#a")])

    run(approle.source({"auth": auth}, environ=environ), work)

    assert len(obtained(approle)) == 2


def test_a_token_that_expires_in_the_middle_is_replaced(approle: Workspace) -> None:
    role = {"token_policies": ["reader"], "token_ttl": "1s", "token_max_ttl": "1s"}
    approle.ask("POST", "auth/approle/role/runner", role)

    async def work(source: VaultSource) -> str:
        await source.read([ref("secret/app0#a")])
        (first,) = obtained(approle)
        await until(lambda: not approle.alive(first))
        return (await source.read([ref("secret/app1#a")]))[ref("secret/app1#a")].reveal()

    assert run(source_of(approle), work) == "value 1"
    assert approle.warnings == []


def test_a_given_token_that_expires_in_the_middle_is_an_error(vault: Workspace) -> None:
    vault.put("secret/app", {"a": "x"})
    token = vault.token("reader")

    async def work(source: VaultSource) -> None:
        await source.read([ref("secret/app#a")])
        vault.ask("POST", "auth/token/revoke", {"token": token})
        with pytest.raises(SecretsError) as caught:
            await source.read([ref("secret/b#a"), ref("secret/c#a")])
        assert [problem.reference for problem in caught.value.problems] == ["secret/b#a, secret/c#a"]
        assert "does not accept the token from VAULT_TOKEN" in caught.value.message

    run(vault.source(environ=vault.environ(VAULT_TOKEN=token)), work)


def test_a_denial_by_policy_causes_no_login(approle: Workspace) -> None:
    approle.policy("reader", "secret/data/app0")

    async def work(source: VaultSource) -> None:
        with pytest.raises(SecretsError, match="policies of the token do not allow"):
            await source.read([ref("secret/app1#a")])

    run(source_of(approle), work)

    assert len(obtained(approle)) == 1


def test_a_refused_login_is_not_repeated(approle: Workspace) -> None:
    refusal = reply({"errors": ["invalid role or secret ID"]}, 400)
    with by_approle(approle, {LOGIN: lambda _: refusal}) as (server, refused):

        async def work(source: VaultSource) -> None:
            for _ in range(3):
                with pytest.raises(SecretsError, match="invalid role or secret ID"):
                    await source.read([ref("secret/app#a")])

        run(refused, work)

        assert server.count("POST", "/v1/auth/approle/login") == 1


# --- the farewell


def test_the_runs_own_token_is_revoked_after_a_failure_too(approle: Workspace) -> None:
    async def work(source: VaultSource) -> None:
        await source.read([ref("secret/app0#a")])
        assert approle.alive(obtained(approle)[0])
        await source.read([ref("secret/none#a")])

    with pytest.raises(SecretsError):
        run(source_of(approle), work)

    assert not approle.alive(obtained(approle)[0])


@pytest.mark.parametrize("place", ["variable", "token file", "runner.yaml"])
def test_a_token_that_was_given_is_never_revoked(vault: Workspace, place: str) -> None:
    vault.put("secret/app", {"a": "x"})
    token = vault.token("reader")
    variables = {"VAULT_TOKEN": token} if place == "variable" else {"MINE": token}
    if place == "token file":
        (vault.directory / ".vault-token").write_text(token)
    config = {"auth": {"method": "token", "token": "env://MINE"}} if place == "runner.yaml" else {}

    vault.read("secret/app#a", config=config, environ=vault.environ(**variables))

    assert vault.alive(token)


def test_a_cancelled_run_revokes_a_token_that_comes_late(vault: Workspace) -> None:
    asked, may_answer = threading.Event(), threading.Event()
    with by_approle(vault, {LOGIN: late(asked, may_answer)}) as (server, source):

        async def whole() -> None:
            reading = asyncio.create_task(source.read([ref("secret/app#a")]))
            await until(asked.is_set)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            closing = asyncio.create_task(source.close())
            asyncio.get_running_loop().call_later(0.1, may_answer.set)
            await closing

        asyncio.run(whole())

        revoked = server.sent("POST", "/v1/auth/token/revoke-self")
        assert [request.header("X-Vault-Token") for request in revoked] == [vault_stub.TOKEN]


def test_a_token_that_comes_after_the_end_is_revoked_too(
    vault: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "FAREWELL", 0.1)
    asked, may_answer = threading.Event(), threading.Event()
    with by_approle(vault, {LOGIN: late(asked, may_answer)}) as (server, source):

        async def whole() -> None:
            reading = asyncio.create_task(source.read([ref("secret/app#a")]))
            await until(asked.is_set)
            await source.close()
            assert not server.sent("POST", "/v1/auth/token/revoke-self")
            may_answer.set()
            await until(lambda: server.count("POST", "/v1/auth/token/revoke-self") == 1)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

        asyncio.run(whole())


def test_a_server_that_hangs_does_not_hold_up_the_end(
    vault: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "FAREWELL", 0.3)
    monkeypatch.setattr(session, "FAREWELL", 0.3)
    hang = {REVOCATION: lambda _: Takeover(lambda connection: connection.hold())}
    with by_approle(vault, hang) as (_, hanging):

        async def work(source: VaultSource) -> None:
            await source.read([ref("secret/app#a")])

        started = time.monotonic()
        run(hanging, work)
        assert time.monotonic() - started < 5

    (warning,) = vault.warnings
    assert warning.startswith("the run's Vault token could not be revoked")
    assert warning.endswith("it ends by itself within 600 s")


def test_a_token_too_short_for_the_run_is_told(vault: Workspace) -> None:
    vault.put("secret/app", {"a": "x"})
    token = vault.token("reader", ttl="60s", renewable=False)

    async def work(source: VaultSource) -> None:
        await source.read([ref("secret/app#a")])

    run(vault.source(environ=vault.environ(VAULT_TOKEN=token), run_timeout=30), work)
    assert vault.warnings == []
    run(vault.source(environ=vault.environ(VAULT_TOKEN=token), run_timeout=3600), work)
    (warning,) = vault.warnings
    assert warning.startswith("the Vault token from VAULT_TOKEN ends in ")
    assert warning.endswith("the run may take 3600 s")


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [(500, "storage is full", "storage is full"), (400, "no", "no"), (403, "permission denied", None)],
)
def test_a_revocation_that_fails_is_told_unless_the_token_was_dead(
    vault: Workspace, status: int, error: str, reason: str | None
) -> None:
    refusal = reply({"errors": [error]}, status)
    with by_approle(vault, {REVOCATION: lambda _: refusal}) as (_, refused):

        async def work(source: VaultSource) -> None:
            await source.read([ref("secret/app#a")])

        run(refused, work)

    told = f"the run's Vault token could not be revoked ({reason}); it ends by itself within 600 s"
    assert vault.warnings == ([told] if reason else [])


def test_a_token_that_is_dead_from_the_start_is_replaced_once_only(vault: Workspace) -> None:
    dead = reply({"errors": ["permission denied"]}, 403)
    with by_approle(vault, {"GET /v1/secret/data/app": lambda _: dead}) as (server, refused):

        async def work(source: VaultSource) -> None:
            with pytest.raises(SecretsError, match="does not accept the token from the login by approle"):
                await source.read([ref("secret/app#a")])

        run(refused, work)

        assert server.count("POST", "/v1/auth/approle/login") == 2


# --- reading again


def test_reread_gives_what_changed_and_nothing_else(vault: Workspace) -> None:
    vault.put("secret/app", {"a": "old value", "b": "stays"})

    async def work(source: VaultSource) -> None:
        a, b, pinned = ref("secret/app#a"), ref("secret/app#b"), ref("secret/app?version=1#a")
        await source.read([a, b, pinned])
        assert await source.reread(a) is None
        vault.put("secret/app", {"a": "new value", "b": "stays"})

        both = await asyncio.gather(source.reread(a), source.reread(a))

        assert [secret and secret.reveal() for secret in both] == ["new value", "new value"]
        assert await source.reread(a) is None
        assert await source.reread(b) is None
        assert await source.reread(pinned) is None

    token = vault.token("reader")
    run(vault.source(environ=vault.environ(VAULT_TOKEN=token)), work)
