"""What of a project travels with a run: the files that it reaches, and nothing of the working tree beside them."""

from functools import lru_cache
from pathlib import Path

from runner import calls
from runner import project as projects
from runner.errors import JsonObject
from runner.model import Action
from runner.plan import Plan
from runner.project import SETTINGS, Project


def reached(project: Project, name: str) -> dict[str, str]:
    """Give the texts of the files that a workflow reaches, by path: itself, what it calls, connections, runner.yaml."""
    workflows = calls.reached(project, project.workflows[name])
    names = {each for workflow in workflows for each in workflow.connections}
    wanted = {SETTINGS, *(workflow.document.path for workflow in workflows)}
    while names:
        name = names.pop()
        wanted.add(f"connections.d/{name}.yaml")
        connection = project.connections.get(name)
        if connection is not None and connection.extends:
            names.add(connection.extends)
    return {path: project.texts[path] for path in sorted(wanted) if path in project.texts}


@lru_cache(maxsize=32)
def _loaded(texts: tuple[tuple[str, str], ...], environment: str | None) -> Project:
    files = {path: text.encode() for path, text in texts}
    return projects.load(Path("/"), environment=environment, files=files)


def plan_data(plan: Plan) -> JsonObject:
    """Give a plan as it travels; `plan_of` makes it again."""
    return {
        "workflow": plan.workflow,
        "documents": dict(plan.documents),
        "inputs": plan.inputs,
        "environment": plan.environment,
        "user": plan.user,
    }


def plan_of(data: JsonObject) -> Plan:
    """Make a plan again from what travelled."""
    return Plan(
        workflow=data["workflow"],
        documents=data["documents"],
        inputs=data["inputs"],
        environment=data["environment"],
        user=data["user"],
    )


def project_of(plan: Plan) -> Project:
    """Read the project of a plan, from its own texts; kept, because every step asks."""
    return _loaded(tuple(sorted(plan.documents.items())), plan.environment)


def unfit(project: Project, plan: Plan) -> tuple[str, str] | None:
    """Say what of a run cannot travel to a worker, and what to do; None where all of it can."""
    if plan.secret_inputs:
        name = next(iter(plan.secret_inputs))
        return (
            f"the input '{name}' is secret: nothing secret is sent to an engine",
            "declare a secret reference under `secrets` of the workflow, which the worker reads itself",
        )
    for workflow in calls.reached(project, project.workflows[plan.workflow]):
        for name in workflow.connections:
            tls = project.connections[name].tls
            for key in ("ca", "cert", "key"):
                if isinstance(getattr(tls, key, None), str):
                    return (
                        f"`tls.{key}` of the connection '{name}' is a file, and a worker has no files of the project",
                        "store the PEM text in Vault and write a secret reference",
                    )
        for action in workflow.every_action:
            if file := _file_of(action):
                return (
                    f"`{file}` of the action '{action.id}' in '{workflow.name}' is a file, and a worker has no files of the project",
                    "run this workflow without an engine",
                )
    return None


def _file_of(action: Action) -> str | None:
    """Name the key of a request that reads or writes a file."""
    if action.kind != "request":
        return None
    if action.config.save_to is not None:
        return "save_to"
    if action.config.body_kind == "file":
        return "body"
    if action.config.body_kind != "multipart" or not isinstance(action.config.body, dict):
        return None
    parts = [
        each for part in action.config.body.values() for each in (part if isinstance(part, list) else [part])
    ]
    return "multipart" if any(isinstance(part, dict) and "file" in part for part in parts) else None
