"""Projects written from values in a test, runs of them in this process, and single actions with a clock of their own."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.bind import limits
from runner.check import check
from runner.client import Client
from runner.diagnostics import Severity
from runner.errors import JsonObject
from runner.history.keeper import Keeper
from runner.inputs import read_inputs
from runner.perform import Watcher, perform
from runner.plan import Plan, resolve
from runner.project import Project
from runner.result import ActionResult, RunResult
from runner.run import execute
from runner.sensitive import Redactor
from runner.session import Session
from runner.watching import Stop
from tests.garbage import collected
from tests.rules.projects import loaded

Files = Mapping[str, Any]


def make(root: Path, files: Files, *, environment: str | None = None) -> Project:
    """Write a project and read it; it must have no errors. Values that are no text are written as JSON, which is YAML."""
    texts = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in files.items()
    }
    project = loaded(root, texts, environment=environment)
    errors = [item for item in check(project) if item.severity is Severity.ERROR]
    assert not errors, errors
    return project


def simple(
    root: Path,
    actions: Sequence[JsonObject],
    *,
    url: str = "http://127.0.0.1:9",
    connection: JsonObject | None = None,
    **workflow: Any,
) -> Project:
    """Make a project of one workflow `main` and one connection `api` at a URL."""
    api = {"type": "none", "base_url": url, "shared": True, **(connection or {})}
    return make(
        root, {"connections.d/api.yaml": api, "workflows.d/main.yaml": {**workflow, "actions": list(actions)}}
    )


def request(
    id: str, method: str = "GET", path: str = "/", *, more: JsonObject | None = None, **fields: Any
) -> JsonObject:
    """Write a request through the connection `api`; `fields` belong to the request, `more` to the action."""
    return {
        "id": id,
        "connection": "api",
        "request": {"method": method, "path": path, **fields},
        **(more or {}),
    }


@dataclass
class Watched:
    """An observer that remembers."""

    events: list[tuple[str, str]] = field(default_factory=list)
    retries: list[JsonObject] = field(default_factory=list)
    queues: list[JsonObject] = field(default_factory=list)
    pages: list[tuple[str, int, int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    progress: list[tuple[str, int, int, int]] = field(default_factory=list)
    when_started: Callable[[str], None] | None = None
    when_finished: Callable[[ActionResult], None] | None = None

    def started(self, key: str, data: JsonObject) -> None:
        self.events.append(("started", key))
        if self.when_started:
            self.when_started(key)

    def retrying(self, key: str, data: JsonObject) -> None:
        self.events.append(("retrying", key))
        self.retries.append(data)

    def advanced(self, key: str, counts: JsonObject) -> None:
        self.progress.append((key, counts["done"], counts["failed"], counts["items"]))

    def queued(self, key: str, data: JsonObject) -> None:
        self.queues.append({"key": key, **data})

    def paged(self, key: str, data: JsonObject) -> None:
        self.pages.append((key, data["page"], data["items"]))

    def finished(self, result: ActionResult) -> None:
        self.events.append((result.status.value, result.key))
        if self.when_finished:
            self.when_finished(result)

    def warned(self, text: str) -> None:
        self.warnings.append(text)


@dataclass
class Ran:
    """A run that is over."""

    result: RunResult
    watched: Watched
    redactor: Redactor

    def action(self, key: str) -> ActionResult:
        return next(item for item in self.result.actions if item.key == key)

    @property
    def statuses(self) -> dict[str, str]:
        return {item.key: item.status.value for item in self.result.actions}

    @property
    def failure(self) -> tuple[str, str]:
        assert self.result.error is not None, self.result
        return self.result.error.kind.value, self.result.error.message


def run(
    project: Project,
    *,
    workflow: str = "main",
    inputs: Sequence[str] = (),
    input_file: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    user: str | None = None,
    timeout: float | None = None,
    stop: Callable[[Stop], None] | None = None,
    watched: Watched | None = None,
    client: Callable[[], Client] | None = None,
    redactor: Redactor | None = None,
    keeper: Keeper | None = None,
    state: Path | None = None,
    tell: Callable[[str], None] | None = None,
) -> Ran:
    """Run a workflow; no task and no socket may be left behind. A keeper is closed at the end."""
    environ = environ or {}
    watched = watched or Watched()
    redactor = redactor or Redactor()
    plan = planned(project, workflow, inputs=inputs, input_file=input_file, environ=environ, user=user)

    async def whole() -> RunResult:
        stopping = Stop()
        if stop is not None:
            stop(stopping)
        result = await execute(
            project,
            plan,
            environ=environ,
            redactor=redactor,
            observer=watched,
            timeout=timeout,
            stop=stopping,
            client=client() if client else None,
            keeper=keeper,
            state=state,
            tell=tell,
        )
        await assert_alone()
        return result

    with keeper or nullcontext():
        return Ran(finished(whole()), watched, redactor)


async def assert_alone() -> None:
    """No task is left behind in this loop; what was just cancelled, or is collected as garbage, may take its leave."""
    for _ in range(20):
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if not others:
            return
        await asyncio.sleep(0)
    raise AssertionError(others)


def planned(
    project: Project,
    workflow: str = "main",
    *,
    inputs: Sequence[str] = (),
    input_file: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Plan:
    values = read_inputs(project.workflows[workflow], inputs, input_file, environ or {})
    return resolve(project, workflow, inputs=values, user=user)


def finished(work: Awaitable[Any]) -> Any:
    """Run to the end; a socket that was left open warns now, and a warning fails the test."""

    async def whole() -> Any:
        return await work

    with collected():
        return asyncio.run(whole(), debug=False)


@dataclass
class Clock:
    """A time that only waits move on."""

    seconds: float = 1_700_000_000.0
    waits: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


@dataclass
class Bench:
    """Performs single actions of one project in one session after the other, without waiting for anything."""

    project: Project
    clock: Clock
    environ: Mapping[str, str] = field(default_factory=dict)
    jitter: Callable[[], float] = lambda: 1.0
    redactor: Redactor = field(default_factory=Redactor)
    warnings: list[str] = field(default_factory=list)
    retries: list[JsonObject] = field(default_factory=list)
    queues: list[JsonObject] = field(default_factory=list)
    client: Callable[[], Client] | None = None
    inputs: Mapping[str, Any] | None = None
    after_each: Callable[[], object] = lambda: None

    def perform(
        self, *keys: str, workflow: str = "main", states: JsonObject | None = None, user: str | None = None
    ) -> Any:
        """Perform actions in one session; gives the result of the only one, or a list."""
        results = finished(self._perform(keys, workflow, states or {}, user))
        return results[0] if len(keys) == 1 else results

    async def _perform(
        self, keys: Sequence[str], workflow: str, states: JsonObject, user: str | None
    ) -> list[JsonObject]:
        plan = planned(self.project, workflow, input_file=self.inputs, environ=self.environ, user=user)
        found = self.project.workflows[workflow]
        session = Session(
            self.project,
            plan,
            found,
            environ=self.environ,
            redactor=self.redactor,
            warn=self.warnings.append,
            now=self.clock.now,
            clock=self.clock.now,
            sleep=self.clock.sleep,
            jitter=self.jitter,
            limits=limits(self.project.limits, found.limits),
            client=self.client() if self.client else None,
        )
        done = []
        try:
            await session.open()
            for key in keys:
                ref: JsonObject = {
                    "action": key,
                    "inputs": plan.inputs,
                    "vars": dict(self.project.vars),
                    "actions": states,
                    "run": {
                        "id": "run-1",
                        "workflow": workflow,
                        "started_at": "2026-01-01T00:00:00Z",
                        "user": user,
                    },
                }
                done.append(await perform(ref, session, _Waits(self.retries, self.queues)))
                self.after_each()
                kept: JsonObject = {
                    name: done[-1][name] for name in ("status", "output", "response") if name in done[-1]
                }
                if "sensitive" in done[-1]:
                    kept["sensitive"] = {"key": key}
                states = {**states, key: kept}
            await assert_alone()
        finally:
            await session.close()
        return done


class _Waits(Watcher):
    __slots__ = ("_queues", "_retries")

    def __init__(self, retries: list[JsonObject], queues: list[JsonObject]) -> None:
        self._retries = retries
        self._queues = queues

    def retrying(self, key: str, data: JsonObject) -> None:
        self._retries.append({"key": key, **data})

    def queued(self, key: str, data: JsonObject) -> None:
        self._queues.append({"key": key, **data})


def bench(project: Project, **options: Any) -> Bench:
    """Make a bench whose clock stands still while nobody waits for it."""
    return Bench(project, options.pop("clock", None) or Clock(), **options)


def tries(result: JsonObject) -> int:
    """How many requests the record of an action has."""
    return len(result["record"]["attempts"])


def safe_id(text: str) -> str:
    """Make an action's id from any text."""
    return re.sub(r"[^a-z0-9_]", "_", text.lower())
