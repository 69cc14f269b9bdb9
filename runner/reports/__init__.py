"""Reports, one file per format: the only place where results turn into text.

A format's file holds a function for each thing it can show, under these names; each gives the whole text, which ends
with a line break where it is not empty:

- `diagnostics(findings)`: what the checks found (`runner validate`);
- `plan(plan)`: the requests that a run would send (`runner plan`);
- `diff(compared)`: what a change of the project means (`runner diff`);
- `run(result)`: how a run ended (`--report`);
- `connection_tests(results)`: what `runner connections test` found.

A format for people on a terminal says `COLORED = True`: its functions take `color=` as well. Nothing here prints:
`runner.cli` owns the streams and removes known secrets from what goes there.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from types import ModuleType
from typing import Any

from runner import registry
from runner.diagnostics import Diagnostic, Severity, names_hint
from runner.errors import JsonObject, UsageError
from runner.frozen import dataclass
from runner.source import Position, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the checks found: the diagnostics in order, the texts of the files, how many files were checked.

    `concealing` holds diagnostics that are not shown but whose concealed places stay concealed all the same.
    `below` is the project's own path in its repository (empty, or with a slash at its end): CI systems name files
    from there. `flows` says which secret reaches which host (`runner.flow`), for a format that carries it.
    """

    diagnostics: tuple[Diagnostic, ...]
    concealing: tuple[Diagnostic, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    files: int = 0
    below: str = ""
    flows: tuple[JsonObject, ...] | None = None

    def path(self, span: Span) -> str:
        """Give the path of a file as from the root of the repository."""
        return span.path if span.path.startswith("/") else self.below + span.path

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Give each diagnostic a name of its own that stays the same while lines are added and removed around it.

        No source text goes into it: what is typed in by mistake could be guessed from its digest.
        """
        import hashlib
        import json

        seen: Counter[tuple[str, str, str]] = Counter()
        made = []
        for item in self.diagnostics:
            key = (item.rule, self.path(item.primary.span), item.message)
            seen[key] += 1
            made.append(hashlib.sha256(json.dumps([*key, seen[key]]).encode()).hexdigest())
        return tuple(made)

    @property
    def errors(self) -> int:
        """How many diagnostics are errors."""
        return sum(item.severity is Severity.ERROR for item in self.diagnostics)

    @property
    def warnings(self) -> int:
        """How many diagnostics are warnings."""
        return len(self.diagnostics) - self.errors


_WHAT = {
    "diagnostics": "diagnostics",
    "plan": "plans",
    "diff": "comparisons",
    "run": "reports of runs",
    "connection_tests": "tests of connections",
}


def visible(text: str) -> str:
    """Write what a program would act on and a person not see (controls, line breaks, bidirectional marks) as escapes."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def about_file(span: Span) -> bool:
    """Tell whether a span stands for a file as such."""
    return span.start == span.end == Position(1, 1)


def formats(subject: str) -> tuple[str, ...]:
    """List the formats that can show a subject (`diagnostics`, `plan`, ...)."""
    return tuple(
        name for name in registry.names("reports") if hasattr(registry.load("reports", name), subject)
    )


def load(name: str, subject: str) -> ModuleType:
    """Import one format; raises UsageError where there is none of that name that can show the subject."""
    if name in registry.names("reports"):
        module = registry.load("reports", name)
        if hasattr(module, subject):
            return module
    raise UsageError(
        f"there is no format '{name}' for {_WHAT[subject]}",
        help=names_hint(name, formats(subject), what="formats"),
    )


def render(name: str, subject: str, value: Any, *, color: bool = False) -> str:
    """Show a subject in a format; raises UsageError as `load` does."""
    module = load(name, subject)
    more = {"color": color} if getattr(module, "COLORED", False) else {}
    text: str = getattr(module, subject)(value, **more)
    return text
