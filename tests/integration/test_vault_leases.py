"""Dynamic credentials: one lease for all fields, renewed while the run lasts, ended with it."""

import asyncio
import time
from typing import Any

import pytest

from runner.errors import SecretsError
from runner.secrets.vault import VaultSource
from tests.integration import vault_stub
from tests.integration.broker import Broker
from tests.integration.vault_workspace import Workspace, obtained, ref, run, source_of, until
from tests.servers.http import Handler, Server, reply


@pytest.fixture
def leased(vault: Workspace) -> Workspace:
    vault.mount("rabbitmq", "rabbitmq")
    vault.policy("broker", "rabbitmq/creds/*")
    return vault


def test_two_fields_come_from_one_lease_that_ends_with_the_run(leased: Workspace) -> None:
    leased.ask("POST", "sys/auth/approle", {"type": "approle"})
    leased.ask("POST", "auth/approle/role/runner", {"token_policies": ["broker"]})
    with Broker(leased, ttl=3600) as broker:

        async def work(source: VaultSource) -> None:
            user, password = ref("rabbitmq/creds/role#username"), ref("rabbitmq/creds/role#password")
            found = await source.read([user, password])
            assert broker.users == {found[user].reveal(): found[password].reveal()}

            renewed = await source.reread(user)
            same = await source.reread(password)
            assert renewed is not None
            assert same is not None
            assert broker.users[renewed.reveal()] == same.reveal()
            assert len(broker.users) == 2

        run(source_of(leased), work)

        asyncio.run(until(lambda: not broker.users))
    assert leased.warnings == []


def test_leases_and_tokens_are_renewed_while_the_run_lasts(leased: Workspace) -> None:
    token = leased.token("broker", ttl="3s", explicit_max_ttl="0")
    with Broker(leased, ttl=3) as broker:

        async def work(source: VaultSource) -> None:
            await source.read([ref("rabbitmq/creds/role#username")])
            lease = broker.lease()
            await until(lambda: lookup_token(leased, token)["last_renewal"] is not None)
            await until(lambda: lookup_lease(leased, lease)["last_renewal"] is not None)
            # Both outlive what they were given at first, and the user is still there.
            ends = time.monotonic() + 1.5
            await until(lambda: time.monotonic() > ends)
            assert leased.alive(token)
            assert len(broker.users) == 1

        run(leased.source(environ=leased.environ(VAULT_TOKEN=token), run_timeout=60), work)
    assert leased.warnings == []


def lookup_token(vault: Workspace, token: str) -> dict[str, Any]:
    data: dict[str, Any] = vault.ask("POST", "auth/token/lookup", {"token": token})["data"]
    return {"last_renewal": None, **data}


def lookup_lease(vault: Workspace, lease: str) -> dict[str, Any]:
    data: dict[str, Any] = vault.ask("PUT", "sys/leases/lookup", {"lease_id": lease})["data"]
    return data


def test_a_lease_at_its_end_is_told(leased: Workspace) -> None:
    with Broker(leased, ttl=2, longest=3):

        async def work(source: VaultSource) -> None:
            await source.read([ref("rabbitmq/creds/role#username")])
            await until(lambda: bool(leased.warnings))

        run(leased.source(environ=leased.environ(VAULT_TOKEN=leased.server.root_token)), work)

    assert leased.warnings[0].startswith("the lease of 'rabbitmq/creds/role' cannot be renewed")


def test_a_lease_that_somebody_revoked_is_told_in_vaults_words(leased: Workspace) -> None:
    with Broker(leased, ttl=2) as broker:

        async def work(source: VaultSource) -> None:
            await source.read([ref("rabbitmq/creds/role#username")])
            leased.ask("PUT", "sys/leases/revoke", {"lease_id": broker.lease(), "sync": True})
            await until(lambda: bool(leased.warnings))

        run(leased.source(environ=leased.environ(VAULT_TOKEN=leased.token("broker"))), work)

    assert leased.warnings[0].startswith(
        "the lease of 'rabbitmq/creds/role' cannot be renewed (lease not found)"
    )


def leased_for(seconds: int, *, renewable: bool) -> dict[str, Handler]:
    """A stub whose `database/creds/role` gives a lease of that kind."""
    mount = reply({"data": {"path": "database/", "type": "database", "options": None}})
    answer = {
        "lease_id": "l-1",
        "lease_duration": seconds,
        "renewable": renewable,
        "data": {"a": "of the lease"},
    }
    return vault_stub.routes(
        {
            "GET /v1/sys/internal/ui/mounts/database/creds/role": lambda _: mount,
            "GET /v1/database/creds/role": lambda _: reply(answer),
        }
    )


@pytest.mark.parametrize(("run_timeout", "warned"), [(30, False), (3600, True)])
def test_a_lease_that_cannot_be_renewed_and_is_too_short_is_told(
    vault: Workspace, run_timeout: int, warned: bool
) -> None:
    with Server(leased_for(60, renewable=False)) as server:
        environ = {"VAULT_ADDR": server.url, "VAULT_TOKEN": "s.any-token"}

        async def work(source: VaultSource) -> None:
            await source.read([ref("database/creds/role#a")])

        run(vault.source(environ=environ, run_timeout=run_timeout), work)

    told = "the credentials from 'database/creds/role' end in 60 s and cannot be renewed; the run may take 3600 s"
    assert vault.warnings == ([told] if warned else [])


def test_a_lease_that_ends_with_a_short_token_is_told(vault: Workspace) -> None:
    auth = {"method": "approle", "role_id": "r", "secret_id": "env://SECRET_ID"}
    with Server(leased_for(9999, renewable=True)) as server:
        environ = {"VAULT_ADDR": server.url, "SECRET_ID": "some secret id"}

        async def work(source: VaultSource) -> None:
            await source.read([ref("database/creds/role#a")])

        run(vault.source({"auth": auth}, environ=environ, run_timeout=3600), work)

    (warning,) = vault.warnings
    assert warning.startswith("the credentials from 'database/creds/role' end with the Vault token in 600 s")


def test_credentials_of_a_login_that_died_are_read_anew(leased: Workspace) -> None:
    leased.ask("POST", "sys/auth/approle", {"type": "approle"})
    leased.ask("POST", "auth/approle/role/runner", {"token_policies": ["broker", "reader"]})
    leased.put("secret/app", {"a": "x"})
    with Broker(leased, ttl=3600) as broker:

        async def work(source: VaultSource) -> None:
            user = ref("rabbitmq/creds/role#username")
            first = (await source.read([user]))[user].reveal()
            leased.ask("POST", "auth/token/revoke", {"token": obtained(leased)[0]})
            await source.read([ref("secret/app#a")])
            await until(lambda: first not in broker.users)

            assert (await source.read([user]))[user].reveal() in broker.users

        run(source_of(leased), work)


def test_a_secret_that_has_gone_is_an_error_when_it_is_read_again(vault: Workspace) -> None:
    vault.put("secret/app", {"a": "x"})

    async def work(source: VaultSource) -> None:
        await source.read([ref("secret/app#a")])
        vault.ask("DELETE", "secret/data/app")
        with pytest.raises(SecretsError, match="was deleted at"):
            await source.reread(ref("secret/app#a"))

    run(vault.source(environ=vault.environ(VAULT_TOKEN=vault.token("reader"))), work)
