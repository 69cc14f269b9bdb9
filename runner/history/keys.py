"""Keys of steps read back: `sync/page[3]`, `poll#4`, `finally/notify` name an action of a workflow of the project."""

import re
from collections.abc import Iterable, Iterator

from runner.history.keeping import Needs, harmless
from runner.history.runs import Step
from runner.model import Action, Workflow
from runner.project import Project

_SECTIONS = ("on_failure", "finally")
_REPETITION = re.compile(r"[\[#].*")


def action_of(project: Project, workflow: str, key: str) -> tuple[Workflow, Action] | None:
    """Find the action that a step belongs to; None where the files no longer have it."""
    parts = key.split("/")
    name: str | None = workflow
    found: tuple[Workflow, Action] | None = None
    while parts:
        if name not in project.workflows:
            return None
        section = f"{parts.pop(0)}/" if parts[0] in _SECTIONS and len(parts) > 1 else ""
        wanted = section + _REPETITION.sub("", parts.pop(0))
        here = project.workflows[name]
        action = next((each for each in here.every_action if each.key == wanted), None)
        if action is None:
            return None
        found = (here, action)
        name = action.config if action.kind == "workflow" else None
    return found


def lacking(project: Project, workflow: str, steps: Iterable[Step]) -> list[tuple[str, str]]:
    """Name the steps that a resume needs something of that was not kept, and that may not be done again."""
    return list(_lacking(project, workflow, steps))


def _lacking(project: Project, workflow: str, steps: Iterable[Step]) -> Iterator[tuple[str, str]]:
    needs: dict[str, Needs] = {}
    for step in steps:
        lacks = (step.result or {}).get("lacks", ())
        if not lacks or step.harmless or (step.result or {}).get("status") == "failed":
            continue
        place = action_of(project, workflow, step.key)
        if place is None:
            continue
        home, action = place
        if home.name not in needs:
            needs[home.name] = Needs(home)
        wanted = needs[home.name]
        missing = [part for part in lacks if getattr(wanted, part)(action.id)]
        if missing and not harmless(action, project.connections.get(action.connection or "")):
            sensitive = bool((step.result or {}).get("sensitive"))
            yield (
                step.key,
                "its output is sensitive, which is never kept"
                if sensitive
                else f"its {missing[0]} was not read before",
            )
