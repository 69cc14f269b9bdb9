"""`vault://MOUNT/PATH#FIELD`: secrets from HashiCorp Vault or OpenBao.

One login per run, each path read once, everything in memory. `settings` says how to reach Vault, `login/` how to log
in, `session` keeps the login alive, `engines` reads paths, `kv_store` writes back, `explain` puts
what went wrong into words. hvac and
requests are imported by `transport` alone, when the first reference is read.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.errors import SecretProblem, SecretsError
from runner.secret_ref import ResolvedRef
from runner.secrets.vault.client import VaultClient
from runner.secrets.vault.config_schema import CONFIG_SCHEMA
from runner.secrets.vault.credentials import Credentials
from runner.secrets.vault.engines import Answer, Mounts, read_path, text_of
from runner.secrets.vault.explain import RefusedError, VaultProblemError, scrub
from runner.secrets.vault.kv_store import KvStore
from runner.secrets.vault.renewal import Grant
from runner.secrets.vault.session import VaultSession
from runner.sensitive import Secret

__all__ = ["CONFIG_SCHEMA", "VaultSource"]

Key = tuple[str, int | None]
NAMED = 3
"""How many references a problem of the whole server names."""


class VaultSource:
    """Reads secret references from Vault, for one run. Making it neither reads nor asks anything.

    `config` is `vault` of runner.yaml, already checked; its paths are relative to `directory`. `register` is told
    of every credential that is read or obtained, and of every value, before anything can be done with it.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        environ: Mapping[str, str],
        *,
        warn: Callable[[str], None],
        run_timeout: float | None = None,
        register: Callable[[str, str], None] | None = None,
        directory: Path | None = None,
    ) -> None:
        directory = directory or Path()
        self._warn = warn
        self._run_timeout = run_timeout
        self._register = register
        self._credentials = Credentials(environ, directory, register)
        self._session = VaultSession(
            config,
            environ,
            warn=warn,
            directory=directory,
            credentials=self._credentials,
            run_timeout=run_timeout,
        )
        self._mounts = Mounts()
        self._answers: dict[Key, asyncio.Task[tuple[int, Answer]]] = {}
        self._given: dict[ResolvedRef, str] = {}

    async def read(self, refs: Sequence[ResolvedRef]) -> dict[ResolvedRef, Secret]:
        """Read all references; raises SecretsError with every problem."""
        wanted = tuple(dict.fromkeys(refs))
        keys = tuple(dict.fromkeys((ref.path, ref.version) for ref in wanted))
        outcomes = dict(
            zip(keys, await asyncio.gather(*map(self._answer, keys), return_exceptions=True), strict=True)
        )
        values: dict[ResolvedRef, str] = {}
        problems: list[tuple[ResolvedRef, VaultProblemError]] = []
        for ref in wanted:
            outcome = outcomes[ref.path, ref.version]
            try:
                if isinstance(outcome, BaseException):
                    raise outcome
                values[ref] = text_of(outcome, ref.path, ref.field)
            except VaultProblemError as problem:
                problems.append((ref, problem))
        if problems:
            raise self._failed(problems)
        return {ref: self._give(ref, value) for ref, value in values.items()}

    async def reread(self, ref: ResolvedRef) -> Secret | None:
        """Read one reference again, for a credential that an API refuses; None where its value is still the same.

        A pinned version never changes. Where the path was already read again for another of its fields, that answer
        is used: user name and password of a dynamic secret must come from one lease.
        """
        before = self._given.get(ref)
        if ref.version is not None and before is not None:
            return None
        key = (ref.path, ref.version)
        known = self._answers.get(key)
        try:
            if known is not None and before is not None:
                value = text_of(await self._answer(key), ref.path, ref.field)
                if value == before and self._answers.get(key) is known:
                    del self._answers[key]
            value = text_of(await self._answer(key), ref.path, ref.field)
        except VaultProblemError as problem:
            raise self._failed([(ref, problem)]) from None
        return None if value == before else self._give(ref, value)

    def store(self, ref: ResolvedRef) -> KvStore:
        """Give the path of a reference as something that is written back; asks nothing yet."""
        return KvStore(self._session, self._mounts, ref.path, self._credentials.known)

    async def close(self) -> None:
        """Stop renewing; end the token that the run obtained itself, never one that it was given."""
        for task in self._answers.values():
            task.cancel()
        await self._session.close()

    async def _answer(self, key: Key) -> Answer:
        """Read a path once, however many want it; a failure and a lease of an earlier login are not kept."""
        task = self._answers.get(key)
        if task is not None and task.done() and self._stale(task):
            task = None
        if task is None:
            task = asyncio.create_task(self._read(key))
            # Looks at the error, so that asyncio does not complain of it where every waiter was cancelled.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._answers[key] = task
        return (await asyncio.shield(task))[1]

    def _stale(self, task: asyncio.Task[tuple[int, Answer]]) -> bool:
        if task.cancelled() or task.exception() is not None:
            return True
        generation, answer = task.result()
        return bool(answer.lease_id) and generation != self._session.generation

    async def _read(self, key: Key) -> tuple[int, Answer]:
        path, version = key
        answer = await self._session.call(lambda client: read_path(client, self._mounts, path, version))
        generation = self._session.generation
        if answer.lease_id and answer.lease_seconds:
            self._keep(path, answer, generation)
        return generation, answer

    def _keep(self, path: str, answer: Answer, generation: int) -> None:
        """See to it that a lease lasts as long as the run, or say that it will not."""
        seconds, run = answer.lease_seconds, self._run_timeout
        token = self._session.fixed_end
        if run and token and token < run:
            self._warn(
                f"the credentials from '{path}' end with the Vault token in {token:.0f} s, which cannot be renewed; "
                f"the run may take {run:.0f} s"
            )
        elif run and seconds < run and not answer.renewable:
            self._warn(
                f"the credentials from '{path}' end in {seconds:.0f} s and cannot be renewed; "
                f"the run may take {run:.0f} s"
            )
        if not answer.renewable:
            return

        def renew(client: VaultClient) -> Grant:
            try:
                return Grant.of(client.renew_lease(answer.lease_id, round(seconds)))
            except RefusedError as refused:
                if refused.token_dead:
                    raise
                said, passing = refused.said or f"status {refused.status}", refused.status >= 500
                raise VaultProblemError(said, help="", passing=passing) from None

        async def again() -> Grant | None:
            if generation != self._session.generation:
                return None  # the lease has died with the token it was given to
            return await self._session.call(renew)

        self._session.renewals.keep(f"the lease of '{path}'", seconds, again)

    def _give(self, ref: ResolvedRef, value: str) -> Secret:
        if self._register:
            self._register(value, ref.label)
        self._given[ref] = value
        return Secret(value, ref.label)

    def _failed(self, found: Sequence[tuple[ResolvedRef, VaultProblemError]]) -> SecretsError:
        """Make the one error of all problems; what concerns the whole server stands in it once."""
        everywhere: dict[tuple[str, str], list[ResolvedRef]] = {}
        problems: list[SecretProblem] = []
        for ref, problem in found:
            message, remedy = self._safe(problem.message), self._safe(problem.help)
            if problem.everywhere:
                everywhere.setdefault((message, remedy), []).append(ref)
            else:
                problems.append(
                    SecretProblem(reference=ref.label, message=message, help=remedy, absent=problem.absent)
                )
        general = [
            SecretProblem(reference=_names(refs), message=message, help=remedy)
            for (message, remedy), refs in everywhere.items()
        ]
        problems = [*general, *problems]
        if len(problems) == 1:
            return SecretsError(problems[0].message, help=problems[0].help, problems=tuple(problems))
        return SecretsError(f"{len(found)} secrets could not be read from Vault", problems=tuple(problems))

    def _safe(self, text: str) -> str:
        return scrub(text, self._credentials.known)


def _names(refs: Sequence[ResolvedRef]) -> str:
    shown = ", ".join(ref.label for ref in refs[:NAMED])
    return shown if len(refs) <= NAMED else f"{shown} and {len(refs) - NAMED} more"
