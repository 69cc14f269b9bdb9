"""The two sides together: which file of the one is which file of the other, also under a new name."""

from collections.abc import Iterator
from typing import Any

from runner.compare.side import Side, file_of
from runner.compare.tree import MISSING, canonical, mapping
from runner.frozen import dataclass
from runner.project import SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A connection or workflow before and after; `was` is None where it is new, `name` None where it is gone."""

    kind: str
    was: str | None
    name: str | None

    @property
    def title(self) -> str:
        """The name it goes by: the new one where there is one."""
        return str(self.was if self.name is None else self.name)

    @property
    def file(self) -> str:
        """The path of its file, the new one where there is one."""
        return file_of(self.kind, self.title)

    @property
    def change(self) -> str:
        """`added`, `removed`, `renamed` or `changed`."""
        if self.was is None:
            return "added"
        if self.name is None:
            return "removed"
        return "changed" if self.was == self.name else "renamed"


class Both:
    """The sides, and the names that changed."""

    def __init__(self, old: Side, new: Side) -> None:
        self.old = old
        self.new = new
        self.renamed: dict[str, dict[str, str]] = {"connection": {}, "workflow": {}}
        for kind in self.renamed:
            self.renamed[kind] = self._renames(kind)

    def pairs(self, kind: str) -> Iterator[Pair]:
        """Give every file of a kind as a pair, in the order of the names."""
        renamed = self.renamed[kind]
        back = {new: old for old, new in renamed.items()}
        before, after = self.old.names(kind), self.new.names(kind)
        for name in sorted({*before, *after} - set(renamed)):
            was = back.get(name) or (name if name in before else None)
            yield Pair(kind=kind, was=was, name=name if name in after else None)

    def environments(self) -> list[str | None]:
        """Give None and every environment that there is now, the old ones' names unchanged."""
        return self.new.every_environment()

    def old_environment(self, environment: str | None) -> str | None:
        """Give what an environment is compared with: itself, or the project without one where it is new."""
        return environment if environment in self.old.environments else None

    def same_text(self, pair: Pair) -> bool:
        """Tell whether a file stands there unchanged."""
        if pair.was is None or pair.name is None:
            return False
        before = self.old.text(file_of(pair.kind, pair.was))
        return before is not None and before == self.new.text(file_of(pair.kind, pair.name))

    def workflow_before(self, name: str) -> Any:
        """Give the meaning of an old workflow, with the names that connections have now."""
        value = self.old.workflow(name)
        if value is MISSING:
            return value
        actions = {key: self._renamed_in(item) for key, item in value["actions"].items()}
        return {**value, "actions": actions}

    @property
    def settings_before(self) -> dict[str, Any]:
        """The meaning of the old runner.yaml, with the names that connections have now."""
        settings = dict(self.old.settings)
        renamed = self.renamed["connection"]
        environments = {}
        for name, item in mapping(settings.get("environments")).items():
            overrides = mapping(mapping(item).get("connections"))
            named = {renamed.get(key, key): value for key, value in overrides.items()}
            environments[name] = {**item, "connections": named} if named else item
        return {**settings, "environments": environments} if environments else settings

    def settings_changed(self) -> bool:
        """Tell whether runner.yaml differs at all."""
        return self.old.text(SETTINGS) != self.new.text(SETTINGS)

    def _renamed_in(self, action: dict[str, Any]) -> dict[str, Any]:
        made = dict(action)
        for key, kind in (("connection", "connection"), ("workflow", "workflow")):
            name = made.get(key)
            if isinstance(name, str):
                made[key] = self.renamed[kind].get(name, name)
        return made

    def _renames(self, kind: str) -> dict[str, str]:
        """Match files that are gone with files that are new: first by their text, then by their meaning."""
        gone = sorted(self.old.names(kind) - self.new.names(kind))
        come = sorted(self.new.names(kind) - self.old.names(kind))
        found: dict[str, str] = {}
        for sign in (self._text_sign, self._meaning_sign):
            waiting: dict[str, list[str]] = {}
            for name in come:
                if name not in found.values() and (key := sign(self.new, kind, name)) is not None:
                    waiting.setdefault(key, []).append(name)
            for name in gone:
                key = sign(self.old, kind, name) if name not in found else None
                candidates = waiting.get(key, []) if key is not None else []
                if candidates:
                    last = name.rpartition("/")[2]
                    chosen = next(
                        (each for each in candidates if each.rpartition("/")[2] == last), candidates[0]
                    )
                    candidates.remove(chosen)
                    found[name] = chosen
        return found

    def _text_sign(self, side: Side, kind: str, name: str) -> str | None:
        text = side.text(file_of(kind, name))
        return text if text and text.strip() else None

    def _meaning_sign(self, side: Side, kind: str, name: str) -> str | None:
        if kind == "connection":
            value = side.connection(name)
        else:
            value = self.workflow_before(name) if side is self.old else side.workflow(name)
        return canonical(value) if isinstance(value, dict) and any(value.values()) else None
