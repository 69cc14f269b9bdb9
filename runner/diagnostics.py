"""Findings about a project's files: what the checks give and what every report of them shows."""

from collections.abc import Iterable
from enum import StrEnum

from runner.errors import Exit, JsonObject, RunnerError
from runner.frozen import dataclass
from runner.source import Span


class Severity(StrEnum):
    """`error`: it will fail or leak. `warning`: it is probably not what was meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Label:
    """A place that a diagnostic speaks of. A concealed one may show a typed-in secret: its text is never printed."""

    span: Span
    message: str = ""
    concealed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding: rule, severity, message, the place exact to the column, related places and a remedy."""

    rule: str
    severity: Severity
    message: str
    primary: Label
    related: tuple[Label, ...] = ()
    help: str | None = None

    @property
    def sort_key(self) -> tuple[Span, str, str]:
        """Order by file, place, rule: the stable order of every report."""
        return (self.primary.span, self.rule, self.message)

    def to_json(self) -> JsonObject:
        """Give the diagnostic in the form of `runner validate --format json`."""
        data: JsonObject = {
            "rule": self.rule,
            "severity": self.severity.value,
            "message": self.message,
            **_place(self.primary),
        }
        if self.related:
            data["related"] = [{**_place(label), "message": label.message} for label in self.related]
        if self.help:
            data["help"] = self.help
        return data


class ProjectError(RunnerError):
    """The project has errors: every one of them is carried along."""

    exit_code = Exit.PROJECT

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        errors = sum(item.severity is Severity.ERROR for item in self.diagnostics)
        super().__init__(f"the project has {errors} error{'s' if errors != 1 else ''}")


def error(
    rule: str, message: str, span: Span, *, help: str | None = None, concealed: bool = False
) -> Diagnostic:
    """Make a diagnostic of severity error with one place."""
    return Diagnostic(
        rule=rule,
        severity=Severity.ERROR,
        message=message,
        primary=Label(span, concealed=concealed),
        help=help,
    )


def warning(rule: str, message: str, span: Span, *, help: str | None = None) -> Diagnostic:
    """Make a diagnostic of severity warning with one place."""
    return Diagnostic(rule=rule, severity=Severity.WARNING, message=message, primary=Label(span), help=help)


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Find the candidate that was probably meant, or None where nothing is near."""
    import difflib

    found = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.6)
    return found[0] if found else None


def names_hint(name: str, candidates: Iterable[str], *, prefix: str = "", what: str = "names") -> str:
    """Say which name was probably meant, else which names there are, else that there are none."""
    known = sorted(candidates)
    near = closest(name, known)
    if near:
        return f"did you mean '{prefix}{near}'?"
    if not known:
        return f"there are no {what}"
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"{what}: {shown}"


def _place(label: Label) -> JsonObject:
    span = label.span
    return {
        "file": span.path,
        "line": span.start.line,
        "column": span.start.column,
        "end_line": span.end.line,
        "end_column": span.end.column,
    }
