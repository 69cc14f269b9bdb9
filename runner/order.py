"""In which order the actions of a workflow run: what each waits for, what has certainly ended before it, what it reads.

Without `needs` an action waits for the one written before it in its list, with it for those that it names and for
nothing else. `on_failure` starts when `actions` has ended, `finally` when both have.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush

from runner.model import SECTIONS, Action, BrokenAction, Workflow
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
        self._at: dict[
            str, int
        ] = {}  # every id has a number, and a set of them is an integer with a bit for each
        self._before: dict[str, int] = {}
        self._places: dict[tuple[str, int], str] = {}
        self._reads: Reads = {}
        self._performed: Reads = {}
        for actions in self._lists:
            earlier = (1 << len(self._at)) - 1
            for action in actions:
                self._at.setdefault(action.id, len(self._at))
                self._places.setdefault((action.section, action.index), action.id)
            self._list(actions, earlier)
        for template in workflow.templates:
            if template.owner is not None:
                _add(self._reads, template)
                if not _decides(template):
                    _add(self._performed, template)

    def direct(self, action: Step) -> tuple[str, ...]:
        """Name the actions of its own list that an action waits for."""
        return self._direct[action.id]

    def is_before(self, name: str, action: Step) -> bool:
        """Tell whether an action, by its id, has certainly ended when another one starts."""
        return self._holds(self._before[action.id], name)

    def is_before_place(self, name: str, owner: tuple[str, int]) -> bool:
        """Tell whether it has ended when the templates of an action, by section and index, are rendered.

        Of an action that has no id, nothing is known: those written before it count.
        """
        here = self._places.get(owner)
        if here is not None:
            return self._holds(self._before[here], name)
        at = {"actions": 0, "on_failure": 1, "finally": 2}[owner[0]]
        earlier = (action for actions in self._lists[:at] for action in actions)
        beside = (action for action in self._lists[at] if action.index < owner[1])
        return any(action.id == name for action in (*earlier, *beside))

    def visible(self, action: Action) -> frozenset[str]:
        """Name the actions whose results the templates of an action see: those that it reads and that have ended."""
        return self._ended(action, self._reads)

    def carried(self, action: Action) -> frozenset[str]:
        """Name those of them that it takes to perform the action: not what only `for_each` or a condition of it reads."""
        return self._ended(action, self._performed)

    def _ended(self, action: Action, reads: Reads) -> frozenset[str]:
        names = reads.get((action.section, action.index), frozenset())
        before = self._before[action.id]
        return frozenset(name for name in (self._at if names is None else names) if self._holds(before, name))

    def _holds(self, ids: int, name: str) -> bool:
        at = self._at.get(name)
        return at is not None and bool(ids >> at & 1)

    def sequence(self) -> list[Action]:
        """Give all actions, each after those that it waits for; in the order of the file where that leaves a choice.

        Those that have errors are left out.
        """
        found: dict[str, Step] = {}
        for actions in self._lists:
            waiting = dict(enumerate(actions))
            unmet = [set(self._direct[action.id]) for action in actions]
            ready = [at for at, names in enumerate(unmet) if not names]
            after: dict[str, list[int]] = {}
            for at, names in enumerate(unmet):
                for name in names:
                    after.setdefault(name, []).append(at)
            while waiting:
                at = heappop(ready) if ready else next(iter(waiting))  # in a circle nothing is ready
                if at not in waiting:
                    continue
                chosen = waiting.pop(at)
                found[chosen.id] = chosen
                for later in after.get(chosen.id, ()):
                    unmet[later].discard(chosen.id)
                    if not unmet[later]:
                        heappush(ready, later)
        return [action for action in found.values() if isinstance(action, Action)]

    def cycles(self) -> Iterator[tuple[Step, ...]]:
        """Give each cycle once, beginning with the action of it that is written first."""
        for actions in self._lists:
            known = {action.id: action for action in actions}
            reported: set[str] = set()
            for action in actions:
                if action.id not in reported and self.is_before(action.id, action):
                    path = self._way_back(action.id)
                    reported.update(path)
                    yield tuple(known[name] for name in path)

    def _list(self, actions: Sequence[Step], earlier: int) -> None:
        ids = {action.id for action in actions}
        previous: tuple[str, ...] = ()
        for action in actions:
            needed = previous if action.needs is None else tuple(dict.fromkeys(action.needs))
            self._direct[action.id] = tuple(name for name in needed if name in ids)
            previous = (action.id,)
        complete: dict[str, int] = {}
        for action in actions:
            found = 0
            pending = list(self._direct[action.id])
            while pending:
                name = pending.pop()
                if self._holds(found, name):
                    continue
                found |= 1 << self._at[name]
                if name in complete:
                    found |= complete[name]
                else:
                    pending += self._direct[name]
            complete[action.id] = found
            self._before[action.id] = earlier | found

    def _way_back(self, start: str) -> list[str]:
        """Find the shortest way from an action along what it waits for back to itself: there is one."""
        came_from: dict[str, str] = {}
        ends = deque([start])
        while start not in came_from:
            here = ends.popleft()
            for name in self._direct[here]:
                if name not in came_from:
                    came_from[name] = here
                    ends.append(name)
        way = [came_from[start]]
        while way[-1] != start:
            way.append(came_from[way[-1]])
        return way[::-1]


def _lists(workflow: Workflow) -> tuple[Sequence[Step], ...]:
    lists: tuple[Sequence[Step], ...] = (workflow.actions, workflow.on_failure, workflow.finally_)
    if not workflow.broken:
        return lists
    return tuple(
        sorted(
            [*read, *(each for each in workflow.broken if each.section == name)], key=lambda each: each.index
        )
        for name, read in zip(SECTIONS, lists, strict=True)
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
