"""In which order the actions of a workflow run: what each waits for, what has certainly ended before it, what it reads.

Without `needs` an action waits for the one written before it in its list, with it for those that it names and for
nothing else. `on_failure` starts when `actions` has ended, `finally` when both have.
"""

from collections.abc import Iterator, Sequence

from runner.model import Action, BrokenAction, Workflow
from runner.template import Template

Step = Action | BrokenAction
Reads = dict[tuple[str, int], frozenset[str] | None]
"""The ids that the templates of an action name, by its section and index; None where they may name any."""


class Order:
    """The order of one workflow. Ids that do not exist are left out, and a cycle ends nowhere: rules report both.

    Actions that have errors elsewhere have their place in it: what waits for them waits for what they wait for.
    """

    def __init__(self, workflow: Workflow) -> None:
        self._lists = _lists(workflow)
        self._direct: dict[str, tuple[str, ...]] = {}
        self._before: dict[str, frozenset[str]] = {}
        self._reads: Reads = {}
        self._performed: Reads = {}
        earlier: frozenset[str] = frozenset()
        for actions in self._lists:
            self._list(actions, earlier)
            earlier |= {action.id for action in actions}
        for template in workflow.templates:
            if template.owner is not None:
                _add(self._reads, template)
                if not _decides(template):
                    _add(self._performed, template)

    def direct(self, action: Step) -> tuple[str, ...]:
        """Name the actions of its own list that an action waits for."""
        return self._direct[action.id]

    def before(self, action: Step) -> frozenset[str]:
        """Name the actions that have certainly ended when an action starts."""
        return self._before[action.id]

    def before_place(self, owner: tuple[str, int]) -> frozenset[str]:
        """Name the actions that have ended when the templates of an action, by section and index, are rendered.

        Of an action that has no id, nothing is known: those written before it count.
        """
        at = {"actions": 0, "on_failure": 1, "finally": 2}[owner[0]]
        for action in self._lists[at]:
            if action.index == owner[1]:
                return self._before[action.id]
        earlier = [action.id for actions in self._lists[:at] for action in actions]
        return frozenset([*earlier, *(action.id for action in self._lists[at] if action.index < owner[1])])

    def visible(self, action: Action) -> frozenset[str]:
        """Name the actions whose results the templates of an action see: those that it reads and that have ended."""
        return self._ended(action, self._reads)

    def carried(self, action: Action) -> frozenset[str]:
        """Name those of them that it takes to perform the action: not what only `for_each` or a condition of it reads."""
        return self._ended(action, self._performed)

    def _ended(self, action: Action, reads: Reads) -> frozenset[str]:
        names = reads.get((action.section, action.index), frozenset())
        return self._before[action.id] if names is None else self._before[action.id] & names

    def sequence(self) -> list[Action]:
        """Give all actions, each after those that it waits for; in the order of the file where that leaves a choice.

        Those that have errors are left out.
        """
        found: dict[str, Step] = {}
        for actions in self._lists:
            waiting = list(actions)
            while waiting:
                ready = [action for action in waiting if found.keys() >= set(self._direct[action.id])]
                chosen = (ready or waiting)[0]  # in a circle nothing is ready
                waiting.remove(chosen)
                found[chosen.id] = chosen
        return [action for action in found.values() if isinstance(action, Action)]

    def cycles(self) -> Iterator[tuple[Step, ...]]:
        """Give each cycle once, beginning with the action of it that is written first."""
        for actions in self._lists:
            known = {action.id: action for action in actions}
            reported: set[str] = set()
            for action in actions:
                path = None if action.id in reported else self._way_back(action.id)
                if path is not None:
                    reported.update(path)
                    yield tuple(known[name] for name in path)

    def _list(self, actions: Sequence[Step], earlier: frozenset[str]) -> None:
        ids = {action.id for action in actions}
        previous: tuple[str, ...] = ()
        for action in actions:
            needed = previous if action.needs is None else tuple(dict.fromkeys(action.needs))
            self._direct[action.id] = tuple(name for name in needed if name in ids)
            previous = (action.id,)
        complete: dict[str, set[str]] = {}
        for action in actions:
            found: set[str] = set()
            pending = list(self._direct[action.id])
            while pending:
                name = pending.pop()
                if name in found:
                    continue
                found.add(name)
                if name in complete:
                    found |= complete[name]
                else:
                    pending += self._direct[name]
            complete[action.id] = found
            self._before[action.id] = earlier | found

    def _way_back(self, start: str) -> list[str] | None:
        """Find the shortest way from an action along what it waits for back to itself."""
        ways = [[start]]
        seen: set[str] = set()
        while ways:
            way = ways.pop(0)
            for name in self._direct[way[-1]]:
                if name == start:
                    return way
                if name not in seen:
                    seen.add(name)
                    ways.append([*way, name])
        return None


def _lists(workflow: Workflow) -> tuple[Sequence[Step], ...]:
    lists: tuple[Sequence[Step], ...] = (workflow.actions, workflow.on_failure, workflow.finally_)
    if not workflow.broken:
        return lists
    names = ("actions", "on_failure", "finally")
    return tuple(
        sorted(
            [*read, *(each for each in workflow.broken if each.section == name)], key=lambda each: each.index
        )
        for name, read in zip(names, lists, strict=True)
    )


def _add(reads: Reads, template: Template) -> None:
    assert template.owner is not None
    known = reads.get(template.owner, frozenset())
    for reference in template.references:
        if reference.root == "actions" and known is not None:
            known = known | {str(reference.path[0])} if reference.path else None
    reads[template.owner] = known


def _decides(template: Template) -> bool:
    """Tell whether a template is rendered once, by the interpreter: the list of `for_each`, an `if` that knows no item."""
    key = template.pointer[2]
    by_item = any(reference.root in ("item", "index") for reference in template.references)
    return key == "for_each" or (key == "if" and not by_item)
