"""What a change of a project means: two projects in, plain data out. Nothing here reads files, git or secrets.

`compare` gives the document `runner.d/diff/1` that `runner diff` shows:

- `base`, `head`: each with `name`, `errors`, `warnings`;
- `danger`: what to look at first, a list of items with `kind` (`danger.KINDS`, in that order), `message`, `file`, and where
  they apply `connection`, `workflow`, `action`, `environment`, `before`, `after`;
- `indirect`: workflows whose own file says the same and that change through something else: `workflow`, `file`, `through`;
- `changes`: the files whose meaning changed, each with `what` (`project`, `users`, `connection`, `workflow`), `name`, `file`, `change`
  (`added`, `removed`, `changed`, `renamed`), `was` where it is renamed, `unread` (`base`, `head`) where a side cannot be read,
  and `entries`: `sign` (`+`, `~`, `-`), `key`, `before`, `after`, `through` (the file or the preset that it comes from). A workflow has
  `actions` as well: `id`, `section`, `change`, `entries`;
- `digest`: SHA-256 over `changes`, `danger` and `indirect` as JSON with sorted keys and no spaces: the same change has the same
  digest, however it is written and wherever it is based.
"""

import hashlib
from collections.abc import Sequence

from runner.compare import connection_dangers, project_dangers, reach, users_dangers, workflow_dangers
from runner.compare.changes import changes
from runner.compare.conceal import Concealer
from runner.compare.danger import danger, in_order
from runner.compare.indirect import through, unseen
from runner.compare.pairs import Both
from runner.compare.side import Side
from runner.compare.tree import canonical
from runner.diagnostics import Diagnostic, Severity
from runner.errors import JsonObject
from runner.project import FOLDERS, SETTINGS, Project

_CONNECTIONS = f"{FOLDERS['connection']}/"


def compare(
    before: Project,
    after: Project,
    *,
    names: tuple[str, str] = ("base", "head"),
    found: tuple[Sequence[Diagnostic], Sequence[Diagnostic]] = ((), ()),
) -> JsonObject:
    """Compare two projects in meaning; `found` is what the checks say of each, `names` what people call them."""
    concealer = Concealer()
    paths = {
        path for path in {*before.texts, *after.texts} if before.texts.get(path) != after.texts.get(path)
    }
    for project in (before, after):
        concealer.learn(
            project, {*paths, SETTINGS, *(path for path in project.texts if path.startswith(_CONNECTIONS))}
        )
    both = Both(Side(before, concealer), Side(after, concealer))
    listed = changes(both)
    reasons = through(both)
    judged: JsonObject = concealer.shown(
        {
            "danger": in_order(_dangers(both, listed, frozenset(reasons))),
            "indirect": unseen(both, reasons, listed),
            "changes": listed,
        }
    )
    return {
        "format": "runner.d/diff/1",
        "base": _side(names[0], found[0]),
        "head": _side(names[1], found[1]),
        **judged,
        "digest": f"sha256:{hashlib.sha256(canonical(judged).encode('utf-8', 'surrogatepass')).hexdigest()}",
    }


def _dangers(both: Both, listed: list[JsonObject], indirectly: frozenset[str]) -> list[JsonObject]:
    workflows = frozenset(item["name"] for item in listed if item["what"] == "workflow")
    items = list(reach.dangers(both, workflows | indirectly))
    items += project_dangers.dangers(both)
    items += users_dangers.dangers(both)
    for pair in both.pairs("connection"):
        items += connection_dangers.dangers(both, pair)
    for pair in both.pairs("workflow"):
        if pair.title in workflows:
            items += workflow_dangers.dangers(both, pair)
    # What rules find wrong stands in files that were read in full.
    reading = [item for item in both.new.project.diagnostics if item.severity is Severity.ERROR]
    broken = {item.primary.span.path for item in reading}
    broken |= {item["file"] for item in listed if "unread" in item}
    items += [
        danger("not-compared", "it has errors: what is said of it here may be incomplete", item["file"])
        for item in listed
        if item["file"] in broken
    ]
    return items


def _side(name: str, found: Sequence[Diagnostic]) -> JsonObject:
    errors = sum(item.severity is Severity.ERROR for item in found)
    return {"name": name, "errors": errors, "warnings": len(found) - errors}
