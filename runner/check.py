"""Checks a project: what loading found, and every rule."""

from collections.abc import Sequence

from runner import ignores, registry
from runner.diagnostics import Diagnostic, ProjectError, Severity
from runner.garbage import uncollected
from runner.project import Project


def check(project: Project, paths: Sequence[str] = (), *, rules: Sequence[str] = ()) -> list[Diagnostic]:
    """Give every diagnostic of a project, sorted; of certain files or rules only, where they are named."""
    found = list(project.diagnostics)
    with uncollected():
        by_rules = [
            item for name in registry.names("rules") for item in registry.load("rules", name).check(project)
        ]
    found += ignores.applied(project, by_rules)
    if paths:
        found = [item for item in found if any(_below(item.primary.span.path, path) for path in paths)]
    if rules:
        found = [item for item in found if item.rule in rules]
    return sorted(dict.fromkeys(found), key=lambda item: item.sort_key)


def require(project: Project) -> list[Diagnostic]:
    """Give the warnings of a project; raises ProjectError, with everything, where it has errors."""
    found = check(project)
    if any(item.severity is Severity.ERROR for item in found):
        raise ProjectError(found)
    return found


def _below(path: str, wanted: str) -> bool:
    wanted = wanted.rstrip("/")
    return wanted in (".", "") or path == wanted or path.startswith(wanted + "/")
