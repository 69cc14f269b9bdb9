"""What stands around the names in a template: filters, comparisons, conditions. For checks; nothing is rendered here.

A template of plain dotted names is answered without Jinja; the others by `runner.expression_walk`.
"""

from functools import lru_cache
from typing import Any

from runner.frozen import dataclass
from runner.reference import Reference
from runner.template import Mode, Template

Place = tuple[int, int]
"""Where something stands: offsets in the text of its template."""


@dataclass(frozen=True, slots=True)
class Use:
    """A use of a name.

    `filters` are those that it goes through, the first first. `judged` says that only a truth about it goes on: it is
    compared, tested, or stands in a condition. `conditions` are those that hold where it is evaluated, `beside` the ids
    of the actions that a condition around it, or before it, asks about.
    """

    reference: Reference
    filters: tuple[str, ...] = ()
    judged: bool = False
    conditions: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Operand:
    """One side of an operation: a name, a literal, or something computed (neither)."""

    place: Place
    reference: Reference | None = None
    literal: Any = None
    is_literal: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """A comparison or an arithmetic operation of two operands; a filter has one."""

    operator: str
    left: Operand
    right: Operand | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a template is made of.

    `conjuncts` are the parts of a condition that must all hold; `verdict` is what a condition comes to whatever its
    names are; `text_around` says that text stands beside the expressions, so that the result is never empty.
    """

    uses: tuple[Use, ...] = ()
    operations: tuple[Operation, ...] = ()
    raw: tuple[Place, ...] = ()
    conjuncts: frozenset[str] = frozenset()
    verdict: bool | None = None
    text_around: bool = False


def facts(template: Template) -> Facts:
    """Look into a template; one that cannot be read has no facts."""
    if template.constant:
        return Facts(text_around=bool(template.text.strip()))
    parts = template._simple_parts()  # noqa: SLF001 - what is read already
    if parts is not None:
        references = [part for part in parts if isinstance(part, Reference)]
        around = any(isinstance(part, str) and part.strip() for part in parts)
        alone = len(references) == 1 and not around
        return Facts(
            uses=tuple(Use(reference) for reference in references),
            conjuncts=frozenset({references[0].text}) if alone else frozenset(),
            text_around=around,
        )
    return _read(template.mode, template.text)


@lru_cache(maxsize=2048)  # as `runner.template_cache`, and several rules ask
def _read(mode: Mode, text: str) -> Facts:
    from runner.expression_walk import read
    from runner.template_cache import parsed

    found = parsed(mode, text)
    tree = getattr(found, "tree", None)
    return Facts() if tree is None else read(tree, text, getattr(found, "references", ()))
