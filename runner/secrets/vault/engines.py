"""Reading one path: which engine it belongs to, what the engine gave, and why it gave nothing."""

import threading
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from runner.errors import JsonObject
from runner.frozen import dataclass
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.explain import RefusedError, VaultProblemError, clean

KV1, KV2, DYNAMIC = "kv1", "kv2", "dynamic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """Where an engine is mounted, and its kind: KV without or with versions, or one that makes credentials."""

    path: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one path gave: the fields, and the lease under which they were given, if any."""

    fields: Mapping[str, Any] = field(repr=False)
    mount: Mount
    lease_id: str = ""
    lease_seconds: float = 0.0
    renewable: bool = False


class Mounts:
    """Finds the mount above a path. Asks once per mount, also where many threads want it at the same moment."""

    def __init__(self) -> None:
        self._found: dict[str, Mount] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def above(self, client: VaultClient, path: str) -> Mount:
        """Give the mount of a path; raises RefusedError or VaultProblemError."""
        first = path.split("/", 1)[0]
        with self._guard:
            lock = self._locks.setdefault(first, threading.Lock())
        with lock:
            # Mounts do not nest: at most one that is known can fit.
            for mount in self._found.values():
                if path.startswith(f"{mount.path}/"):
                    return mount
            mount = self._ask(client, path)
            self._found[mount.path] = mount
            return mount

    @staticmethod
    def _ask(client: VaultClient, path: str) -> Mount:
        try:
            data = client.mount_of(path)
        except RefusedError as refused:
            if (
                refused.status not in {403, 404}
                or refused.token_dead
                or "namespace not found" in refused.said
            ):
                raise
            for name in sorted(client.settings.mounts, key=len, reverse=True):
                if path.startswith(f"{name}/"):
                    return Mount(path=name, kind=client.settings.mounts[name])
            raise _no_mount(client, path) from None
        options = data.get("options")
        version = str(options.get("version", "1")) if isinstance(options, dict) else "1"
        kind = DYNAMIC
        if data.get("type") in {"kv", "generic"}:
            kind = KV2 if version == "2" else KV1
        return Mount(path=str(data.get("path", "")).strip("/") or path.split("/", 1)[0], kind=kind)


def _no_mount(client: VaultClient, path: str) -> VaultProblemError:
    mount, _, rest = path.partition("/")
    namespace = client.settings.namespace
    where = f" in the namespace '{namespace}'" if namespace else ""
    return VaultProblemError(
        f"Vault has no secrets engine at '{mount}/'{where}, or the token has no right on anything below it",
        help=f"check the mount (vault secrets list); if it is right, add to the token's policy: "
        f"{policy_line(f'{mount}/data/{rest}')} (KV version 2) or {policy_line(path)} (other engines)",
    )


def policy_line(path: str) -> str:
    """Write the policy rule that allows to read a path."""
    return f'path "{path}" {{ capabilities = ["read"] }}'


def read_path(client: VaultClient, mounts: Mounts, path: str, version: int | None) -> Answer:
    """Read one path; raises VaultProblemError for what is wrong with it, RefusedError for what is wrong with Vault."""
    mount = mounts.above(client, path)
    below = path.removeprefix(f"{mount.path}/")
    if version is not None and mount.kind != KV2:
        kind = (
            "has no versions (KV version 1)" if mount.kind == KV1 else "makes credentials and has no versions"
        )
        raise VaultProblemError(
            f"'?version={version}' is given, but the engine at '{mount.path}/' {kind}",
            help="remove '?version=...' from the reference",
        )
    if mount.kind == KV2:
        return _read_kv2(client, mount, below, version)
    if mount.kind == KV1:
        return _read_kv1(client, mount, below)
    return _read_dynamic(client, mount, path)


def _read_kv1(client: VaultClient, mount: Mount, below: str) -> Answer:
    try:
        answer = client.read_kv1(mount.path, below)
    except RefusedError as refused:
        _check_denied(refused, f"{mount.path}/{below}")
        if refused.status == 404:
            raise _nothing_there(mount, below, refused) from None
        raise
    return Answer(fields=_fields(answer.get("data"), f"{mount.path}/{below}"), mount=mount)


def _read_kv2(client: VaultClient, mount: Mount, below: str, version: int | None) -> Answer:
    try:
        answer = client.read_kv2(mount.path, below, version)
    except RefusedError as refused:
        _check_denied(refused, f"{mount.path}/data/{below}")
        if refused.status == 404:
            _check_gone(refused, f"{mount.path}/{below}")
            if version is not None:
                _check_version(client, mount, below, version)
            raise _nothing_there(mount, below, refused) from None
        raise
    data = answer.get("data")
    inner = data.get("data") if isinstance(data, dict) else None
    return Answer(fields=_fields(inner, f"{mount.path}/{below}"), mount=mount)


