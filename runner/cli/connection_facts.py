"""What the commands about connections say of one, without Vault and without network."""

from collections.abc import Mapping

from runner import template
from runner.errors import FailureError
from runner.model import Connection
from runner.project import Project
from runner.template import Tree


def shown_url(project: Project, connection: Connection) -> str:
    """Render the base URL; where that cannot be done, give it as it is written."""
    context: Mapping[str, object] = {"vars": project.vars, "environment": project.environment}
    tree: Tree = connection.base_url
    try:
        return str(template.render(tree, context))
    except FailureError:
        return connection.base_url.text


def users(project: Project, name: str) -> list[str]:
    """Name the workflows that use a connection."""
    return sorted(workflow.name for workflow in project.workflows.values() if name in workflow.connections)


def credentials(connection: Connection) -> list[str]:
    """Name where the secrets of a connection come from: paths in Vault, variables; each once."""
    return sorted({ref.text.partition("#")[0] for ref in connection.secrets.values()})
