"""A use of a name inside a template."""

from runner.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """A use of a name: `actions.search.output` is root `actions` and path `("search", "output")`.

    `start` and `end` are offsets in the template's text. `dynamic` says that a computed key follows the path,
    `guarded` that `default` or `is defined` stands around it, `visible` that it stands in a `{{ }}` and not in a tag.
    """

    root: str
    path: tuple[str | int, ...]
    start: int
    end: int
    dynamic: bool = False
    guarded: bool = False
    visible: bool = True

    @property
    def text(self) -> str:
        """The reference as one writes it."""
        parts = (f".{part}" if isinstance(part, str) else f"[{part}]" for part in self.path)
        return self.root + "".join(parts)
