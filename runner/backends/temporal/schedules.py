"""Triggers as schedules of Temporal, which starts the runs itself.

A schedule carries the files as they were when it was applied. What belongs to a project is found by the beginning of its
name, `runner.d/PROJECT/`.
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from runner import exact_json
from runner.backends.temporal import TRIGGER
from runner.errors import JsonObject
from runner.frozen import dataclass
from runner.schedulers import Entry

if TYPE_CHECKING:
    from temporalio.client import Client, Schedule

_SHORTEST_CATCH_UP = 10.0
"""Seconds: Temporal's own least (https://docs.temporal.io/schedule#catchup-window)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A schedule as it should be; `given` is what each run of it gets."""

    entry: Entry
    given: JsonObject

    @property
    def note(self) -> str:
        """Say in one line what it is: two schedules with one note are the same."""
        entry = self.entry
        said = [entry.cron.written(), entry.timezone, entry.overlap, entry.catch_up, self.given]
        return f"runner.d {hashlib.sha256(exact_json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Change:
    """What applying does with one schedule: `create`, `update`, `delete`, or `keep`."""

    what: str
    name: str
    wanted: Wanted | None = None


def prefix(project: str) -> str:
    """Give the beginning of the names of a project's schedules."""
    return f"runner.d/{project}/"


async def changes(client: "Client", project: str, wanted: Sequence[Wanted]) -> list[Change]:
    """Compare what there is with what should be."""
    there: dict[str, str] = {}
    async for each in await client.list_schedules():
        if each.id.startswith(prefix(project)):
            there[each.id] = str(each.schedule.state.note or "") if each.schedule else ""
    listed = []
    for one in wanted:
        name = prefix(project) + one.entry.name
        note = there.pop(name, None)
        listed.append(
            Change("create" if note is None else "keep" if note == one.note else "update", name, one)
        )
    return listed + [Change("delete", name) for name in sorted(there)]


async def apply(client: "Client", task_queue: str, change: Change) -> None:
    """Carry out one change."""
    from temporalio.client import ScheduleUpdate

    handle = client.get_schedule_handle(change.name)
    if change.what == "delete":
        await handle.delete()
    elif change.wanted is not None and change.what == "create":
        await client.create_schedule(change.name, _schedule(change.wanted, task_queue, change.name))
    elif change.wanted is not None and change.what == "update":
        made = _schedule(change.wanted, task_queue, change.name)

        async def updated(_: object) -> ScheduleUpdate:
            return ScheduleUpdate(schedule=made)

        await handle.update(updated)


def _schedule(wanted: Wanted, task_queue: str, name: str) -> "Schedule":
    from temporalio.client import (
        Schedule,
        ScheduleActionStartWorkflow,
        ScheduleOverlapPolicy,
        SchedulePolicy,
        ScheduleSpec,
        ScheduleState,
    )

    entry = wanted.entry
    overlap = {
        "skip": ScheduleOverlapPolicy.SKIP,
        "queue": ScheduleOverlapPolicy.BUFFER_ALL,
        "allow": ScheduleOverlapPolicy.ALLOW_ALL,
    }[entry.overlap]
    return Schedule(
        action=ScheduleActionStartWorkflow(
            TRIGGER,
            wanted.given,
            id=f"trigger/{name.rpartition('/')[2]}",
            task_queue=task_queue,
            static_summary=entry.workflow,
        ),
        spec=ScheduleSpec(cron_expressions=[entry.cron.written()], time_zone_name=entry.timezone),
        policy=SchedulePolicy(
            overlap=overlap, catchup_window=timedelta(seconds=max(_SHORTEST_CATCH_UP, entry.catch_up))
        ),
        state=ScheduleState(note=wanted.note),
    )