def _read_dynamic(client: VaultClient, mount: Mount, path: str) -> Answer:
    try:
        answer = client.get(path)
    except RefusedError as refused:
        _check_denied(refused, path)
        if refused.status == 405 or "unsupported operation" in refused.said:
            raise VaultProblemError(
                f"'{path}' of the engine at '{mount.path}/' cannot be read, it only takes requests",
                help="refer to a path that gives credentials by `vault read`, such as database/creds/ROLE",
            ) from None
        if refused.status == 404:
            raise _nothing_there(mount, path.removeprefix(f"{mount.path}/"), refused) from None
        if refused.status in {400, 500} and refused.said:
            raise VaultProblemError(
                f"the engine at '{mount.path}/' gave no credentials for '{path}': {refused.said}",
                help=f"check the role's name and the engine's settings (vault read {path})",
            ) from None
        raise
    seconds = answer.get("lease_duration")
    lease_id = answer.get("lease_id")
    return Answer(
        fields=_fields(answer.get("data"), path),
        mount=mount,
        lease_id=lease_id if isinstance(lease_id, str) else "",
        lease_seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
        renewable=answer.get("renewable") is True,
    )


def _fields(data: Any, path: str) -> JsonObject:
    if not isinstance(data, dict) or not data:
        raise VaultProblemError(
            f"'{path}' holds no fields", help=f"write them: vault kv put {path} FIELD=..."
        )
    return data


def _check_denied(refused: RefusedError, api_path: str) -> None:
    if refused.denied:
        raise VaultProblemError(
            f"the policies of the token do not allow to read '{api_path}'",
            help=f"add to one of them: {policy_line(api_path)}",
        ) from None


def _nothing_there(mount: Mount, below: str, refused: RefusedError) -> VaultProblemError:
    parent = f"{mount.path}/{below}".rpartition("/")[0]
    said = f": {refused.said}" if refused.said else ""
    if mount.kind == KV2 and below.startswith("data/"):
        return VaultProblemError(
            f"nothing is stored at '{mount.path}/{below}'",
            help=f"write the reference without 'data/': vault://{mount.path}/{below.removeprefix('data/')}#FIELD",
        )
    if mount.kind == DYNAMIC:
        return VaultProblemError(
            f"the engine at '{mount.path}/' knows nothing of '{below}'{said}",
            help=f"check the path after '{mount.path}/', for example vault list {mount.path}/roles",
        )
    return VaultProblemError(
        f"nothing is stored at '{mount.path}/{below}'{said}",
        help=f"check the path: vault kv list {parent}",
        absent=True,
    )


def _check_gone(refused: RefusedError, path: str) -> None:
    """Tell a version that was deleted from one that was destroyed: both are 404, with metadata in the body."""
    data = refused.body.get("data") if isinstance(refused.body, dict) else None
    metadata = data.get("metadata") if isinstance(data, dict) else None
    if not isinstance(metadata, dict):
        return
    version = clean(str(metadata.get("version", "?")))
    if metadata.get("destroyed") is True:
        raise VaultProblemError(
            f"version {version} of '{path}' was destroyed and cannot be had back",
            help=f"write a new one: vault kv put {path} FIELD=...",
            absent=True,
        ) from None
    if metadata.get("deletion_time"):
        when = clean(str(metadata["deletion_time"]))[:20].partition(".")[0].removesuffix("Z")
        raise VaultProblemError(
            f"version {version} of '{path}' was deleted at {when} UTC",
            help=f"bring it back: vault kv undelete -versions={version} {path}",
            absent=True,
        ) from None


def _check_version(client: VaultClient, mount: Mount, below: str, version: int) -> None:
    """See whether the path exists and only the version is missing: Vault answers both in the same way."""
    path = f"{mount.path}/{below}"
    try:
        data = client.read_kv2(mount.path, below, None).get("data")
    except RefusedError as refused:
        data = refused.body.get("data") if isinstance(refused.body, dict) else None
    metadata = data.get("metadata") if isinstance(data, dict) else None
    if isinstance(metadata, dict):
        raise VaultProblemError(
            f"'{path}' has no version {version}; the newest is {clean(str(metadata.get('version', '?')))}",
            help="old versions are dropped after a while (vault kv metadata get); refer to one that exists",
        ) from None


def text_of(answer: Answer, path: str, name: str) -> str:
    """Give the text of one field; raises VaultProblemError that names fields and types, never a value."""
    import difflib

    fields = answer.fields
    if name not in fields:
        names = sorted(clean(str(key))[:80] for key in fields)
        close = difflib.get_close_matches(name, names, n=1)
        listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        raise VaultProblemError(
            f"'{path}' has no field '{name}'; it has: {listed}",
            help=f"did you mean '{close[0]}'?" if close else "refer to one of these fields",
            absent=not close,
        )
    value = fields[name]
    if isinstance(value, str):
        if not value:
            raise VaultProblemError(f"the field '{name}' of '{path}' is empty", help="store a value there")
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return str(value)
    raise _not_a_string(path, name, value)


def _not_a_string(path: str, name: str, value: Any) -> VaultProblemError:
    kinds = {bool: "true or false", type(None): "null", list: "a list", dict: "an object"}
    kind = kinds.get(type(value), "a number that JSON does not keep exactly")
    return VaultProblemError(
        f"the field '{name}' of '{path}' is {kind}, not a string",
        help="store what is needed as a string in a field of its own",
    )
