"""`env://NAME`: secrets from the environment, for development and for CI without Vault."""

import os
from collections.abc import Callable, Mapping, Sequence

from runner.errors import SecretProblem, SecretsError
from runner.secret_ref import ResolvedRef
from runner.sensitive import Secret


class EnvSource:
    """Reads environment variables. An empty variable is as good as none: both are reported."""

    def __init__(
        self, environ: Mapping[str, str] | None = None, *, register: Callable[[str, str], None] | None = None
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self._register = register
        self._given: dict[ResolvedRef, str] = {}

    async def read(self, refs: Sequence[ResolvedRef]) -> dict[ResolvedRef, Secret]:
        """Read all variables; raises SecretsError with one problem for each that has no value."""
        wanted = tuple(dict.fromkeys(refs))
        problems = tuple(self._missing(ref) for ref in wanted if not self._environ.get(ref.path))
        if problems:
            count = len(problems)
            message = problems[0].message if count == 1 else f"{count} secrets are not in the environment"
            raise SecretsError(message, help=problems[0].help if count == 1 else None, problems=problems)
        return {ref: self._give(ref, self._environ[ref.path]) for ref in wanted}

    async def reread(self, ref: ResolvedRef) -> Secret | None:
        """Read one variable again. It changes only where the program itself changes it, so mostly None."""
        value = self._environ.get(ref.path)
        if not value or value == self._given.get(ref):
            return None
        return self._give(ref, value)

    def store(self, ref: ResolvedRef) -> None:
        """Have nothing that could be written back."""

    async def close(self) -> None:
        """End nothing: the environment needs no farewell."""

    def _missing(self, ref: ResolvedRef) -> SecretProblem:
        state = "is empty" if ref.path in self._environ else "is not set"
        return SecretProblem(
            reference=ref.label,
            message=f"the environment variable {state}",
            help=f"set {ref.path} before the run, or use a vault:// reference",
        )

    def _give(self, ref: ResolvedRef, value: str) -> Secret:
        if self._register:
            self._register(value, ref.label)
        self._given[ref] = value
        return Secret(value, ref.label)
