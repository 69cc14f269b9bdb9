"""A place of its own in the shared OpenBao for each test: a namespace, and short words for what tests set up in it."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from runner import secret_ref
from runner.errors import SecretProblem, SecretsError
from runner.secret_ref import ResolvedRef
from runner.secrets.vault import VaultSource
from runner.source import whole_file
from tests.servers.openbao import AnswerError, OpenBao

_numbers = itertools.count(1)

APPROLE = {"auth": {"method": "approle", "role_id": "r", "secret_id": "env://SECRET_ID"}}


def ref(text: str) -> ResolvedRef:
    """Parse `MOUNT/PATH#FIELD` as in a connection."""
    return secret_ref.parse(f"vault://{text}", whole_file("test.yaml")).resolve(
        user=None, environment=None, variables={}
    )


@dataclass
class Workspace:
    """One namespace of one server. `warnings` and `registered` collect what sources made here report."""

    server: OpenBao
    namespace: str
    directory: Path
    warnings: list[str] = field(default_factory=list)
    registered: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, server: OpenBao, directory: Path) -> "Workspace":
        namespace = f"t{next(_numbers)}"
        server.ask("POST", f"sys/namespaces/{namespace}", {})
        return cls(server, namespace, directory)

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        return self.server.ask(method, path, body, token=token, namespace=self.namespace, headers=headers)

    def mount(self, path: str, kind: str = "kv2") -> None:
        name, version = (kind[:-1], {"version": kind[-1]}) if kind.startswith("kv") else (kind, {})
        self.ask("POST", f"sys/mounts/{path}", {"type": name, "options": version})

    def put(self, path: str, fields: Mapping[str, Any]) -> None:
        """Write to a KV version 2 mount of one segment."""
        mount, _, below = path.partition("/")
        self.ask("POST", f"{mount}/data/{below}", {"data": fields})

    def policy(self, name: str, *rules: str) -> None:
        """Allow to read these API paths; `path:capability,capability` allows something else."""
        lines = []
        for rule in rules:
            path, _, capabilities = rule.partition(":")
            listed = ", ".join(f'"{item}"' for item in (capabilities or "read").split(","))
            lines.append(f'path "{path}" {{ capabilities = [{listed}] }}')
        self.ask("PUT", f"sys/policies/acl/{name}", {"policy": "\n".join(lines)})

    def token(self, *policies: str, **options: Any) -> str:
        answer = self.ask("POST", "auth/token/create", {"policies": list(policies), **options})
        return str(answer["auth"]["client_token"])

    def alive(self, token: str) -> bool:
        """Whether the server still knows a token."""
        try:
            self.ask("GET", "auth/token/lookup-self", token=token)
        except AnswerError as error:
            if error.status == 403:
                return False
            raise
        return True

    def environ(self, **more: str) -> dict[str, str]:
        return {
            "VAULT_ADDR": self.server.address,
            "VAULT_NAMESPACE": self.namespace,
            "VAULT_MAX_RETRIES": "0",
            "HOME": str(self.directory),
            **more,
        }

    def source(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        run_timeout: float | None = None,
        **variables: str,
    ) -> VaultSource:
        return VaultSource(
            config or {},
            self.environ(**variables) if environ is None else environ,
            warn=self.warnings.append,
            run_timeout=run_timeout,
            register=self.registered.__setitem__,
            directory=self.directory,
        )

    def read(
        self,
        *texts: str,
        config: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        **variables: str,
    ) -> list[str]:
        """Read references with a source of their own, and close it."""
        source = self.source(config, environ=self.environ(**variables) if environ is None else environ)

        async def run() -> list[str]:
            try:
                refs = [ref(text) for text in texts]
                found = await source.read(refs)
                return [found[item].reveal() for item in refs]
            finally:
                await source.close()

        return asyncio.run(run())

    def problems(self, *texts: str, **options: Any) -> tuple[SecretProblem, ...]:
        """Read what cannot be read, and give the problems; none of them may show a known value."""
        with pytest.raises(SecretsError) as caught:
            self.read(*texts, **options)
        shown = repr(caught.value.problems) + str(caught.value) + str(caught.value.help)
        for value in self.registered:
            assert value not in shown
        return caught.value.problems

    def problem(self, *texts: str, **options: Any) -> SecretProblem:
        """Read what cannot be read for one and the same reason."""
        (only,) = self.problems(*texts, **options)
        return only


def at(vault: Workspace, address: str, **more: str) -> dict[str, str]:
    """Point a workspace at another address, with a token that only a stub would take."""
    return {
        "VAULT_ADDR": address,
        "VAULT_TOKEN": "s.any-token",
        "VAULT_MAX_RETRIES": "0",
        "HOME": str(vault.directory),
        **more,
    }


def enable(vault: Workspace, method: str, mount: str = "") -> None:
    vault.ask("POST", f"sys/auth/{mount or method}", {"type": method})


PATIENCE = 20.0


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come; fails when it does not."""
    deadline = time.monotonic() + PATIENCE
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


def run(source: VaultSource, work: Callable[[VaultSource], Awaitable[Any]]) -> Any:
    """Use a source as a run does: closed at the end, also of a failed one."""

    async def whole() -> Any:
        try:
            return await work(source)
        finally:
            await source.close()

    return asyncio.run(whole())


def source_of(vault: Workspace, **options: Any) -> VaultSource:
    role = "auth/approle/role/runner"
    auth = {
        "method": "approle",
        "role_id": vault.ask("GET", f"{role}/role-id")["data"]["role_id"],
        "secret_id": "env://SECRET_ID",
    }
    secret = vault.ask("POST", f"{role}/secret-id", {})["data"]["secret_id"]
    return vault.source({"auth": auth}, environ=vault.environ(SECRET_ID=secret), **options)


def obtained(vault: Workspace) -> list[str]:
    """The tokens that sources of this test obtained."""
    return [value for value, label in vault.registered.items() if label == "Vault token"]


def accessors(vault: Workspace) -> int:
    """How many tokens the namespace has."""
    try:
        return len(vault.ask("LIST", "auth/token/accessors")["data"]["keys"])
    except AnswerError as error:
        if error.status == 404:
            return 0
        raise
