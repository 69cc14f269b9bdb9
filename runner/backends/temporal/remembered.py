"""What a run on Temporal remembers for a resume, in each of its executions: each thing with the round that it is of."""

from collections.abc import Callable
from dataclasses import field
from typing import Self

from runner.errors import JsonObject
from runner.frozen import dataclass
from runner.scope import SLEEP, is_repetition

Dated = tuple[int, JsonObject]
Belongs = Callable[[str], bool]


@dataclass(slots=True)
class Remembered:
    """By key: results of `steps`; those of single `items`, by block and index; what called workflows gave; waits that are over."""

    steps: dict[str, Dated] = field(default_factory=dict)
    items: dict[str, dict[int, Dated]] = field(default_factory=dict)
    calls: dict[str, Dated] = field(default_factory=dict)
    slept: set[str] = field(default_factory=set)

    def part(self, belongs: Belongs) -> JsonObject:
        """Give as JSON what is remembered under keys of which something is true."""
        return {
            "steps": {key: found for key, found in self.steps.items() if belongs(key)},
            "items": {
                key: {str(at): each for at, each in found.items()}
                for key, found in self.items.items()
                if belongs(key)
            },
            "calls": {key: found for key, found in self.calls.items() if belongs(key)},
            "slept": sorted(key for key in self.slept if belongs(key)),
        }

    @classmethod
    def from_json(cls, data: JsonObject) -> Self:
        """Read what `part` gave."""
        return cls(
            {key: (number, found) for key, (number, found) in data["steps"].items()},
            {
                key: {int(at): (number, each) for at, (number, each) in found.items()}
                for key, found in data["items"].items()
            },
            {key: (number, found) for key, (number, found) in data["calls"].items()},
            set(data["slept"]),
        )

    def forget(self, belongs: Belongs) -> None:
        """Forget what is remembered under keys of which something is true."""
        for kept in (self.steps, self.items, self.calls):
            for key in [key for key in kept if belongs(key)]:
                del kept[key]
        self.slept = {key for key in self.slept if not belongs(key)}

    def add(self, other: Self) -> None:
        """Remember what a child brings back, beside the rest."""
        self.steps |= other.steps
        self.items |= other.items
        self.calls |= other.calls
        self.slept |= other.slept

    def begin(self) -> None:
        """Begin a round: a poll (`poll#4`) whose condition was not true yet is asked anew, and waits anew."""
        for key in [
            key for key, (_, found) in self.steps.items() if is_repetition(key) and not found.get("done")
        ]:
            del self.steps[key]
            self.slept.discard(f"{key}{SLEEP}")
