"""What can be proven of secret references without reading a value: that path and field exist, and may be read.

Three harmless questions: which engine is mounted above a path, what the token may do (`sys/capabilities-self`), and,
where the engine is KV version 2, which fields a path has (`MOUNT/subkeys/PATH`, whose values are all null).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from runner.diagnostics import Diagnostic, Label, Severity
from runner.errors import JsonObject, SecretProblem, SecretsError
from runner.frozen import dataclass
from runner.secret_ref import MalformedReferenceError, ResolvedRef, SecretRef
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.credentials import Credentials
from runner.secrets.vault.engines import KV2, Answer, Mount, Mounts, policy_line, read_path, text_of
from runner.secrets.vault.explain import RefusedError, VaultProblemError, scrub
from runner.secrets.vault.session import VaultSession
from runner.source import Span

NOT_READABLE = "secret-not-readable"
NOT_WRITABLE = "secret-not-writable"
NOT_FOUND = "secret-not-found"
FIELD_MISSING = "secret-field-missing"
VERSION_OLD = "secret-version-old"
UNPROVEN = "secret-unproven"
_WARNINGS = frozenset({VERSION_OLD, UNPROVEN})

Key = tuple[str, int | None]
PRESENT = "‹present›"
"""Stands where a run would have a value."""


class Found(NamedTuple):
    """A finding about one reference, before it has its places."""

    rule: str
    message: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What Vault told of one path. `names` None: the fields are not known; `refused`: for want of the right to ask."""

    mount: Mount | None = None
    names: Answer | None = None
    refused: bool = False
    newest: int | None = None
    problem: Found | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found. `notes` limit what is proven, `details` say of each reference what is."""

    diagnostics: tuple[Diagnostic, ...] = ()
    notes: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Asker:
    """How to reach Vault, as `VaultSource` takes it; opened once, with a login of its own."""

    config: Mapping[str, Any]
    environ: Mapping[str, str]
    warn: Callable[[str], None]
    register: Callable[[str, str], None]
    directory: Path
    known: set[str] = field(default_factory=set)

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[VaultSession]:
        """Give a session that ends its token, if it is ours; a problem of the whole server becomes a SecretsError."""
        credentials = Credentials(self.environ, self.directory, self.register)
        self.known = credentials.known
        session = VaultSession(
            self.config, self.environ, warn=self.warn, directory=self.directory, credentials=credentials
        )
        try:
            yield session
        except VaultProblemError as problem:
            raise SecretsError(self.safe(problem.message), help=self.safe(problem.help)) from None
        finally:
            await session.close()

    def safe(self, text: str) -> str:
        """Blank credentials that a server repeats."""
        return scrub(text, self.known)


class NamesRefusedError(Exception):
    """The token may not ask for the names of fields, or the server is too old to tell them."""


class Names(VaultClient):
    """Asks for names where a run asks for values, so that the code that reads for a run can prove.

    Every way to a value is closed here: `get` and `read_kv1` ask nothing.
    """

    def __init__(self, client: VaultClient) -> None:  # borrows a client that is open
        self.settings = client.settings
        self._client = client

    def mount_of(self, path: str) -> JsonObject:
        """Ask which engine is mounted above a path."""
        return self._client.mount_of(path)

    def get(self, path: str, **params: str) -> JsonObject:  # noqa: ARG002 - asks nothing
        """Stand for a read of an engine that makes credentials."""
        return {"data": {PRESENT: PRESENT}}

    def read_kv1(self, mount: str, path: str) -> JsonObject:  # noqa: ARG002 - asks nothing
        """Stand for a read of KV version 1."""
        return {"data": {PRESENT: PRESENT}}

    def read_kv2(self, mount: str, path: str, version: int | None) -> JsonObject:
        """Give an answer as for a read, with a placeholder for each value; raises NamesRefusedError."""
        params = {} if version is None else {"version": str(version)}
        try:
            data = self._client.get(f"{mount}/subkeys/{path}", **params).get("data")
        except RefusedError as refused:
            if refused.denied or "unsupported" in refused.said:
                raise NamesRefusedError from None
            raise
        inner = data.get("subkeys") if isinstance(data, dict) else None
        metadata = data.get("metadata") if isinstance(data, dict) else None
        names = inner if isinstance(inner, dict) else {}
        # The keys of an object are told too; lists, numbers and empty objects cannot be told from text.
        fields = {name: dict.fromkeys(below) if below else PRESENT for name, below in names.items()}
        return {"data": {"data": fields, "metadata": metadata}}

    def newest(self, mount: str, path: str) -> int | None:
        """Give the number of the newest version, also of one that was deleted."""
        try:
            data = self.read_kv2(mount, path, None).get("data")
        except RefusedError as refused:
            data = refused.body.get("data") if isinstance(refused.body, dict) else None
        metadata = data.get("metadata") if isinstance(data, dict) else None
        version = metadata.get("version") if isinstance(metadata, dict) else None
        return version if isinstance(version, int) else None


async def prove(
    asker: Asker,
    places: Mapping[ResolvedRef, Sequence[Span]],
    unfilled: Sequence[tuple[SecretRef, MalformedReferenceError]] = (),
    written: AbstractSet[ResolvedRef] = frozenset(),
) -> Proof:
    """Prove references; raises SecretsError where nothing can be asked (unreachable, sealed, no login).

    `places` says where each reference stands, `unfilled` lists those whose placeholders have no value, `written` are
    those that a run writes back.
    """
    found = [_unfilled(ref, problem) for ref, problem in unfilled if ref.scheme == "vault"]
    refs = sorted((ref for ref in places if ref.scheme == "vault"), key=lambda ref: ref.label)
    if not refs:
        return Proof(diagnostics=tuple(found))
    keys = tuple(dict.fromkeys((ref.path, ref.version) for ref in refs))
    mounts = Mounts()
    async with asker.session() as session:
        facts = dict(
            zip(
                keys,
                await _every([session.call(partial(_examine, mounts, *key)) for key in keys]),
                strict=True,
            )
        )
        paths = {key: _api_path(fact.mount, key[0]) for key, fact in facts.items() if fact.mount}
        allowed = await session.call(partial(_allowed, sorted(set(paths.values()))))
    rights = {key: allowed.get(path) for key, path in paths.items()}
    names_only = not any(map(_may_read, rights.values())) and any(fact.names for fact in facts.values())
    details = []
    for ref in refs:
        key = (ref.path, ref.version)
        may_read = _may_read(rights.get(key))
        judged = list(_judged(ref, facts[key], may_read, names_only=names_only))
        if ref in written:
            judged += _judged_written(ref, facts[key].mount, rights.get(key), names_only=names_only)
        found += [
            _diagnostic(Found(rule, asker.safe(message), asker.safe(remedy)), span)
            for rule, message, remedy in judged
            for span in sorted(set(places[ref]))
        ]
        if not judged:
            details.append(_detail(ref, facts[key], may_read))
    return Proof(
        diagnostics=tuple(dict.fromkeys(found)),
        notes=_notes(allowed, facts, names_only=names_only),
        details=tuple(details),
    )


async def find_mounts(asker: Asker, paths: Mapping[str, str]) -> dict[str, str]:
    """Ask which engines are mounted above paths: their kinds by mount. `paths` names each path for messages.

    Raises SecretsError, with a problem for every path that no engine is known for.
    """
    mounts = Mounts()
    async with asker.session() as session:
        facts = await _every([session.call(partial(_mounted, mounts, path)) for path in paths])
    problems = tuple(
        SecretProblem(
            reference=label, message=asker.safe(fact.problem.message), help=asker.safe(fact.problem.help)
        )
        for label, fact in zip(paths.values(), facts, strict=True)
        if fact.problem
    )
    if problems:
        count = len(problems)
        message = f"the engine of {count} secret{'s' if count > 1 else ''} is not known"
        raise SecretsError(message, problems=problems)
    return {fact.mount.path: fact.mount.kind for fact in facts if fact.mount}


async def _every(calls: Sequence[Any]) -> list[Facts]:
    """Wait for all, also where one fails: the session must not end under the others."""
    outcomes: list[Facts | BaseException] = await asyncio.gather(*calls, return_exceptions=True)
    facts = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        facts.append(outcome)
    return facts


def _mounted(mounts: Mounts, path: str, client: VaultClient) -> Facts:
    try:
        return Facts(mount=mounts.above(client, path))
    except VaultProblemError as problem:
        if problem.everywhere:
            raise
        return Facts(problem=Found(NOT_READABLE, problem.message, problem.help))


def _examine(mounts: Mounts, path: str, version: int | None, client: VaultClient) -> Facts:
    """Ask for the mount of a path and for the names of its fields; runs in a thread."""
    mounted = _mounted(mounts, path, client)
    mount = mounted.mount
    if mount is None:
        return mounted
    names = Names(client)
    known = mount.kind == KV2
    try:
        answer = read_path(names, mounts, path, version)
        newest = None
        if version is not None:
            newest = names.newest(mount.path, path.removeprefix(f"{mount.path}/"))
    except NamesRefusedError:
        return Facts(mount=mount, refused=True)
    except VaultProblemError as problem:
        if problem.everywhere:
            raise
        return Facts(mount=mount, problem=Found(NOT_FOUND, problem.message, problem.help))
    return Facts(mount=mount, names=answer if known else None, newest=newest)


def _allowed(paths: Sequence[str], client: VaultClient) -> dict[str, frozenset[str]]:
    """Ask what the token may do with each path; empty where it may not even ask that. Runs in a thread."""
    if not paths:
        return {}
    try:
        answer = client.post("sys/capabilities-self", {"paths": list(paths)})
    except RefusedError as refused:
        if refused.denied:
            return {}
        raise
    data = answer.get("data")
    listed = data if isinstance(data, dict) else answer
    return {path: frozenset(listed.get(path) or ()) for path in paths}


def _may_read(capabilities: frozenset[str] | None) -> bool | None:
    return None if capabilities is None else bool({"read", "root"} & capabilities)


def _api_path(mount: Mount, path: str) -> str:
    below = path.removeprefix(f"{mount.path}/")
    return f"{mount.path}/data/{below}" if mount.kind == KV2 else path


def _judged(ref: ResolvedRef, facts: Facts, may_read: bool | None, *, names_only: bool) -> Iterator[Found]:
    """Judge one reference. `may_read` None: not known."""
    if facts.problem:
        yield facts.problem
    if facts.mount is None:
        return
    path = _api_path(facts.mount, ref.path)
    below = ref.path.removeprefix(f"{facts.mount.path}/")
    more_names = f"add to a policy of the token: {policy_line(f'{facts.mount.path}/subkeys/{below}')}"
    exists = facts.names is not None or facts.problem is not None
    if may_read is False and not names_only:
        message = f"the policies of the token do not allow to read '{path}'"
        yield Found(NOT_READABLE, message, f"add to one of them: {policy_line(path)}")
    elif not exists and not may_read:
        message = f"nothing is proven of '{ref.path}': the token may neither read it nor ask for its fields"
        other = "its engine tells no names of fields: prove this one with a token that has the run's policy"
        yield Found(UNPROVEN, message, more_names if facts.refused else other)
    elif facts.refused:
        message = f"'{ref.path}' may be read; that it has a field '{ref.field}' is not proven"
        yield Found(UNPROVEN, message, more_names)
    if facts.names is not None:
        try:
            text_of(facts.names, ref.path, ref.field)
        except VaultProblemError as problem:
            rule = NOT_READABLE if ref.field in facts.names.fields else FIELD_MISSING
            yield Found(rule, problem.message, problem.help)
    if ref.version is not None and facts.newest is not None and facts.newest > ref.version:
        yield Found(
            VERSION_OLD,
            f"pinned to version {ref.version} of '{ref.path}', the newest is {facts.newest}",
            f"write ?version={facts.newest}, or leave the version out for the newest",
        )


def _detail(ref: ResolvedRef, facts: Facts, may_read: bool | None) -> str:
    reading = "may be read" if may_read else "whether it may be read is not proven"
    if facts.names is not None:
        return f"{ref.label}: exists with this field; {reading}"
    mount = facts.mount.path if facts.mount else ""
    return f"{ref.label}: {reading}; that it exists with this field is not proven: the engine at '{mount}/' tells no names"


def _judged_written(
    ref: ResolvedRef, mount: Mount | None, capabilities: frozenset[str] | None, *, names_only: bool
) -> Iterator[Found]:
    """Judge whether a reference can be written back: by check-and-set, and with the right to do so."""
    if mount is None:
        return
    if mount.kind != KV2:
        message = f"'{ref.path}' is written back, and the engine at '{mount.path}/' has no check-and-set"
        yield Found(NOT_WRITABLE, message, "store it in a KV engine of version 2")
    elif capabilities is not None and not names_only and not {"update", "root"} & capabilities:
        path = _api_path(mount, ref.path)
        message = f"the policies of the token do not allow to update '{path}', and a run writes it back"
        remedy = f'add to one of them: path "{path}" {{ capabilities = ["read", "update"] }}'
        yield Found(NOT_WRITABLE, message, remedy)


def _notes(
    allowed: Mapping[str, frozenset[str]], facts: Mapping[Key, Facts], *, names_only: bool
) -> tuple[str, ...]:
    if not any(fact.mount for fact in facts.values()):
        return ()
    unknown = "that a run may read the secrets is not proven"
    if not allowed:
        asked = "sys/capabilities-self, which Vault's default policy allows"
        return (f"the token may not ask what it may do ({asked}): {unknown}",)
    return (f"the token may ask for names of fields and read no value: {unknown}",) if names_only else ()


def _unfilled(ref: SecretRef, problem: MalformedReferenceError) -> Diagnostic:
    return _diagnostic(Found(UNPROVEN, f"nothing is proven of it: {problem.message}", problem.help), ref.span)


def _diagnostic(found: Found, span: Span) -> Diagnostic:
    severity = Severity.WARNING if found.rule in _WARNINGS else Severity.ERROR
    return Diagnostic(
        rule=found.rule, severity=severity, message=found.message, primary=Label(span), help=found.help
    )
