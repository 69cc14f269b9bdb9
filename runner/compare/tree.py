"""Values as trees: what is equal in meaning, and the places at which two of them differ."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from runner import exact_json
from runner.frozen import dataclass


class _Missing:
    """What stands for a value that is not there."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
Path = tuple[str, ...]

_FIRST = (
    "id",
    "description",
    "type",
    "base_url",
    "section",
    "name",
    "if",
    "connection",
    "method",
    "path",
    "url",
)
_RANK = {key: index for index, key in enumerate(_FIRST)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A place at which two values differ; MISSING on one side where there is nothing."""

    path: Path
    before: Any
    after: Any

    @property
    def sign(self) -> str:
        """`+`, `-` or `~`."""
        return "+" if self.before is MISSING else "-" if self.after is MISSING else "~"


def canonical(value: Any) -> str:
    """Write a value so that two texts are equal exactly where the values are: `true` is not 1, `1` is not `1.0`."""
    if value is MISSING:
        return ""
    return exact_json.dumps(value, sort_keys=True, compact=True)


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal in meaning."""
    return one is other or canonical(one) == canonical(other)


def mapping(value: Any) -> dict[str, Any]:
    """Give a value that should be a mapping: an empty one where it is something else."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """Give a value that should be a list: an empty one where it is something else."""
    return value if isinstance(value, list) else []


def dig(value: Any, *keys: str) -> Any:
    """Give what lies at a path of keys, or MISSING."""
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = value[key]
    return value


def ordered(keys: Sequence[str] | set[str]) -> list[str]:
    """Sort keys: what says what a thing is comes first, the rest by name."""
    return sorted(keys, key=lambda key: (_RANK.get(key, len(_RANK)), key))


def differences(before: Any, after: Any, path: Path = (), *, unfolded: int = 2) -> Iterator[Difference]:
    """List where two values differ, as deep as they have the same shape, in an order that files have no part in.

    Where a whole mapping is new or gone, `unfolded` levels of keys get an entry each.
    """
    if same(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in ordered({*before, *after}):
            yield from differences(
                before.get(key, MISSING), after.get(key, MISSING), (*path, key), unfolded=unfolded
            )
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, path, unfolded)
    elif (before is MISSING or after is MISSING) and len(path) < unfolded and _foldable(before, after):
        whole = mapping(after if before is MISSING else before)
        for key in ordered(set(whole)):
            one, other = (MISSING, whole[key]) if before is MISSING else (whole[key], MISSING)
            yield from differences(one, other, (*path, key), unfolded=unfolded)
    else:
        yield Difference(path=path, before=before, after=after)


def _foldable(before: Any, after: Any) -> bool:
    whole = after if before is MISSING else before
    return isinstance(whole, dict) and bool(whole)


def _of_lists(before: list[Any], after: list[Any], path: Path, unfolded: int) -> Iterator[Difference]:
    plain = not any(isinstance(item, dict | list) for item in [*before, *after])
    if len(before) == len(after) and not plain:
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, (*path, str(index)), unfolded=unfolded)
        return
    matcher = SequenceMatcher(
        None, [canonical(item) for item in before], [canonical(item) for item in after], autojunk=False
    )
    for what, start, end, new_start, new_end in matcher.get_opcodes():
        if what == "equal":
            continue
        for item in before[start:end]:
            yield Difference(path=path, before=item, after=MISSING)
        for item in after[new_start:new_end]:
            yield Difference(path=path, before=MISSING, after=item)
