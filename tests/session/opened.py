"""A session that is opened, used and closed, with a source of secrets that has a plan."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from runner.errors import JsonObject, SecretProblem, SecretsError
from runner.plan import Plan
from runner.project import Project
from runner.secret_ref import ResolvedRef
from runner.sensitive import Redactor, Secret
from runner.session import Session
from tests.projects import finished, planned

Environ = dict[str, str]


def opened(
    project: Project,
    test: Callable[[Session], Awaitable[Any]],
    *,
    environ: Mapping[str, str] | None = None,
    plan: Plan | None = None,
    source: Any = None,
    warnings: list[str] | None = None,
    redactor: Redactor | None = None,
) -> Any:
    """Open a session for the workflow `main`, use it, close it."""

    async def whole() -> Any:
        session = Session(
            project,
            plan or planned(project),
            project.workflows["main"],
            environ=environ or {},
            redactor=redactor or Redactor(),
            warn=(warnings if warnings is not None else []).append,
        )
        if source is not None:
            session._sources["vault"] = source
        try:
            await session.open()
            return await test(session)
        finally:
            await session.close()

    return finished(whole())


async def nothing(_: Session) -> None:
    """Open and close."""


def problems(project: Project, **options: Any) -> list[tuple[str, str, list[str]]]:
    """Give reference, message and places of every problem of opening."""
    with pytest.raises(SecretsError) as caught:
        opened(project, nothing, **options)
    return [
        (problem.reference, problem.message, [str(span) for span in problem.spans])
        for problem in caught.value.problems
    ]


class Source:
    """A secret source with a plan: values by label; the rest are problems."""

    def __init__(self, values: Mapping[str, str], problems: Sequence[SecretProblem] = ()) -> None:
        self.values = dict(values)
        self.problems = tuple(problems)
        self.asked: list[list[str]] = []
        self.closed = 0
        self.fresh: dict[str, str | SecretsError] = {}

    async def read(self, refs: Sequence[ResolvedRef]) -> dict[ResolvedRef, Secret]:
        self.asked.append([ref.label for ref in refs])
        if self.problems:
            raise SecretsError("not there", problems=self.problems)
        return {ref: Secret(self.values[ref.label], ref.label) for ref in refs}

    async def reread(self, ref: ResolvedRef) -> Secret | None:
        found = self.fresh.get(ref.label)
        if isinstance(found, SecretsError):
            raise found
        return None if found is None else Secret(found, ref.label)

    async def close(self) -> None:
        self.closed += 1


def bearer(reference: str, url: str = "http://127.0.0.1:9") -> JsonObject:
    return {"type": "bearer", "base_url": url, "shared": True, "auth": {"token": reference}}
