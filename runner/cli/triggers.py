"""The triggers of a project as entries, each with a name of its own."""

import re
from itertools import count

from runner import schedulers
from runner.errors import UsageError
from runner.model import Workflow
from runner.plan import find_workflow
from runner.project import Project


def entries(project: Project, names: list[str], *, may_be_none: bool = False) -> list[schedulers.Entry]:
    """Give the triggers of the workflows that are named, or of all; raises UsageError where there is none."""
    chosen: list[Workflow] = [find_workflow(project, name) for name in names]
    for workflow in chosen:
        if not workflow.triggers:
            raise UsageError(f"the workflow '{workflow.name}' has no triggers")
    chosen = chosen or [workflow for _, workflow in sorted(project.workflows.items())]
    found: list[schedulers.Entry] = []
    for workflow in chosen:
        for trigger in workflow.triggers:
            assert trigger.cron is not None, "the project has no errors"
            found.append(
                schedulers.Entry(
                    name=_unique(workflow.name, {entry.name for entry in found}),
                    workflow=workflow.name,
                    cron=trigger.cron,
                    timezone=trigger.timezone,
                    overlap=trigger.overlap,
                    catch_up=trigger.catch_up,
                    environment=trigger.environment,
                    inputs=trigger.inputs,
                    description=workflow.description,
                )
            )
    if not found and not may_be_none:
        raise UsageError("no workflow has triggers", help="add `triggers` to a file in workflows.d/")
    return found


def _unique(workflow: str, taken: set[str]) -> str:
    """Make a name of letters that files, units and jobs take, and that no other trigger has."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", workflow).strip("-.") or "workflow"
    names = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
    return next(name for name in names if name not in taken)
