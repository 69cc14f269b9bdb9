"""Runs in this process and remembers: what a step gave is written down, and a resumed run takes it from there.

The doing is left to the stateless backend; this one decides whether a step is done at all, and writes before and after.
`docs/history.md` says what that is worth when a process is killed.
"""

import time
from typing import Any

from runner.endings import Newest
from runner.errors import Failure, FailureKind, JsonObject
from runner.frozen import dataclass
from runner.history import keeping
from runner.history.journal import Journal
from runner.history.keeping import Needs
from runner.history.runs import Step
from runner.history.state import HistoryError
from runner.invocation import Invocation
from runner.items import Block
from runner.model import Action
from runner.perform import action_of
from runner.project import Project
from runner.result import ActionResult
from runner.scope import SLEEP, RunStoppedError, Scope, StepFailedError, is_repetition, without_repetition
from runner.sensitive import MASK
from runner.session import Session


class Recorder:
    """What the scopes of one execution share: the journal, the session, and what the files say of each action."""

    def __init__(self, project: Project, session: Session, journal: Journal) -> None:
        self.session = session
        self.journal = journal
        self.performed: set[str] = set()
        self._project = project
        self._needs: dict[str, Needs] = {}
        self._known: dict[tuple[str, str], _About] = {}

    def about(self, ref: JsonObject) -> "_About":
        """Say what matters of the action of a reference."""
        name = (str(ref["workflow"]), str(ref["action"]))
        if name not in self._known:
            if name[0] not in self._needs:
                self._needs[name[0]] = Needs(self._project.workflows[name[0]])
            self._known[name] = _about(self._project, action_of(self.session, ref), self._needs[name[0]])
        return self._known[name]

    def event(self, result: ActionResult) -> None:
        """Write how an action ended into the timeline."""
        data: JsonObject = {"key": result.key, "kind": result.kind, "status": result.status.value}
        for name in ("name", "connection", "reason"):
            if getattr(result, name):
                data[name] = getattr(result, name)
        if result.error is not None:
            data["error"] = result.error.to_json()
            data["handled"] = result.handled
        data |= keeping.record(result.record)
        self.journal.event(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """An action, as far as it matters here: whether it only computes, may be repeated, and what of it is read."""

    pure: bool
    harmless: bool
    output: bool
    response: bool


def _about(project: Project, action: Action, needs: Needs) -> _About:
    connection = project.connections.get(action.connection or "")
    return _About(
        pure=action.kind in keeping.PURE,
        harmless=keeping.harmless(action, connection),
        output=needs.output(action.id),
        response=needs.response(action.id),
    )


class HistoryScope:
    """A scope that writes down what the one inside it does, and does nothing twice that is written down as done.

    What an execution before `floor` wrote does not count.
    """

    def __init__(
        self, inner: Scope, recorder: Recorder, newest: Newest | None = None, *, floor: int = 0
    ) -> None:
        self._inner = inner
        self._recorder = recorder
        self._newest = newest or Newest()
        self._floor = floor

    async def step(self, key: str, ref: JsonObject) -> JsonObject:
        """Give the recorded result, or perform the action between two entries of the journal."""
        about = self._recorder.about(ref)
        if about.pure:
            return await self._inner.step(key, ref)
        journal = self._recorder.journal
        found = journal.find(key)
        if found is not None and found.state == "done" and found.execution >= self._floor:
            kept = self._restored(key, found, about)
            if kept is not None:
                self._newest.see(found.execution)
                return kept
        self._newest.see(journal.execution)
        try:
            await journal.started(key, harmless=about.harmless)
        except HistoryError as problem:
            raise StepFailedError(_unrecorded(problem)) from None
        if is_repetition(key):
            self._recorder.performed.add(key)
        if self._floor > 1:
            # A new ending of the run repeats none before it: it has idempotency keys of its own.
            ref = {**ref, "step": f"{key}@{self._floor}"}
        try:
            result = await self._inner.step(key, ref)
        except StepFailedError as failed:
            unknown = not about.harmless and keeping.may_have_acted(failed.result)
            await journal.ended(key, "unknown" if unknown else "failed", None, harmless=about.harmless)
            raise
        except RunStoppedError as stop:
            if stop.result is None:
                journal.not_started(key)
            else:
                await journal.ended(key, "unknown", None, harmless=about.harmless)
            raise
        kept = keeping.for_resume(result, output=about.output, response=about.response)
        await journal.ended(key, "done", kept, harmless=about.harmless)
        return result

    async def block(self, key: str, block: Block) -> JsonObject:
        """Run the items here, each with an entry of its own."""
        del key
        return await block.run(self)

    async def call(self, key: str, invocation: Invocation) -> JsonObject:
        """Interpret the called workflow here, each of its steps with an entry of its own."""
        del key
        return await invocation.run(self)

    async def sleep(self, key: str, seconds: float) -> None:
        """Wait; after a resume only what is left of it. A poll (`poll#4`) that was asked just now waits in full."""
        journal = self._recorder.journal
        if key.removesuffix(SLEEP) not in self._recorder.performed:
            found = journal.find(key)
            if found is not None and found.result is not None and found.execution >= self._floor:
                seconds = min(seconds, max(0.0, float(found.result["until"]) - time.time()))
            else:
                await journal.ended(key, "done", {"until": time.time() + seconds}, harmless=True)
        await self._inner.sleep(key, seconds)

    async def wait(self, key: str, topic: str, timeout: float) -> JsonObject:  # noqa: ASYNC109 - the seam's signature
        """Leave it to the scope inside."""
        return await self._inner.wait(key, topic, timeout)

    def settled(self, result: ActionResult) -> None:
        """Write it into the timeline."""
        self._recorder.event(result)
        self._inner.settled(result)

    def advanced(self, key: str, counts: JsonObject) -> None:
        """Tell the scope inside."""
        self._inner.advanced(key, counts)

    def ran_out(self, key: str) -> None:
        """Take out what the repetitions of an action did."""
        self._recorder.journal.forget(f"{key}#")
        self._inner.ran_out(key)

    def called(self, key: str, timeout: float | None) -> "HistoryScope":
        """Give the scope of a called workflow, which has a `finally` of its own."""
        inner = self._inner.called(key, timeout)
        return HistoryScope(inner, self._recorder, Newest(self._newest), floor=self._floor)

    def cleanup(self, *, stopped: bool) -> "HistoryScope":
        """Give the scope of `on_failure` and `finally`."""
        inner = self._inner.cleanup(stopped=stopped)
        floor = max(self._floor, self._newest.execution)
        return HistoryScope(inner, self._recorder, Newest(self._newest.outer), floor=floor)

    def _restored(self, key: str, found: Step, about: _About) -> JsonObject | None:
        """Give a recorded result as the step gave it; None where it must be done again, and may be."""
        kept: dict[str, Any] = dict(found.result or {})
        if is_repetition(key) and not kept.get("done"):
            return None  # a poll said "not yet": that was then
        lacks = set(kept.pop("lacks", ()))
        wanted = {"output"} if about.output else set()
        wanted |= {"response"} if about.response else set()
        if lacks & wanted and kept["status"] != "failed":
            if about.harmless:
                return None
            raise StepFailedError(_lacking(key))
        if kept.get("sensitive"):
            # Nothing reads it: whoever looks for it all the same finds what reports show.
            self._recorder.session.sensitive.setdefault(without_repetition(key), MASK)
        kept["record"] = {**kept["record"], "from_history": True}
        return kept


def _unrecorded(problem: HistoryError) -> JsonObject:
    failure = Failure(
        kind=FailureKind.HISTORY,
        message=f"it was not sent, because it cannot be written down first: {problem.message}",
        help=problem.help,
    )
    return {"status": "failed", "error": failure.to_json(), "record": {}}


def _lacking(key: str) -> JsonObject:
    failure = Failure(
        kind=FailureKind.HISTORY,
        message=f"'{key}' has succeeded and its output is needed now, but was not kept; to do it again may do harm",
        help="start a new run; `idempotent: true` says of an action that repeating it is harmless",
    )
    return {"status": "failed", "error": failure.to_json(), "record": {}}
