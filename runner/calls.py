"""Which workflows a workflow calls, through any number of calls, and which connections they use."""

from collections.abc import Iterator

from runner.model import Action, Workflow
from runner.project import Project

Step = tuple[Workflow, Action]
"""A workflow and the action of it that calls another."""


def callee(project: Project, action: Action) -> Workflow | None:
    """Give the workflow that an action calls; None where it calls none, or one that does not exist."""
    return project.workflows.get(action.config) if action.kind == "workflow" else None


def reached(project: Project, workflow: Workflow) -> tuple[Workflow, ...]:
    """Give a workflow and those that it calls, in the order of the calls, each once."""
    found = {workflow.name: workflow}
    pending = [workflow]
    while pending:
        inner = [callee(project, action) for action in pending.pop(0).every_action]
        for each in inner:
            if each is not None and each.name not in found:
                found[each.name] = each
                pending.append(each)
    return tuple(found.values())


def connections(project: Project, workflow: Workflow) -> tuple[str, ...]:
    """Name the connections that a workflow and those that it calls use, in order, each once."""
    return tuple(dict.fromkeys(name for each in reached(project, workflow) for name in each.connections))


def cycles(project: Project) -> Iterator[tuple[Step, ...]]:
    """Give each circle of calls once, beginning with the workflow of it whose name comes first."""
    for name in sorted(project.workflows):
        way = _way_back(project, project.workflows[name])
        if way is not None and min(workflow.name for workflow, _ in way) == name:
            yield way


def _way_back(project: Project, start: Workflow) -> tuple[Step, ...] | None:
    """Find the shortest way along calls from a workflow back to itself."""
    ways: list[tuple[Step, ...]] = [()]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        last = callee(project, way[-1][1]) if way else start
        assert last is not None
        for action in last.every_action:
            inner = callee(project, action)
            if inner is None:
                continue
            if inner.name == start.name:
                return (*way, (last, action))
            if inner.name not in seen:
                seen.add(inner.name)
                ways.append((*way, (last, action)))
    return None
