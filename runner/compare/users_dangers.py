"""What is dangerous in a changed users.yaml: who is taken for whom."""

from collections.abc import Iterator

from runner.compare.danger import danger
from runner.compare.pairs import Both
from runner.compare.tree import MISSING
from runner.errors import JsonObject
from runner.project import Project
from runner.users import FILE


def dangers(both: Both) -> Iterator[JsonObject]:
    """List identities that stand for a user now and did not, or stood for another one, and names that are new."""
    old, new = both.old.project, both.new.project
    before, after = _meant(old), _meant(new)
    if old.users is not None and new.users is None:
        yield danger("users", "it is gone: every user name stands for itself", FILE)
        return
    for identity, name in sorted(after.items()):
        known = before.get(identity)
        if known is None and old.users is None and identity[0] == "name":
            continue  # without the file every name stood for itself
        if known is None:
            yield danger("users", f"{_said(identity)} stands for '{name}'", FILE, before=MISSING, after=name)
        elif known != name:
            yield danger(
                "users", f"{_said(identity)} stands for another user", FILE, before=known, after=name
            )


def _meant(project: Project) -> dict[tuple[str, str], str]:
    """Give the user of each identity; a user's own name is one."""
    found: dict[tuple[str, str], str] = {}
    for name, identities in (project.users or {}).items():
        found["name", name] = name
        found |= {(kind, value): name for kind, values in identities.items() for value in values}
    return found


def _said(identity: tuple[str, str]) -> str:
    kind, value = identity
    return f"{kind} '{value}'"
