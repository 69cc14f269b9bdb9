"""What the interpreter is driven by in tests: a scope that follows a script, a loop without time, and workflows of steps."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from runner.engine import Interpreter, Outcome
from runner.errors import Failure, FailureKind, JsonObject
from runner.invocation import Invocation
from runner.items import Block
from runner.project import Project
from runner.result import ActionResult
from runner.scope import StepFailedError
from tests.projects import make, planned

RUN = {"id": "run-1", "workflow": "main", "started_at": "2026-01-01T00:00:00Z", "user": "ann", "digest": "d1"}


def ok(output: Any = None, **more: Any) -> JsonObject:
    return {"status": "succeeded", "output": output, "record": {}, **more}


def failed(message: str = "it broke", kind: FailureKind = FailureKind.CONNECTION) -> JsonObject:
    return {"status": "failed", "error": Failure(kind=kind, message=message).to_json(), "record": {}}


@dataclass
class Script:
    """A scope whose steps give what the script says for their key; anything else succeeds with its key."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    refs: dict[str, JsonObject] = field(default_factory=dict)
    settled_results: list[ActionResult] = field(default_factory=list)
    stopped: bool | None = None
    parent: Self | None = None
    progress: list[tuple[str, int, int, int]] = field(default_factory=list)
    held: Sequence[str] = ()
    exhausted: list[str] = field(default_factory=list)
    depth: int = 0
    timeout: float | None = None

    async def step(self, key: str, ref: JsonObject) -> JsonObject:
        self.log.append(("" if self.parent is None else "cleanup:") + key)
        self.refs[key] = ref
        answer = self.answers.get(key, ok(key))
        for _ in range(20 if key in self.held else 0):  # the others get their turns first
            await asyncio.sleep(0)
        if isinstance(answer, BaseException):
            raise answer
        if answer["status"] == "failed" and not ref["handled"]:
            raise StepFailedError(answer)
        return dict(answer)

    async def block(self, key: str, block: Block) -> JsonObject:
        return await block.run(self)

    def advanced(self, key: str, counts: JsonObject) -> None:
        self.progress.append((key, counts["done"], counts["failed"], counts["items"]))

    async def call(self, key: str, invocation: Invocation) -> JsonObject:
        return await invocation.run(self)

    def ran_out(self, key: str) -> None:
        self.exhausted.append(key)

    def called(self, key: str, timeout: float | None) -> "Script":
        return replace(self, parent=self.parent, depth=self.depth + 1, timeout=timeout)

    async def sleep(self, key: str, seconds: float) -> None:
        self.log.append(f"{key} {seconds}")
        answer = self.answers.get(key)
        if isinstance(answer, BaseException):
            raise answer

    async def wait(self, key: str, topic: str, timeout: float) -> JsonObject:  # noqa: ASYNC109 - the seam's signature
        raise AssertionError(key)

    def settled(self, result: ActionResult) -> None:
        self.settled_results.append(result)

    def cleanup(self, *, stopped: bool) -> "Script":
        assert self.stopped is None, "one cleanup scope for the run"
        self.stopped = stopped
        return Script(self.answers, self.log, self.refs, self.settled_results, stopped, self)


@dataclass
class Interpreted:
    outcome: Outcome
    script: Script

    @property
    def log(self) -> list[str]:
        return self.script.log

    @property
    def statuses(self) -> dict[str, str]:
        return {item.key: item.status.value for item in self.outcome.results}

    @property
    def reasons(self) -> dict[str, str | None]:
        return {item.key: item.reason for item in self.outcome.results if item.reason}

    def result(self, key: str) -> ActionResult:
        return next(item for item in self.outcome.results if item.key == key)


class Timeless(asyncio.SelectorEventLoop):
    """A loop without timers: the interpreter may wait for its scope and its own tasks, and for nothing else."""

    def call_at(self, *args: Any, **more: Any) -> Any:  # type: ignore[override]
        raise AssertionError("it waits for a time")


def drive(work: Any) -> Any:
    with asyncio.Runner(loop_factory=Timeless) as runner:
        return runner.run(work)


def interpret(
    root: Path,
    workflow: JsonObject,
    answers: Mapping[str, Any] | None = None,
    held: Sequence[str] = (),
    **inputs: Any,
) -> Interpreted:
    project = project_of(root, workflow)
    script = Script(answers or {}, held=held)
    plan = planned(project, input_file=inputs, user="ann")
    interpreter = Interpreter(project, project.workflows["main"], plan, dict(RUN), script)
    return Interpreted(drive(interpreter.interpret()), script)


def project_of(root: Path, workflow: JsonObject) -> Project:
    return make(root, {"runner.yaml": {"vars": {"site": "eu"}}, "workflows.d/main.yaml": workflow})


def step(id: str, **more: Any) -> JsonObject:
    return {"id": id, "request": {"url": "http://127.0.0.1:9/"}, **more}


def reading(id: str, text: str, **more: Any) -> JsonObject:
    """Make an action that sends what a template gives."""
    return step(id, **more, request={"url": "http://127.0.0.1:9/", "headers": {"X-Read": text}})


THREE = [step("a"), step("b"), step("c")]
