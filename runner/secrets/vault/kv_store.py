"""One path of KV version 2 that is written back: read past every cache, replaced by check-and-set only.

https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2: a write with `options.cas` succeeds only where the path
is still at that version, 0 standing for a path that holds nothing yet.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from runner.errors import JsonObject, SecretProblem, SecretsError
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.engines import KV1, KV2, Mount, Mounts
from runner.secrets.vault.explain import RefusedError, VaultProblemError, scrub
from runner.secrets.vault.session import VaultSession

T = TypeVar("T")
KEPT_VERSIONS = 3
"""Versions that a path keeps where we may say so: old tokens would stay readable for long."""


class KvStore:
    """Reads and replaces the fields of one path. `known` are the credentials that no message may repeat."""

    def __init__(self, session: VaultSession, mounts: Mounts, path: str, known: set[str]) -> None:
        self.label = path
        self._session = session
        self._mounts = mounts
        self._known = known

    async def read(self) -> tuple[JsonObject, int]:
        """Read the newest fields and their version; no fields where nothing is stored or the newest was deleted."""
        return await self._call(self._read)

    async def write(self, fields: Mapping[str, Any], version: int) -> int | None:
        """Replace what `version` holds; gives the new version, None where somebody else was first.

        Sent once: whether a write without an answer was done, only a read can tell. Raises SecretsError.
        """

        def write(client: VaultClient) -> int | None:
            mount, below = self._mount(client)
            body = {"data": dict(fields), "options": {"cas": version}}
            try:
                answer = client.post(f"{mount.path}/data/{below}", body, repeat=False)
            except RefusedError as refused:
                if refused.status == 400 and "check-and-set" in refused.said:
                    return None
                self._denied(refused, f"{mount.path}/data/{below}", "create" if version == 0 else "update")
                raise
            data = answer.get("data")
            number = data.get("version") if isinstance(data, dict) else None
            return number if isinstance(number, int) else version + 1

        return await self._call(write)

    async def check_writable(self, version: int) -> None:
        """Raise SecretsError where the path cannot be written, or where it is known that the token may not."""
        await self._check("create" if version == 0 else "update")

    async def _check(self, wanted: str) -> None:
        def check(client: VaultClient) -> None:
            mount, below = self._mount(client)
            path = f"{mount.path}/data/{below}"
            try:
                answer = client.post("sys/capabilities-self", {"paths": [path]})
            except RefusedError as refused:
                if refused.denied:
                    return  # it may not ask: the write will tell
                raise
            data = answer.get("data")
            listed = (data if isinstance(data, dict) else answer).get(path) or ()
            if not {wanted, "root"} & set(listed):
                raise self._lacking(path, wanted)

        await self._call(check)

    async def describe(self, notes: Mapping[str, str], *, few_versions: bool = False) -> None:
        """Put notes beside the path; with `few_versions` old ones are dropped soon.

        Raises SecretsError, where it is not permitted for example.
        """

        def describe(client: VaultClient) -> None:
            mount, below = self._mount(client)
            path = f"{mount.path}/metadata/{below}"
            body: JsonObject = {"custom_metadata": dict(notes)}
            if few_versions:
                body["max_versions"] = KEPT_VERSIONS
            try:
                client.post(path, body)
            except RefusedError as refused:
                self._denied(refused, path, "update")
                raise

        await self._call(describe)

    async def notes(self) -> dict[str, str]:
        """Read the notes beside the path; none where there are none, or where they may not be read."""

        def read(client: VaultClient) -> dict[str, str]:
            mount, below = self._mount(client)
            try:
                data = client.get(f"{mount.path}/metadata/{below}").get("data")
            except RefusedError as refused:
                if refused.status == 404 or refused.denied:
                    return {}
                raise
            found = data.get("custom_metadata") if isinstance(data, dict) else None
            return {str(key): str(value) for key, value in (found or {}).items()}

        return await self._call(read)

    async def check_deletable(self) -> None:
        """Raise SecretsError where it is known that the token may not delete the path."""
        await self._check("delete")

    async def delete(self) -> None:
        """Delete the newest version; `vault kv undelete` can bring it back. Raises SecretsError."""

        def delete(client: VaultClient) -> None:
            mount, below = self._mount(client)
            path = f"{mount.path}/data/{below}"
            try:
                client.delete(path)
            except RefusedError as refused:
                self._denied(refused, path, "delete")
                raise

        await self._call(delete)

    def _mount(self, client: VaultClient) -> tuple[Mount, str]:
        mount = self._mounts.above(client, self.label)
        if mount.kind != KV2:
            first = mount.kind == KV1
            kind = "is KV version 1, which has no check-and-set" if first else "is no KV engine"
            by_hand = f". By hand: vault kv put, vault kv delete {self.label}" if first else ""
            raise VaultProblemError(
                f"'{self.label}' cannot be changed: the engine at '{mount.path}/' {kind}",
                help="store it in a KV engine of version 2 (vault kv enable-versioning MOUNT): only there a write can tell "
                f"that somebody else was first, and bring back what was deleted{by_hand}",
            )
        return mount, self.label.removeprefix(f"{mount.path}/")

    def _read(self, client: VaultClient) -> tuple[JsonObject, int]:
        mount, below = self._mount(client)
        path = f"{mount.path}/data/{below}"
        try:
            answer = client.get(path)
        except RefusedError as refused:
            self._denied(refused, path, "read")
            if refused.status != 404:
                raise
            answer = refused.body if isinstance(refused.body, dict) else {}
        data = answer.get("data")
        data = data if isinstance(data, dict) else {}
        fields, metadata = data.get("data"), data.get("metadata")
        version = metadata.get("version") if isinstance(metadata, dict) else None
        return (fields if isinstance(fields, dict) else {}), (version if isinstance(version, int) else 0)

    @staticmethod
    def _denied(refused: RefusedError, path: str, capability: str) -> None:
        if refused.denied:
            raise KvStore._lacking(path, capability) from None

    @staticmethod
    def _lacking(path: str, capability: str) -> VaultProblemError:
        wanted = dict.fromkeys(["read", *(["update"] if capability == "create" else []), capability])
        listed = ", ".join(f'"{each}"' for each in wanted)
        return VaultProblemError(
            f"the policies of the token do not allow to {capability} '{path}'",
            help=f'add to one of them: path "{path}" {{ capabilities = [{listed}] }}',
        )

    async def _call(self, work: Callable[[VaultClient], T]) -> T:
        try:
            return await self._session.call(work)
        except VaultProblemError as problem:
            self._raise(problem)

    def _raise(self, problem: VaultProblemError) -> NoReturn:
        message, remedy = scrub(problem.message, self._known), scrub(problem.help, self._known)
        found = SecretProblem(reference=self.label, message=message, help=remedy)
        raise SecretsError(message, help=remedy, problems=(found,)) from None
