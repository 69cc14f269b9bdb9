"""What one process holds for one run: secrets, credentials, the HTTP client, the redactor. Nothing of it travels."""

import asyncio
import dataclasses
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from runner import calls, registry
from runner.auth import Authenticator, Refused
from runner.auth_fields import check_fields, fields_of, typed_in
from runner.bind import limits as bind_limits
from runner.channels import Channels
from runner.client import Channel, Client
from runner.errors import FailureError, FailureKind, JsonObject, SecretProblem, SecretsError
from runner.means import ConnectionMeans
from runner.model import Action, Connection, Limits, Workflow
from runner.plan import Plan, resolved_refs
from runner.project import Project
from runner.secret_ref import ResolvedRef, SecretRef
from runner.secrets import SecretSource, StoredPath, Warn
from runner.sensitive import Redactor, Secret
from runner.source import Span
from runner.template import Template
from runner.throttle import Throttle


class Session:
    """The process's side of a run: opened before the first action, closed after the last.

    `now` gives seconds since 1970, `clock` seconds that no correction of the time moves, `sleep` waits, `jitter` is a
    number between 0 and 1; all are passed in so that tests need no luck.
    """

    def __init__(
        self,
        project: Project,
        plan: Plan,
        workflow: Workflow,
        *,
        environ: Mapping[str, str],
        redactor: Redactor,
        warn: Warn,
        timeout: float | None = None,
        client: Client | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        limits: Limits | None = None,
    ) -> None:
        self.project = project
        self.plan = plan
        self.workflow = workflow
        self.redactor = redactor
        self.warn = warn
        self.now = now
        self.clock = clock
        self.sleep = sleep
        self.jitter = jitter
        self.limits = limits or Limits()
        self._called_limits: dict[str, Limits] = {}
        self.base_urls: dict[str, str] = {}
        """Of connections, rendered: nothing that they see changes within a run."""
        self.actions: dict[str, dict[str, Action]] = {}  # of each workflow, by their keys
        self.sensitive: dict[str, Any] = {}
        self._listed: dict[str, list[Any]] = {}
        self.directory = Path.cwd()
        """The working directory: what is saved lies below it, and what is sent may."""
        self.saved: dict[str, str] = {}
        """The files that actions saved, each with the key of its step."""
        self._environ = environ
        self._timeout = timeout
        self._client = client
        self._values: dict[ResolvedRef, Secret] = {}
        self._sources: dict[str, SecretSource] = {}
        self._authenticators: dict[str, Authenticator] = {}
        self._renewing: dict[str, asyncio.Lock] = {}
        self._refused: dict[str, Authenticator] = {}
        self._given: set[ResolvedRef] = set()
        self._drafts: dict[str, StoredPath] = {}
        self.throttles: dict[str, Throttle] = {}
        self._channels = Channels(project, plan, self._revealed, redactor.add)
        for secret in plan.secret_inputs.values():
            redactor.add(secret.reveal(), secret.label)

    def give(self, ref: ResolvedRef, value: str) -> None:
        """Take the value of a reference from a person: it is not read, now or after a 401."""
        self.redactor.add(value, ref.label)
        self._values[ref] = Secret(value, ref.label)
        self._given.add(ref)

    def draft(self, path: str, store: StoredPath) -> None:
        """Let a path that is written back be another: what is not stored yet, to try it."""
        self._drafts[path] = store

    async def open(self, *, without: AbstractSet[ResolvedRef] = frozenset()) -> None:
        """Read the secrets of every connection that the workflow reaches, and its own; raises SecretsError with all problems.

        What was given is not read, nor what stands in `without`.
        """
        reached = calls.reached(self.project, self.workflow)
        if any(action.kind == "request" for workflow in reached for action in workflow.every_action):
            _ = self.client  # what it imports takes longer than a request: no attempt's time should hold it
        places: dict[ResolvedRef, list[Span]] = {}
        problems: list[SecretProblem] = []
        for owner, refs in self._every_refs():
            done, wrong = resolved_refs(self.project, refs, self.plan)
            for name, resolved in done.items():
                if resolved not in self._given and resolved not in without:
                    places.setdefault(resolved, []).append(refs[name].span)
                if resolved.scheme == "vault" and not self.project.policy.permits_secret(
                    owner, resolved.path
                ):
                    problems.append(_against_policy(owner, resolved, refs[name].span))
            problems += [
                SecretProblem(
                    reference=ref.text, message=problem.message, help=problem.help, spans=(ref.span,)
                )
                for ref, problem in wrong
            ]
        if problems:
            raise SecretsError("secret references cannot be used", problems=tuple(problems))
        for scheme in sorted({ref.scheme for ref in places}):
            try:
                self._values |= await self._source(scheme).read(
                    [ref for ref in places if ref.scheme == scheme]
                )
            except SecretsError as error:
                if not error.problems:
                    raise
                own = {ref: found for ref, found in places.items() if ref.scheme == scheme}
                problems += [_placed(problem, own) for problem in error.problems]
        problems = [self._or_login(problem) for problem in problems]
        if problems:
            count = len(problems)
            raise SecretsError(
                f"{count} secret{'s are' if count > 1 else ' is'} unavailable", problems=tuple(problems)
            )
        for ref, secret in self._values.items():
            self.redactor.add(secret.reveal(), ref.label)
        for label in self.redactor.short:
            self.warn(f"the secret {label} has under 6 characters: it is not searched for in output")

    def check_certificates(self) -> None:
        """Read the certificates of the connections, after `open`; raises SecretsError with all problems."""
        names = calls.connections(self.project, self.workflow)
        self._channels.check([self.project.connections[name] for name in names], self.warn)

    async def close(self) -> None:
        """Close connections and end what the secret sources began."""
        try:
            for authenticator in self._authenticators.values():
                await authenticator.close()
            if self._client is not None:
                await self._client.close()
        finally:
            for source in self._sources.values():
                await source.close()

    @property
    def client(self) -> Client:
        """The HTTP client, made when the first request is sent."""
        if self._client is None:
            self._client = Client(environ=self._environ)
        return self._client

    def connection(self, name: str) -> Connection:
        """Give a connection that checking has proven to exist."""
        return self.project.connections[name]

    def secret(self, ref: SecretRef) -> Secret:
        """Give the value of a reference that `open` has read."""
        done, _ = resolved_refs(self.project, {"": ref}, self.plan)
        return self._values[done[""]]

    def workflow_of(self, ref: JsonObject) -> Workflow:
        """Give the workflow of a reference: that of the run, or one that it calls."""
        name = ref.get("workflow", self.workflow.name)
        return self.workflow if name == self.workflow.name else self.project.workflows[name]

    def limits_of(self, workflow: Workflow) -> Limits:
        """Give the limits of a workflow: those of the run's own, or of one that it calls."""
        if workflow is self.workflow:
            return self.limits
        if workflow.name not in self._called_limits:
            self._called_limits[workflow.name] = bind_limits(self.project.limits, workflow.limits)
        return self._called_limits[workflow.name]

    def workflow_secrets(self, workflow: Workflow) -> dict[str, str]:
        """Give the values behind `secrets.NAME`, for the wire face of a rendering."""
        return {name: self.secret(ref).reveal() for name, ref in workflow.secrets.items()}

    def secret_inputs(self) -> dict[str, str]:
        """Give the values of secret inputs, for the wire face of a rendering."""
        return {name: secret.reveal() for name, secret in self.plan.secret_inputs.items()}

    def keep_sensitive(self, key: str, value: Any) -> None:
        """Hold the output of a sensitive action, and search for its texts from now on."""
        self.sensitive[key] = value
        self._listed.pop(key.rpartition("[")[0], None)
        self.redactor.add_all(value, f"actions.{key}.output")

    def sensitive_output(self, key: str, items: int | None = None) -> Any:
        """Give the output that was kept under a key, or those of so many items; null for an item that has none."""
        if items is None:
            return self.sensitive[key]
        if len(self._listed.get(key, ())) != items:  # each item of the next action reads the list of all
            self._listed[key] = [self.sensitive.get(f"{key}[{index}]") for index in range(items)]
        return self._listed.get(key, [])

    def throttle(self, connection: Connection) -> Throttle:
        """Give the queue that every request through a connection passes."""
        if connection.name not in self.throttles:
            self.throttles[connection.name] = Throttle(
                connection.concurrency, connection.rate_limit, clock=self.clock, sleep=self.sleep
            )
        return self.throttles[connection.name]

    def authenticator(self, connection: Connection) -> Authenticator:
        """Give what adds a connection's credentials to its requests."""
        if connection.name not in self._authenticators:
            module = registry.load("auth", connection.type)
            fields = self.auth_fields(connection)
            with fields_of(connection):
                check_fields(connection, getattr(module, "MULTILINE_FIELDS", frozenset()), fields)
                made: Authenticator = module.Authenticator(
                    connection.auth, fields, ConnectionMeans(self, connection)
                )
            self._authenticators[connection.name] = made
        return self._authenticators[connection.name]

    def auth_fields(self, connection: Connection) -> dict[str, Secret | str]:
        """Give the texts of `auth`, typed in or from references, as far as they are known."""
        fields = typed_in(connection)
        done, _ = resolved_refs(self.project, connection.auth_secrets, self.plan)
        return fields | {name: self._values[ref] for name, ref in done.items() if ref in self._values}

    async def prepared(self, connection: Connection) -> Authenticator:
        """Give what adds a connection's credentials, ready to do so; the secrets for that are read once more where they are refused."""
        made = self.authenticator(connection)
        with fields_of(connection):
            try:
                await made.prepare()
            except FailureError as problem:
                refused = problem.failure.kind is FailureKind.UNAUTHORIZED
                if not refused or not await self._replaced(connection, made):
                    raise
                made = self.authenticator(connection)
                await made.prepare()
        return made

    async def _replaced(self, connection: Connection, refused: Authenticator) -> bool:
        async with self._renewing.setdefault(connection.name, asyncio.Lock()):
            if self._authenticators.get(connection.name) is not refused:
                return True
            if self._refused.get(connection.name) is refused:
                return False
            self._refused[connection.name] = refused
            return await self._read_again(connection)

    def store(self, ref: SecretRef) -> StoredPath | None:
        """Give the path of a reference as something that is written back; None where its source only reads."""
        done, _ = resolved_refs(self.project, {"": ref}, self.plan)
        draft = self._drafts.get(done[""].path)
        return draft if draft is not None else self._source(ref.scheme).store(done[""])

    async def refresh(self, connection: Connection, refused: Refused, used: Authenticator) -> bool:
        """After a 401: get other credentials, by the auth type or because the secret in Vault has changed.

        `used` is what the refused request was sent with: of many that are refused at once, one gets them for all.
        """
        async with self._renewing.setdefault(connection.name, asyncio.Lock()):
            if self._authenticators.get(connection.name) is not used:
                return True
            failed: FailureError | None = None
            try:
                with fields_of(connection):
                    if await used.refresh(refused):
                        return True
            except FailureError as problem:  # a login with the old password, say
                if problem.failure.kind is not FailureKind.UNAUTHORIZED:
                    raise
                failed = problem
            changed = await self._read_again(connection)
            if failed is not None and not changed:
                raise failed
            return changed

    async def _read_again(self, connection: Connection) -> bool:
        """Read the secrets of a connection again; tells whether one has changed."""
        changed = False
        done, _ = resolved_refs(self.project, connection.secrets, self.plan)
        for ref in sorted(set(done.values()) - self._given, key=lambda ref: ref.label):
            try:
                fresh = await self._source(ref.scheme).reread(ref)
            except SecretsError as error:
                told = "; ".join(problem.message for problem in error.problems) or error.message
                self.warn(f"after a 401 the secret {ref.label} could not be read again: {told}")
                continue
            if fresh is not None:
                self.redactor.add(fresh.reveal(), ref.label)
                self._values[ref] = fresh
                changed = True
        if changed:
            self._channels.forget(connection)
            replaced = self._authenticators.pop(connection.name, None)
            if replaced is not None:
                await replaced.close()
        return changed

    def secret_parts(
        self, connection: Connection
    ) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
        """Give the secret headers and query parameters of a connection, for its own origin only."""

        def revealed(parts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
            refs = [(name, ref) for name, ref in parts.items() if isinstance(ref, SecretRef)]
            return tuple((name, self.secret(ref).reveal()) for name, ref in refs)

        return revealed(connection.headers), revealed(connection.query)

    def proxy(self, connection: Connection, render: Callable[[Template], Any]) -> str | None:
        """Give the URL of a connection's own proxy, with its credentials; None where it names none."""
        return self._channels.proxy(connection, render)

    def channel(
        self,
        connection: Connection | None,
        origin: str | None,
        proxy: str | None,
        limits: Limits | None = None,
    ) -> Channel:
        """Say how a connection is reached, by the limits of a workflow, else the run's; raises FailureError for bad certificates."""
        connect = (limits or self.limits).connect
        if connection is None:
            return Channel(origin=origin, connect_timeout=connect)
        return self._channels.channel(connection, origin, proxy, connect_timeout=connect)

    def _revealed(self, ref: SecretRef) -> str:
        return self.secret(ref).reveal()

    def _every_refs(self) -> list[tuple[str, Mapping[str, SecretRef]]]:
        """List what the run may read, with its owner as the policy names it."""
        connections = self.project.connections
        names = calls.connections(self.project, self.workflow)
        found = [(name, connections[name].secrets) for name in names if name in connections]
        reached = calls.reached(self.project, self.workflow)
        return [*((f"workflow:{each.name}", each.secrets) for each in reached), *found]

    def _or_login(self, problem: SecretProblem) -> SecretProblem:
        """Say of a secret that is not there how a login stores it."""
        for name, connection in self.project.connections.items() if problem.absent else ():
            for ref in connection.auth_secrets.values():
                if ref.span in problem.spans and ref.scheme == "vault" and ref.version is None:
                    remedy = f"{problem.help}; a login stores it: runner connections login {name}"
                    return dataclasses.replace(problem, help=remedy)
        return problem

    def _source(self, scheme: str) -> SecretSource:
        if scheme not in self._sources:
            if scheme == "env":
                from runner.secrets.env import EnvSource

                self._sources[scheme] = EnvSource(self._environ, register=self.redactor.add)
            else:
                from runner.secrets.vault import VaultSource

                self._sources[scheme] = VaultSource(
                    self.project.vault,
                    self._environ,
                    warn=self.warn,
                    run_timeout=self._timeout,
                    register=self.redactor.add,
                    directory=self.project.root,
                )
        return self._sources[scheme]


def _against_policy(owner: str, ref: ResolvedRef, span: Span) -> SecretProblem:
    return SecretProblem(
        reference=ref.label,
        message=f"the policy of the project does not permit '{owner}' to name this path",
        help="`policy.secrets` in runner.yaml says so",
        spans=(span,),
    )


def _placed(problem: SecretProblem, places: Mapping[ResolvedRef, list[Span]]) -> SecretProblem:
    """Add the places of the references that a problem names: several, by comma, where it concerns the whole server."""
    names, _, more = problem.reference.partition(" and ")
    listed = set(names.split(", ")) | {problem.reference}
    everything = more.endswith(" more") and more.removesuffix(" more").isdecimal()
    spans = [span for ref, found in places.items() if everything or ref.label in listed for span in found]
    return dataclasses.replace(problem, spans=tuple(sorted(set(spans))))
